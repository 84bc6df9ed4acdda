//! The bundled fleet of the demo, described in `config/demo/fleet.toml`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;

use super::{
    aws::{DemoAccount, DemoAws, DemoFunction, PushedImage},
    registry::{DemoContent, DemoImageSpec},
};
use crate::{
    image::{Annotations, Digest, LambdaArch, LambdaTag, Platform},
    registry::EcrHost,
};

/// The description of the fleet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DemoFleet {
    /// The time of the demo.
    pub(super) as_of: DateTime<Utc>,
    /// The private registry of the images.
    pub(super) registry: String,
    /// How owners are determined.
    pub(super) owners: OwnerSpec,
    line: Vec<LineSpec>,
    /// The images.
    pub(super) image: Vec<DemoImage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineSpec {
    repository: String,
    family: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    every_days: i64,
    new_content_every: usize,
    /// The line that its releases are built on. Such releases have no dated tags.
    base: Option<String>,
}

/// One image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DemoImage {
    /// `repository:tag`.
    pub(super) name: String,
    /// What it demonstrates.
    pub(super) about: String,
    platforms: Vec<Platform>,
    line: String,
    on: DateTime<Utc>,
    #[serde(default)]
    labels: Annotations,
    #[serde(default)]
    annotations: Annotations,
    /// The Lambda function that runs the image, if any.
    pub(super) function: Option<FunctionSpec>,
    /// Whether the image is in its repository but not audited.
    #[serde(default)]
    pub(super) is_stored: bool,
    /// Whether the image was deleted from its repository after its deployment.
    #[serde(default)]
    pub(super) is_gone: bool,
}

/// The owner tag and the default owner.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerSpec {
    pub(super) tag: String,
    pub(super) default: String,
}

/// A Lambda function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionSpec {
    pub(super) name: String,
    alias: Option<String>,
    owner: Option<String>,
}

/// One release of a line.
struct DemoRelease {
    tag: LambdaTag,
    index: Digest,
    layers: BTreeMap<Platform, Vec<Vec<u8>>>,
}

/// The number of lines and releases in the registry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DemoCounts {
    /// Base lines.
    pub(super) lines: usize,
    /// Their releases.
    pub(super) releases: usize,
}

impl DemoFleet {
    /// The fleet that is compiled into the binary.
    pub(super) fn bundled() -> Result<Self> {
        toml::from_str(include_str!("../../../config/demo/fleet.toml")).context("the bundled fleet does not parse")
    }

    /// Publishes the lines and images to `content`.
    pub(super) fn publish(&self, content: &mut DemoContent) -> Result<DemoCounts> {
        let mut lines: BTreeMap<String, Vec<DemoRelease>> = BTreeMap::new();
        for line in &self.line {
            let below = line
                .base
                .as_ref()
                .map(|base| lines.get(base).context("a base must be listed before lines built on it"));
            let releases = line.publish(content, below.transpose()?.map_or(&[], Vec::as_slice));
            lines.insert(format!("{}:{}", line.repository, line.family), releases);
        }
        for image in &self.image {
            let release = lines
                .get(&image.line)
                .and_then(|releases| newest(releases, image.on))
                .with_context(|| format!("{} has no release to build on", image.name))?;
            image.build(content, release)?;
        }
        Ok(DemoCounts { lines: lines.len(), releases: lines.values().map(Vec::len).sum() })
    }

    /// The AWS account that runs the functions of the fleet. Removes the tags of deleted images from `content`.
    pub(super) fn deploy(&self, content: &mut DemoContent) -> Result<DemoAws> {
        let EcrHost { account, region } =
            EcrHost::parse(&self.registry).context("the registry of the fleet must be in ECR")?;
        let mut account = DemoAccount { id: account.to_owned(), region: region.to_owned(), ..DemoAccount::default() };
        for image in self.image.iter().filter(|image| !image.is_named()) {
            image.deploy(&mut account, content, self)?;
        }
        Ok(DemoAws::new(account))
    }
}

/// The newest of `releases` at `at`.
fn newest(releases: &[DemoRelease], at: DateTime<Utc>) -> Option<&DemoRelease> {
    releases.iter().rfind(|release| release.tag.built_at.is_some_and(|built_at| built_at <= at))
}

/// The label of all AWS Lambda base images, and thus of all images built on them.
fn platform_label() -> Annotations {
    Annotations::from([("com.amazonaws.lambda.platform.kernel".to_owned(), "k510ga".to_owned())])
}

