//! Secrets in AWS Secrets Manager.

use serde_json::Value;

use super::{Aws, AwsError};
use crate::{
    image::{Arn, ErrorCode},
    secret::{InvalidSecret, Secret, SecretSource},
};

impl Aws {
    /// The value of `source`, read from AWS Secrets Manager once a run if needed.
    ///
    /// # Errors
    ///
    /// If the request fails, the secret is not text, or the key is missing. No error has a part of a secret.
    pub async fn secret(&self, source: &SecretSource) -> Result<Secret, AwsError> {
        match source {
            SecretSource::Here(secret) => Ok(secret.clone()),
            SecretSource::SecretsManager { arn, key } => {
                let fetch = async || self.fetch_secret(arn, key.as_deref()).await;
                self.secrets.get((arn.clone(), key.clone()), fetch).await
            }
        }
    }

    async fn fetch_secret(&self, arn: &Arn, key: Option<&str>) -> Result<Secret, AwsError> {
        self.require_credentials().await?;
        let client = self.own().await.secrets_manager(arn.parts().region);
        let response = client.get_secret_value().secret_id(arn.as_str()).send().await;
        let response =
            response.map_err(|error| AwsError::from_sdk(&format!("secretsmanager:GetSecretValue of {arn}"), &error))?;
        let text = response.secret_string.ok_or_else(|| unusable(arn, "it is not text"))?;
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

fn unusable(arn: &Arn, why: &str) -> AwsError {
    AwsError { code: ErrorCode::Failed, message: format!("the secret {arn} cannot be used: {why}") }
}
