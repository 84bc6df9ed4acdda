//! `basewatch run` with a store: notifications, stored files, and exit codes after failures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use basewatch::run::RunReport;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use tempfile::TempDir;
use testbed::{
    bare::{basewatch, stderr, stdout},
    java_fleet::JavaFleet,
    toxic::{Reply, Toxic},
};

pub(crate) const NOW: &str = "2025-11-20";
pub(crate) const NEXT_WEEK: &str = "2025-11-27";

/// A registry with images on an old base, a webhook, and a user's folder.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    fleet: JavaFleet,
    pub(crate) hook: Toxic,
    is_down: Arc<AtomicBool>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let fleet = JavaFleet::start().with_old(&["orders", "billing"]).with_new(&["fresh"]);
        let is_down = Arc::new(AtomicBool::new(false));
        let down = Arc::clone(&is_down);
        let hook = Toxic::start(move |_| {
            if down.load(Ordering::SeqCst) {
                Reply::new(400, "not today")
            } else {
                Reply::json(&serde_json::json!({ "id": "m-1" }))
            }
        });
        let rig = Self { folder: tempfile::tempdir().unwrap(), fleet, hook, is_down };
        rig.configure("store = \"store\"\n", "");
        rig
    }

    /// Writes the configuration with additional lines before and after its tables.
    pub(crate) fn configure(&self, before: &str, behind: &str) {
        let host = self.fleet.host();
        let file = format!(
            "{before}[inventory]\nimages = [{{ references = [\"{host}/orders:1\", \"{host}/billing:1\", \
             \"{host}/fresh:1\"] }}]\n[owners]\nrules = [{{ match = \"*\", owner = \"payments\" }}]\n\
             [[notify.webhook]]\nname = \"chat\"\nurl = \"{}/in/hunter2\"\n{behind}",
            self.hook.endpoint()
        );
        fs::write(self.folder.path().join("basewatch.toml"), file).unwrap();
    }

    /// The host of the registry.
    pub(crate) fn host(&self) -> String {
        self.fleet.host()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        basewatch(self.folder.path()).args(arguments).output().unwrap()
    }

    pub(crate) fn at(&self, now: &str, more: &[&str]) -> Output {
        self.run(&[&["run", "--as-of", now], more].concat())
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The events of each message after the first `since`.
    pub(crate) fn notified(&self, since: usize) -> Vec<Value> {
        let log = self.hook.log();
        log[since..]
            .iter()
            .map(|request| serde_json::from_str::<Value>(&request.body).unwrap()["events"].clone())
            .collect()
    }

    /// The kind and the events of each message.
    fn kinds(&self) -> Vec<String> {
        let of = |body: &str| {
            let message: Value = serde_json::from_str(body).unwrap();
            let events: Vec<_> = message["events"].as_object().unwrap().keys().cloned().collect();
            format!("{} {}", message["kind"].as_str().unwrap(), events.join(" "))
        };
        self.hook.log().iter().map(|request| of(&request.body)).collect()
    }

    /// The printed text, without parts that differ from run to run.
    fn shown(&self, output: &Output) -> String {
        let text = stdout(output).replace(&self.fleet.host(), "REGISTRY");
        let text = text.replace(&self.folder.path().display().to_string(), "FOLDER");
        let is_ulid = |word: &str| word.len() == 26 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let words = |line: &str| {
            let words: Vec<_> = line
                .split(' ')
                .map(|word| {
                    if is_ulid(word.trim_end_matches(',')) {
                        word.replace(word.trim_end_matches(','), "ULID")
                    } else {
                        word.to_owned()
                    }
                })
                .collect();
            words.join(" ")
        };
        text.lines().map(words).collect::<Vec<_>>().join("\n") + "\n"
    }
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Checks `document` against the schema, and the schema in the repository against the types; `UPDATE_SCHEMA=1` writes it.
pub(crate) fn assert_follows<T: schemars::JsonSchema>(name: &str, document: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<T>().to_value();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&schema).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert!(stored == schema, "schema/{name} differs from the types; UPDATE_SCHEMA=1 writes it");
    let document: Value = serde_json::from_str(document).unwrap();
    let problems: Vec<_> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_notifies_once_and_reminds_after_a_week() {
    let rig = Rig::new();
    let first = rig.at(NOW, &[]);
    assert_eq!((code(&first), stderr(&first).as_str()), (0, ""));
    assert_eq!(rig.notified(0), [serde_json::json!({ "triggered": 2 })]);
    insta::assert_snapshot!("run_first", rig.shown(&first));
    let second = rig.at(NOW, &[]);
    assert_eq!((code(&second), rig.hook.log().len()), (0, 1));
    insta::assert_snapshot!("run_second", rig.shown(&second));
    rig.at(NEXT_WEEK, &[]);
    assert_eq!(rig.notified(1), [serde_json::json!({ "reminded": 2 })]);
    for name in ["ledger.json", "history.json", "reports/latest.json", "catalog"] {
        assert!(rig.store().join(name).exists(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_notifications_without_storing_or_sending_anything() {
    let rig = Rig::new();
    let output = rig.at(NOW, &["--dry-run"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(stdout(&output).contains("would notify") && stdout(&output).contains("To webhook chat"));
    let line = "would notify  chat: payments: 2 new (2 high): deployments on outdated bases; 2 alerts";
    assert!(stdout(&output).contains(line), "{}", stdout(&output));
    assert!(!rig.store().exists());
    assert_eq!(rig.hook.log().len(), 0);
    // A dry run may be dated to a future day; other runs may not.
    assert_eq!(code(&rig.at("2199-01-01", &["--dry-run"])), 0);
    let future = rig.at("2199-01-01", &[]);
    assert_eq!(code(&future), 2);
    assert!(stderr(&future).contains("--dry-run"), "{}", stderr(&future));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_chat_messages_as_chat_renders_them_and_others_as_they_are() {
    let rig = Rig::new();
    let chat = |format: &str| {
        let more = format!("format = \"{format}\"\n");
        rig.configure("store = \"store\"\n", &more);
        rig.shown(&rig.at(NOW, &["--dry-run"]))
    };
    let shown = chat("chatbot");
    for line in [
        "To webhook chat",
        "payments: 2 new (2 high): deployments on outdated bases",
        "New",
        "Next steps",
        "1. rebuild billing, orders on REGISTRY/java:21 (currently ",
    ] {
        assert!(shown.lines().any(|known| known.starts_with(line)), "{line}: {shown}");
    }
    assert!(shown.contains("\n• REGISTRY/") && !shown.contains(['`', '{', '*']), "{shown}");
    let text = chat("text");
    assert!(text.contains("\nNEW\n") && !text.contains('{'), "{text}");
    let json = chat("json");
    assert!(json.contains("\n  \"kind\": \"findings\",\n"), "{json}");
    assert_eq!(rig.hook.log().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_omits_notifications_held_back_by_quiet_hours() {
    let rig = Rig::new();
    rig.is_down.store(true, Ordering::SeqCst);
    rig.at(NOW, &[]);
    // In quiet hours, messages that failed before wait as well.
    let quiet = "[notify.quiet_hours]\nfrom = \"22:00\"\nto = \"08:00\"\n";
    rig.configure("store = \"store\"\n", quiet);
    let night = stdout(&rig.at(NOW, &["--dry-run"]));
    assert!(!night.contains("would notify") && night.contains("1 message"), "{night}");
    let day = stdout(&rig.at("2025-11-20T12:00:00Z", &["--dry-run"]));
    assert!(day.contains("would notify"), "{day}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_output_of_a_run_matches_its_schema() {
    let rig = Rig::new();
    let output = rig.at(NOW, &["--format", "json", "--output", "-", "--output", "report.json"]);
    let done = assert_follows::<RunReport>("run.schema.json", &stdout(&output));
    assert_eq!((&done["messages"][0]["sent"], &done["messages"][0]["message_id"]), (&Value::Bool(true), &"m-1".into()));
    let report: Value = serde_json::from_slice(&fs::read(rig.folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!((&report["schema"], &report["run_id"]), (&"basewatch.report/v1".into(), &done["run_id"]));
    let dry = rig.at(NEXT_WEEK, &["--dry-run", "--format", "json"]);
    let dry = assert_follows::<RunReport>("run.schema.json", &stdout(&dry));
    assert!(dry["messages"][0]["preview"]["body"].as_str().unwrap().contains("reminded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_fail_a_run_only_with_fail_on() {
    let rig = Rig::new();
    assert_eq!(code(&rig.at(NOW, &[])), 0);
    assert_eq!(code(&rig.at(NOW, &["--fail-on", "stale"])), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_requires_a_store() {
    let rig = Rig::new();
    rig.configure("", "");
    for arguments in [vec!["run"], vec!["alerts", "list"]] {
        let output = rig.run(&arguments);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        assert!(stderr(&output).contains("store = "), "{}", stderr(&output));
    }
    assert_eq!(rig.hook.log().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_ledger_stops_the_run_and_is_not_changed() {
    for (ledger, expected) in [
        ("{", "cannot be parsed"),
        ("{\"schema\":\"basewatch.ledger/v2\"}", "by a newer basewatch"),
        ("{\"schema\":\"basewatch.history/v1\"}", "cannot be parsed"),
    ] {
        let rig = Rig::new();
        rig.at(NOW, &[]);
        fs::write(rig.store().join("ledger.json"), ledger).unwrap();
        for arguments in [vec!["run", "--as-of", NEXT_WEEK], vec!["alerts", "list"]] {
            let output = rig.run(&arguments);
            assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
            assert!(
                stderr(&output).contains(expected) && stderr(&output).contains("ledger.json"),
                "{}",
                stderr(&output)
            );
        }
        assert_eq!(fs::read_to_string(rig.store().join("ledger.json")).unwrap(), ledger);
        // No alerts about findings are sent, only this one.
        let kinds = rig.kinds();
        assert_eq!(kinds, ["findings triggered", "watch triggered"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_notified_once_until_a_run_succeeds() {
    let rig = Rig::new();
    rig.at(NOW, &[]);
    let ledger = rig.store().join("ledger.json");
    let good = fs::read(&ledger).unwrap();
    fs::write(&ledger, "{").unwrap();
    for hour in 1..4 {
        let failed = rig.at(&format!("2025-11-20T0{hour}:00:00Z"), &[]);
        assert_eq!((code(&failed), stdout(&failed).as_str()), (2, ""));
    }
    assert_eq!(rig.kinds(), ["findings triggered", "watch triggered"]);
    let message: Value = serde_json::from_str(&rig.hook.log()[1].body).unwrap();
    assert!(message["watch"]["errors"][0]["message"].as_str().unwrap().contains("ledger.json"), "{message}");
    assert!(!rig.hook.log()[1].body.contains("hunter2"));
    fs::write(&ledger, good).unwrap();
    let good = rig.at("2025-11-20T06:00:00Z", &["--format", "json"]);
    assert_eq!(code(&good), 0);
    let done = assert_follows::<RunReport>("run.schema.json", &stdout(&good));
    assert_eq!(done["messages"][0]["kind"], "watch");
    rig.at("2025-11-20T07:00:00Z", &[]);
    assert_eq!(rig.kinds(), ["findings triggered", "watch triggered", "watch resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_and_configuration_errors_do_not_count_as_runs() {
    let rig = Rig::new();
    rig.at(NOW, &[]);
    fs::write(rig.store().join("ledger.json"), "{").unwrap();
    assert_eq!(code(&rig.at(NEXT_WEEK, &["--dry-run"])), 2);
    rig.configure("store = \"store\"\n", "[watch]\nchannels = [\"removed\"]\n");
    assert_eq!(code(&rig.at(NEXT_WEEK, &[])), 2);
    assert_eq!(rig.kinds(), ["findings triggered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_url_is_never_shown() {
    let rig = Rig::new();
    // A service that echoes its input.
    let service = Toxic::start(|request| Reply::new(404, format!("no {} here", request.path)));
    rig.configure("store = \"store\"\n", "[watch]\nheartbeat = { env = \"HEARTBEAT_URL\" }\n");
    let run = |arguments: &[&str]| {
        let url = format!("{}/ping/s3cret-check?key=T0K3N", service.endpoint());
        basewatch(rig.folder.path()).env("HEARTBEAT_URL", url).args(arguments).output().unwrap()
    };
    for arguments in [vec!["run", "--as-of", NOW, "-vv", "--format", "json"], vec!["config", "check"]] {
        let output = run(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let shown = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!shown.contains("s3cret") && !shown.contains("T0K3N"), "{shown}");
        assert_eq!(shown.contains("the heartbeat call failed"), arguments[0] == "run", "{shown}");
    }
    let request: Vec<_> = service.log().into_iter().map(|request| request.path).collect();
    assert_eq!(request, ["/ping/s3cret-check?key=T0K3N"]);
    for file in ["watch.json", "ledger.json", "reports/latest.json"] {
        assert!(!fs::read_to_string(rig.store().join(file)).unwrap().contains("s3cret"), "{file}");
    }
    let wrong = basewatch(rig.folder.path())
        .env("HEARTBEAT_URL", "ftp://beats.example.com/s3cret-check")
        .args(["config", "check"])
        .output()
        .unwrap();
    let expected = stderr(&wrong);
    assert!(code(&wrong) == 2 && expected.contains("heartbeat") && !expected.contains("s3cret"), "{expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_warns_if_no_channel_receives_watch_notifications() {
    let rig = Rig::new();
    let check = |behind: &str| {
        rig.configure("store = \"store\"\n", behind);
        let output = rig.run(&["config", "check"]);
        stdout(&output) + &stderr(&output)
    };
    assert!(!check("").contains("when runs of basewatch fail"));
    let silent = check("threshold = \"critical\"\n");
    assert!(silent.contains("no channel is notified when runs of basewatch fail"), "{silent}");
    assert!(
        !check("threshold = \"critical\"\n[watch]\nchannels = [\"chat\"]\n").contains("when runs of basewatch fail")
    );
    let unknown = check("[watch]\nchannels = [\"pager\"]\n");
    assert!(unknown.contains("\"pager\" is not a channel"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_store_triggers_the_failure_heartbeat_only() {
    let (alive, ill) = (Toxic::start(|_| Reply::new(200, "OK")), Toxic::start(|_| Reply::new(200, "OK")));
    let rig = Rig::new();
    let urls = "[watch]\nheartbeat = { file = \"alive\" }\nheartbeat_fail = { file = \"ill\" }\n";
    rig.configure("store = \"store\"\n", urls);
    for (file, server) in [("alive", &alive), ("ill", &ill)] {
        fs::write(rig.folder.path().join(file), format!("{}/{file}\n", server.endpoint())).unwrap();
    }
    fs::write(rig.store(), "x").unwrap();
    let output = rig.at(NOW, &[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no notification of the failed run was sent"), "{}", stderr(&output));
    assert_eq!((alive.log().len(), ill.log().len(), rig.hook.log().len()), (0, 1, 0));
    fs::remove_file(rig.store()).unwrap();
    assert_eq!(code(&rig.at(NOW, &[])), 0);
    assert_eq!((alive.log().len(), ill.log().len()), (1, 1));
    // Alerts of that run are not sent now.
    assert_eq!(rig.kinds(), ["findings triggered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_path_that_is_a_file_is_rejected_before_anything_is_sent() {
    let rig = Rig::new();
    fs::write(rig.store(), "x").unwrap();
    let output = rig.at(NOW, &[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("store"), "{}", stderr(&output));
    assert_eq!(rig.hook.log().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_notification_is_reported_and_retried_by_the_next_run() {
    let rig = Rig::new();
    rig.is_down.store(true, Ordering::SeqCst);
    let output = rig.at(NOW, &[]);
    assert_eq!(code(&output), 3);
    assert!(
        stdout(&output).contains("not notified") && stdout(&output).contains("400: not today"),
        "{}",
        stdout(&output)
    );
    assert!(!stdout(&output).contains("hunter2"));
    rig.is_down.store(false, Ordering::SeqCst);
    assert_eq!(code(&rig.at(NOW, &[])), 0);
    let log = rig.hook.log();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].header("webhook-id"), log[1].header("webhook-id"));
    assert_eq!(log[0].body, log[1].body);
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_prints_channels_without_urls() {
    let rig = Rig::new();
    let rebuilds = "[[rebuild]]\nrepositories = [\"*\"]\nname = \"all\"\npreset = \"cloudevents\"\n\
                    url = \"https://builds.example.com/hunter2\"\n\
                    [[rebuild]]\nrepositories = [\"orders\"]\npreset = \"cloudevents\"\n\
                    url = \"https://builds.example.com/x\"\n";
    rig.configure("store = \"store\"\n", rebuilds);
    let expected = stdout(&rig.run(&["config", "check"]));
    for line in [
        "store     store",
        "notify    chat: findings of all owners, severity medium or higher",
        "rebuild   all: * with cloudevents",
        "warning   orders never applies",
    ] {
        assert!(expected.contains(line), "{line}: {expected}");
    }
    rig.configure("", "");
    let expected = stdout(&rig.run(&["config", "check"]));
    assert!(expected.contains("alerts and rebuilds require a store") && !expected.contains("hunter2"), "{expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_does_not_change_the_ledger() {
    let rig = Rig::new();
    let output = rig.run(&["notify", "test"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("chat acknowledged a test message"), "{}", stderr(&output));
    assert!(!rig.store().exists());
    let unknown = rig.run(&["notify", "test", "pager"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("\"pager\"") && stderr(&unknown).contains("chat"), "{}", stderr(&unknown));
    rig.is_down.store(true, Ordering::SeqCst);
    let down = rig.run(&["notify", "test", "chat"]);
    assert_eq!(code(&down), 1);
    assert!(stderr(&down).contains("test message to chat failed"), "{}", stderr(&down));
    assert!(!stderr(&down).contains("hunter2"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn notifications_of_an_interrupted_run_are_sent_by_the_next_run() {
    let rig = Rig::new();
    let slow = Toxic::start(|request| if request.nth == 0 { Reply::hang() } else { Reply::new(200, "") });
    rig.configure(
        "store = \"store\"\n",
        &format!("[[notify.webhook]]\nname = \"slow\"\nurl = \"{}\"\n", slow.endpoint()),
    );
    let mut run = basewatch(rig.folder.path())
        .args(["run", "--as-of", NOW])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..1500 {
        if !slow.log().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let terminated = std::process::Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    assert_eq!(run.wait().unwrap().code(), Some(143));
    assert_eq!(code(&rig.at(NOW, &[])), 0);
    let log = slow.log();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].header("webhook-id"), log[1].header("webhook-id"));
}