impl LineSpec {
    /// Publishes every release with its dated tags, oldest first, and moves the tag of the line. `below` are the
    /// releases that they are built on, if any.
    fn publish(&self, content: &mut DemoContent, below: &[DemoRelease]) -> Vec<DemoRelease> {
        let mut releases = Vec::new();
        let mut built_at = self.from;
        while built_at <= self.to {
            let tag = LambdaTag { family: self.family.clone(), built_at: Some(built_at), arch: None };
            let build = releases.len() / self.new_content_every;
            releases.push(self.release(content, tag, build, newest(below, built_at)));
            built_at += Duration::days(self.every_days);
        }
        releases
    }

    fn release(
        &self,
        content: &mut DemoContent,
        tag: LambdaTag,
        build: usize,
        below: Option<&DemoRelease>,
    ) -> DemoRelease {
        let (mut children, mut layers) = (Vec::new(), BTreeMap::new());
        for (arch, platform) in [(LambdaArch::Arm64, "arm64"), (LambdaArch::X86_64, "amd64")] {
            let platform = Platform::new("linux", platform, None);
            let system = || vec![format!("al2023 {platform}").into_bytes()];
            let mut own = below.and_then(|below| below.layers.get(&platform).cloned()).unwrap_or_else(system);
            own.push(format!("{} {} {platform} content {build}", self.repository, self.family).into_bytes());
            let created = tag.built_at.map(|at| (at + Duration::minutes(13)).to_rfc3339());
            let (layers_of, labels) = (own.clone(), platform_label());
            let annotations = Annotations::new();
            let spec = DemoImageSpec { platform: platform.clone(), created, labels, annotations, layers: layers_of };
            let digest = content.push_image(&self.repository, spec);
            if below.is_none() {
                content.tag(&self.repository, &tag.on(arch).to_string(), &digest);
            }
            layers.insert(platform.clone(), own);
            children.push((digest, platform));
        }
        let index = content.push_index(&self.repository, &children);
        if below.is_none() {
            content.tag(&self.repository, &tag.to_string(), &index);
        }
        content.tag(&self.repository, &self.family, &index);
        DemoRelease { tag, index, layers }
    }
}

impl DemoImage {
    /// Whether the image is audited by reference.
    pub(super) fn is_named(&self) -> bool {
        self.function.is_none() && !self.is_stored
    }

    /// Pushes the image to its repository in `account`, and deploys its function.
    fn deploy(&self, account: &mut DemoAccount, content: &mut DemoContent, fleet: &DemoFleet) -> Result<()> {
        let (repository, tag) = self.name.split_once(':').context("an image must be written as repository:tag")?;
        let manifest = content.manifest(repository, tag).context("the image must have been built")?.clone();
        if let Some(spec) = &self.function {
            let architecture =
                self.platforms.first().and_then(|platform| LambdaArch::from_oci(platform.architecture()));
            let owner = spec.owner.iter().map(|owner| (fleet.owners.tag.clone(), owner.clone()));
            let function = DemoFunction {
                image: (format!("{}/{}", fleet.registry, self.name), manifest.digest.clone()),
                architecture: architecture.unwrap_or(LambdaArch::Arm64),
                alias: spec.alias.clone(),
                tags: owner.collect(),
            };
            account.functions.insert(spec.name.clone(), function);
        }
        let images = account.repositories.entry(repository.to_owned()).or_default();
        if self.is_gone {
            content.untag(repository, tag);
        } else {
            images.push(PushedImage { manifest, tag: tag.to_owned(), pushed_at: self.on + Duration::minutes(5) });
        }
        Ok(())
    }

    /// Builds the image on `release`.
    fn build(&self, content: &mut DemoContent, release: &DemoRelease) -> Result<()> {
        let (repository, tag) = self.name.split_once(':').context("an image must be written as repository:tag")?;
        let fill = |pairs: &Annotations| -> Annotations {
            let fill = |value: &String| {
                value.replace("{base}", release.index.as_str()).replace("{tag}", &release.tag.to_string())
            };
            pairs.iter().map(|(key, value)| (key.clone(), fill(value))).collect()
        };
        let mut children = Vec::new();
        for platform in &self.platforms {
            let mut layers = release.layers.get(platform).cloned().unwrap_or_default();
            layers.push(format!("the application {}", self.name).into_bytes());
            let spec = DemoImageSpec {
                platform: platform.clone(),
                created: Some((self.on + Duration::minutes(1)).to_rfc3339()),
                labels: platform_label().into_iter().chain(fill(&self.labels)).collect(),
                annotations: fill(&self.annotations),
                layers,
            };
            children.push((content.push_image(repository, spec), platform.clone()));
        }
        let digest = match children.as_slice() {
            [(only, _)] => only.clone(),
            _ => content.push_index(repository, &children),
        };
        content.tag(repository, tag, &digest);
        Ok(())
    }
}
