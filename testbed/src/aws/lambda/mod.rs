//! Lambda: functions with their versions and aliases.

mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Cloud, Fields, Tags};
use basewatch::image::{Digest, LambdaArch};

pub(super) use wire::respond;

/// A function.
#[derive(Clone, Debug, Default)]
pub struct CloudFunction {
    /// Its name.
    pub name: String,
    /// `$LATEST`.
    pub latest: CloudVersion,
    /// The published versions, by number.
    pub published: BTreeMap<u32, CloudVersion>,
    /// Whether it runs on Lambda Managed Instances, where `$LATEST` is a draft.
    pub is_managed: bool,
    /// `$LATEST.PUBLISHED`, which only functions on Lambda Managed Instances have.
    pub latest_published: Option<CloudVersion>,
    /// The aliases.
    pub aliases: Vec<CloudAlias>,
    /// Its tags.
    pub tags: Tags,
}

/// One version of a function, `$LATEST` among them.
#[derive(Clone, Debug)]
pub struct CloudVersion {
    /// Its deployment package.
    pub package: Package,
    /// Its architecture.
    pub architecture: LambdaArch,
    /// Its memory, in MB.
    pub memory_mb: u32,
    /// Its state.
    pub state: FunctionState,
    /// The failure of its last update: `LastUpdateStatusReasonCode` and `LastUpdateStatusReason`.
    pub failed_update: Option<(String, String)>,
    /// When it was last modified.
    pub last_modified: DateTime<Utc>,
    /// `CodeSha256`; if absent, the hexadecimal digits of the image's digest.
    pub code_sha256: Option<String>,
    /// The number of changes, from which its revision id is made.
    pub revision: u64,
    /// Fields of `Configuration` in the response to GetFunction that replace those made from the rest.
    pub configuration: Fields,
    /// The same of `Code`.
    pub code: Fields,
}

/// A deployment package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Package {
    /// A container image.
    Image {
        /// The reference that it was deployed with: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421`.
        uri: String,
        /// `ResolvedImageUri`, the digest at deployment; omitted if absent.
        digest: Option<Digest>,
        /// `ImageConfig.Command`; empty if the image's own is used.
        command: Vec<String>,
    },
    /// An archive, on a runtime that AWS patches: `java21`.
    Zip {
        /// The runtime.
        runtime: String,
    },
}

/// `State`, `StateReasonCode` and `StateReason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionState {
    /// `Active`, `Inactive`, `Failed` or `Pending`.
    pub name: String,
    /// `Idle`, `ImageDeleted`, …; none for active functions.
    pub reason_code: Option<String>,
    /// The reason as text.
    pub reason: Option<String>,
}

impl FunctionState {
    /// It can run.
    #[must_use]
    pub fn active() -> Self {
        Self { name: "Active".into(), reason_code: None, reason: None }
    }

    /// Any other state.
    #[must_use]
    pub fn new(name: &str, reason_code: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), reason_code: Some(reason_code.to_owned()), reason: Some(reason.to_owned()) }
    }
}

/// A name for a version.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudAlias {
    /// The name: `live`.
    pub name: String,
    /// The number of the version, `$LATEST` or `$LATEST.PUBLISHED`.
    pub version: String,
    /// Another version, and the share of calls it gets.
    pub additional: Option<(u32, f64)>,
}

impl Default for CloudVersion {
    fn default() -> Self {
        Self {
            package: Package::Image { uri: String::new(), digest: None, command: Vec::new() },
            architecture: LambdaArch::X86_64,
            memory_mb: 128,
            state: FunctionState::active(),
            failed_update: None,
            last_modified: DateTime::UNIX_EPOCH,
            code_sha256: None,
            revision: 0,
            configuration: Fields::new(),
            code: Fields::new(),
        }
    }
}

impl CloudVersion {
    /// A version with an image: the reference that it was deployed by, and the digest of that.
    #[must_use]
    pub fn image(uri: &str, digest: &Digest) -> Self {
        let package = Package::Image { uri: uri.to_owned(), digest: Some(digest.clone()), command: Vec::new() };
        Self { package, ..Self::default() }
    }

    /// A version of an archive.
    #[must_use]
    pub fn zip(runtime: &str) -> Self {
        Self { package: Package::Zip { runtime: runtime.to_owned() }, ..Self::default() }
    }

    /// The same on `architecture`.
    #[must_use]
    pub fn on(self, architecture: LambdaArch) -> Self {
        Self { architecture, ..self }
    }

