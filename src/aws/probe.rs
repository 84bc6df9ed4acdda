//! Requests that only check access: who the credentials belong to, and whether a topic exists.

use super::{Aws, AwsError};
use crate::image::Arn;

impl Aws {
    /// The ARN of basewatch's own identity, as AWS returns it. Needs no permission.
    ///
    /// # Errors
    ///
    /// If there are no credentials, or AWS rejects them.
    pub async fn caller_identity(&self) -> Result<String, AwsError> {
        self.require_credentials().await?;
        let response = self.own().await.sts().get_caller_identity().send().await;
        let response = response.map_err(|error| AwsError::from_sdk("sts:GetCallerIdentity", &error))?;
        Ok(response.arn.unwrap_or_default())
    }

    /// Requests the attributes of `topic`. Publishes nothing.
    ///
    /// # Errors
    ///
    /// If the topic does not exist, or the request is denied: publishing does not need `sns:GetTopicAttributes`.
    pub async fn check_topic(&self, topic: &Arn) -> Result<(), AwsError> {
        self.require_credentials().await?;
        let client = self.own().await.sns(topic.parts().region);
        let response = client.get_topic_attributes().topic_arn(topic.as_str()).send().await;
        response.map(drop).map_err(|error| AwsError::from_sdk("sns:GetTopicAttributes", &error))
    }
}
