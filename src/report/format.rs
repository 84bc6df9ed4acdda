//! Formatting of counts, dates, ages and names, shared by all output formats.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{BaseInUse, Behind, DeploymentFields, ExemptionFields, Finding, ToDoList, UnlistedItems, WorkCount};
use crate::{image::Digest, inventory::DeploymentKind, judge::Verdict, resolve::PublishDateSource};

/// The placeholder for missing values.
pub(crate) const NOTHING: &str = "–";

/// The warning at the top of a report with too few judged deployments.
pub(crate) const MOST_UNKNOWN: &str = "Most of the fleet is unknown";

/// The registry that is omitted from names, because most bases are from there.
const USUAL_REGISTRY: &str = "public.ecr.aws/";

/// `1 image`, `3 images`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `320 images`.
pub(crate) fn work(work: WorkCount) -> String {
    count(work.number, work.noun)
}

/// `14 more bases, 320 images`.
pub(crate) fn unlisted(unlisted: &UnlistedItems) -> String {
    format!("{}, {}", count(unlisted.items, &format!("more {}", unlisted.noun)), work(unlisted.work))
}

/// `12 images can wait: their severity is info or none`; `None` if nothing can wait.
pub(crate) fn waiting(to_do: &ToDoList<'_>) -> Option<String> {
    let waiting = Some(to_do.waiting_work()).filter(|waiting| waiting.number > 0)?;
    let pronoun = if waiting.number == 1 { "its" } else { "their" };
    Some(format!("{} can wait: {pronoun} severity is info or none", work(waiting)))
}

/// `2 stale, 1 out-of-date`, worst first, unknown last.
pub(crate) fn tally(verdicts: impl IntoIterator<Item = (Verdict, u64)>) -> String {
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
pub(crate) fn exempted(exemption: &ExemptionFields) -> String {
    let ExemptionFields { reason, owner, until } = exemption;
    format!("exempted until {until} by {owner}: {reason}")
}

/// `2026-11-20 06:00 UTC`.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `90 d`; `< 1 d` on the first day; `in 3 d` for the future.
fn days(days: i64) -> String {
    match days {
        0 => "< 1 d".to_owned(),
        1.. => format!("{days} d"),
        ..0 => format!("in {} d", days.unsigned_abs()),
    }
}

/// An age: `90 d`, `≥ 61 d` for a bound, `≈ 60 d` for an estimate.
pub(crate) fn age(age_days: Option<i64>, source: Option<PublishDateSource>) -> String {
    let is_bound = source.is_some_and(PublishDateSource::is_bound);
    match age_days {
        None => NOTHING.to_owned(),
        // A lower bound of zero is no information.
        Some(..=0) if is_bound => NOTHING.to_owned(),
        Some(age) if is_bound => format!("≥ {}", days(age)),
        Some(age @ 1..) if source.is_some_and(PublishDateSource::is_estimate) => format!("≈ {}", days(age)),
        Some(age) => days(age),
    }
}

/// The verb for a publish date: `published`, `published by` for a bound, `built` for an estimate.
pub(crate) fn dated(source: PublishDateSource) -> &'static str {
    match source {
        source if source.is_bound() => "published by",
        source if source.is_estimate() => "built",
        _ => "published",
    }
}

/// The age of the base of a finding.
pub(crate) fn base_age(finding: &Finding) -> String {
    let base = finding.base.as_ref();
    age(base.and_then(|base| base.age_days), base.and_then(|base| base.published_source))
}

/// How far behind: `89 d, 71 releases`, with `≥` for bounds.
pub(crate) fn distance(behind: Option<&Behind>) -> String {
    let Some(behind) = behind else { return NOTHING.to_owned() };
    // A lower bound of zero is no information.
    let days = behind.days.filter(|days| behind.exact || *days > 0).map(days);
    let releases = behind.releases.filter(|releases| *releases > 0).map(|releases| count(releases, "release"));
    let parts: Vec<_> = days.into_iter().chain(releases).collect();
    match parts.is_empty() {
        true => "yes".to_owned(),
        false if behind.exact => parts.join(", "),
        false => format!("≥ {}", parts.join(", ")),
    }
}

/// The display name of a deployment: `orders`, `orders:live`, `prod/orders app`.
pub(crate) fn deployment_name(deployment: &DeploymentFields) -> String {
    display_name(deployment.kind, &deployment.name, deployment.qualifier.as_deref())
}

/// The display name of a deployment by its parts.
pub(crate) fn display_name(kind: DeploymentKind, name: &str, qualifier: Option<&str>) -> String {
    match (kind, qualifier) {
        // A function name without an alias means `$LATEST`.
        (DeploymentKind::Lambda, None | Some("$LATEST")) | (_, None) => name.to_owned(),
        (DeploymentKind::Lambda, Some(qualifier)) => format!("{name}:{qualifier}"),
        (_, Some(qualifier)) => format!("{name} {qualifier}"),
    }
}

/// The short name of a base: with its release, `lambda/java:21.2026.08.22.00`, else with its digest,
/// `lambda/java:21@2c26b46b68ff`.
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

/// The short name with the confidence, unless confirmed: `lambda/java:21 (unconfirmed)`.
pub(crate) fn base_in_use(base: &BaseInUse) -> String {
    match base.confidence.as_deref() {
        None | Some("confirmed") => base_name(base),
        Some(confidence) => format!("{} ({confidence})", base_name(base)),
    }
}

/// The chain of a base with verdicts: `lambda/java:21.2026.08.22.00 (stale)`.
pub(crate) fn chain(base: &BaseInUse) -> Option<String> {
    let links = base.chain.iter().map(|link| format!("{} ({})", base_in_use(&link.base), link.verdict));
    let links = links.collect::<Vec<_>>().join(", on ");
    (!links.is_empty()).then_some(links)
}

/// A reference without the usual registry.
pub(crate) fn short_name(reference: &str) -> &str {
    reference.strip_prefix(USUAL_REGISTRY).unwrap_or(reference)
}

/// A shortened digest: `sha256:2c26b46b68ff`.
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
    fn bounds_and_estimates_are_marked() {
        let table = [
            (Some(90), Some(PublishDateSource::DatedTag), "90 d"),
            (Some(61), Some(PublishDateSource::AtLeast), "≥ 61 d"),
            (Some(61), Some(PublishDateSource::FirstSeen), "≥ 61 d"),
            (Some(61), Some(PublishDateSource::Observed), "≥ 61 d"),
            (Some(60), Some(PublishDateSource::DescriptorCreated), "≈ 60 d"),
            (Some(60), Some(PublishDateSource::HistoryCreated), "≈ 60 d"),
            (Some(0), Some(PublishDateSource::ConfigCreated), "< 1 d"),
            (Some(0), Some(PublishDateSource::AtLeast), "–"),
            (Some(-3), Some(PublishDateSource::DatedTag), "in 3 d"),
            (None, None, "–"),
        ];
        for (days, source, shown) in table {
            assert_eq!(age(days, source), shown);
        }
    }

    #[test]
    fn a_distance_shows_the_known_parts() {
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
    fn counts_have_plurals() {
        assert_eq!([count(1, "base"), count(2, "base"), count(0, "image")], ["1 base", "2 bases", "0 images"]);
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(without_tag("127.0.0.1:5000/java"), "127.0.0.1:5000/java");
        assert_eq!(without_tag("127.0.0.1:5000/java:21"), "127.0.0.1:5000/java");
    }
}
