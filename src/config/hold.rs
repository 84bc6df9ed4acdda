//! `[[policy.hold]]`: releases that nothing is to be built on, why, and until when.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath, values::DayText};
use crate::{glob::Glob, image::LambdaTag, resolve::Hold};

/// Releases that are taken out of their lines for a while, because they are known to be bad. A held release is never
/// current and never counts as newer, and no rebuild and no replacement is built on it; the newest release that is not
/// held is current instead. A deployment on a held release is `out-of-date` at least. A hold whose last day is over
/// changes nothing, and the report says so.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawHold {
    /// A pattern of the releases: `REPOSITORY:DATED-TAG` or `REPOSITORY@DIGEST`.
    #[schemars(required, example = &"public.ecr.aws/lambda/java:21.2026.07.16.*")]
    release: Option<String>,
    /// Why. Findings show it.
    #[schemars(required, example = &"TLS to RDS fails, OPS-1234")]
    reason: Option<String>,
    /// The last day on which it holds, in UTC.
    #[schemars(required, example = &"2027-01-31")]
    until: Option<DayText>,
}

pub(super) fn validate(raw: &[RawHold], at: &KeyPath, check: &mut Check<'_>) -> Vec<Hold> {
    let numbered = raw.iter().enumerate();
    numbered.filter_map(|(index, raw)| hold(raw, &at.index(index), check)).collect()
}

fn hold(raw: &RawHold, at: &KeyPath, check: &mut Check<'_>) -> Option<Hold> {
    let release = raw.release.as_deref().and_then(|text| check.accept(&at.key("release"), release(text)));
    let reason = raw.reason.as_deref().and_then(|text| {
        let why = (!text.trim().is_empty()).then(|| text.trim().to_owned());
        check.accept(&at.key("reason"), why.ok_or("says nothing: write why nothing is to be built on it"))
    });
    let until = raw.until.as_ref().and_then(|day| check.accept(&at.key("until"), day.parse()));
    Some(Hold { release: release?, reason: reason?, until: until? })
}

/// A pattern that can match a release. One of a repository or of a moving tag would silently hold nothing.
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
        "{text:?} names no release: write its dated tag, as in \"public.ecr.aws/lambda/java:21.2026.07.16.13\", a \
         pattern of dated tags, as in \"public.ecr.aws/lambda/java:21.2026.07.*\", or its digest, as in \
         \"public.ecr.aws/lambda/java@sha256:…\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_names_releases_and_no_line() {
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
