//! The SNS channel: standard and FIFO topics.

mod attributes;
mod entry;
mod refusal;

use std::sync::Arc;

use aws_sdk_sns::types::PublishBatchRequestEntry;
use futures::future::{BoxFuture, FutureExt as _};

use self::entry::PublishEntry;
use super::{Message, MessagePreview, Notifier, SnsSettings};
use crate::{
    aws::Aws,
    outbox::{DeliveryError, DeliveryOutcome, DeliveryReceipt, DeliveryTarget},
};

/// Maximum number of messages per call
/// (<https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>).
const BATCH: usize = 10;
/// Maximum size of all messages of one call, attributes included.
const CALL_BYTES: usize = 256 * 1024;

/// Client of an SNS channel.
#[derive(Debug)]
pub struct SnsNotifier {
    settings: SnsSettings,
    aws: Arc<Aws>,
}

impl SnsNotifier {
    /// The topic of `settings`, accessed through `aws`.
    #[must_use]
    pub fn new(aws: Arc<Aws>, settings: SnsSettings) -> Self {
        Self { settings, aws }
    }

    /// A client in the region of the topic: `arn:PARTITION:sns:REGION:ACCOUNT:NAME`.
    async fn client(&self) -> Result<aws_sdk_sns::Client, DeliveryError> {
        self.aws.require_credentials().await?;
        Ok(self.aws.own().await.sns(self.settings.topic_arn.parts().region))
    }

    /// Publishes `entries` in one call.
    async fn publish(&self, entries: &[PublishEntry]) -> Vec<DeliveryOutcome> {
        let client = match self.client().await {
            Ok(client) => client,
            Err(failure) => return vec![Err(failure); entries.len()],
        };
        if let [entry] = entries {
            return vec![self.publish_one(&client, entry.clone()).await];
        }
        match self.publish_batch(&client, entries).await {
            Ok(outcomes) => outcomes,
            // One of them is invalid, and SNS does not say which: send them one by one.
            Err(error) if error.is_about_entry => {
                let mut outcomes = Vec::new();
                for entry in entries {
                    outcomes.push(self.publish_one(&client, entry.clone()).await);
                }
                outcomes
            }
            Err(error) => vec![Err(error); entries.len()],
        }
    }

    async fn publish_one(&self, client: &aws_sdk_sns::Client, entry: PublishEntry) -> DeliveryOutcome {
        let PublishEntry { subject, body, structure, group, dedup_key, attributes } = entry;
        let call = client
            .publish()
            .topic_arn(self.settings.topic_arn.as_str())
            .subject(subject)
            .message(body)
            .set_message_structure(structure)
            .set_message_deduplication_id(group.is_some().then_some(dedup_key))
            .set_message_group_id(group)
            .set_message_attributes(Some(attributes));
        match call.send().await {
            Ok(response) => Ok(DeliveryReceipt { message_id: response.message_id }),
            Err(error) => Err(refusal::of_call(&self.call("Publish"), &error)),
        }
    }

    /// The outcome of each of `entries`, or why the whole call failed.
    async fn publish_batch(
        &self,
        client: &aws_sdk_sns::Client,
        entries: &[PublishEntry],
    ) -> Result<Vec<DeliveryOutcome>, DeliveryError> {
        let requests: Result<Vec<PublishBatchRequestEntry>, _> =
            entries.iter().cloned().enumerate().map(|(number, entry)| entry.into_request(number)).collect();
        let requests = requests.map_err(DeliveryError::for_entry)?;
        let call = client.publish_batch().topic_arn(self.settings.topic_arn.as_str());
        let response = call.set_publish_batch_request_entries(Some(requests)).send().await;
        let name = self.call("PublishBatch");
        let response = response.map_err(|error| refusal::of_call(&name, &error))?;
        let outcome = |number: usize| {
            let id = number.to_string();
            if let Some(sent) = response.successful().iter().find(|sent| sent.id() == Some(&id)) {
                return Ok(DeliveryReceipt { message_id: sent.message_id().map(str::to_owned) });
            }
            Err(match response.failed().iter().find(|failed| failed.id() == id) {
                Some(failed) => refusal::of_entry(&name, failed),
                None => DeliveryError::for_target(format!("{name}: the response does not mention this message")),
            })
        };
        Ok((0..entries.len()).map(outcome).collect())
    }

    /// The call, for people: `sns:Publish to arn:…`.
    fn call(&self, operation: &str) -> String {
        format!("sns:{operation} to {}", self.settings.topic_arn)
    }
}

/// Number of leading `entries` that fit into one call, at least one.
fn in_one_call(entries: &[PublishEntry]) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&PublishEntry| {
        bytes += entry.bytes();
        bytes <= CALL_BYTES
    };
    entries.iter().take(BATCH).take_while(fits).count().max(1)
}

impl DeliveryTarget<Message> for SnsNotifier {
    fn batch(&self) -> usize {
        BATCH
    }

    fn deliver<'a>(&'a self, messages: &'a [&'a Message]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        async move {
            let entries: Vec<_> =
                messages.iter().map(|message| PublishEntry::from_message(message, &self.settings)).collect();
            let mut outcomes: Vec<DeliveryOutcome> = Vec::new();
            while outcomes.len() < entries.len() {
                let rest = &entries[outcomes.len()..];
                outcomes.extend(self.publish(&rest[..in_one_call(rest)]).await);
                let is_down = |outcome: &&Result<_, DeliveryError>| {
                    outcome.as_ref().is_err_and(|failure| !failure.is_about_entry)
                };
                // The SDK has already retried for minutes.
                if let Some(down) = outcomes.iter().find(is_down).cloned() {
                    outcomes.resize(entries.len(), down);
                }
            }
            outcomes
        }
        .boxed()
    }
}

impl Notifier for SnsNotifier {
    fn preview(&self, message: &Message) -> MessagePreview {
        let entry = PublishEntry::from_message(message, &self.settings);
        MessagePreview { to: self.settings.topic_arn.to_string(), subject: Some(entry.subject), body: entry.body }
    }
}
