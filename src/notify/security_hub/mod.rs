//! The Security Hub channel: one finding per alert, in the account and region of its deployment.

mod finding;

use std::{collections::BTreeMap, sync::Arc};

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;

use self::finding::FindingScope;
use super::{Message, MessagePreview, Notifier};
use crate::{
    aws::{Aws, AwsError, RejectedFinding},
    outbox::{DeliveryError, DeliveryOutcome, DeliveryReceipt, DeliveryTarget},
    report::{json, sanitize},
};

/// Maximum number of findings per call. Each may have 240 KB, a hundred times what [`finding`] makes
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
const BATCH: usize = 100;

/// Client of a Security Hub channel.
#[derive(Debug)]
pub struct SecurityHubNotifier {
    aws: Arc<Aws>,
}

impl SecurityHubNotifier {
    /// Security Hub in the accounts that `aws` reads.
    #[must_use]
    pub fn new(aws: Arc<Aws>) -> Self {
        Self { aws }
    }

    /// The account and region of `message`; else those of basewatch itself.
    async fn scope(&self, message: &Message) -> Result<FindingScope, DeliveryError> {
        if let Some(scope) = finding::scope(message) {
            return Ok(scope);
        }
        self.aws.require_credentials().await?;
        let account = self.aws.own_account().await?;
        let unknown = || DeliveryError::for_entry("Security Hub: AWS does not say which account this is".to_owned());
        let region = self.aws.own().await.region().to_owned();
        Ok(FindingScope { account: account.ok_or_else(unknown)?.to_string(), region })
    }

    /// The outcome of each of `messages` of one account and region, in order.
    async fn import(&self, scope: &FindingScope, messages: &[&Message]) -> Vec<DeliveryOutcome> {
        let findings: Vec<_> = messages.iter().map(|message| finding::finding(message, scope)).collect();
        match self.import_all(scope, &findings).await {
            Ok(rejected) => findings.iter().map(|finding| outcome(scope, finding, &rejected)).collect(),
            // One account without Security Hub must not hold up the others.
            Err(error) => vec![Err(refusal(scope, &error)); findings.len()],
        }
    }

    async fn import_all(&self, scope: &FindingScope, findings: &[Value]) -> Result<Vec<RejectedFinding>, AwsError> {
        self.aws.require_credentials().await?;
        let session = self.aws.session_of(&scope.account).await?;
        session.import_findings(&scope.region, findings).await
    }
}

/// The outcome of `finding` in a call that rejected some.
fn outcome(scope: &FindingScope, finding: &Value, rejected: &[RejectedFinding]) -> DeliveryOutcome {
    let id = finding["Id"].as_str().unwrap_or_default();
    match rejected.iter().find(|rejected| rejected.id == id) {
        None => Ok(DeliveryReceipt { message_id: Some(id.to_owned()) }),
        Some(RejectedFinding { error_code, error_message, .. }) => {
            let why = format!("Security Hub rejected {id}: {error_code}: {error_message}");
            Err(DeliveryError::for_entry(sanitize(&format!("{why}{}", advice(scope, error_code))).into_owned()))
        }
    }
}

fn refusal(scope: &FindingScope, error: &AwsError) -> DeliveryError {
    DeliveryError::for_entry(format!("{}{}", error.message, advice(scope, &error.message)))
}

/// What to do about an error that contains the code `why`
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
fn advice(scope: &FindingScope, why: &str) -> String {
    let FindingScope { account, region } = scope;
    if why.contains("InvalidAccess") {
        return format!("; enable Security Hub in account {account}, region {region}");
    }
    if why.contains("AccessDenied") {
        return format!("; allow securityhub:BatchImportFindings in account {account}: see basewatch config iam");
    }
    String::new()
}

impl DeliveryTarget<Message> for SecurityHubNotifier {
    fn batch(&self) -> usize {
        BATCH
    }

    fn deliver<'a>(&'a self, messages: &'a [&'a Message]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        async move {
            let mut outcomes: Vec<Option<DeliveryOutcome>> = vec![None; messages.len()];
            let mut by_scope: BTreeMap<FindingScope, Vec<usize>> = BTreeMap::new();
            for (index, message) in messages.iter().enumerate() {
                match self.scope(message).await {
                    Ok(scope) => by_scope.entry(scope).or_default().push(index),
                    Err(error) => outcomes[index] = Some(Err(error)),
                }
            }
            for (scope, indices) in by_scope {
                let of_scope: Vec<_> = indices.iter().map(|index| messages[*index]).collect();
                for (index, outcome) in indices.into_iter().zip(self.import(&scope, &of_scope).await) {
                    outcomes[index] = Some(outcome);
                }
            }
            outcomes.into_iter().flatten().collect()
        }
        .boxed()
    }
}

impl Notifier for SecurityHubNotifier {
    fn preview(&self, message: &Message) -> MessagePreview {
        let own = || FindingScope { account: "000000000000".to_owned(), region: "us-east-1".to_owned() };
        let scope = finding::scope(message).unwrap_or_else(own);
        let to = format!("Security Hub of account {} in {}", scope.account, scope.region);
        MessagePreview { to, subject: None, body: json::render(&finding::finding(message, &scope)) }
    }
}
