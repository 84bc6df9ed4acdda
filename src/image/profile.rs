//! The profile of an image without a known base, for people.
//!
//! It is shown in reasons and decides nothing.

use serde::{Deserialize, Serialize};

use super::{Annotations, PackageManager, lenient};

/// The lowest part of an image's file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootFileSystem {
    /// Empty: files were copied into `scratch`.
    Scratch,
    /// A whole file system copied from another image.
    Flattened,
    /// An image without a package manager, built by Google's distroless or Chainguard's apko.
    Distroless,
    /// Debian, or a distribution with its package manager.
    Debian,
    /// Ubuntu.
    Ubuntu,
    /// Alpine Linux.
    Alpine,
    /// Amazon Linux that is not a Lambda base.
    AmazonLinux,
    /// A distribution with RPM packages.
    Rpm,
}

impl RootFileSystem {
    /// The name for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Flattened => "a flattened file system",
            Self::Distroless => "distroless",
            Self::Debian => "Debian",
            Self::Ubuntu => "Ubuntu",
            Self::Alpine => "Alpine Linux",
            Self::AmazonLinux => "Amazon Linux",
            Self::Rpm => "a Linux with RPM packages",
        }
    }
}

/// The profile of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageProfile {
    /// The lowest part of its file system, if the history shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootFileSystem>,
    /// Whether it has one layer, but a history with several.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_squashed: bool,
    /// Whether it includes a runtime interface client, with which any image runs on Lambda.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_runtime_client: bool,
}

impl ImageProfile {
    /// Whether there is nothing to keep of it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The names of AWS's runtime interface clients and their replacements.
const RUNTIME_CLIENTS: [&str; 7] = [
    "awslambdaric",
    "aws-lambda-ric",
    "aws_lambda_ric",
    "aws-lambda-java-runtime-interface-client",
    "lambda.runtime.api.client.AWSLambda",
    "Amazon.Lambda.RuntimeSupport",
    "lambda-adapter",
];

/// Whether `text` names a runtime interface client.
pub(super) fn names_runtime_client(text: &str) -> bool {
    RUNTIME_CLIENTS.iter().any(|client| text.contains(client))
}

/// Whether an entrypoint or command, a text or a list, names a runtime interface client.
pub(super) fn runs_runtime_client<'de, D: serde::Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    struct RuntimeClientWord(bool);

    impl<'de> Deserialize<'de> for RuntimeClientWord {
        fn deserialize<D: serde::Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
            lenient::derived(word, names_runtime_client).map(Self)
        }
    }

    let mut is_there = false;
    lenient::each_entry_or_none(field, |RuntimeClientWord(is_client)| is_there |= is_client)?;
    Ok(is_there)
}

/// The distribution of a build step, by the texts that builders of distributions write.
pub(super) fn distribution(step: &str) -> Option<RootFileSystem> {
    let starts = [
        ("# debian.sh", RootFileSystem::Debian),
        ("bazel build", RootFileSystem::Distroless),
        ("apko", RootFileSystem::Distroless),
        ("COPY /rootfs/ / ", RootFileSystem::AmazonLinux),
        ("crane flatten", RootFileSystem::Flattened),
    ];
    let parts = [
        ("org.opencontainers.image.ref.name=ubuntu", RootFileSystem::Ubuntu),
        ("alpine-minirootfs", RootFileSystem::Alpine),
        ("amazon-linux-extras", RootFileSystem::AmazonLinux),
    ];
    let starts = starts.into_iter().find(|(start, _)| step.starts_with(start));
    starts.or_else(|| parts.into_iter().find(|(part, _)| step.contains(part))).map(|(_, root)| root)
}

/// The distribution that labels name.
pub(super) fn labelled(labels: &Annotations) -> Option<RootFileSystem> {
    let name = labels.get("org.opencontainers.image.ref.name")?;
    (name == "ubuntu").then_some(RootFileSystem::Ubuntu)
}

/// The distribution of a package manager.
pub(super) fn managed_by(manager: PackageManager) -> RootFileSystem {
    match manager {
        PackageManager::Apt => RootFileSystem::Debian,
        PackageManager::Apk => RootFileSystem::Alpine,
        PackageManager::Dnf | PackageManager::Yum | PackageManager::Microdnf => RootFileSystem::Rpm,
    }
}
