//! The fleet to audit: base lines like those of AWS, and images built on their releases.

use futures::{StreamExt as _, stream};

use testbed::{
    peers::{Peer, Registry},
    program::Program,
    seed::{Image, Recipe, Target},
};

/// The `--as-of` time of all audits.
pub const NOW: &str = "2026-11-20T06:00:00Z";
/// The registry in the references of images.
pub const APPS: &str = "apps.example.com";
/// The repository of all images.
pub const REPOSITORY: &str = "team/apps";

const PUSHES_AT_ONCE: usize = 32;
/// The days of the releases.
const RELEASES: [&str; 6] = ["2026.06.30", "2026.08.22", "2026.09.15", "2026.10.20", "2026.11.01", "2026.11.19"];
/// Their hours: families are built together, but not all of them.
const HOURS: [&str; 3] = ["00", "08", "13"];
#[rustfmt::skip]
const LINES: [(&str, &[&str]); 7] = [
    ("lambda/python", &["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]),
    ("lambda/nodejs", &["10", "12", "14", "16", "18", "20", "22", "24"]),
    ("lambda/java", &["8", "8.al2", "8.al2023", "11", "11.al2023", "17", "17.al2023", "21", "25"]),
    ("lambda/dotnet", &["core3.1", "6", "7", "8", "10"]),
    ("lambda/ruby", &["2.5", "2.7", "3.2", "3.3", "3.4"]),
    ("lambda/provided", &["alami", "al2", "al2023"]),
    ("lambda/go", &["1"]),
];

/// A moving tag and its releases, oldest first.
pub struct Line {
    /// `lambda/java`.
    pub repository: &'static str,
    /// `21`.
    pub version: &'static str,
    /// The indexes of both architectures.
    pub releases: Vec<Release>,
}

/// One published build.
pub struct Release {
    /// `21.2026.11.19.13`.
    pub tag: String,
    /// The index.
    pub index: Image,
    layers: Vec<String>,
}

/// The first `count` lines, not yet published anywhere.
pub fn lines(count: usize) -> Vec<Line> {
    let all =
        LINES.iter().flat_map(|(repository, versions)| versions.iter().enumerate().map(move |at| (*repository, at)));
    let lines: Vec<Line> =
        all.take(count).map(|(repository, (at, version))| line(repository, version, HOURS[at / 3])).collect();
    assert_eq!(lines.len(), count, "there are not that many lines");
    lines
}

fn line(repository: &'static str, version: &'static str, hour: &str) -> Line {
    let releases = RELEASES.iter().map(|day| {
        let dated = format!("{day}.{hour}");
        let created = format!("{}T{hour}:25:00Z", day.replace('.', "-"));
        let layers = |architecture: &str| -> Vec<String> {
            let runtime = (0..2).map(|part| format!("{repository} {version} {dated} {architecture} {part}"));
            std::iter::once(format!("os {architecture}")).chain(runtime).collect()
        };
        let recipe = |architecture| {
            let layers = layers(architecture);
            Recipe::new(&created, &layers.iter().map(String::as_str).collect::<Vec<_>>()).docker()
        };
        let index = Image::index(&[recipe("amd64").build(), recipe("arm64").arm64().build()]);
        Release { tag: format!("{version}.{dated}"), index, layers: layers("amd64") }
    });
    Line { repository, version, releases: releases.collect() }
}

/// Pushes the lines with their dated and moving tags.
pub async fn publish(lines: &[Line], target: &Target) {
    stream::iter(lines)
        .for_each_concurrent(PUSHES_AT_ONCE, async |line| {
            for release in &line.releases {
                release.index.push(target, line.repository, Some(&release.tag)).await;
                for (child, suffix) in release.index.children.iter().zip(["x86_64", "arm64"]) {
                    child.push_manifest(target, line.repository, &format!("{}-{suffix}", release.tag)).await;
                }
            }
            let newest = line.releases.last().expect("there are releases");
            newest.index.push_manifest(target, line.repository, line.version).await;
        })
        .await;
}

/// Pushes `count` images, the tags of one repository, evenly over the lines and `in_use` releases of each, and returns
/// their digests. Each is built on the release that its label names.
pub async fn deploy(count: usize, lines: &[Line], in_use: usize, target: &Target) -> Vec<String> {
    stream::iter(0..count)
        .map(async |number| {
            let line = &lines[number % lines.len()];
            let release = &line.releases[(number / lines.len()) % in_use];
            let mut layers: Vec<&str> = release.layers.iter().map(String::as_str).collect();
            let application = format!("application {number}");
            layers.push(&application);
            let label = format!("public.ecr.aws/{}@{}", line.repository, release.index.digest);
            let image = Recipe::new("2026-11-19T20:00:00Z", &layers).label("sdkBaseVersion", &label).build();
            image.push(target, REPOSITORY, Some(&number.to_string())).await;
            image.digest
        })
        .buffered(PUSHES_AT_ONCE)
        .collect()
        .await
}

/// An image reference for the command line.
pub fn reference(number: usize) -> String {
    format!("{APPS}/{REPOSITORY}:{number}")
}

/// A registry with everything in it.
pub struct Fleet {
    /// The registry, of bases and images both.
    pub registry: Peer,
    /// Digests of the images, by number.
    pub digests: Vec<String>,
}

impl Fleet {
    /// Starts a registry and fills it, with images on `in_use` releases of each line.
    pub async fn fill(image_count: usize, line_count: usize, in_use: usize) -> Self {
        let registry = Registry { is_on_disk: true, ..Registry::default() }.start();
        let target = Target::open(registry.http());
        let lines = lines(line_count);
        publish(&lines, &target).await;
        let digests = deploy(image_count, &lines, in_use, &target).await;
        Self { registry, digests }
    }

    /// A machine with an empty catalog that audits `references`.
    pub fn program(&self, references: &[String]) -> Program {
        program(&self.registry.http(), &self.registry.http(), 10_000, references)
    }
}

/// A machine with an empty catalog that audits `references`, with bases at `public`.
pub fn program(public: &str, apps: &str, rate: u32, references: &[String]) -> Program {
    Program::with_config(&format!(
        r#"
        [[inventory.images]]
        references = {references:?}

        [registry."public.ecr.aws"]
        endpoint = "{public}"
        full_mirror = true
        auth = "anonymous"
        rate = {rate}

        [registry."{APPS}"]
        endpoint = "{apps}"
        auth = "anonymous"
        "#
    ))
}
