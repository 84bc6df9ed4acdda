//! Base lines in use: the releases from the oldest base in use to the current one, with the number of deployments on
//! each.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BaseInUse, Finding, HoldFields, RuntimeFields};
use crate::{
    image::{Digest, ReferenceText},
    judge::Verdict,
    resolve::{PublishDateSource, Resolution},
};

/// Maximum number of releases of a line in a report. Releases in use are always included.
const MOST_RELEASES: usize = 400;

/// A base line in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineFields {
    /// The line: `public.ecr.aws/lambda/java:21`.
    pub reference: ReferenceText,
    /// The Lambda runtime; null for other lines.
    pub runtime: Option<RuntimeFields>,
    /// The number of findings with a base of this line.
    pub deployments: u64,
    /// The number of findings by verdict, without zeros.
    pub by_verdict: BTreeMap<Verdict, u64>,
    /// The releases, newest first, back to the oldest one in use.
    pub releases: Vec<LineRelease>,
    /// The number of omitted releases; absent if none are omitted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub releases_omitted: u64,
    /// Whether all releases of that time are known. For lines without dated tags, only the releases in use and the
    /// current one are.
    pub releases_complete: bool,
}

/// A release of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineRelease {
    /// The dated tag; null if there is none.
    pub release: Option<String>,
    /// The digest, if a deployment records it or the release is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The publish date.
    pub published_at: Option<DateTime<Utc>>,
    /// The source of the publish date.
    pub published_source: Option<PublishDateSource>,
    /// Whether this is the current release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub current: bool,
    /// The hold on the release; absent without a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFields>,
    /// The number of findings with this release as base; absent if zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deployments: u64,
    /// The number of findings by verdict.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_verdict: BTreeMap<Verdict, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl LineFields {
    /// The lines of `findings` by name, with the releases of `resolutions`.
    #[must_use]
    pub fn from_findings<'a>(findings: &[Finding], resolutions: impl IntoIterator<Item = &'a Resolution>) -> Vec<Self> {
        let mut lines: BTreeMap<String, LineAccumulator> = BTreeMap::new();
        for finding in findings {
            let Some(base) = &finding.base else { continue };
            let Some(line) = &base.line else { continue };
            lines.entry(line.clone()).or_default().add(finding, base);
        }
        let mut is_known: HashMap<String, bool> = HashMap::new();
        for resolution in resolutions {
            let (Some((line, _)), Some(current)) = (&resolution.line, &resolution.current) else { continue };
            let line = line.to_string();
            let releases = &current.releases;
            let is_complete = releases.is_complete && !releases.tags.is_empty();
            *is_known.entry(line.clone()).or_insert(true) &= is_complete;
            if let Some(gathered) = lines.get_mut(&line) {
                gathered.publish(resolution);
                gathered.hold(resolution);
            }
        }
        let finished = |(line, gathered): (String, LineAccumulator)| {
            let is_known = is_known.get(&line).copied().unwrap_or_default();
            gathered.finish(line, is_known)
        };
        lines.into_iter().map(finished).collect()
    }
}

/// A line while its findings are collected.
#[derive(Default)]
struct LineAccumulator {
    runtime: Option<RuntimeFields>,
    deployments: u64,
    by_verdict: BTreeMap<Verdict, u64>,
    /// By dated tag, else by digest, else by reference.
    releases: BTreeMap<String, LineRelease>,
}

impl LineAccumulator {
    fn add(&mut self, finding: &Finding, base: &BaseInUse) {
        self.deployments += 1;
        *self.by_verdict.entry(finding.verdict).or_default() += 1;
        self.runtime = self.runtime.take().or_else(|| finding.runtime.clone());
        let (release, digest) = (base.release.as_deref(), base.digest.as_ref());
        let used = self.release(release, digest, &base.reference);
        if release.is_none() && digest.is_none() {
            used.bounded(base.published_at, base.published_source);
        } else {
            used.dated(base.published_at, base.published_source);
        }
        used.deployments += 1;
        *used.by_verdict.entry(finding.verdict).or_default() += 1;
        if let Some(current) = &finding.current {
            let newest = self.release(current.release.as_deref(), Some(&current.digest), &current.reference);
            newest.dated(current.published_at, current.published_source);
            newest.current = true;
        }
    }

