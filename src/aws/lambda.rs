//! How fast may Lambda's control plane be asked? Its quotas for an account and region, kept on our side.

use std::sync::Arc;

use crate::pace::Pace;

/// Requests a second: `GetFunction` 100 (L-37540937), and 15 for all else but `GetPolicy` together
/// (L-B2AA0F47), neither adjustable (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
/// A little less, so that deployments of others go through meanwhile.
const GET_FUNCTION_RATE: f64 = 95.0;
const OTHER_RATE: f64 = 14.2;

/// Lambda in one region of one account.
#[derive(Clone, Debug)]
pub(crate) struct Lambda {
    client: aws_sdk_lambda::Client,
    get_function: Arc<Pace>,
    other: Arc<Pace>,
}

impl Lambda {
    pub(super) fn new(client: aws_sdk_lambda::Client) -> Self {
        let pace = |rate| Arc::new(Pace::new(Some(rate)));
        Self { client, get_function: pace(GET_FUNCTION_RATE), other: pace(OTHER_RATE) }
    }

    /// The client, when the next `GetFunction` may be sent.
    pub(crate) async fn for_get_function(&self) -> &aws_sdk_lambda::Client {
        self.get_function.turn().await.answered();
        &self.client
    }

    /// The client, when the next call of any other operation may be sent.
    pub(crate) async fn for_others(&self) -> &aws_sdk_lambda::Client {
        self.other.turn().await.answered();
        &self.client
    }
}
