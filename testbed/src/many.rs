//! A report of a large fleet.

use basewatch::report::{Report, Summary};
use chrono::{DateTime, Duration, Utc};
use serde_json::json;

/// A report of so many findings of 40 owners, all of one verdict.
pub fn report(now: DateTime<Utc>, count: usize, verdict: &str, severity: &str) -> Report {
    let findings: Vec<_> = (0..count)
        .map(|number| {
            let digest = format!("sha256:{:064x}", number % 300);
            let name = format!("function-{number:05}");
            json!({
                "id": format!("lambda:eu-west-1:123456789012:{name}:$LATEST"),
                "deployment": {
                    "kind": "lambda", "name": name, "account": "123456789012", "region": "eu-west-1",
                    "owner": format!("team-{:02}", number % 40),
                    "arn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
                },
                "image": { "reference": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}@{digest}") },
                "base": {
                    "reference": format!("public.ecr.aws/lambda/java@{digest}"), "digest": digest, "digest_kind": "index",
                    "identified_by": "label", "evidence": "sdkBaseVersion", "line": "public.ecr.aws/lambda/java:21",
                    "line_source": "dated-tag", "release": format!("21.2026.05.{:02}.13", number % 28 + 1),
                    "published_at": now - Duration::days(60), "published_source": "dated-tag", "age_days": 60,
                },
                "verdict": verdict, "stale": false, "out_of_date": false, "deprecated": false,
                "severity": severity, "action": "rebuild",
                "reasons": [{ "code": "base-superseded", "message": "40 newer releases, behind for 59 days" }],
            })
        })
        .collect();
    let mut report: Report = serde_json::from_value(json!({
        "schema": "basewatch.report/v1", "run_id": ulid::Ulid::generate().to_string(), "generated_at": now,
        "complete": true, "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": Summary::new(&[]),
        "findings": findings, "errors": [], "requests": {},
    }))
    .unwrap();
    report.summary = Summary::new(&report.findings);
    report
}