    fn release(&mut self, release: Option<&str>, digest: Option<&Digest>, name: &str) -> &mut LineRelease {
        let key = release.map(str::to_owned).or_else(|| digest.map(ToString::to_string));
        let entry = self.releases.entry(key.unwrap_or_else(|| name.to_owned())).or_insert_with(|| LineRelease {
            release: release.map(str::to_owned),
            digest: None,
            published_at: None,
            published_source: None,
            current: false,
            hold: None,
            deployments: 0,
            by_verdict: BTreeMap::new(),
        });
        entry.digest = entry.digest.take().or_else(|| digest.cloned());
        entry
    }

    /// Adds the dated releases from the oldest one in use to the current one, and held releases, which may be newer.
    fn publish(&mut self, resolution: &Resolution) {
        let Some(current) = &resolution.current else { return };
        let dated = |release: &LineRelease| release.published_at.filter(|_| release.deployments > 0);
        let Some(oldest) = self.releases.values().filter_map(dated).min() else { return };
        let newest = current.release.as_ref().and_then(|release| release.built_at);
        let free = current.releases.tags.iter().filter(|tag| newest.is_none_or(|newest| tag.built_at <= Some(newest)));
        let held = current.releases.held.iter();
        let all = free.map(|tag| (tag, None)).chain(held.map(|(tag, hold)| (tag, Some(&**hold))));
        for (tag, hold) in all.filter(|(tag, _)| tag.built_at >= Some(oldest)) {
            let release = self.release(Some(&tag.to_string()), None, "");
            release.dated(tag.built_at, Some(PublishDateSource::DatedTag));
            release.hold = hold.map(HoldFields::from);
        }
    }

    /// Marks the held base of `resolution`, which may be known only by its digest.
    fn hold(&mut self, resolution: &Resolution) {
        let base = &resolution.base;
        let Some(hold) = base.hold.as_deref() else { return };
        let key =
            base.release.as_ref().map(ToString::to_string).or_else(|| base.digest.as_ref().map(Digest::to_string));
        if let Some(release) = key.and_then(|key| self.releases.get_mut(&key)) {
            release.hold = Some(HoldFields::from(hold));
        }
    }

    fn finish(self, reference: String, releases_complete: bool) -> LineFields {
        let mut releases: Vec<_> = self.releases.into_values().collect();
        releases.sort_by_key(|release| Reverse((release.published_at, release.release.clone())));
        let mut room = MOST_RELEASES.saturating_sub(releases.iter().filter(|release| release.is_used()).count());
        let all = releases.len();
        releases.retain(|release| {
            let is_kept = release.is_used() || room > 0;
            room -= usize::from(is_kept && !release.is_used());
            is_kept
        });
        LineFields {
            reference: reference.into(),
            runtime: self.runtime,
            deployments: self.deployments,
            by_verdict: self.by_verdict,
            releases_omitted: (all - releases.len()) as u64,
            releases,
            releases_complete,
        }
    }
}

impl LineRelease {
    fn is_used(&self) -> bool {
        self.current || self.deployments > 0
    }

    /// Sets the latest of several bounds for indistinguishable releases, which is valid for all of them.
    fn bounded(&mut self, at: Option<DateTime<Utc>>, source: Option<PublishDateSource>) {
        if (self.published_at, self.published_source) < (at, source) {
            (self.published_at, self.published_source) = (at, source);
        }
    }

