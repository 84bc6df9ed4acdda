//! The budget of the search for bases that images do not record, as a report shows it.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, format};
use crate::{identify::SearchLimits, judge::ReasonCode};

/// How much of its budget the search for unrecorded bases has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchBudget {
    /// Requests sent. Lists of tags are not counted.
    pub requests: u64,
    /// The limit of `requests` in one run: `identify.search_requests`. A release whose first request was sent is read to
    /// its end, so `requests` may exceed the limit by two.
    pub max_requests: u64,
    /// The limit in minutes, from the first request.
    pub max_minutes: u64,
    /// Images whose search is unfinished: their findings have the reason `base-search-unfinished`. The next run continues
    /// there.
    pub unfinished_images: u64,
}

impl SearchBudget {
    /// The budget `limits`, of which `request_count` requests were used for the images of `findings`. `None` if no
    /// search was necessary or allowed.
    #[must_use]
    pub fn new(request_count: usize, limits: SearchLimits, findings: &[Finding]) -> Option<Self> {
        let code = ReasonCode::BaseSearchUnfinished.as_str();
        let is_unfinished = |finding: &&Finding| finding.reasons.iter().any(|reason| reason.code == code);
        let images =
            findings.iter().filter(is_unfinished).map(|finding| (&finding.image.digest, &finding.image.platform));
        let unfinished_images = images.collect::<BTreeSet<_>>().len() as u64;
        let is_allowed = limits.request_count > 0 && !limits.duration.is_zero();
        (is_allowed && (request_count > 0 || unfinished_images > 0)).then_some(Self {
            requests: request_count as u64,
            max_requests: limits.request_count as u64,
            max_minutes: limits.duration.as_secs() / 60,
            unfinished_images,
        })
    }
}

/// `300 of at most 300 requests for bases that images do not record; 12 images continue in the next run`.
impl fmt::Display for SearchBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, max_requests, max_minutes, unfinished_images } = self;
        let minutes = format::count(*max_minutes, "minute");
        write!(f, "{requests} of at most {max_requests} requests in {minutes} for bases that images do not record")?;
        match unfinished_images {
            0 => Ok(()),
            1 => f.write_str("; the search for 1 image continues in the next run"),
            _ => write!(f, "; the search for {unfinished_images} images continues in the next run"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn finding(digest: &str, reason: &str) -> Finding {
        let reasons = json!([{ "code": reason, "message": "" }]);
        let finding = json!({
            "id": digest, "deployment": { "kind": "lambda", "name": "orders" },
            "image": { "reference": "r", "digest": digest, "platform": null, "created_at": null, "pushed_at": null },
            "base": null, "current": null, "behind": null, "runtime": null, "verdict": "unknown", "stale": false,
            "out_of_date": false, "deprecated": false, "severity": "low", "action": "investigate", "reasons": reasons,
        });
        serde_json::from_value(finding).unwrap()
    }

    #[test]
    fn an_unfinished_search_counts_each_image_once() {
        let digests = ["a", "b"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let unfinished = ReasonCode::BaseSearchUnfinished.as_str();
        let findings = [
            finding(&digests[0], unfinished),
            finding(&digests[0], unfinished),
            finding(&digests[1], unfinished),
            finding(&digests[1], "base-unidentified"),
        ];
        let budget = SearchBudget::new(301, SearchLimits::default(), &findings).unwrap();
        assert_eq!((budget.requests, budget.max_requests, budget.max_minutes), (301, 300, 5));
        assert_eq!(
            budget.to_string(),
            "301 of at most 300 requests in 5 minutes for bases that images do not record; the search for 2 images \
             continues in the next run"
        );
        let budget = SearchBudget::new(1, SearchLimits::default(), &findings[3..]).unwrap();
        assert_eq!(budget.unfinished_images, 0);
    }

    #[test]
    fn a_run_without_a_search_shows_no_budget() {
        assert_eq!(SearchBudget::new(0, SearchLimits::default(), &[]), None);
        let off = SearchLimits { request_count: 0, duration: Duration::from_mins(5) };
        let digest = format!("sha256:{}", "a".repeat(64));
        let findings = [finding(&digest, ReasonCode::BaseSearchUnfinished.as_str())];
        assert_eq!(SearchBudget::new(0, off, &findings), None, "no later run continues it");
    }
}
