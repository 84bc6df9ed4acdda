//! Shutdown: open requests are completed, notifications are sent, and an audit is aborted.

use std::time::{Duration, Instant};

use basewatch::app::ExitStatus;

use testbed::{
    serve_rig::Served,
    toxic::{Reply, Toxic},
};

const NOW: &str = "2025-11-20T06:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_in_progress_is_completed_at_shutdown() {
    let hook = Toxic::start(|_| Reply::new(200, "{}").after(Duration::from_millis(700)));
    let further = format!("[[notify.webhook]]\nname = \"chat\"\nurl = \"{}/in\"\n", hook.endpoint());
    let mut served = Served::prepare(NOW, &further);
    served.run().await;
    served.wait(async || !hook.log().is_empty(), "a message under way").await;
    assert_eq!(served.stop().await, ExitStatus::Clean);
    let ledger = std::fs::read_to_string(served.folder.path().join("store/ledger.json")).unwrap();
    assert!(ledger.contains("\"sent_at\""), "it was recorded as sent: {ledger}");
    served.run().await;
    served.wait_for_report().await;
    assert_eq!(hook.log().len(), 1, "and the alert is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_an_audit() {
    let slow = Toxic::start(|_| Reply::hang());
    let host = slow.endpoint().replace("http://", "");
    let mut served = Served::prepare(NOW, "");
    let config = format!("store = \"store\"\n[inventory]\nimages = [{{ references = [\"{host}/orders:1\"] }}]\n");
    std::fs::write(served.folder.path().join("basewatch.toml"), config).unwrap();
    served.run().await;
    served.wait(async || !slow.log().is_empty(), "an audit under way").await;
    let request = Instant::now();
    assert_eq!(served.stop().await, ExitStatus::Clean);
    assert!(request.elapsed() < Duration::from_secs(10), "{:?}", request.elapsed());
    assert_eq!(served.runs(), Vec::<String>::new(), "nothing is recorded of it");
}
