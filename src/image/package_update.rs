//! Build steps that update packages of the operating system. After one, packages are newer than the base.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageManager {
    /// `dnf`, of Amazon Linux 2023.
    Dnf,
    /// `yum`, of Amazon Linux 2.
    Yum,
    /// `microdnf`, of minimal images of Amazon Linux 2023.
    Microdnf,
    /// `apt-get` and `apt`, of Debian and Ubuntu.
    Apt,
    /// `apk`, of Alpine Linux.
    Apk,
}

/// A step that updates installed packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageUpdate {
    /// The package manager.
    pub manager: PackageManager,
    /// When the step ran, if the history has a date; a hint.
    #[serde(with = "chrono::serde::ts_seconds_option", default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// The layer of its changes, counted from 0 at the lowest; `None` if the history does not match the layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Whether it updates named packages only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

impl PackageUpdate {
    /// Whether the step ran after a base of `layer_count` layers; `false` if unknown.
    #[must_use]
    pub fn is_after(&self, layer_count: usize) -> bool {
        self.layer.is_some_and(|layer| layer >= layer_count)
    }
}

/// Options of commands that do not update packages.
const OTHER_VERBS: [&str; 22] = [
    "install",
    "reinstall",
    "localinstall",
    "groupinstall",
    "remove",
    "erase",
    "purge",
    "autoremove",
    "clean",
    "cache",
    "makecache",
    "add",
    "del",
    "fix",
    "list",
    "search",
    "info",
    "check-update",
    "download",
    "swap",
    "module",
    "history",
];

impl PackageManager {
    /// The spelling in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dnf => "dnf",
            Self::Yum => "yum",
            Self::Microdnf => "microdnf",
            Self::Apt => "apt",
            Self::Apk => "apk",
        }
    }

    /// The package manager with the program name `program`.
    pub(super) fn from_program(program: &str) -> Option<Self> {
        Some(match program {
            "dnf" | "dnf5" => Self::Dnf,
            "yum" => Self::Yum,
            "microdnf" => Self::Microdnf,
            "apt-get" | "apt" => Self::Apt,
            "apk" => Self::Apk,
            _ => return None,
        })
    }

    /// The subcommands that update packages. `apt-get update` and `apk update` only fetch lists.
    fn update_verbs(self) -> &'static [&'static str] {
        match self {
            Self::Dnf | Self::Yum | Self::Microdnf => {
                &["update", "upgrade", "update-minimal", "upgrade-minimal", "distro-sync"]
            }
            Self::Apt => &["upgrade", "dist-upgrade", "full-upgrade"],
            Self::Apk => &["upgrade"],
        }
    }
}

/// The package manager of an update command, and whether it is limited to named packages.
pub(super) fn update(words: &[&str]) -> Option<(PackageManager, bool)> {
    let (program, arguments) = words.split_first()?;
    let manager = PackageManager::from_program(program)?;
    let is_verb = |word: &&&str| manager.update_verbs().contains(*word) || OTHER_VERBS.contains(*word);
    let at = arguments.iter().position(|word| is_verb(&word))?;
    if !manager.update_verbs().contains(&arguments[at]) {
        return None;
    }
    let is_partial = arguments[at + 1..].iter().any(|word| !word.starts_with('-'));
    Some((manager, is_partial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_distinguished_from_other_commands() {
        use PackageManager::{Apk, Apt, Dnf, Microdnf, Yum};
        for (command, expected) in [
            ("dnf -y update", Some((Dnf, false))),
            ("dnf upgrade --releasever=2023.9.20251110 -y", Some((Dnf, false))),
            ("dnf update -y --security openssl-libs", Some((Dnf, true))),
            ("yum update-minimal --security -y", Some((Yum, false))),
            ("microdnf update", Some((Microdnf, false))),
            ("apt-get -o Dpkg::Options::=--force-confold dist-upgrade -y", Some((Apt, false))),
            ("apk -U upgrade", Some((Apk, false))),
            ("apk upgrade --no-cache", Some((Apk, false))),
            // They fetch lists.
            ("apt-get update", None),
            ("apk update", None),
            ("apk add --upgrade openssl", None),
            ("dnf install -y update", None),
            ("dnf check-update", None),
            ("dnf clean all", None),
            ("echo dnf update", None),
            ("dnf", None),
        ] {
            let words: Vec<_> = command.split(' ').collect();
            assert_eq!(update(&words), expected, "{command}");
        }
        assert_eq!(update(&[]), None);
    }

    #[test]
    fn an_update_with_an_unknown_layer_does_not_count_as_after_the_base() {
        let update = |layer| PackageUpdate { manager: PackageManager::Dnf, at: None, layer, is_partial: false };
        assert!(update(Some(6)).is_after(6) && !update(Some(5)).is_after(6) && !update(None).is_after(0));
    }
}
