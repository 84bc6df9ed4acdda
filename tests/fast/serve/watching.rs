//! Alerts about failing runs of `serve`.

use std::fs;

use basewatch::notify::{EventKind, Message, MessageKind};

use crate::serve::fortnight::pass;
use testbed::{
    serve_rig::Served,
    toxic::{Reply, Toxic},
};

/// Kind and event of each message to `hook`.
fn notified(hook: &Toxic) -> Vec<(MessageKind, EventKind)> {
    let messages = hook.log().into_iter().map(|request| serde_json::from_str::<Message>(&request.body).unwrap());
    messages.map(|message| (message.kind, *message.events.keys().next().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_runs_notify_once_and_pause_the_heartbeat() {
    let (hook, beats) = (Toxic::start(|_| Reply::new(200, "")), Toxic::start(|_| Reply::new(200, "OK")));
    let further = format!(
        "[serve]\nschedule = \"0 6 * * *\"\n[[notify.webhook]]\nname = \"chat\"\nurl = \"{}\"\n\
         [watch]\nheartbeat = {{ file = \"beat\" }}\n",
        hook.endpoint()
    );
    let mut served = Served::prepare("2026-06-01T12:00:00Z", &further);
    fs::write(served.folder.path().join("beat"), beats.endpoint()).unwrap();
    served.run().await;
    served.wait_for_report().await;
    pass(&served, "2026-06-02T12:00:00Z").await;
    assert_eq!((notified(&hook), beats.log().len()), (vec![(MessageKind::Findings, EventKind::Triggered)], 2));
    let ledger = served.folder.path().join("store/ledger.json");
    let good = fs::read(&ledger).unwrap();
    fs::write(&ledger, "{").unwrap();
    pass(&served, "2026-06-05T12:00:00Z").await;
    assert_eq!(
        (notified(&hook)[1..].to_vec(), beats.log().len()),
        (vec![(MessageKind::Watch, EventKind::Triggered)], 2)
    );
    fs::write(&ledger, good).unwrap();
    pass(&served, "2026-06-07T12:00:00Z").await;
    assert_eq!(
        (notified(&hook)[2..].to_vec(), beats.log().len()),
        (vec![(MessageKind::Watch, EventKind::Resolved)], 4)
    );
    served.stop().await;
}
