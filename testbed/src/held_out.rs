//! Images that buildah, skopeo and umoci built, in one registry for all hosts, with the ground truth.

use std::{fs, process::Command};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    confusion::Confusion,
    peers::{Peer, Registry, tool},
    program::Program,
    repository,
};

/// The instant that counts as now; all bases were published before.
const NOW: &str = "2026-11-20T06:00:00Z";

/// The registries by name, all served by one on loopback.
const REGISTRIES: [&str; 4] = ["public.ecr.aws", "docker.io", "registry.example.com", "apps.example.com"];

/// The configured bases besides those of AWS.
const OTHER_BASES: &str = r#"
[[identify.base]]
repository = "registry.example.com/company/python"
tags = ["stable"]
company = true

[[identify.base]]
repository = "registry.example.com/company/node"
dated_tags = true
company = true

[[identify.base]]
repository = "docker.io/library/debian"
tags = ["12"]
"#;

/// A release by all its names.
#[derive(Debug, Deserialize)]
pub struct NamedRelease {
    release: String,
    digests: Vec<String>,
}

impl NamedRelease {
    /// Whether a base of a report is this release.
    pub fn is(&self, base: &Value) -> bool {
        let reference = base["reference"].as_str().unwrap_or_default();
        let digest = base["digest"].as_str();
        let is_of_repository = self.repository() == reference.split('@').next().map(without_tag).unwrap_or_default();
        let has_digest = |known: &String| digest == Some(known) || reference.ends_with(known.as_str());
        is_of_repository && (reference == self.release || self.digests.iter().any(has_digest))
    }

    fn repository(&self) -> &str {
        without_tag(&self.release)
    }
}

fn without_tag(reference: &str) -> &str {
    reference.rsplit_once(':').map_or(reference, |(repository, _)| repository)
}

/// The ground truth about an image.
#[derive(Debug, Deserialize)]
pub struct Truth {
    /// Its reference.
    pub image: String,
    /// What kind of image it is.
    pub class: String,
    /// The base that can be proven, and the releases of equal content.
    pub base: Option<Vec<NamedRelease>>,
    /// The bases below it that can be proven, each with those of equal content.
    pub chain: Vec<Vec<NamedRelease>>,
    /// The base that may be named as unconfirmed if none can be proven.
    pub unconfirmed: Vec<NamedRelease>,
    /// Whether a label of it is disproven.
    pub contradicted: bool,
    /// Why no base can be proven.
    pub why: Option<String>,
}

/// What a program is configured with.
pub struct Settings {
    /// How many requests a search may send.
    pub search_requests: u32,
    /// Whether AWS's repositories are configured with dated tags, as they have.
    pub has_dated_tags: bool,
    /// Whether other bases than AWS's are configured.
    pub has_other_bases: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { search_requests: 300, has_dated_tags: true, has_other_bases: true }
    }
}

/// The fleet.
pub struct HeldOut {
    /// The registry on loopback.
    pub registry: Peer,
    /// The truth about each image.
    pub images: Vec<Truth>,
}

impl HeldOut {
    /// Builds it, which takes a minute or two.
    pub fn build() -> Self {
        let registry = Registry::default().start();
        let folder = TempDir::with_prefix("basewatch-fleet-").expect("a temporary folder");

        let mut generator = Command::new("python3");
        generator
            .arg("-B")
            .arg(repository().join("testbed/fleet/generate.py"))
            .arg(&registry.address)
            .arg(folder.path());
        tool(generator.arg(repository().join("tests/data/lambda_java_daily.tsv")));
        let truth = fs::read_to_string(folder.path().join("truth.json")).expect("the truth");
        let images: Vec<Truth> = serde_json::from_str(&truth).expect("the truth in JSON");
        for image in &images {
            assert_eq!(image.base.is_none(), image.why.is_some(), "{}: only an unknown base has a reason", image.image);
        }
        Self { registry, images }
    }

    /// A machine with an empty catalog that audits the fleet.
    pub fn program(&self, settings: &Settings) -> Program {
        let references: Vec<&str> = self.images.iter().map(|image| &*image.image).collect();
        let limit = format!("[identify]\nsearch_requests = {}\n", settings.search_requests);
        // These have no releases here.
        let undated = if settings.has_dated_tags { "{dotnet,go,ruby}" } else { "*" };
        let undated =
            format!("[[identify.base]]\nrepository = \"public.ecr.aws/lambda/{undated}\"\ndated_tags = false\n");
        let others = if settings.has_other_bases { OTHER_BASES } else { "" };
        let endpoint = self.registry.http();
        let registries = REGISTRIES.map(|name| {
            format!(
                "[registry.\"{name}\"]\nendpoint = \"{endpoint}\"\nfull_mirror = true\nauth = \"anonymous\"\n\
                 rate = 10000\n"
            )
        });
        let inventory = format!("[[inventory.images]]\nreferences = {references:?}\n");
        Program::with_config(&[&limit, others, &undated, &inventory, &registries.concat()].map(|part| part).join("\n"))
    }

    /// One audit of the whole fleet, compared with the truth.
    pub fn audit(&self, program: &Program) -> (Confusion, Value) {
        let (_, report) = program.audit(NOW, &["--fail-on", "never"]);
        (Confusion::new(&self.images, &report), report)
    }
}

/// How many requests an audit sent, by registry.
pub fn requests(report: &Value) -> String {
    format!("requests: {}\n", report["requests"])
}
