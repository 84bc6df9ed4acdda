//! Calls of ECS: paginated, batched, with bounded concurrency, and given up after repeated failures.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_ecs::{Client, types};
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use crate::{
    aws::AwsError,
    image::ErrorCode,
    inventory::{AwsScope, CollectionError, DeploymentKind, account_region::AccountRegion},
};

/// The page size: the maximum of ECS.
pub(super) const PAGE: i32 = 100;
/// The most pages of one list: a hundred thousand entries, many times what the quotas of ECS allow
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>), to end a list that never ends.
const PAGES: usize = 1_000;
/// The number of consecutive calls without a response, each with its retries, after which a region is given up.
const MAX_CONSECUTIVE_FAILURES: usize = 5;

/// ECS in one region of one account.
pub(super) struct EcsClient<'a> {
    /// Its client.
    pub(super) client: Client,
    /// The account and region.
    pub(super) account_region: &'a AccountRegion,
    aws_scope: &'a AwsScope,
    permits: &'a Semaphore,
    consecutive_failures: AtomicUsize,
}

/// The items of several responses.
#[derive(Debug)]
pub(super) struct CollectedItems<T> {
    pub(super) items: Vec<T>,
    /// Whether no call failed.
    pub(super) is_whole: bool,
}

/// A page of a list.
pub(super) struct EcsPage {
    pub(super) items: Option<Vec<String>>,
    pub(super) next: Option<String>,
}

/// The response of a describe call.
pub(super) struct DescribeOutput<T> {
    pub(super) items: Vec<T>,
    /// The items that it does not describe, with the reasons.
    pub(super) failures: Option<Vec<types::Failure>>,
}

impl<'a> EcsClient<'a> {
    /// ECS at `account_region`; all regions share `permits`.
    pub(super) fn new(account_region: &'a AccountRegion, aws_scope: &'a AwsScope, permits: &'a Semaphore) -> Self {
        Self {
            client: account_region.session.ecs(&account_region.region),
            account_region,
            aws_scope,
            permits,
            consecutive_failures: AtomicUsize::new(0),
        }
    }

    /// The scope of a [`CollectionError`] here.
    pub(super) fn scope(&self) -> String {
        self.account_region.scope("ecs")
    }

    /// The name of a call of `operation` in the message of a [`Failure`].
    pub(super) fn call(&self, operation: &str) -> String {
        format!("ecs:{operation} in {}", self.account_region.region)
    }

    /// The number of concurrent calls.
    pub(super) fn concurrency(&self) -> usize {
        self.aws_scope.concurrency
    }

    /// Sends a call when a permit is free. A failure is recorded as an error of `scope`.
    pub(super) async fn send<T>(&self, scope: &str, sent: impl Future<Output = Result<T, AwsError>>) -> Option<T> {
        let _permit = self.permits.acquire().await;
        if self.consecutive_failures.load(Ordering::Relaxed) >= MAX_CONSECUTIVE_FAILURES {
            return None;
        }
        match sent.await {
            Ok(response) => {
                self.consecutive_failures.store(0, Ordering::Relaxed);
                Some(response)
            }
            Err(failure) => {
                self.failed(scope, failure);
                None
            }
        }
    }

    /// The items of all pages. If one fails, those of earlier pages are returned.
    pub(super) async fn list<F>(
        &self,
        scope: &str,
        call: &str,
        page: impl Fn(Option<String>) -> F,
    ) -> CollectedItems<String>
    where
        F: Future<Output = Result<EcsPage, AwsError>>,
    {
        let mut items = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            let Some(page) = self.send(scope, page(token.clone())).await else {
                return CollectedItems { items, is_whole: false };
            };
            items.extend(page.items.unwrap_or_default());
            let next = page.next.filter(|next| !next.is_empty());
            if next.is_none() {
                return CollectedItems { items, is_whole: true };
            }
            if next == token {
                self.note(scope, ErrorCode::Malformed, format!("{call}: the list repeats its next token"));
                return CollectedItems { items, is_whole: false };
            }
            token = next;
        }
        self.note(scope, ErrorCode::Malformed, format!("{call}: the list exceeds {PAGES} pages"));
        CollectedItems { items, is_whole: false }
    }

    /// Describes `names` in batches of at most `size`. Resources that do not exist any more are left out.
    pub(super) async fn batches<T, F>(
        &self,
        (scope, call): (&str, &str),
        (names, size): (&[String], usize),
        describe: impl Fn(Vec<String>) -> F,
    ) -> CollectedItems<T>
    where
        F: Future<Output = Result<DescribeOutput<T>, AwsError>>,
    {
        let batches: Vec<_> = names.chunks(size).map(<[String]>::to_vec).collect();
        let responses = stream::iter(batches).map(|batch| self.send(scope, describe(batch)));
        let mut responses = responses.buffer_unordered(self.concurrency());
        let mut gathered = CollectedItems { items: Vec::new(), is_whole: true };
        while let Some(response) = responses.next().await {
            let Some(DescribeOutput { items, failures }) = response else {
                gathered.is_whole = false;
                continue;
            };
            gathered.items.extend(items);
            for (code, why) in failures.unwrap_or_default().iter().filter_map(refusal) {
                gathered.is_whole = false;
                self.note(scope, code, format!("{call}: {why}"));
            }
        }
        gathered
    }

    fn failed(&self, scope: &str, failure: AwsError) {
        // A refusal is quick, and the next call may succeed.
        let is_silence = matches!(failure.code, ErrorCode::Throttled | ErrorCode::Unreachable | ErrorCode::Credentials);
        if is_silence && self.consecutive_failures.fetch_add(1, Ordering::Relaxed) + 1 == MAX_CONSECUTIVE_FAILURES {
            self.note(&self.scope(), failure.code, format!("{}; the rest of this region was skipped", failure.message));
        }
        self.aws_scope.record_error(self.error(scope, failure));
    }

    fn note(&self, scope: &str, code: ErrorCode, message: String) {
        self.aws_scope.record_error(self.error(scope, AwsError { code, message }));
    }

    fn error(&self, scope: &str, failure: AwsError) -> CollectionError {
        CollectionError::new(scope.to_owned(), self.account_region.affected(DeploymentKind::Ecs), failure)
    }
}

/// Code and message of the error for an item that a call does not describe; `None` if the resource does not exist any more
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Failure.html>).
fn refusal(failure: &types::Failure) -> Option<(ErrorCode, String)> {
    let reason = failure.reason.as_deref().unwrap_or("no reason given");
    if reason == "MISSING" {
        return None;
    }
    let is_denied = reason.to_ascii_lowercase().replace([' ', '_'], "").contains("denied");
    let detail = failure.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let arn = failure.arn.as_deref().unwrap_or("something");
    Some((if is_denied { ErrorCode::AccessDenied } else { ErrorCode::Failed }, format!("{reason} for {arn}{detail}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_resource_is_not_an_error_and_other_failures_keep_the_text_of_aws() {
        let failure = |reason: &str| types::Failure::builder().arn("arn:x").reason(reason).build();
        assert_eq!(refusal(&failure("MISSING")), None);
        assert_eq!(
            refusal(&failure("ACCESS_DENIED")),
            Some((ErrorCode::AccessDenied, "ACCESS_DENIED for arn:x".into()))
        );
        assert_eq!(refusal(&failure("Access denied")).unwrap().0, ErrorCode::AccessDenied);
        let failure = types::Failure::builder().reason("AGENT").detail("it is disconnected").build();
        assert_eq!(refusal(&failure), Some((ErrorCode::Failed, "AGENT for something: it is disconnected".into())));
    }
}