    /// The same with a command instead of the image's own.
    #[must_use]
    pub fn running(mut self, words: &[&str]) -> Self {
        if let Package::Image { command, .. } = &mut self.package {
            *command = words.iter().map(|word| (*word).to_owned()).collect();
        }
        self
    }

    /// The same in `state`.
    #[must_use]
    pub fn being(self, state: FunctionState) -> Self {
        Self { state, ..self }
    }

    /// The same after an update that failed.
    #[must_use]
    pub fn failing_to_update(self, reason_code: &str, reason: &str) -> Self {
        Self { failed_update: Some((reason_code.to_owned(), reason.to_owned())), ..self }
    }
}

impl CloudFunction {
    /// A function whose `$LATEST` is `latest`.
    #[must_use]
    pub fn new(name: &str, latest: CloudVersion) -> Self {
        Self { name: name.to_owned(), latest, ..Self::default() }
    }

    /// The same with `version` published under the next number.
    #[must_use]
    pub fn publishing(mut self, version: CloudVersion) -> Self {
        let next = self.published.keys().next_back().map_or(1, |last| last + 1);
        self.published.insert(next, version);
        self
    }

    /// The same on Lambda Managed Instances, with `version` as `$LATEST.PUBLISHED`.
    #[must_use]
    pub fn managed(self, version: CloudVersion) -> Self {
        Self { is_managed: true, latest_published: Some(version), ..self }
    }

    /// The same with `$LATEST` changed.
    #[must_use]
    pub fn changed(mut self, change: impl FnOnce(&mut CloudVersion)) -> Self {
        change(&mut self.latest);
        self
    }

    /// The same with a field of `Configuration` of `$LATEST` replaced in the response to GetFunction; null leaves it
    /// out.
    #[must_use]
    pub fn configured(self, field: &str, value: impl Into<Value>) -> Self {
        self.changed(|latest| {
            latest.configuration.insert(field.to_owned(), value.into());
        })
    }

    /// The same of `Code`.
    #[must_use]
    pub fn coded(self, field: &str, value: impl Into<Value>) -> Self {
        self.changed(|latest| {
            latest.code.insert(field.to_owned(), value.into());
        })
    }

    /// The same with `$LATEST` published under `number`.
    #[must_use]
    pub fn published_as(mut self, number: u32) -> Self {
        self.published.insert(number, self.latest.clone());
        self
    }

    /// The same with an alias for a version: its number, `$LATEST` or `$LATEST.PUBLISHED`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a number and a name are written alike")]
    pub fn alias(mut self, name: &str, version: impl ToString) -> Self {
        self.aliases.push(CloudAlias { name: name.to_owned(), version: version.to_string(), additional: None });
        self
    }

    /// The same with an alias that gives `weight` of the calls to a second version.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a number and a name are written alike")]
    pub fn weighted_alias(mut self, name: &str, version: impl ToString, other: u32, weight: f64) -> Self {
        let additional = Some((other, weight));
        self.aliases.push(CloudAlias { name: name.to_owned(), version: version.to_string(), additional });
        self
    }

    /// The same with a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl Cloud {
    /// Adds a function, or replaces the one of that name.
    pub fn function(&self, account: &str, region: &str, function: CloudFunction) {
        self.change().region_mut(account, region).functions.insert(function.name.clone(), function);
    }

    /// Deploys to a function: `$LATEST` gets a new revision id, and a new code hash if the image differs. Whether the
    /// function exists.
    pub fn update_function(
        &self,
        account: &str,
        region: &str,
        name: &str,
        change: impl FnOnce(&mut CloudFunction),
    ) -> bool {
        self.change_function(account, region, name, |function| {
            change(function);
            function.latest.revision += 1;
        })
    }

    /// Changes a function without a deployment, such as the state of a version: its revision id stays the same. Whether
    /// the function exists.
    pub fn change_function(
        &self,
        account: &str,
        region: &str,
        name: &str,
        change: impl FnOnce(&mut CloudFunction),
    ) -> bool {
        let mut world = self.change();
        let function = world.region_mut(account, region).functions.get_mut(name);
        function.map(change).is_some()
    }

    /// Removes a function. Whether it existed.
    #[must_use]
    pub fn remove_function(&self, account: &str, region: &str, name: &str) -> bool {
        self.change().region_mut(account, region).functions.remove(name).is_some()
    }
}
