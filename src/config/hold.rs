//! `[[policy.hold]]`: releases to avoid until a date.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::DayText};
use crate::{glob::Glob, image::LambdaTag, resolve::ReleaseHold};

/// Excludes known-bad releases from their line until a date. A held release is never the current release, a newer
/// release or the target of a rebuild; the newest release without a hold is current instead. A deployment on a held
/// release is at least `out-of-date`. The report notes expired holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawHold {
    /// Pattern of the releases: `REPOSITORY:DATED-TAG` or `REPOSITORY@DIGEST`.
    #[schemars(required, example = &"public.ecr.aws/lambda/java:21.2026.07.16.*")]
    release: Option<String>,
    /// The reason, shown on findings.
    #[schemars(required, example = &"TLS to RDS fails, OPS-1234")]
    reason: Option<String>,
    /// The last day, in UTC.
    #[schemars(required, example = &"2027-01-31")]
    until: Option<DayText>,
}

pub(super) fn validate(raw: &[RawHold], at: &KeyPath, check: &mut ConfigValidator<'_>) -> Vec<ReleaseHold> {
    let numbered = raw.iter().enumerate();
    numbered.filter_map(|(index, raw)| hold(raw, &at.index(index), check)).collect()
}

fn hold(raw: &RawHold, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<ReleaseHold> {
    let release = raw.release.as_deref().and_then(|text| check.accept(&at.key("release"), release(text)));
    let reason = raw.reason.as_deref().and_then(|text| {
        let why = (!text.trim().is_empty()).then(|| text.trim().to_owned());
        check.accept(&at.key("reason"), why.ok_or("is empty: write why the releases are held"))
    });
    let until = raw.until.as_ref().and_then(|day| check.accept(&at.key("until"), day.parse()));
    Some(ReleaseHold { release: release?, reason: reason?, until: until? })
}

/// Parses a pattern that can match a release. A repository or a moving tag would silently match nothing.
fn release(text: &str) -> Result<Glob, String> {
    let pattern: Glob = text.parse()?;
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let is_release = match (name.split_once('@'), name.split_once(':')) {
        (Some(_), _) => true,
        (None, Some((_, tag))) => {
            let is_dated = LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some());
            is_dated || tag.contains(['*', '?', '[', '{'])
        }
        (None, None) => false,
    };
    if is_release {
        return Ok(pattern);
    }
    Err(format!(
        "{text:?} does not match releases: write a dated tag, as in \"public.ecr.aws/lambda/java:21.2026.07.16.13\", a \
         pattern of dated tags, as in \"public.ecr.aws/lambda/java:21.2026.07.*\", or a digest, as in \
         \"public.ecr.aws/lambda/java@sha256:…\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_matches_releases_but_not_a_whole_line() {
        let digest = format!("registry.example/team/base@sha256:{}", "a".repeat(64));
        for (pattern, is_release) in [
            ("public.ecr.aws/lambda/java:21.2026.07.16.13", true),
            ("public.ecr.aws/lambda/java:21.2026.07.16.13-arm64", true),
            ("public.ecr.aws/lambda/java:21.2026.07.*", true),
            ("public.ecr.aws/lambda/{java,python}:*.2026.07.16.1[0-5]", true),
            ("localhost:5000/lambda/java:21.2026.07.16.13", true),
            (digest.as_str(), true),
            ("registry.example/team/base@sha256:aa*", true),
            ("public.ecr.aws/lambda/java:21", false),
            ("public.ecr.aws/lambda/java:latest", false),
            ("public.ecr.aws/lambda/java", false),
            ("localhost:5000/lambda/java", false),
            ("public.ecr.aws/lambda/*", false),
            ("", false),
            ("public.ecr.aws/lambda/java:21.[", false),
        ] {
            assert_eq!(release(pattern).is_ok(), is_release, "{pattern}");
        }
    }
}
