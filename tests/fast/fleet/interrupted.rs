//! A cancelled audit: functions that it read are not read again.

use std::sync::Arc;

use basewatch::config::Concurrency;
use tokio::sync::Notify;

use testbed::company::{Company, EU, OLD, SHOP};

/// How many functions there are.
const FUNCTIONS: u64 = 30;

#[tokio::test]
async fn functions_read_before_the_audit_was_cancelled_are_not_read_again() {
    let mut company = Company::new();
    company.settings.concurrency = Concurrency(1);
    for number in 0..FUNCTIONS {
        company.run(SHOP, EU, &format!("orders-{number:02}"), OLD);
    }
    let get_function_calls =
        || company.cloud.calls().by_action().get("lambda:GetFunction").copied().unwrap_or_default();
    let cut = Arc::new(Notify::new());
    let act = Arc::clone(&cut);
    company.before_reading("orders-20", move || act.notify_one());
    tokio::select! {
        biased;
        () = cut.notified() => {}
        report = company.audit() => panic!("it was not cut short: {} findings", report.findings.len()),
    }
    let before = get_function_calls();
    assert!((10..FUNCTIONS).contains(&before), "{before}");
    let report = company.audit().await;
    assert_eq!((report.complete, report.findings.len() as u64), (true, FUNCTIONS));
    // The one in progress is read again.
    assert!(
        get_function_calls() <= FUNCTIONS + 1,
        "{} of {FUNCTIONS}, {before} before it was cut short",
        get_function_calls()
    );
}
