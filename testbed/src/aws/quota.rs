//! Quotas: token buckets for each account and region.

use std::{collections::HashMap, time::Instant};

use super::log::CallKey;

/// The API quotas of an account in a region, in calls per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CloudQuotas {
    /// Lambda's GetFunction; no limit if absent.
    pub get_function: Option<u32>,
    /// All other calls of Lambda's control plane together; no limit if absent.
    pub other_lambda: Option<u32>,
}

impl CloudQuotas {
    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of AWS, which cannot be raised: GetFunction 100 a second, everything else of Lambda's control plane
    /// 15 (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests>).
    #[must_use]
    pub fn real() -> Self {
        Self { get_function: Some(100), other_lambda: Some(15) }
    }

    /// The bucket that `call` takes from, and its rate.
    fn bucket(&self, call: &CallKey) -> Option<(&'static str, u32)> {
        match (call.service.as_str(), call.operation.as_str()) {
            ("lambda", "GetFunction") => Some(("GetFunction", self.get_function?)),
            ("lambda", _) => Some(("others", self.other_lambda?)),
            _ => None,
        }
    }
}

/// The buckets.
#[derive(Debug, Default)]
pub(super) struct Meter {
    quotas: CloudQuotas,
    buckets: HashMap<(String, String, &'static str), TokenBucket>,
}

/// A bucket with the calls of one second.
#[derive(Debug)]
struct TokenBucket {
    tokens: f64,
    at: Instant,
}

impl Meter {
    pub(super) fn new(quotas: CloudQuotas) -> Self {
        Self { quotas, buckets: HashMap::new() }
    }

    /// Takes a token for `call` at `now`; whether there was one.
    pub(super) fn admits(&mut self, call: &CallKey, now: Instant) -> bool {
        let Some((name, rate)) = self.quotas.bucket(call) else { return true };
        let rate = f64::from(rate);
        let key = (call.account.clone(), call.region.clone(), name);
        let bucket = self.buckets.entry(key).or_insert(TokenBucket { tokens: rate, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * rate).min(rate);
        bucket.at = now;
        let has_room = bucket.tokens >= 1.0;
        if has_room {
            bucket.tokens -= 1.0;
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn call(account: &str, region: &str, operation: &str) -> CallKey {
        let [account, region, operation] = [account, region, operation].map(str::to_owned);
        CallKey { account, region, service: "lambda".into(), operation }
    }

    fn admitted(meter: &mut Meter, call: &CallKey, times: usize, at: Instant) -> usize {
        (0..times).filter(|_| meter.admits(call, at)).count()
    }

    #[test]
    fn a_second_allows_the_quota_and_no_more() {
        let mut meter = Meter::new(CloudQuotas::real());
        let start = Instant::now();
        let get = call("1", "eu-west-1", "GetFunction");
        assert_eq!(admitted(&mut meter, &get, 300, start), 100);
        assert_eq!(admitted(&mut meter, &get, 300, start + Duration::from_millis(500)), 50);
        assert_eq!(admitted(&mut meter, &get, 300, start + Duration::from_mins(1)), 100, "the bucket does not grow");
    }

    #[test]
    fn all_other_calls_share_one_bucket_for_each_account_and_region() {
        let mut meter = Meter::new(CloudQuotas::real());
        let now = Instant::now();
        assert_eq!(admitted(&mut meter, &call("1", "eu-west-1", "ListFunctions"), 10, now), 10);
        assert_eq!(admitted(&mut meter, &call("1", "eu-west-1", "ListAliases"), 10, now), 5);
        assert_eq!(admitted(&mut meter, &call("1", "us-east-1", "ListAliases"), 20, now), 15);
        assert_eq!(admitted(&mut meter, &call("2", "eu-west-1", "ListAliases"), 20, now), 15);
        assert_eq!(admitted(&mut meter, &call("1", "eu-west-1", "GetFunction"), 20, now), 20);
    }

    #[test]
    fn without_quotas_everything_is_admitted() {
        let mut meter = Meter::default();
        assert_eq!(admitted(&mut meter, &call("1", "eu-west-1", "ListFunctions"), 1000, Instant::now()), 1000);
    }
}
