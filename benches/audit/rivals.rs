//! A cold audit compared with `skopeo inspect`, a bare HTTP loop and one process of curl.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::{
    fleet::{Fleet, NOW, REPOSITORY, reference},
    measure::{self, median, megabytes, rate, row},
};
use testbed::peers::clean;

const IMAGES: usize = 500;
const LINES: usize = 40;
const ROUNDS: usize = 5;
const SKOPEO_SAMPLE: usize = 120;
/// Requests that the audit has under way at one registry, by its default settings.
const CONNECTIONS: usize = 32;

/// Compares them on a fleet with one base per line, and on one with six.
pub async fn races() {
    for in_use in [1, 6] {
        race(in_use).await;
    }
}

/// Fills a registry, races, prints.
async fn race(in_use: usize) {
    let begun = Instant::now();
    let fleet = Fleet::fill(IMAGES, LINES, in_use).await;
    println!("{IMAGES} images on {LINES} lines, {in_use} bases of each in use (filled in {:.0?})", begun.elapsed());
    let references: Vec<String> = (0..IMAGES).map(reference).collect();

    let mut walls = Walls::default();
    let (mut peak_bytes, mut requests, mut program) = (0, Vec::new(), fleet.program(&references));
    for _ in 0..ROUNDS {
        program = fleet.program(&references);
        let mark = fleet.registry.mark();
        let cold = measure::run(&mut audit(&program));
        requests = fleet.registry.requests_since(mark);
        check(&cold, IMAGES);
        walls.cold.push(cold.wall);
        peak_bytes = peak_bytes.max(cold.peak_bytes);
        walls.time_rivals(&fleet.registry.http(), &requests).await;
    }
    let mark = fleet.registry.mark();
    let warm = measure::run(&mut audit(&program));
    check(&warm, IMAGES);
    let warm_requests = fleet.registry.requests_since(mark);

    let documents = requests.iter().collect::<BTreeSet<_>>().len();
    let cold = median(walls.cold.clone());
    let (jobs, skopeo) = [4, 8]
        .map(|jobs| (jobs, skopeo(&fleet, jobs)))
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there are runs");
    row("cold audit, median of 5", format!("{cold:.2?}, {:.0} images/s", rate(IMAGES, cold)));
    row("  requests (of them different)", format!("{} ({documents})", requests.len()));
    row("  of images by kind", kinds(&requests, |path| path.starts_with("/v2/team/")));
    row("  of bases by kind", kinds(&requests, |path| path.starts_with("/v2/lambda/")));
    row("  peak memory", format!("{} MB", megabytes(peak_bytes)));
    row(&format!("skopeo inspect --no-tags, xargs -P {jobs}"), format!("{skopeo:.0} images/s"));
    row("  cold audit is faster by", format!("{:.1}×  (at least 5)", rate(IMAGES, cold) / skopeo));
    walls.print(cold);
    row(
        "warm audit",
        format!("{:.2?}, {} requests, peak {} MB", warm.wall, warm_requests.len(), megabytes(warm.peak_bytes)),
    );
    row("  of them about bases", warm_requests.iter().filter(|request| request.contains("/v2/lambda/")).count());
}

/// The times of the audit and its rivals, by round.
#[derive(Default)]
struct Walls {
    cold: Vec<Duration>,
    /// A loop over the two documents of each image, by how many requests were under way at once.
    images: BTreeMap<usize, Vec<Duration>>,
    /// The same over all documents that the audit fetched, those of bases too.
    all: BTreeMap<usize, Vec<Duration>>,
    /// One process of curl over the two documents of each image.
    curl: BTreeMap<usize, Vec<Duration>>,
}

impl Walls {
    /// Times one round of all rivals over the documents of `requests`.
    async fn time_rivals(&mut self, endpoint: &str, requests: &[String]) {
        let all: BTreeSet<&String> = requests.iter().collect();
        let images: BTreeSet<_> = all.iter().copied().filter(|request| request.contains("/v2/team/")).collect();
        assert_eq!(images.len(), 2 * IMAGES, "a manifest and a configuration of each image");
        for at_once in [8, 16, CONNECTIONS, 64] {
            self.images.entry(at_once).or_default().push(fetch(endpoint, &images, at_once).await);
            self.all.entry(at_once).or_default().push(fetch(endpoint, &all, at_once).await);
        }
        for at_once in [CONNECTIONS, 50] {
            self.curl.entry(at_once).or_default().push(curl(endpoint, &images, at_once));
        }
    }

