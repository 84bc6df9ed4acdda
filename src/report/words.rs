//! How are ages, distances and bases put, the same in every table?

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{BaseInUse, Behind, DeploymentFields, ExemptionFields, Finding};
use crate::{image::Digest, inventory::DeploymentKind, judge::Verdict, resolve::PublishedSource};

/// What stands where nothing is known.
pub(crate) const NOTHING: &str = "–";

/// The registry that is left out of names: nearly every base is from there.
const USUAL_REGISTRY: &str = "public.ecr.aws/";

/// `1 image`, `3 images`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `2 stale, 1 out-of-date`, worst first, unknown last.
pub(super) fn tally(verdicts: impl IntoIterator<Item = (Verdict, u64)>) -> String {
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for (verdict, number) in verdicts {
        *counts.entry(verdict).or_default() += number;
    }
    let order = Verdict::ALL.into_iter().rev().filter(|verdict| *verdict != Verdict::Unknown);
    let parts: Vec<_> = order
        .chain([Verdict::Unknown])
        .filter_map(|verdict| Some((verdict, *counts.get(&verdict)?)))
        .filter(|(_, number)| *number > 0)
        .map(|(verdict, number)| format!("{number} {verdict}"))
        .collect();
    parts.join(", ")
}

/// `exempted until 2027-01-31 by payments: replaced in Q1`.
pub(super) fn exempted(exemption: &ExemptionFields) -> String {
    let ExemptionFields { reason, owner, until } = exemption;
    format!("exempted until {until} by {owner}: {reason}")
}

/// `2026-11-20 06:00 UTC`.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `90 d`; `< 1 d` on the first day; `in 3 d` before it came.
fn days(days: i64) -> String {
    match days {
        0 => "< 1 d".to_owned(),
        1.. => format!("{days} d"),
        ..0 => format!("in {} d", days.unsigned_abs()),
    }
}

/// An age: `90 d`, `≥ 61 d` where the date is a bound, `≈ 60 d` where it is an estimate.
pub(crate) fn age(age_days: Option<i64>, source: Option<PublishedSource>) -> String {
    let is_bound = source.is_some_and(PublishedSource::is_bound);
    match age_days {
        None => NOTHING.to_owned(),
        // A bound of no days says nothing.
        Some(..=0) if is_bound => NOTHING.to_owned(),
        Some(age) if is_bound => format!("≥ {}", days(age)),
        Some(age @ 1..) if source.is_some_and(PublishedSource::is_estimate) => format!("≈ {}", days(age)),
        Some(age) => days(age),
    }
}

/// What a publish date says happened then: `published`, `published by` for a bound, `built` for an estimate.
pub(super) fn dated(source: PublishedSource) -> &'static str {
    match source {
        source if source.is_bound() => "published by",
        source if source.is_estimate() => "built",
        _ => "published",
    }
}

/// The age of the base a finding is about.
pub(crate) fn base_age(finding: &Finding) -> String {
    let base = finding.base.as_ref();
    age(base.and_then(|base| base.age_days), base.and_then(|base| base.published_source))
}

/// How far behind: `89 d, 71 releases`; with `≥` in front where both are bounds.
pub(crate) fn distance(behind: Option<&Behind>) -> String {
    let Some(behind) = behind else { return NOTHING.to_owned() };
    // A bound of no days says nothing.
    let days = behind.days.filter(|days| behind.exact || *days > 0).map(days);
    let releases = behind.releases.filter(|releases| *releases > 0).map(|releases| count(releases, "release"));
    let parts: Vec<_> = days.into_iter().chain(releases).collect();
    match parts.is_empty() {
        true => "yes".to_owned(),
        false if behind.exact => parts.join(", "),
        false => format!("≥ {}", parts.join(", ")),
    }
}

/// What people call a deployment: `orders`, `orders:live`, `prod/orders app`.
pub(crate) fn deployment_name(deployment: &DeploymentFields) -> String {
    let name = &deployment.name;
    match (deployment.kind, deployment.qualifier.as_deref()) {
        // What people mean when they name a function without an alias.
        (DeploymentKind::Lambda, None | Some("$LATEST")) | (_, None) => name.clone(),
        (DeploymentKind::Lambda, Some(qualifier)) => format!("{name}:{qualifier}"),
        (_, Some(qualifier)) => format!("{name} {qualifier}"),
    }
}

