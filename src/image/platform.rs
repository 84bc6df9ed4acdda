//! Platforms: `os/architecture[/variant]`, normalized, and their compatibility.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{QUOTED_BYTES, bounds::kept, clip};

/// The longest name of an operating system, architecture or variant, in bytes.
const NAME_BYTES: usize = 64;

/// The platform an image runs on, `linux/arm64`.
///
/// Registries and builders write one platform in several ways: `arm64/v8` is `arm64`, `amd64/v1` is `amd64`, `arm` is
/// `arm/v7`, and `x86_64` and `aarch64` are `amd64` and `arm64`, as containerd reads them (containerd/platforms,
/// `database.go`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform: write os/architecture, as in linux/arm64")]
pub struct InvalidPlatform(String);

/// The name of an unknown operating system or architecture.
const UNKNOWN: &str = "unknown";

/// The distance of an older architecture: greater than that of all variants.
const OLDER_ARCHITECTURE: u32 = 1 << 16;

impl Platform {
    /// The platform of an operating system, an architecture and an optional variant; [`Platform::unknown`] if their
    /// text form would not parse back to them.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let has_slash = [Some(os), Some(architecture), variant].into_iter().flatten().any(|name| name.contains('/'));
        if has_slash || os.is_empty() || architecture.is_empty() {
            return Self::unknown();
        }
        let (os, architecture) = (kept(os, NAME_BYTES), kept(architecture, NAME_BYTES));
        let (os, architecture) = (os.to_ascii_lowercase(), architecture.to_ascii_lowercase());
        let variant = variant.map(|variant| kept(variant, NAME_BYTES).to_ascii_lowercase());
        let variant = variant.filter(|variant| !variant.is_empty());
        let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
            ("amd64" | "x86_64" | "x86-64", variant) => ("amd64", variant.filter(|variant| *variant != "v1")),
            ("arm64" | "aarch64", variant) => ("arm64", variant.filter(|variant| !matches!(*variant, "v8" | "8"))),
            ("armhf", None) | ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("armel", None) | ("arm", Some("6")) => ("arm", Some("v6")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("i386", variant) => ("386", variant),
            (architecture, variant) => (architecture, variant),
        };
        Self { os, architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// The platform of an image that states none.
    #[must_use]
    pub fn unknown() -> Self {
        Self::new(UNKNOWN, UNKNOWN, None)
    }

    /// The operating system, in OCI spelling: `linux`, `windows`.
    #[must_use]
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The architecture, in OCI spelling: `amd64`, `arm64`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Whether it is unknown; `BuildKit` marks attestations this way.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == UNKNOWN || self.architecture == UNKNOWN
    }

    /// The platform of an image that an index lists with this platform and whose configuration states `own`: that of
    /// the index, with the variant of the configuration if the index has none.
    #[must_use]
    pub fn refined_by(&self, own: &Self) -> Self {
        let knows_better = self.variant.is_none() && self.has_architecture_of(own);
        if knows_better { own.clone() } else { self.clone() }
    }

    /// Whether operating system and architecture are equal, whatever the variants.
    #[must_use]
    pub fn has_architecture_of(&self, other: &Self) -> bool {
        (&self.os, &self.architecture) == (&other.os, &other.architecture)
    }

    /// The distance of an image of this platform from the platform of `machine`: 0 if equal, greater for older
    /// variants, `None` if it cannot run. The order is containerd's (containerd/platforms, `compare.go`).
    #[must_use]
    pub fn distance_from(&self, machine: &Self) -> Option<u32> {
        if self == machine {
            return Some(0);
        }
        if self.os != machine.os {
            return None;
        }
        match (machine.architecture.as_str(), self.architecture.as_str()) {
            ("amd64", "386") => Some(OLDER_ARCHITECTURE),
            ("arm64", "arm") => {
                let machine = Self { architecture: "arm".to_owned(), ..machine.clone() };
                Some(OLDER_ARCHITECTURE + machine.above(self)?)
            }
            (one, other) if one == other => machine.above(self),
            _ => None,
        }
    }

    /// The number of levels between the variant of this platform and the lower one of `image`, of the same
    /// architecture.
    fn above(&self, image: &Self) -> Option<u32> {
        match (self.level(), image.level()) {
            (Some(own), Some(other)) => own.checked_sub(other),
            // Architectures whose variants have no known order.
            _ => image.variant.is_none().then_some(1),
        }
    }

    /// The variant as a number: a machine runs images of the same or a lower variant.
    fn level(&self) -> Option<u32> {
        let default = match self.architecture.as_str() {
            "amd64" => "v1",
            // `arm` always has a variant, except for an arm64 machine that runs the older architecture.
            "arm64" | "arm" => "v8",
            _ => return None,
        };
        let text = self.variant.as_deref().unwrap_or(default).strip_prefix('v')?;
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        let number = |text: &str| text.parse::<u8>().ok().map(u32::from);
        Some((number(major)? << 8) | number(minor)?)
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(architecture), variant, None) if !os.is_empty() && !architecture.is_empty() => {
                Ok(Self::new(os, architecture, variant))
            }
            _ => Err(InvalidPlatform(clip(text, QUOTED_BYTES))),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl schemars::JsonSchema for Platform {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Platform".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "os/architecture[/variant]" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().expect(text)
    }

    #[test]
    fn spellings_of_one_platform_are_equal() {
        for (text, expected) in [
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("Linux/AMD64", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/armhf", "linux/arm/v7"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(platform(text).to_string(), expected, "{text}");
        }
        assert!("linux".parse::<Platform>().is_err());
        assert!("a/b/c/d".parse::<Platform>().is_err());
    }

    #[test]
    fn names_that_would_parse_as_another_platform_are_unknown() {
        for (os, architecture, variant) in [
            ("linux", "arm64/v8", None),
            ("linux", "a/b", Some("c")),
            ("a/b", "arm64", None),
            ("linux", "arm64", Some("v8/x")),
            ("linux", "/", None),
            ("", "arm64", None),
            ("linux", "", Some("v8")),
        ] {
            let read = Platform::new(os, architecture, variant);
            assert!(read.is_unknown(), "{read}");
            assert_eq!(read.to_string().parse(), Ok(read));
        }
    }

    #[test]
    fn a_machine_runs_its_own_variant_and_lower_ones() {
        for (image, machine, runs) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/amd64/v3", true),
            ("linux/amd64/v2", "linux/amd64/v3", true),
            ("linux/amd64/v3", "linux/amd64", false),
            ("linux/amd64/v4", "linux/amd64/v3", false),
            ("linux/386", "linux/amd64", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v9", true),
            ("linux/arm64", "linux/arm64/v8.2", true),
            ("linux/arm64/v9", "linux/arm64", false),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm/v6", "linux/arm/v7", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/arm/v7", "linux/arm64", true),
            ("linux/arm64", "linux/arm/v7", false),
            ("linux/ppc64le", "linux/ppc64le/power9", true),
            ("linux/ppc64le/power9", "linux/ppc64le/power8", false),
            ("windows/amd64", "linux/amd64", false),
            ("linux/amd64", "linux/arm64", false),
        ] {
            assert_eq!(platform(image).distance_from(&platform(machine)).is_some(), runs, "{image} on {machine}");
        }
        let order = ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"];
        let distances: Vec<_> = order.map(|image| platform(image).distance_from(&platform("linux/amd64/v3"))).into();
        assert!(distances.is_sorted() && distances[0] == Some(0), "{distances:?}");
    }
}
