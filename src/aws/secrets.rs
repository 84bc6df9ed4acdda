//! Secrets in AWS Secrets Manager.

use serde_json::Value;

use super::{Aws, Failure};
use crate::secret::{InvalidSecret, Secret, SecretSource};

impl Aws {
    /// The value of `source`, read from AWS Secrets Manager once a run if needed.
    ///
    /// An ARN with the suffix `#KEY` selects that key of a secret that is a JSON object.
    ///
    /// # Errors
    ///
    /// If the request fails, the secret is not text, or the key is missing. No error has a part of a secret.
    pub async fn secret(&self, source: &SecretSource) -> Result<Secret, Failure> {
        match source {
            SecretSource::Here(secret) => Ok(secret.clone()),
            SecretSource::SecretsManager(name) => {
                self.secrets.get(name.clone(), async || self.fetch_secret(name).await).await
            }
        }
    }

    async fn fetch_secret(&self, name: &str) -> Result<Secret, Failure> {
        let (arn, key) = name.split_once('#').map_or((name, None), |(arn, key)| (arn, Some(key)));
        self.require_credentials().await?;
        // arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME
        let region = arn.split(':').nth(3).unwrap_or_default();
        let answer = self.own().await.secrets_manager(region).get_secret_value().secret_id(arn).send().await;
        let answer = answer.map_err(|error| Failure::of(&format!("secretsmanager:GetSecretValue of {arn}"), &error))?;
        let text = answer.secret_string.ok_or_else(|| unusable(arn, "it is not text"))?;
        let value = match key {
            None => text,
            Some(key) => {
                let object: Value = serde_json::from_str(&text).map_err(|_| unusable(arn, "it is not JSON"))?;
                let value = object.get(key).and_then(Value::as_str);
                value.ok_or_else(|| unusable(arn, &format!("it has no text under the key {key:?}")))?.to_owned()
            }
        };
        value.parse().map_err(|error: InvalidSecret| unusable(arn, &error.to_string()))
    }
}

fn unusable(arn: &str, why: &str) -> Failure {
    Failure { code: "failed", message: format!("the secret {arn} cannot be used: {why}") }
}
