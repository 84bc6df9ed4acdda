//! The tags of `public.ecr.aws/lambda/*`: `<version>[-preview][.YYYY.MM.DD.HH][-x86_64|-arm64]`.
//!
//! The grammar comes from 513 real tags; no AWS document states it. The hour is UTC: commits pin a tag minutes after
//! its hour and never before.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_tag;

/// A parsed tag of a Lambda base image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LambdaTag {
    /// The whole version: `3.12`, `11.al2023`, `latest`, with `-preview` if present. Families are compared as text:
    /// `3.1` is not `3.10`.
    pub family: String,
    /// The hour of the build; `None` for a moving tag.
    pub built_at: Option<DateTime<Utc>>,
    /// The architecture of a single-platform tag.
    pub arch: Option<LambdaArch>,
}

/// The two architectures of Lambda, in its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LambdaArch {
    /// `arm64`.
    #[serde(rename = "arm64")]
    Arm64,
    /// `x86_64`, which the OCI specification calls `amd64`.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl LambdaArch {
    /// The architecture with the OCI name `architecture`, if Lambda supports it.
    #[must_use]
    pub fn from_oci(architecture: &str) -> Option<Self> {
        match architecture {
            "amd64" => Some(Self::X86_64),
            "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Its OCI name.
    #[must_use]
    pub fn oci(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "amd64",
        }
    }
}

impl fmt::Display for LambdaArch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        })
    }
}

impl LambdaTag {
    /// Parses `tag`; `None` if it does not follow the grammar.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        // Versions may have any number of digits; dates have a fixed number.
        if !is_tag(tag) {
            return None;
        }
        let (rest, arch) = if let Some(rest) = tag.strip_suffix("-x86_64") {
            (rest, Some(LambdaArch::X86_64))
        } else if let Some(rest) = tag.strip_suffix("-arm64") {
            (rest, Some(LambdaArch::Arm64))
        } else {
            (tag, None)
        };
        let (family, built_at) = match split_date(rest) {
            Some((family, built_at)) => (family, Some(built_at)),
            None => (rest, None),
        };
        is_family(family).then(|| Self { family: family.to_owned(), built_at, arch })
    }

    /// The release of this tag, `21.2026.08.22.00`: the tag without the architecture.
    #[must_use]
    pub fn release(&self) -> Self {
        Self { arch: None, ..self.clone() }
    }

    /// The release of `tag`: the tag without the architecture suffix of dated tags.
    #[must_use]
    pub fn release_of(tag: &str) -> String {
        let dated = Self::parse(tag).filter(|tag| tag.built_at.is_some());
        dated.map_or_else(|| tag.to_owned(), |tag| tag.release().to_string())
    }

    /// The same tag for one architecture.
    #[must_use]
    pub fn on(&self, arch: LambdaArch) -> Self {
        Self { arch: Some(arch), ..self.clone() }
    }
}

impl fmt::Display for LambdaTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.family)?;
        if let Some(at) = self.built_at {
            write!(f, ".{:04}.{:02}.{:02}.{:02}", at.year(), at.month(), at.day(), at.hour())?;
        }
        self.arch.map_or(Ok(()), |arch| write!(f, "-{arch}"))
    }
}

