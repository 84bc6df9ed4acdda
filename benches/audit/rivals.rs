//! Who is faster? A cold audit against `skopeo inspect` and against a bare HTTP loop.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::{
    fleet::{APPS, Fleet, NOW, repository},
    measure::{self, median, megabytes, rate, row},
    peers::clean,
};

const IMAGES: usize = 500;
const LINES: usize = 40;
const ROUNDS: usize = 5;
const SKOPEO_SAMPLE: usize = 120;

/// Races on a fleet where all images of a line stand on one base, and on one where they stand on six.
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
    let references: Vec<String> = (0..IMAGES).map(|number| format!("{APPS}/{}:1", repository(number))).collect();

    let mut colds = Vec::new();
    let mut loops = [8, 16, 32, 64].map(|at_once| (at_once, Vec::new()));
    let (mut peak_bytes, mut requests, mut program) = (0, Vec::new(), fleet.program(&references));
    for _ in 0..ROUNDS {
        program = fleet.program(&references);
        let mark = fleet.registry.mark();
        let cold = measure::run(&mut audit(&program));
        requests = fleet.registry.requests_since(mark);
        check(&cold, IMAGES);
        colds.push(cold.wall);
        peak_bytes = peak_bytes.max(cold.peak_bytes);
        let documents: BTreeSet<&String> = requests.iter().collect();
        for (at_once, walls) in &mut loops {
            walls.push(fetch(&fleet.registry.http(), &documents, *at_once).await);
        }
    }
    let mark = fleet.registry.mark();
    let warm = measure::run(&mut audit(&program));
    check(&warm, IMAGES);
    let warm_requests = fleet.registry.requests_since(mark);

    let documents = requests.iter().collect::<BTreeSet<_>>().len();
    let cold = median(colds);
    let loops = loops.map(|(at_once, walls)| (at_once, median(walls)));
    let speeds = loops.map(|(at_once, wall)| format!("{at_once}: {:.0}", rate(IMAGES, wall)));
    let (at_once, loop_wall) = loops.into_iter().min_by_key(|l| l.1).expect("there are loops");
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
    row(
        &format!("bare loop over the same documents, {at_once} at once"),
        format!("{loop_wall:.2?}, {:.0} images/s", rate(IMAGES, loop_wall)),
    );
    row("  images/s of the loop, by requests at once", speeds.join(", "));
    row(
        "  cold audit has of its speed",
        format!("{:.2}  (at least 0.8)", loop_wall.as_secs_f64() / cold.as_secs_f64()),
    );
    row(
        "warm audit",
        format!("{:.2?}, {} requests, peak {} MB", warm.wall, warm_requests.len(), megabytes(warm.peak_bytes)),
    );
    row("  of them about bases", warm_requests.iter().filter(|request| request.contains("/v2/lambda/")).count());
}

/// How many requests of each kind there were about what `is_wanted`.
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
pub fn audit(program: &crate::program::Program) -> Command {
    program.command(&["audit", "--format", "json", "--as-of", NOW, "--fail-on", "never"])
}

/// A race is only a race if all arrive: every deployment has a verdict.
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
            let answer =
                client.request(method, url).header("Accept", basewatch::image::MANIFEST_MEDIA_TYPES.join(", "));
            let answer = answer.send().await.expect("an answer");
            assert_eq!(Some(answer.status().as_str()), words.next(), "{request}");
            answer.bytes().await.expect("a body").len()
        })
        .buffer_unordered(at_once)
        .count()
        .await;
    assert_eq!(answered, documents.len());
    begun.elapsed()
}

/// Images per second of `skopeo inspect` in `jobs` processes.
fn skopeo(fleet: &Fleet, jobs: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("images");
    let images =
        (0..SKOPEO_SAMPLE).map(|number| format!("docker://{}/{}:1\n", fleet.registry.address, repository(number)));
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
