//! The Lambda fingerprint: signs in configuration and layer sizes that an image is built on an AWS Lambda base, of
//! whatever release.
//!
//! Environment values may be secrets: they are compared while they are parsed, and never stored.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Annotations, lenient};

/// The variables that AWS sets in every Lambda base, in its order, unchanged from 2020 to 2026 (the Dockerfiles of
/// <https://github.com/aws/aws-lambda-base-images>, and the configuration of `lambda/python:3.12.2026.10.03.13-arm64`).
const VARIABLES: [(&str, &str); 6] = [
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":/etc/localtime"),
    ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
    (LIBRARY_PATH, "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"),
    ("LAMBDA_TASK_ROOT", "/var/task"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
];
/// The variable that images on Debian do not imitate: they have no `/var/lang/lib`.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";
/// The number of variables that must have AWS's value: images change time zone and language, some both.
const KEPT_VALUES: usize = 4;

const DOTNET_VERSION: &str = "DOTNET_VERSION";
/// The prefix of AWS's platform labels (aws/aws-lambda-base-images#352).
const PLATFORM_LABELS: &str = "com.amazonaws.lambda.platform.";

/// The compressed sizes of the first four layers of all Lambda bases from 2021 to 2026, in bytes and with a margin:
/// operating system, a small layer, entrypoint, runtime interface emulator.
const LAYER_BYTES: [std::ops::RangeInclusive<u64>; 4] =
    [25_000_000..=140_000_000, 50_000..=150_000, 380..=480, 2_500_000..=6_000_000];

/// A sign that an image is built on a Lambda base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LambdaSign {
    /// All six environment variables of AWS, at most two with other values, the unchanged ones in AWS's order.
    Environment,
    /// A label `com.amazonaws.lambda.platform.…`.
    PlatformLabel,
    /// The sizes of the first four layers.
    LayerSizes,
}

/// The version of the .NET runtime that a base sets in the environment. It narrows the release of the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DotnetVersion {
    /// The line: 8 in `8.0.10`.
    pub major: u16,
    /// The second number.
    pub minor: u16,
    /// The third number.
    pub patch: u16,
}

/// The signs that an image is built on a Lambda base, of whatever release.
///
/// The entrypoint is not a sign, nor are `LAMBDA_TASK_ROOT` and `LAMBDA_RUNTIME_DIR` alone: images override the
/// entrypoint, and images on Debian imitate all three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LambdaFingerprint {
    /// The signs found.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signs: BTreeSet<LambdaSign>,
    /// The version of .NET, if the environment is that of a Lambda base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dotnet: Option<DotnetVersion>,
}

impl LambdaFingerprint {
    /// The fingerprint of an image with this environment and these labels. `has_lambda_sizes`: its first layers have
    /// the sizes of those of a Lambda base.
    pub(super) fn new(environment: &LambdaEnvironmentSigns, labels: &Annotations, has_lambda_sizes: bool) -> Self {
        let is_lambda = environment.is_lambda();
        let signs = [
            (is_lambda, LambdaSign::Environment),
            (labels.keys().any(|key| key.starts_with(PLATFORM_LABELS)), LambdaSign::PlatformLabel),
            (has_lambda_sizes, LambdaSign::LayerSizes),
        ];
        Self {
            signs: signs.into_iter().filter_map(|(is_there, sign)| is_there.then_some(sign)).collect(),
            dotnet: environment.dotnet.filter(|_| is_lambda),
        }
    }

    /// Whether the image is recognizably built on a Lambda base.
    #[must_use]
    pub fn is_lambda_base(&self) -> bool {
        !self.signs.is_empty()
    }

    /// Whether there is nothing to keep of it.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether layers of these compressed sizes, lowest first, may begin with those of a Lambda base.
pub(super) fn has_lambda_sizes(layers: impl ExactSizeIterator<Item = Option<u64>>) -> bool {
    layers.len() >= LAYER_BYTES.len()
        && layers.zip(LAYER_BYTES).all(|(bytes, expected)| bytes.is_some_and(|bytes| expected.contains(&bytes)))
}

/// How a variable compares with AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VariableState {
    /// AWS's value.
    Kept,
    /// A search path that contains AWS's directories contiguously, among others.
    Extended,
    Changed,
}

/// The signs in an environment.
#[derive(Clone, Debug, Default)]
pub(super) struct LambdaEnvironmentSigns {
    /// The positions in [`VARIABLES`] of the variables that are set, in the order of the image.
    variables: Vec<(usize, VariableState)>,
    dotnet: Option<DotnetVersion>,
}