/// Splits `.YYYY.MM.DD.HH` off the end; the year is of this century.
fn split_date(text: &str) -> Option<(&str, DateTime<Utc>)> {
    let at = text.len().checked_sub(".YYYY.MM.DD.HH".len())?;
    let (family, date) = (text.get(..at)?, text.get(at..)?);
    let mut fields = date.strip_prefix('.')?.split('.');
    let mut field = |width: usize| {
        let field = fields.next()?;
        (field.len() == width && field.bytes().all(|b| b.is_ascii_digit())).then(|| field.parse::<u32>().ok())?
    };
    let (year, month, day, hour) = (field(4)?, field(2)?, field(2)?, field(2)?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    (2000..2100).contains(&year).then_some(())?;
    Some((family, date.and_hms_opt(hour, 0, 0)?.and_utc()))
}

fn is_family(text: &str) -> bool {
    let version = text.strip_suffix("-preview").unwrap_or(text);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let dotted = |text: &str| text.split_once('.').map_or_else(|| number(text), |(a, b)| number(a) && number(b));
    if matches!(version, "latest" | "alami" | "al2" | "al2023" | "al2023-minimal") {
        return true;
    }
    if let Some(core) = version.strip_prefix("core") {
        return core.contains('.') && dotted(core);
    }
    let plain = version.strip_suffix(".al2").or_else(|| version.strip_suffix(".al2023"));
    dotted(plain.unwrap_or(version))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn real_tags_are_parsed() {
        let at = |y, m, d, h| Some(Utc.with_ymd_and_hms(y, m, d, h, 0, 0).unwrap());
        let cases = [
            ("21", "21", None, None),
            ("latest", "latest", None, None),
            ("latest-arm64", "latest", None, Some(LambdaArch::Arm64)),
            ("3.12", "3.12", None, None),
            ("3.1", "3.1", None, None),
            ("core3.1", "core3.1", None, None),
            ("alami.2023.03.21.19", "alami", at(2023, 3, 21, 19), None),
            ("al2023-minimal", "al2023-minimal", None, None),
            ("al2-x86_64", "al2", None, Some(LambdaArch::X86_64)),
            ("11.al2023.2026.07.20.08", "11.al2023", at(2026, 7, 20, 8), None),
            ("8.al2.2026.07.17.16-x86_64", "8.al2", at(2026, 7, 17, 16), Some(LambdaArch::X86_64)),
            ("3.15-preview", "3.15-preview", None, None),
            ("24-preview.2025.10.29.20-x86_64", "24-preview", at(2025, 10, 29, 20), Some(LambdaArch::X86_64)),
            ("21.2026.07.16.13-arm64", "21", at(2026, 7, 16, 13), Some(LambdaArch::Arm64)),
        ];
        for (text, family, built_at, arch) in cases {
            let tag = LambdaTag::parse(text).expect(text);
            assert_eq!((tag.family.as_str(), tag.built_at, tag.arch), (family, built_at, arch), "{text}");
            assert_eq!(tag.to_string(), text);
        }
    }

    #[test]
    fn other_tags_do_not_parse_as_dated_ones() {
        for text in [
            "3.13.2025.10.02.09.2025.10.02.09", // written by Dependabot, and real
            "",
            "v1",
            "21-jre",
            "421x",
            "core3",
            "21.2026.13.01.00",
            "21.2026.02.30.00",
            "21.2026.02.01.24",
            ".2026.02.01.10",
            "21.1999.02.01.10",
            "3.12.4.5",
            "${VERSION}",
            "é21",
        ] {
            assert_eq!(LambdaTag::parse(text), None, "{text}");
        }
        let version = "1".repeat(128 - ".2026.02.01.10".len());
        assert!(LambdaTag::parse(&format!("{version}.2026.02.01.10")).is_some());
        assert_eq!(LambdaTag::parse(&format!("1{version}.2026.02.01.10")), None, "longer than any tag");
    }

    #[test]
    fn every_known_tag_of_a_family_parses() {
        let tags = include_str!("../../tests/data/lambda_tags.tsv");
        let unread: Vec<_> = tags
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('\t').nth(1))
            .filter(|tag| !tag.is_empty() && LambdaTag::parse(tag).is_none_or(|read| read.to_string() != *tag))
            .collect();
        assert_eq!(unread, ["3.13.2025.10.02.09.2025.10.02.09"]);
    }

    proptest! {
        #[test]
        fn parse_and_display_are_inverse(tag in "(latest|al2|[1-9][0-9]?(\\.[0-9]{1,2})?)(-preview)?(\\.20[0-9]{2}\\.0[1-9]\\.[01][1-8]\\.[01][0-9])?(-arm64|-x86_64)?") {
            prop_assert_eq!(LambdaTag::parse(&tag).expect("of the grammar").to_string(), tag);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = LambdaTag::parse(&text);
        }
    }
}
