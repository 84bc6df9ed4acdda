//! Timeouts of invocations: an invocation ends in time, stores only its catalog, and the next one resumes.

use std::{collections::BTreeMap, fmt::Write as _, fs, sync::atomic::Ordering, time::Duration};

use serde_json::Value;

use crate::lambda::fleet::{Fleet, LONG, Running, scheduled};
use testbed::{
    bucket::{BUCKET, Bucket, PREFIX},
    runtime_api::{Function, RuntimeApi},
};

/// The number of images, each with its own manifest and configuration.
const IMAGES: usize = 200;
/// The maximum requests per second to the registry: all of them take 4 seconds.
const RATE: usize = 100;
/// The number of images that are read at once.
const AT_ONCE: usize = 128;
/// The time of an invocation, half of which is reserved for its end.
const SHORT: Duration = Duration::from_secs(5);

/// Images in a slow registry, and a store without a disk.
struct Slow {
    fleet: Fleet,
    bucket: Bucket,
}

impl Slow {
    fn new() -> Self {
        let fleet = Fleet::new();
        let host = fleet.registry.host();
        let mut references = String::new();
        for number in 0..IMAGES {
            // By digest, as in AWS inventories: tags would have to be resolved each time.
            let digest = fleet.build(&format!("image-{number}:1"), number % 50 == 0);
            let _ = write!(references, "\"{host}/image-{number}@{digest}\", ");
        }
        let inventory = format!("[inventory]\nimages = [{{ references = [{references}] }}]");
        let more = format!("[registry.\"{host}\"]\nrate = {RATE}\nauth = \"anonymous\"\n");
        fleet.configure(&format!("store = \"s3://{BUCKET}/{PREFIX}\""), &inventory, &more);
        Self { fleet, bucket: Bucket::start() }
    }

    /// A new process, as after a cold start.
    async fn start(&self) -> Running {
        let api = RuntimeApi::start().await;
        let mut command = self.fleet.command(&[]);
        command.env("AWS_ENDPOINT_URL", self.bucket.endpoint()).env("AWS_REGION", "us-east-1");
        Running { function: Function::start(command, &api.address), api }
    }

    fn requests(&self) -> usize {
        self.fleet.registry.requests().len()
    }

    /// The names of the files in the store, without the catalog.
    fn stored(&self) -> BTreeMap<String, String> {
        let mut objects = self.bucket.objects();
        objects.retain(|key, _| !key.contains("/catalog/"));
        objects
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_invocations_finish_an_audit_at_the_same_total_cost() {
    let undisturbed = Slow::new();
    let running = undisturbed.start().await;
    running.api.invoke(scheduled(), LONG).await.response();
    let needed = undisturbed.requests();
    assert!(needed >= 2 * IMAGES, "{needed}");

    let slow = Slow::new();
    let mut invocations = 0;
    let done = loop {
        // Each in a new process: only the store persists.
        let running = slow.start().await;
        let outcome = running.api.invoke(scheduled(), SHORT).await;
        invocations += 1;
        let metrics = running.function.metrics();
        let ended = ["RunSucceeded", "RunFailed", "RunUnfinished"].map(|name| metrics[0][name].as_u64().unwrap());
        if outcome.error_type.is_none() {
            assert_eq!(ended, [1, 0, 0]);
            break outcome.response();
        }
        let (kind, message) = outcome.error();
        assert_eq!(kind, "Basewatch.Unfinished");
        assert!(message.starts_with("timed out before the audit was complete"), "{message}");
        assert_eq!(ended, [0, 0, 1]);
        assert_eq!(slow.stored(), BTreeMap::new(), "nothing is concluded of half an audit");
        assert_eq!(slow.fleet.notified().len(), 0);
        // On a busy machine, an invocation gets little done.
        assert!(invocations < 30, "no progress: {} of {needed} requests", slow.requests());
    };
    assert!(invocations > 1, "it was not slow enough to be cut short");
    assert_eq!(done["summary"]["deployments"], IMAGES);
    assert_eq!(slow.fleet.notified().concat().len(), IMAGES / 50);
    // Each further invocation resolves the base again, and repeats only the requests for images that were in progress when
    // the previous one ended.
    let repeated = (invocations - 1) * (AT_ONCE + needed - 2 * IMAGES);
    let (requests, most) = (slow.requests(), needed + repeated);
    assert!(requests <= most, "{requests} requests in {invocations} invocations, undisturbed {needed}");
    let report: Value = serde_json::from_str(&slow.bucket.objects()[&format!("{PREFIX}/reports/latest.json")]).unwrap();
    assert_eq!(report["complete"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_times_out_keeps_the_last_report() {
    let slow = Slow::new();
    let file = slow.fleet.folder.path().join("basewatch.toml");
    let all = fs::read_to_string(&file).unwrap();
    let (before, rest) = all.split_once("references = [").unwrap();
    let (_, behind) = rest.split_once("] }]").unwrap();
    let host = slow.fleet.registry.host();
    fs::write(&file, format!("{before}references = [\"{host}/image-1:1\"] }}]{behind}")).unwrap();
    let running = slow.start().await;
    running.api.invoke(scheduled(), LONG).await.response();
    let before = slow.stored();
    assert!(before.contains_key(&format!("{PREFIX}/reports/latest.json")));
    fs::write(&file, all).unwrap();
    let (kind, _) = running.api.invoke(scheduled(), Duration::from_secs(2)).await.error();
    assert_eq!(kind, "Basewatch.Unfinished");
    assert_eq!(slow.stored(), before);
    // The same process handles the next one.
    running.api.invoke(scheduled(), LONG).await.response();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_remaining_time_nothing_is_started() {
    let slow = Slow::new();
    let running = slow.start().await;
    let (kind, _) = running.api.invoke(scheduled(), Duration::ZERO).await.error();
    assert_eq!(kind, "Basewatch.Unfinished");
    assert_eq!((slow.requests(), slow.stored().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_not_sent_in_time_are_sent_once_by_the_next_invocation() {
    let fleet = Fleet::new();
    let host = fleet.registry.host();
    fleet.build("orders:1", true);
    let inventory = format!("[inventory]\nimages = [{{ references = [\"{host}/orders:1\"] }}]");
    fleet.configure("store = \"store\"", &inventory, "");
    fleet.is_silent.store(true, Ordering::SeqCst);
    let running = fleet.start().await;
    let (kind, message) = running.api.invoke(scheduled(), SHORT).await.error();
    assert_eq!(kind, "Basewatch.Unfinished");
    assert!(message.contains("all notifications were sent"), "{message}");
    assert!(fleet.stored("reports/latest.json").is_some(), "the audit itself was done");
    assert_eq!(fleet.stored("ledger.json").unwrap()["outbox"].as_array().unwrap().len(), 1);
    fleet.is_silent.store(false, Ordering::SeqCst);
    let done = running.api.invoke(scheduled(), LONG).await.response();
    assert_eq!(done["messages"][0]["sent"], true);
    let [first, second] = fleet.hook.log().try_into().unwrap();
    let key = |body: &str| serde_json::from_str::<Value>(body).unwrap()["dedup_key"].clone();
    assert_eq!(key(&first.body), key(&second.body), "the same message, should the first have arrived");
    running.api.invoke(scheduled(), LONG).await.response();
    assert_eq!(fleet.hook.log().len(), 2);
}