impl LambdaEnvironmentSigns {
    /// Reads `Env` of a configuration; any other type counts as an empty list.
    pub(super) fn read<'de, D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        let mut environment = Self::default();
        lenient::each_entry_or_none(field, |entry| match entry {
            EnvironmentEntry::Variable(position, value) => {
                environment.variables.retain(|(other, _)| *other != position);
                environment.variables.push((position, value));
            }
            EnvironmentEntry::Dotnet(version) => environment.dotnet = version,
            EnvironmentEntry::Other => {}
        })?;
        Ok(environment)
    }

    /// Whether it is that of a Lambda base. BuildKit and kaniko replace a variable in place, buildah moves one that it
    /// sets to the end, so only unchanged variables show AWS's order.
    fn is_lambda(&self) -> bool {
        let kept: Vec<_> = self
            .variables
            .iter()
            .filter_map(|(position, value)| (*value == VariableState::Kept).then_some(position))
            .collect();
        let is_as_published = |(_, value): &&(usize, VariableState)| *value != VariableState::Changed;
        let mut like_aws = self.variables.iter().filter(is_as_published);
        self.variables.len() == VARIABLES.len()
            && like_aws.clone().count() >= KEPT_VALUES
            && like_aws.any(|(position, _)| VARIABLES[*position].0 == LIBRARY_PATH)
            && kept.is_sorted()
    }
}

/// One entry of an environment, without its text.
#[derive(Default)]
enum EnvironmentEntry {
    Variable(usize, VariableState),
    Dotnet(Option<DotnetVersion>),
    #[default]
    Other,
}