/// A base in the fewest words that tell it from others: `lambda/java:21.2026.08.22.00`, else its line and
/// the first digits of its digest, `lambda/java:21@2c26b46b68ff`.
pub(crate) fn base_name(base: &BaseInUse) -> String {
    let line = base.line.as_deref().map(short_name);
    match (&base.release, line, &base.digest) {
        (Some(release), Some(line), _) => format!("{}:{release}", without_tag(line)),
        (_, Some(line), Some(digest)) => format!("{line}@{}", digest.short()),
        (_, Some(line), None) => line.to_owned(),
        (_, None, Some(digest)) => {
            let name = short_name(&base.reference);
            format!("{}@{}", name.split('@').next().unwrap_or(name), digest.short())
        }
        (_, None, None) => short_name(&base.reference).to_owned(),
    }
}

/// The same with what makes it less than certain: `lambda/java:21 (unconfirmed)`.
pub(crate) fn base_in_use(base: &BaseInUse) -> String {
    match base.confidence.as_deref() {
        None | Some("confirmed") => base_name(base),
        Some(confidence) => format!("{} ({confidence})", base_name(base)),
    }
}

/// The bases that a base is built on, each with its verdict: `lambda/java:21.2026.08.22.00 (stale)`.
pub(crate) fn chain(base: &BaseInUse) -> Option<String> {
    let links = base.chain.iter().map(|link| format!("{} ({})", base_in_use(&link.base), link.verdict));
    let links = links.collect::<Vec<_>>().join(", on ");
    (!links.is_empty()).then_some(links)
}

/// A reference without the registry that nearly all are from.
pub(crate) fn short_name(reference: &str) -> &str {
    reference.strip_prefix(USUAL_REGISTRY).unwrap_or(reference)
}

/// A digest as people quote it: `sha256:2c26b46b68ff`.
pub(crate) fn short_digest(digest: &Digest) -> String {
    format!("{}:{}", digest.algorithm(), digest.short())
}

fn without_tag(line: &str) -> &str {
    // A colon before the last slash is a port.
    match line.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_estimates_are_never_shown_as_dates() {
        let table = [
            (Some(90), Some(PublishedSource::DatedTag), "90 d"),
            (Some(61), Some(PublishedSource::AtLeast), "≥ 61 d"),
            (Some(61), Some(PublishedSource::FirstSeen), "≥ 61 d"),
            (Some(61), Some(PublishedSource::Observed), "≥ 61 d"),
            (Some(60), Some(PublishedSource::DescriptorCreated), "≈ 60 d"),
            (Some(60), Some(PublishedSource::HistoryCreated), "≈ 60 d"),
            (Some(0), Some(PublishedSource::ConfigCreated), "< 1 d"),
            (Some(0), Some(PublishedSource::AtLeast), "–"),
            (Some(-3), Some(PublishedSource::DatedTag), "in 3 d"),
            (None, None, "–"),
        ];
        for (days, source, shown) in table {
            assert_eq!(age(days, source), shown);
        }
    }

    #[test]
    fn a_distance_says_what_is_known_of_it() {
        let table = [
            (Some(89), Some(71), true, "89 d, 71 releases"),
            (Some(1), Some(1), true, "1 d, 1 release"),
            (Some(0), Some(1), true, "< 1 d, 1 release"),
            (Some(89), Some(71), false, "≥ 89 d, 71 releases"),
            (Some(0), Some(1), false, "≥ 1 release"),
            (Some(5), None, true, "5 d"),
            (None, Some(2), false, "≥ 2 releases"),
            (None, None, false, "yes"),
        ];
        for (days, releases, exact, shown) in table {
            let behind = Behind { since: None, days, releases, exact, content_changed: None };
            assert_eq!(distance(Some(&behind)), shown);
        }
        assert_eq!(distance(None), "–");
    }

    #[test]
    fn nouns_are_counted() {
        assert_eq!([count(1, "base"), count(2, "base"), count(0, "image")], ["1 base", "2 bases", "0 images"]);
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(without_tag("127.0.0.1:5000/java"), "127.0.0.1:5000/java");
        assert_eq!(without_tag("127.0.0.1:5000/java:21"), "127.0.0.1:5000/java");
    }
}