    /// Sets the date from the best source; of two bounds, the earlier, which is tighter.
    fn dated(&mut self, at: Option<DateTime<Utc>>, source: Option<PublishDateSource>) {
        let (Some(at), Some(source)) = (at, source) else { return };
        let is_better = match (self.published_at, self.published_source) {
            (Some(known_at), Some(known)) => (source, at) < (known, known_at),
            _ => true,
        };
        if is_better {
            (self.published_at, self.published_source) = (Some(at), Some(source));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        image::{DigestKind, LambdaTag},
        resolve::{CurrentImage, LineSource, ReleaseLine, ReleaseTags},
    };

    const JAVA: &str = "public.ecr.aws/lambda/java:21";

    /// A finding on a release of `JAVA`, or on a digest if `release` is empty.
    fn finding(release: &str, published_at: &str, verdict: &str) -> Finding {
        let tag = Some(release).filter(|release| !release.is_empty());
        let digest = format!("sha256:{:064x}", published_at.len());
        serde_json::from_value(json!({
            "id": "x", "deployment": { "kind": "lambda", "name": "x" }, "image": { "reference": "x" },
            "base": {
                "reference": "public.ecr.aws/lambda/java", "digest": digest, "identified_by": "label",
                "evidence": "sdkBaseVersion", "line": JAVA, "release": tag, "published_at": published_at,
                "published_source": if tag.is_some() { "dated-tag" } else { "at-least" },
            },
            "current": {
                "reference": JAVA, "digest": format!("sha256:{:064x}", 1), "release": "21.2026.11.19.13",
                "published_at": "2026-11-19T13:00:00Z", "published_source": "dated-tag",
            },
            "verdict": verdict, "stale": false, "out_of_date": false, "deprecated": false, "severity": "high",
            "action": "rebuild", "reasons": [],
        }))
        .unwrap()
    }

    /// A resolution of `JAVA` with a release per day until 2026-11-20; that of the day before is current.
    fn resolution(days: u32) -> Resolution {
        let tag = |text: &str| LambdaTag::parse(text).unwrap();
        let tags = (1..=days).map(|day| tag(&format!("21.2026.11.{:02}.13", 20 - days + day))).collect();
        let (repository, family) = JAVA.split_once(':').unwrap();
        let line = ReleaseLine { repository: repository.parse().unwrap(), tag: family.to_owned() };
        let current = CurrentImage {
            digest: Digest::sha256(b"current"),
            kind: DigestKind::Index,
            platform_digest: None,
            config: None,
            release: Some(tag("21.2026.11.19.13")),
            published: None,
            diff_ids: None,
            releases: Arc::new(ReleaseTags { tags, held: Vec::new(), is_complete: true }),
            hold: None,
        };
        Resolution { line: Some((line, LineSource::DatedTag)), current: Some(current), ..Resolution::default() }
    }

    fn shown(line: &LineFields) -> Vec<(String, u64, bool)> {
        let release = |release: &LineRelease| release.release.clone().unwrap_or_else(|| "?".to_owned());
        line.releases.iter().map(|one| (release(one), one.deployments, one.current)).collect()
    }

    #[test]
    fn a_line_goes_from_the_oldest_base_in_use_to_the_current_release() {
        let findings = [
            finding("21.2026.11.17.13", "2026-11-17T13:00:00Z", "stale"),
            finding("21.2026.11.17.13", "2026-11-17T13:00:00Z", "out-of-date"),
            finding("21.2026.11.19.13", "2026-11-19T13:00:00Z", "fresh"),
        ];
        let lines = LineFields::from_findings(&findings, [&resolution(10)]);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((line.reference.as_str(), line.deployments, line.releases_complete), (JAVA, 3, true));
        let expected = [("21.2026.11.19.13", 1, true), ("21.2026.11.18.13", 0, false), ("21.2026.11.17.13", 2, false)];
        assert_eq!(shown(line), expected.map(|(release, count, current)| (release.to_owned(), count, current)));
        let counts = &line.releases[2].by_verdict;
        assert_eq!(counts, &BTreeMap::from([(Verdict::Stale, 1), (Verdict::OutOfDate, 1)]));
    }

    #[test]
    fn without_dated_tags_only_releases_in_use_are_known() {
        let lines = LineFields::from_findings(&[finding("", "2026-09-01T00:00:00Z", "stale")], []);
        let expected = [("21.2026.11.19.13", 0, true), ("?", 1, false)];
        assert_eq!(shown(&lines[0]), expected.map(|(release, count, current)| (release.to_owned(), count, current)));
        assert!(!lines[0].releases_complete);
        assert_eq!(lines[0].releases[1].published_source, Some(PublishDateSource::AtLeast));
    }

    #[test]
    fn a_long_line_omits_and_counts_unused_releases() {
        let mut gathered = LineAccumulator::default();
        let oldest = finding("21.2020.01.01.00", "2020-01-01T00:00:00Z", "stale");
        gathered.add(&oldest, oldest.base.as_ref().unwrap());
        for number in 0..1_000 {
            let at = DateTime::from_timestamp(1_600_000_000 + number * 3_600, 0);
            gathered.release(Some(&number.to_string()), None, "").dated(at, Some(PublishDateSource::DatedTag));
        }
        let line = gathered.finish(JAVA.to_owned(), true);
        assert_eq!((line.releases.len(), line.releases_omitted), (MOST_RELEASES, 602));
        assert!(line.releases[0].current && line.releases.last().unwrap().deployments == 1);
    }

    #[test]
    fn a_finding_without_a_line_is_not_counted() {
        let mut nowhere = finding("", "2026-09-01T00:00:00Z", "unknown");
        nowhere.base.as_mut().unwrap().line = None;
        assert_eq!(LineFields::from_findings(&[nowhere], []), []);
    }
}
