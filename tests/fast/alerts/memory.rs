//! Memory for a ledger with 30,000 open alerts and for a large report: at most 64 MiB.

#![cfg(target_os = "linux")]

use std::{fs, sync::Arc, time::Duration};

use basewatch::{
    image::Digest,
    notify::{Ledger, LedgerSession, Snooze},
    store::{self, FolderStore, LATEST, Store, StoredDocument as _, WriteCondition},
};
use serde_json::{Value, json};
use testbed::run_alone;

/// A third of the alerts is measured, because tests are not optimized.
const ALERTS: usize = 10_000;
/// Several parts: the memory does not depend on their number.
const FINDINGS: usize = 20_000;
const MOST_MIB: u64 = 64;

/// A line of the status of this process, in MiB: `VmRSS`, or `VmHWM` for the most so far.
fn memory_mib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() >> 10
}

/// An open alert with as many events as are kept, whose messages it shares with 75 others.
fn alert(number: usize) -> Value {
    let image = Digest::sha256(&number.to_be_bytes());
    let (team, name) = (number % 400, format!("service-{number:05}-handler"));
    let event = |nth: usize| {
        let key = Digest::sha256(format!("{team} {nth}").as_bytes());
        let kind = if nth == 0 { "triggered" } else { "reminded" };
        let at = format!("2026-11-{:02}T06:00:00Z", nth + 1);
        json!({
            "kind": kind, "severity": "high", "due_at": at, "sent_at": at, "message_id": &key.hex()[..36],
            "dedup_key": key.hex(),
        })
    };
    json!({
        "id": &image.hex()[..12], "about": "base", "alerting_since": "2026-11-01T06:00:00Z",
        "seen_at": "2026-11-20T06:00:00Z",
        "subject": {
            "name": format!("{name}:live"), "kind": "lambda", "account": "123456789012", "region": "eu-west-1",
            "owner": format!("team-{team:03}"), "repository": format!("team-{team:03}/{name}"), "digest": image,
            "image": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-{team:03}/{name}@{image}"),
            "verdict": "stale", "severity": "high", "action": "rebuild",
        },
        "deliveries": { "platform": {
            "episode": 1, "count": 6, "severity": "high", "events": (0..6).map(event).collect::<Vec<_>>(),
        } },
    })
}

async fn write(store: &dyn Store, name: &str, mut document: Value, parts: Vec<String>) {
    document["parts"] = parts.into();
    store.write(name, document.to_string().into_bytes(), WriteCondition::Always).await.unwrap();
}

/// Changes one of `count` open alerts. Returns the memory with the ledger open, and at most.
async fn changed(count: usize) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path().to_owned()));
    let before = memory_mib("VmRSS");
    let entries = (0..count).map(|number| {
        json!({ "alert": [format!("lambda:eu-west-1:123456789012:service-{number:05}-handler:live"), alert(number)] })
            .to_string()
            .into_bytes()
    });
    let parts = store::write_parts(&*store, "ledger", entries, &[]).await.unwrap();
    write(&*store, Ledger::NAME, json!({ "schema": Ledger::SCHEMA, "generation": 1 }), parts).await;
    let lock = store.lock("a test", Duration::ZERO).await.unwrap();
    let session = LedgerSession::open(Arc::clone(&store), lock).await.unwrap();
    let held = memory_mib("VmRSS") - before;
    let until = "2027-01-01T00:00:00Z".parse().unwrap();
    let changed = session.change(|ledger| {
        let snooze = Snooze::new(until, until, None, None);
        ledger.alerts.values_mut().next().unwrap().snooze = Some(Arc::new(snooze));
        ledger.alerts.len()
    });
    assert_eq!(changed.await.unwrap(), count);
    session.close().await;
    (held, memory_mib("VmHWM") - before)
}

#[test]
fn a_ledger_of_30000_open_alerts_and_one_part_take_at_most_64_mib() {
    run_alone::<&str>("alerts::memory::measure_a_ledger", []);
}

#[tokio::test]
#[ignore = "run in a process of its own, whose memory it measures"]
async fn measure_a_ledger() {
    // Loads the code.
    changed(100).await;
    let (held, peak) = changed(ALERTS).await;
    println!("{held} MiB with the ledger open, {peak} MiB at most");
    let expected = 3 * held + (peak - held);
    assert!((1..=MOST_MIB).contains(&expected), "{held} and {peak} MiB");
}

#[test]
fn a_report_in_parts_is_written_and_read_within_64_mib() {
    run_alone::<&str>("alerts::memory::measure_a_report", []);
}

#[tokio::test]
#[ignore = "run in a process of its own, whose memory it measures"]
async fn measure_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::new(folder.path().to_owned());
    let before = memory_mib("VmRSS");
    let reason = "behind for 59 days: 40 releases of this line were published since ".repeat(8);
    let findings = (0..FINDINGS).map(|number| {
        let finding = json!({ "id": number, "deployment": alert(number)["subject"], "reasons": [reason] });
        finding.to_string().into_bytes()
    });
    let at = "2026-11-20T06:00:00Z".parse().unwrap();
    let parts = store::write_parts(&store, &store::parts_folder(at, "01J"), findings, &[]).await.unwrap();
    println!("{} parts", parts.len());
    write(&store, LATEST, json!({ "schema": "basewatch.report/v1", "findings": [] }), parts).await;

    let mut count = 0;
    let add = |_: &mut Value, json: &[u8]| {
        let finding: Value = serde_json::from_slice(json)?;
        assert_eq!(finding["id"], count, "in order");
        count += 1;
        Ok(())
    };
    store::report_named::<Value>(&store, store::LATEST, "basewatch.report/v1", add).await.unwrap().unwrap();
    assert_eq!(count, FINDINGS);
    let peak = memory_mib("VmHWM") - before;
    println!("{peak} MiB at most");
    assert!((1..=MOST_MIB).contains(&peak), "{peak} MiB");
}
