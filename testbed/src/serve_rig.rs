//! A `basewatch serve` for tests, with a clock that the test controls.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use basewatch::{
    app::ExitStatus,
    config::{CliOverrides, EnvironmentVariables, Settings, load},
    serve::{self, ServeClock},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

use crate::java_fleet::JavaFleet;

/// The maximum waiting time.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A clock that the test sets. Sleeping moves it forward at once, up to an instant at which it stops.
#[derive(Clone)]
pub struct SetClock(Arc<Mutex<(DateTime<Utc>, DateTime<Utc>)>>);

impl SetClock {
    /// Stopped at `now`.
    pub fn at(now: &str) -> Self {
        Self(Arc::new(Mutex::new((at(now), at(now)))))
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap().0
    }

    /// Lets time pass until `end`, from one sleeping task to the next.
    pub fn run_until(&self, end: &str) {
        self.0.lock().unwrap().1 = at(end);
    }

    /// Sets it, like an administrator or a machine that slept.
    pub fn set(&self, by: TimeDelta) {
        let mut times = self.0.lock().unwrap();
        times.0 += by;
    }

    fn pass(&self, span: Duration) -> bool {
        let mut times = self.0.lock().unwrap();
        let later = times.0 + TimeDelta::from_std(span).unwrap();
        let may = later <= times.1;
        if may {
            times.0 = later;
        }
        may
    }

    pub fn clock(&self) -> ServeClock {
        let (shown, passing) = (self.clone(), self.clone());
        ServeClock::new(
            move || shown.now(),
            move |span| {
                let passing = passing.clone();
                async move {
                    while !passing.pass(span) {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
                .boxed()
            },
        )
    }
}

/// A `basewatch serve` with a fleet.
pub struct Served {
    pub folder: TempDir,
    pub fleet: JavaFleet,
    pub clock: SetClock,
    pub client: Client,
    running: Option<Running>,
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<ExitStatus>,
    ended: JoinHandle<anyhow::Result<ExitStatus>>,
}

impl Served {
    /// Two images on an outdated base and one on a current base, as of `now`; not started.
    pub fn prepare(now: &str, further: &str) -> Self {
        let fleet = JavaFleet::start().with_old(&["orders", "billing"]).with_new(&["fresh"]);
        let served = Self {
            folder: tempfile::tempdir().unwrap(),
            fleet,
            clock: SetClock::at(now),
            client: Client::builder().timeout(PATIENCE).build().unwrap(),
            running: None,
        };
        let images = served.fleet.references(&["orders", "billing", "fresh"]);
        let config = format!(
            "store = \"store\"\n{further}\n[inventory]\nimages = [{{ references = {images} }}]\n\
             [owners]\nrules = [{{ match = \"*\", owner = \"payments\" }}]\n"
        );
        fs::write(served.folder.path().join("basewatch.toml"), config).unwrap();
        served
    }

    /// The same, started, and after its first run.
    pub async fn start(now: &str, further: &str) -> Self {
        let mut served = Self::prepare(now, further);
        served.run().await;
        served.wait_for_report().await;
        served
    }

    pub fn settings(&self) -> Settings {
        load(&CliOverrides::default(), &EnvironmentVariables::default(), self.folder.path()).unwrap().settings
    }

    /// Starts it on a port that the system chooses.
    pub async fn run(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = stopped.map(|exit| exit.unwrap_or(ExitStatus::Terminated));
        let ended = tokio::spawn(serve::serve(self.settings(), listener, self.clock.clock(), stopped));
        self.running = Some(Running { address, stop, ended });
    }

    /// Stops it, and returns how it ended.
    pub async fn stop(&mut self) -> ExitStatus {
        let Running { stop, ended, .. } = self.running.take().unwrap();
        stop.send(ExitStatus::Terminated).unwrap();
        timeout(PATIENCE, ended).await.expect("it stops").unwrap().unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Waits until there is a report.
    pub async fn wait_for_report(&self) {
        self.wait(async || self.get("/api/v1/report").await.status() == 200, "a report").await;
    }

    /// Waits until `holds`.
    pub async fn wait(&self, holds: impl AsyncFn() -> bool, what: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !holds().await {
            assert!(std::time::Instant::now() < deadline, "waited for {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The times of recorded runs, from the names of their reports.
    pub fn runs(&self) -> Vec<String> {
        let mut runs = Vec::new();
        let mut folders = vec![self.folder.path().join("store/reports")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
                let name = entry.file_name().into_string().unwrap();
                match name.split_once('-') {
                    Some((at, _)) => runs.push(at.to_owned()),
                    None if entry.path().is_dir() => folders.push(entry.path()),
                    None => {}
                }
            }
        }
        runs.sort();
        runs
    }
}
