//! The load that `basewatch serve` can handle: a thousand requests per second from another process during a run.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use basewatch::{image::Annotations, report::LineFields};
use chrono::Utc;
use reqwest::{Client, header};
use testbed::{
    many::report,
    program::Program,
    registry::{ImageSpec, Loopback, Stock},
};
use tokio::task::JoinSet;

use crate::measure::{median, megabytes, row};

const FINDINGS: usize = 10_000;
const IMAGES: usize = 3_000;
/// Requests a second to the registry, so that the run lasts as long as the load.
const REGISTRY_RATE: u32 = 150;
const RATE: u32 = 1_000;
const SECONDS: u32 = 15;

/// The requested paths, and their share in twenty requests.
const PATHS: [(&str, usize); 6] = [
    ("/healthz", 4),
    ("/api/v1/status", 4),
    ("/metrics", 2),
    ("/api/v1/report", 4),
    ("/api/v1/findings?owner=team-07&limit=20", 4),
    ("/?owner=team-07", 2),
];

/// A response.
struct Answer {
    took: Duration,
    status: u16,
}

/// Serves, loads and measures.
pub async fn load() {
    println!("serve: a report of {FINDINGS} findings, a run over {IMAGES} images, {RATE} requests a second");
    let registry = fleet();
    let program = Program::with_config(&config(&registry));
    keep_report(&program);
    let (mut child, address) = start(&program);
    let client = Client::builder().timeout(Duration::from_secs(30)).pool_max_idle_per_host(256).build().unwrap();
    let url = |path: &str| format!("http://{address}{path}");
    let tag = client.get(url("/api/v1/report")).send().await.unwrap().headers()[header::ETAG].clone();
    row("memory before, idle", format!("{} MB", megabytes(resident(&child))));

    let response = client.post(url("/api/v1/audit")).send().await.unwrap();
    assert_eq!(response.status(), 202, "a run begins");
    let responses = Arc::new(Mutex::new(Vec::new()));
    let (mut most, mut requests) = (0, JoinSet::new());
    let begun = Instant::now();
    let schedule: Vec<_> = PATHS.iter().flat_map(|(path, times)| vec![*path; *times]).collect();
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    for nth in 0..RATE * SECONDS {
        if nth % (RATE / 200) == 0 {
            tick.tick().await;
        }
        let index = usize::try_from(nth).unwrap() * 7 % schedule.len();
        let mut request = client.get(url(schedule[index]));
        if schedule[index] == "/api/v1/report" {
            request = request.header(header::IF_NONE_MATCH, tag.clone());
        }
        let responses = Arc::clone(&responses);
        requests.spawn(async move {
            let begun = Instant::now();
            let response = request.send().await;
            let status = response.as_ref().map_or(0, |response| response.status().as_u16());
            let is_whole = match response {
                Ok(response) => response.bytes().await.is_ok(),
                Err(_) => false,
            };
            let status = if is_whole { status } else { 0 };
            responses.lock().unwrap().push(Answer { took: begun.elapsed(), status });
        });
        if nth % RATE == 0 {
            most = most.max(resident(&child));
        }
    }
    while requests.join_next().await.is_some() {}
    let wall = begun.elapsed();
    let status: serde_json::Value = client.get(url("/api/v1/status")).send().await.unwrap().json().await.unwrap();
    row("the run was still on at the end of the load", !status["running"].is_null());
    print(&responses.lock().unwrap(), wall);
    row("memory at most", format!("{} MB", megabytes(most.max(resident(&child)))));
    ended(&client, &url("/api/v1/status")).await;
    row("memory after the run", format!("{} MB", megabytes(resident(&child))));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn print(responses: &[Answer], wall: Duration) {
    let good = responses.iter().filter(|response| matches!(response.status, 200 | 304)).count();
    let mut took: Vec<_> = responses.iter().map(|response| response.took).collect();
    took.sort();
    let rank = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    row("requests, responses with the expected status, in", format!("{}, {good}, {wall:.1?}", responses.len()));
    row("requests a second", format!("{:.0}", crate::measure::rate(good, wall)));
    let half = median(took.clone());
    row("latency: median, 99th percentile, maximum", format!("{half:.1?}, {:.1?}, {:.1?}", rank(99), rank(100)));
}

/// Waits until the run is over.
async fn ended(client: &Client, url: &str) {
    for _ in 0..600 {
        let status: serde_json::Value = client.get(url).send().await.unwrap().json().await.unwrap();
        if status["running"].is_null() {
            return assert_eq!(status["last_run"]["succeeded"], true, "{status}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the run does not end");
}

/// Images on one line.
fn fleet() -> Loopback {
    let stock = Stock::new();
    let registry = Loopback::start(stock.clone()).unwrap();
    let push = |repository: &str, labels: Annotations, layer: &str| {
        let layers = vec![layer.as_bytes().to_vec()];
        let created = Some("2025-08-23T06:00:00Z".to_owned());
        stock.push_image(repository, &ImageSpec { created, labels, layers, ..ImageSpec::default() })
    };
    let (old, new) = (push("java", Annotations::new(), "old"), push("java", Annotations::new(), "new"));
    stock.tag("java", "21", &new);
    for number in 0..IMAGES {
        let label = ("sdkBaseVersion".to_owned(), format!("{}/java:21@{old}", registry.host()));
        let digest = push(&format!("app-{number}"), Annotations::from([label]), &number.to_string());
        stock.tag(&format!("app-{number}"), "1", &digest);
    }
    registry
}

fn config(registry: &Loopback) -> String {
    let host = registry.host();
    let references: Vec<_> = (0..IMAGES).map(|number| format!("\"{host}/app-{number}:1\"")).collect();
    format!(
        "store = \"store\"\n[inventory]\nimages = [{{ references = [{}] }}]\n\
         [serve]\nlisten = \"127.0.0.1:0\"\nschedule = \"0 0 1 1 *\"\n\
         [registry.\"{host}\"]\nrate = {REGISTRY_RATE}\n",
        references.join(", ")
    )
}

/// Replaces the last report with that of a large fleet.
fn keep_report(program: &Program) {
    let mut report = report(Utc::now(), FINDINGS, "stale", "high");
    report.lines = LineFields::from_findings(&report.findings, []);
    let folder = program.home().join("store/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("latest.json"), serde_json::to_vec(&report).unwrap()).unwrap();
}

/// The serving program and its address.
fn start(program: &Program) -> (Child, String) {
    let mut command = program.command(&["serve"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        let (_, rest) = line.split_once("listens at http://")?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    // The rest of its output is read, so that it never blocks.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address.expect("it says where it listens"))
}

/// The resident set of a child, in bytes.
fn resident(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