impl EnvironmentEntry {
    fn new(text: &str) -> Self {
        let Some((name, value)) = text.split_once('=') else { return Self::Other };
        if name == DOTNET_VERSION {
            return Self::Dotnet(DotnetVersion::parse(value));
        }
        match VARIABLES.iter().position(|(known, _)| *known == name) {
            Some(position) => Self::Variable(position, compare(name, value, VARIABLES[position].1)),
            None => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for EnvironmentEntry {
    fn deserialize<D: Deserializer<'de>>(entry: D) -> Result<Self, D::Error> {
        lenient::derived(entry, Self::new)
    }
}

fn compare(name: &str, value: &str, of_aws: &str) -> VariableState {
    let is_extended = || format!(":{value}:").contains(&format!(":{of_aws}:"));
    match value {
        _ if value == of_aws => VariableState::Kept,
        _ if name.ends_with("PATH") && is_extended() => VariableState::Extended,
        _ => VariableState::Changed,
    }
}

impl DotnetVersion {
    /// The three numbers of `text`, if it has nothing else.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse::<u16>().ok());
        let version = Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
        numbers.next().is_none().then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: [&str; 6] = [
        "LANG=en_US.UTF-8",
        "TZ=:/etc/localtime",
        "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
        "LAMBDA_TASK_ROOT=/var/task",
        "LAMBDA_RUNTIME_DIR=/var/runtime",
    ];

    fn read(entries: &[&str]) -> LambdaFingerprint {
        let json = serde_json::to_string(entries).expect("has a JSON form");
        let environment = LambdaEnvironmentSigns::read(&mut serde_json::Deserializer::from_str(&json)).expect("reads");
        LambdaFingerprint::new(&environment, &Annotations::new(), false)
    }

    /// The environment of AWS with one entry in place of the variable of the same name, or moved to the end.
    fn changed(replaced: &[&str], is_moved: bool) -> LambdaFingerprint {
        let name = |entry: &str| entry.split('=').next().expect("a name").to_owned();
        let mut entries: Vec<_> = AWS.to_vec();
        for entry in replaced {
            let at = entries.iter().position(|other| name(other) == name(entry)).expect("one of AWS");
            if is_moved {
                entries.remove(at);
                entries.push(entry);
            } else {
                entries[at] = entry;
            }
        }
        read(&entries)
    }

    #[test]
    fn the_environment_of_a_real_base_is_recognized() {
        assert_eq!(read(&AWS).signs, BTreeSet::from([LambdaSign::Environment]));
        let own = [&AWS[..], &["API_TOKEN=hush", "=", "EMPTY"]].concat();
        assert!(read(&own).is_lambda_base());
    }

    #[test]
    fn a_changed_environment_is_recognized_whatever_the_builder() {
        let library_path = format!("LD_LIBRARY_PATH=/opt/oracle:{}", &AWS[3]["LD_LIBRARY_PATH=".len()..]);
        let path = format!("PATH=/opt/venv/bin:{}:/root/.local/bin", &AWS[2]["PATH=".len()..]);
        for replaced in [
            &["TZ=Europe/London"][..],
            &["TZ=UTC", "LANG=C.UTF-8"],
            &[path.as_str()],
            &[path.as_str(), library_path.as_str(), "TZ=UTC", "LANG=C.UTF-8"],
            &["LAMBDA_TASK_ROOT=/app"],
        ] {
            assert!(changed(replaced, false).is_lambda_base(), "in place: {replaced:?}");
            assert!(changed(replaced, true).is_lambda_base(), "moved to the end: {replaced:?}");
        }
    }

    #[test]
    fn imitations_are_not_recognized() {
        let mut reversed = AWS;
        reversed.reverse();
        for entries in [
            &["LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime"][..],
            &["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8", "LAMBDA_TASK_ROOT=/var/task"],
            &[
                "LANG=en_US.UTF-8",
                "TZ=:/etc/localtime",
                "LAMBDA_TASK_ROOT=/var/task",
                "LAMBDA_RUNTIME_DIR=/var/runtime",
            ],
            // All six names, as an image on Debian sets them for its own libraries.
            &[
                "LANG=en_US.UTF-8",
                "TZ=:/etc/localtime",
                "PATH=/usr/local/bin:/usr/bin",
                "LD_LIBRARY_PATH=/usr/lib",
                "LAMBDA_TASK_ROOT=/var/task",
                "LAMBDA_RUNTIME_DIR=/var/runtime",
            ],
            &AWS[..5],
            &reversed,
            &[],
        ] {
            assert!(!read(entries).is_lambda_base(), "{entries:?}");
        }
        for replaced in [&["LD_LIBRARY_PATH=/usr/lib"][..], &["TZ=UTC", "LANG=C", "PATH=/bin"]] {
            assert!(!changed(replaced, false).is_lambda_base(), "{replaced:?}");
        }
    }

    #[test]
    fn a_dotnet_version_is_kept_as_numbers_and_only_on_a_lambda_base() {
        let dotnet = |value: &str| read(&[&AWS[..], &[&format!("DOTNET_VERSION={value}")]].concat()).dotnet;
        assert_eq!(dotnet("8.0.10"), Some(DotnetVersion { major: 8, minor: 0, patch: 10 }));
        for value in ["9.0.0-rc.2", "8.0", "8.0.10.1", "hush", "", "8..1", "99999.0.0"] {
            assert_eq!(dotnet(value), None, "{value}");
        }
        assert_eq!(read(&["DOTNET_VERSION=8.0.10", "LANG=C.UTF-8"]), LambdaFingerprint::default());
    }

    #[test]
    fn platform_labels_and_layer_sizes_are_signs_by_themselves() {
        let labels = |key: &str| Annotations::from([(key.to_owned(), "k510ga".to_owned())]);
        let with = |labels: &Annotations, has_sizes| {
            LambdaFingerprint::new(&LambdaEnvironmentSigns::default(), labels, has_sizes).signs
        };
        let kernel = labels("com.amazonaws.lambda.platform.kernel");
        assert_eq!(with(&kernel, false), BTreeSet::from([LambdaSign::PlatformLabel]));
        assert_eq!(with(&labels("com.amazonaws.lambda.handler"), false), BTreeSet::new());
        assert_eq!(with(&Annotations::new(), true), BTreeSet::from([LambdaSign::LayerSizes]));
    }

    #[test]
    fn layers_of_real_bases_have_the_expected_sizes_and_other_layers_do_not() {
        let sizes = |layers: &[u64]| has_lambda_sizes(layers.iter().map(|bytes| Some(*bytes)));
        // python:3.8 and nodejs:12 of 2021, python:3.12 of 2026.
        assert!(sizes(&[100_740_000, 74_990, 415, 3_320_000, 54_770_000, 16_100_000]));
        assert!(sizes(&[100_710_000, 84_290, 416, 3_320_000]));
        assert!(sizes(&[38_700_000, 88_130, 417, 3_770_000, 146_080_000, 14_200, 1_000]));
        for other in [
            &[][..],
            &[38_700_000, 88_130, 417],
            &[28_230_000, 3_510_000, 16_210_000, 249],
            &[38_700_000, 88_130, 3_770_000, 417],
        ] {
            assert!(!sizes(other), "{other:?}");
        }
        assert!(!has_lambda_sizes([Some(38_700_000), Some(88_130), None, Some(3_770_000)].into_iter()));
    }

    #[test]
    fn an_environment_of_any_shape_is_parsed_and_not_stored() {
        for json in ["null", "7", "\"A=B\"", "{}", "[null,7,[],{\"LANG\":\"en_US.UTF-8\"}]"] {
            let environment = LambdaEnvironmentSigns::read(&mut serde_json::Deserializer::from_str(json)).expect(json);
            assert!(environment.variables.is_empty(), "{json}");
        }
        let twice = [&["TZ=hush"][..], &AWS].concat();
        assert!(read(&twice).is_lambda_base(), "the last one of a name counts");
        assert!(!serde_json::to_string(&read(&twice)).expect("has a JSON form").contains("hush"));
    }
}