    /// Prints the rivals beside the median of the audit, `cold`: each at its best.
    fn print(&self, cold: Duration) {
        let best = |walls: &BTreeMap<usize, Vec<Duration>>| {
            let medians = walls.iter().map(|(at_once, walls)| (median(walls.clone()), *at_once));
            medians.min().expect("there are rounds")
        };
        let ratio = |wall: Duration| wall.as_secs_f64() / cold.as_secs_f64();
        for (what, walls, least) in [
            ("bare loop over the two documents of each image", &self.images, "at least 0.85"),
            ("bare loop over all documents, those of bases too", &self.all, "at least 0.85"),
            ("one curl --parallel over the two of each image", &self.curl, "at least 1.3"),
        ] {
            let (wall, at_once) = best(walls);
            let speed = rate(IMAGES, wall);
            row(&format!("{what}, {at_once} at once"), format!("{wall:.2?}, {speed:.0} images/s"));
            row("  cold audit has of its speed", format!("{:.2}  ({least})", ratio(wall)));
        }
    }
}

/// The number of requests of each kind whose path matches `is_wanted`.
fn kinds(requests: &[String], is_wanted: impl Fn(&str) -> bool) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for request in requests {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let kind = match method {
            "HEAD" => "head",
            _ if path.contains("/tags/list") => "tags",
            _ if path.contains("/blobs/") => "blob",
            _ => "manifest",
        };
        *counts.entry(kind).or_default() += usize::from(is_wanted(path));
    }
    counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

/// The audit of a machine, as a command.
pub fn audit(program: &testbed::program::Program) -> Command {
    program.command(&["audit", "--format", "json", "--as-of", NOW, "--fail-on", "never"])
}

/// A comparison needs complete results: every deployment has a verdict.
pub fn check(measured: &measure::Measured, deployments: usize) -> Value {
    let report: Value = serde_json::from_str(&measured.output).expect("a report in JSON");
    assert_eq!(measured.code, 0, "{}", report["errors"]);
    assert_eq!(report["summary"]["deployments"], deployments, "{}", report["summary"]);
    let unknown = report["findings"].as_array().into_iter().flatten().find(|finding| finding["verdict"] == "unknown");
    assert_eq!(unknown, None, "{}", report["summary"]);
    report
}

/// Fetches every document once, doing nothing with it.
async fn fetch(endpoint: &str, documents: &BTreeSet<&String>, at_once: usize) -> Duration {
    let client = Client::new();
    let begun = Instant::now();
    let answered = stream::iter(documents)
        .map(async |request| {
            let mut words = request.split(' ');
            let method: Method = words.next().expect("a method").parse().expect("a method");
            let url = format!("{endpoint}{}", words.next().expect("a path"));
            let response =
                client.request(method, url).header("Accept", basewatch::image::MANIFEST_MEDIA_TYPES.join(", "));
            let response = response.send().await.expect("an answer");
            assert_eq!(Some(response.status().as_str()), words.next(), "{request}");
            response.bytes().await.expect("a body").len()
        })
        .buffer_unordered(at_once)
        .count()
        .await;
    assert_eq!(answered, documents.len());
    begun.elapsed()
}

/// Fetches every document once in one process of curl.
fn curl(endpoint: &str, documents: &BTreeSet<&String>, at_once: usize) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("documents");
    let mut text = format!("header = \"Accept: {}\"\n", basewatch::image::MANIFEST_MEDIA_TYPES.join(", "));
    for request in documents {
        let path = request.split(' ').nth(1).expect("a path");
        writeln!(text, "url = \"{endpoint}{path}\"\noutput = \"/dev/null\"").expect("memory");
    }
    fs::write(&list, text).expect("a file written");
    let begun = Instant::now();
    let status = clean(&mut Command::new("curl"))
        .args(["--silent", "--show-error", "--fail", "--location", "--parallel", "--parallel-max"])
        .args([&at_once.to_string(), "--config", "-"])
        .stdin(fs::File::open(&list).expect("the list"))
        .status()
        .expect("curl starts");
    assert!(status.success(), "curl failed: {status}");
    begun.elapsed()
}

/// Images per second of `skopeo inspect` in `jobs` processes.
fn skopeo(fleet: &Fleet, jobs: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("images");
    let images =
        (0..SKOPEO_SAMPLE).map(|number| format!("docker://{}/{REPOSITORY}:{number}\n", fleet.registry.address));
    fs::write(&list, images.collect::<String>()).expect("a file written");
    let begun = Instant::now();
    let status = clean(&mut Command::new("xargs"))
        .arg("-a")
        .arg(&list)
        .args(["-P", &jobs.to_string(), "-n", "1", "skopeo", "inspect", "--no-tags", "--tls-verify=false"])
        .stdout(Stdio::null())
        .status()
        .expect("xargs starts");
    assert!(status.success(), "skopeo failed: install it with scripts/test");
    rate(SKOPEO_SAMPLE, begun.elapsed())
}
