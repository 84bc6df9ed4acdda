//! The cost of a line at public.ecr.aws with its limit of one request per second.

use std::time::Instant;

use basewatch::image::{Annotations, Digest, Platform};
use chrono::{DateTime, TimeDelta, Utc};
use testbed::registry::{Behaviour, ImageSpec, LoggedRequest, Loopback, Stock};

use crate::{
    fleet::{self, NOW, REPOSITORY},
    measure::{self, row},
    rivals::{audit, check},
};

const LINES: usize = 6;
/// AWS publishes nearly daily.
const RELEASES: i64 = 120;
/// The release in use of each line, counted back from the newest.
const IN_USE: i64 = 75;

/// Audits an image on each line, cold and warm, and prints the counts.
pub async fn count() {
    let now: DateTime<Utc> = NOW.parse().expect("an instant");
    let (bases, apps) = (Stock::new(), Stock::new());
    let lines = fleet::lines(LINES);
    let mut references = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let mut in_use = None;
        for age in (0..RELEASES).rev() {
            let index = publish(&bases, line, published_at(age, now));
            if age == IN_USE {
                in_use = Some(index);
            }
        }
        let in_use = in_use.expect("an old release");
        let label = format!("public.ecr.aws/{}@{in_use}", line.repository);
        let labels = Annotations::from([("sdkBaseVersion".to_owned(), label)]);
        let mut layers = layers(line, published_at(IN_USE, now), "amd64");
        layers.push(format!("application {number}").into_bytes());
        let created = Some(built_at(number, now).to_rfc3339());
        let image = apps.push_image(REPOSITORY, &ImageSpec { created, labels, layers, ..ImageSpec::default() });
        apps.tag(REPOSITORY, &number.to_string(), &image);
        references.push(fleet::reference(number));
    }
    let public = Loopback::start_as(bases, Behaviour::ecr_public()).expect("a loopback port");
    let apps = Loopback::start(apps).expect("a loopback port");
    let program = fleet::program(&public.endpoint(), &apps.endpoint(), 1, &references);
    println!("{LINES} lines at public.ecr.aws's manners and pace, {RELEASES} releases each, one image on each");
    let mut seen = 0;
    for (what, most) in [("cold", 8), ("warm", 1)] {
        let mut command = audit(&program);
        let begun = Instant::now();
        // The registries run on this runtime: waiting for the child must not block its threads.
        let run = tokio::task::spawn_blocking(move || measure::run(&mut command));
        let measured = run.await.expect("a run");
        check(&measured, LINES);
        let mut requests = public.requests().split_off(seen);
        seen += requests.len();
        let all = requests.len();
        // The first request is rejected with the description of the required token.
        requests.retain(|request| request.is_authorized);
        let count = |kind: &str| requests.iter().filter(|request| kind_of(request) == kind).count();
        let kinds: Vec<String> =
            ["head", "manifest", "blob", "tags"].iter().map(|kind| format!("{kind} {}", count(kind))).collect();
        let about_lines = requests.len() - count("tags");
        let per_line = measure::ratio(about_lines, LINES);
        row(&format!("{what}: requests per line"), format!("{per_line:.1}  (at most {most})"));
        row(
            "  all requests",
            format!("{all} in {:.1?}: {}, to be let in {}", begun.elapsed(), kinds.join(", "), all - requests.len()),
        );
    }
}

/// When the release of `age` days ago was published; at another hour each day.
pub fn published_at(age: i64, now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(age) - TimeDelta::hours(age * 7 % 24 + 1)
}

/// When an image was built: every other one on the day of its base, the others weeks later on a pinned one.
fn built_at(number: usize, now: DateTime<Utc>) -> DateTime<Utc> {
    let days = if number.is_multiple_of(2) { IN_USE } else { IN_USE / 2 };
    published_at(IN_USE, now) + TimeDelta::days(IN_USE - days) + TimeDelta::hours(2)
}

/// Publishes a release, tags and all, and moves the line's tag to it; the digest of its index.
pub fn publish(bases: &Stock, line: &fleet::Line, published_at: DateTime<Utc>) -> Digest {
    let tag = dated_tag(line, published_at);
    let children = [("amd64", "x86_64"), ("arm64", "arm64")].map(|(architecture, suffix)| {
        let platform = Platform::new("linux", architecture, None);
        let image = ImageSpec {
            platform: platform.clone(),
            // The image is made some minutes into the hour that names it.
            created: Some((published_at + TimeDelta::minutes(25)).to_rfc3339()),
            layers: layers(line, published_at, architecture),
            docker_media_types: true,
            ..ImageSpec::default()
        };
        let digest = bases.push_image(line.repository, &image);
        bases.tag(line.repository, &format!("{tag}-{suffix}"), &digest);
        (digest, platform)
    });
    let index = bases.push_index(line.repository, &children, &Annotations::new(), true);
    bases.tag(line.repository, &tag, &index);
    bases.tag(line.repository, line.version, &index);
    index
}

fn dated_tag(line: &fleet::Line, published_at: DateTime<Utc>) -> String {
    format!("{}.{}", line.version, published_at.format("%Y.%m.%d.%H"))
}

/// The layers of a release, with which those of the images on it begin.
pub fn layers(line: &fleet::Line, published_at: DateTime<Utc>, architecture: &str) -> Vec<Vec<u8>> {
    let own = format!("{} {} {architecture}", line.repository, dated_tag(line, published_at));
    vec![format!("os {architecture}").into_bytes(), own.into_bytes()]
}

fn kind_of(request: &LoggedRequest) -> &'static str {
    match (request.method.as_str(), request.path.as_str()) {
        (_, path) if path.contains("/tags/list") => "tags",
        ("HEAD", _) => "head",
        (_, path) if path.contains("/manifests/") => "manifest",
        _ => "blob",
    }
}
