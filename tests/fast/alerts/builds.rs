//! Build services that are down: a run leaves out what has failed, and requests the other rebuilds.

use std::collections::BTreeMap;

use basewatch::{
    notify,
    rebuild::{Rebuild, RebuildPreset, RebuildRule},
    report::Report,
    secret::Secret,
    webhook::SignatureScheme,
};
use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use testbed::{
    alerts_rig::Rig,
    many,
    toxic::{Reply, Toxic},
};

/// A report of three functions, each of a repository of its own, that need a rebuild.
fn report(now: DateTime<Utc>) -> Report {
    let mut report = many::report(now, 3, "out-of-date", "medium");
    for finding in &mut report.findings {
        let current = json!({
            "reference": "public.ecr.aws/lambda/java:21", "digest": format!("sha256:{:064x}", 999),
            "release": "21.2026.10.01.13", "published_at": now - Duration::days(1), "published_source": "dated-tag",
        });
        finding.current = serde_json::from_value(current).unwrap();
    }
    report
}

fn rule(name: &str, repositories: &[&str], server: &Toxic) -> RebuildRule {
    RebuildRule {
        name: name.to_owned(),
        repositories: repositories.iter().map(|name| name.parse().unwrap()).collect(),
        preset: RebuildPreset::CloudEvents,
        url: Secret::new(format!("{}/build", server.endpoint())),
        secret: None,
        signature: SignatureScheme::default(),
        git_ref: None,
        build_type: None,
        inputs: BTreeMap::new(),
        template: None,
    }
}

#[tokio::test]
async fn a_build_service_that_fails_is_left_out_and_does_not_hold_up_others() {
    let busy = Toxic::start(|_| Reply::new(429, "slow down").header("retry-after", "7200"));
    let works = Toxic::start(|_| Reply::new(202, "{}"));
    let mut rig = Rig::new();
    rig.settings.rebuild.rules =
        vec![rule("busy", &["function-00000", "function-00001"], &busy), rule("works", &["*"], &works)];
    let now: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let outcome = rig.run(&report(now)).await;
    let requested: Vec<_> = outcome.rebuilds.iter().map(|rebuild| (rebuild.rule.as_str(), rebuild.sent)).collect();
    assert_eq!(requested, [("busy", false), ("works", true)]);
    assert_eq!((busy.log().len(), works.log().len(), outcome.rebuilds_waiting), (1, 1, 1));
    assert!(outcome.problems[0].starts_with("rebuild request to busy failed: "), "{:?}", outcome.problems);

    let outcome = rig.run(&report(now + Duration::hours(1))).await;
    assert_eq!((busy.log().len(), outcome.rebuilds_waiting), (1, 2), "it asked for two hours");

    // What was not attempted has not failed, and comes first.
    let attempts = async || {
        let ledger = notify::read(&*rig.store()).await.unwrap();
        ledger.rebuilds.into_values().filter(Rebuild::is_due).map(|rebuild| rebuild.delivery.attempts).sum()
    };
    assert_eq!(attempts().await, 1_u32);
    rig.run(&report(now + Duration::hours(2))).await;
    assert_eq!((busy.log().len(), attempts().await), (2, 2));
    let ids: Vec<_> = busy.log().iter().map(|request| request.header("webhook-id").unwrap().to_owned()).collect();
    assert_ne!(ids[0], ids[1]);
}
