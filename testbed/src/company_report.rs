//! A report of any size on a company's fleet: owners, lines with daily releases, every verdict, a history.

use std::collections::BTreeMap;

use basewatch::{
    dashboard::TrendDay,
    judge::Verdict,
    report::{LineFields, Report, Summary},
};
use chrono::{DateTime, Days, Duration, Utc};
use serde_json::{Value, json};

/// A Lambda runtime, and its status.
type Runtime = Option<(&'static str, &'static str)>;

/// Line, Lambda runtime with its status, percentage of deployments built on it, and whether it ended long ago.
const LINES: [(&str, Runtime, usize); 8] = [
    ("lambda/java:21", Some(("java21", "supported")), 34),
    ("lambda/python:3.12", Some(("python3.12", "supported")), 22),
    ("lambda/nodejs:22", Some(("nodejs22.x", "supported")), 16),
    ("lambda/java:17", Some(("java17", "ending")), 12),
    ("lambda/provided:al2023", None, 6),
    ("lambda/python:3.9", Some(("python3.9", "deprecated")), 5),
    ("docker/library/nginx:1.29", None, 3),
    ("lambda/dotnet:8", Some(("dotnet8", "supported")), 2),
];
const OWNERS: [&str; 11] = [
    "payments",
    "platform",
    "search",
    "data-science",
    "checkout",
    "identity",
    "notifications",
    "mobile",
    "ads",
    "growth",
    "ops",
];

/// The day of a line that a deployment is built on: most on recent days, some on very old ones.
fn age_of(number: usize) -> i64 {
    let spread = [0, 0, 1, 0, 3, 9, 0, 12, 20, 24, 33, 5, 41, 52, 60, 1, 75, 96, 140, 2, 0, 210, 310, 27];
    spread[(number * 7 + number / 13) % spread.len()]
}

fn line_of(number: usize) -> (&'static str, Runtime) {
    let mut place = (number * 37) % 100;
    for (line, runtime, share) in LINES {
        if place < share {
            return (line, runtime);
        }
        place -= share;
    }
    (LINES[0].0, LINES[0].1)
}

fn digest(text: &str) -> String {
    basewatch::image::Digest::sha256(text.as_bytes()).to_string()
}

fn verdict(age: i64, is_ended: bool, number: usize) -> (&'static str, &'static str, &'static str) {
    match (number % 61, is_ended, age) {
        (60, ..) => ("unknown", "low", "investigate"),
        (_, true, _) => ("deprecated", "high", "upgrade"),
        (_, _, 46..) if number % 17 == 3 => ("stale", "high", "redeploy"),
        (_, _, 46..) => ("stale", "high", "rebuild"),
        (_, _, 15..) => ("out-of-date", "medium", "rebuild"),
        (_, _, 1..) => ("superseded", "info", "rebuild"),
        _ => ("fresh", "none", "none"),
    }
}

fn reasons(verdict: &str, age: i64, current: &str) -> Value {
    let (code, message) = match verdict {
        "fresh" => return json!([]),
        "unknown" => (
            "base-unidentified",
            "no label sdkBaseVersion, no org.opencontainers.image.base.* annotation or label".to_owned(),
        ),
        "deprecated" => (
            "runtime-deprecated",
            "python3.9 has had no patches since 2025-12-15; functions can be updated until 2027-03-03".to_owned(),
        ),
        "stale" => (
            "base-too-old",
            format!("the base was published {age} days ago, {} days over the limit of 45 days", age - 45),
        ),
        _ => (
            "base-superseded",
            format!("{age} newer releases, behind for {} days; the current one is {current}", age - 1),
        ),
    };
    json!([{ "code": code, "message": message }])
}

fn finding(now: DateTime<Utc>, number: usize) -> Value {
    let (line, runtime) = line_of(number);
    let is_ended = runtime.is_some_and(|(_, status)| status == "deprecated");
    let age = if is_ended { [150, 190, 230][number % 3] } else { age_of(number) };
    let (verdict, severity, action) = verdict(age, is_ended, number);
    let (repository, tag) = line.split_once(':').unwrap();
    let release = |age: i64| format!("{tag}.{}", (now - Duration::days(age)).format("%Y.%m.%d.%H"));
    let owner = OWNERS[(number * number + number / 3) % OWNERS.len()];
    let name = format!("{owner}-{}-{number}", ["orders", "import", "mailer", "api", "worker", "export"][number % 6]);
    let image = format!("{owner}/{}", ["orders", "import", "mailer", "api", "worker", "export"][number % 6]);
    let (region, account) =
        (["eu-west-1", "us-east-1"][number / 7 % 2], ["123456789012", "210987654321"][number / 5 % 2]);
    let published = |age: i64| now - Duration::days(age);
    let base = json!({
        "reference": format!("public.ecr.aws/{repository}@{}", digest(&release(age))), "digest": digest(&release(age)),
        "digest_kind": "index", "identified_by": "label", "evidence": "sdkBaseVersion",
        "line": format!("public.ecr.aws/{line}"), "line_source": "dated-tag", "release": release(age),
        "published_at": published(age), "published_source": "dated-tag", "age_days": age,
    });
    let current = json!({
        "reference": format!("public.ecr.aws/{line}"), "digest": digest(&release(0)), "release": release(0),
        "published_at": now, "published_source": "dated-tag",
    });
    let is_behind = age > 0 && !is_ended;
    let reasons = reasons(verdict, age, &release(0));
    let known = |value: Value| if verdict == "unknown" { Value::Null } else { value };
    json!({
        "id": format!("lambda:{region}:{account}:{name}:live"),
        "deployment": {
            "kind": "lambda", "name": name, "qualifier": "live", "account": account, "region": region,
            "owner": if number % 23 == 22 { Value::Null } else { json!(owner) }, "state": "Active",
            "arn": format!("arn:aws:lambda:{region}:{account}:function:{name}:live"),
        },
        "image": {
            "reference": format!("{account}.dkr.ecr.{region}.amazonaws.com/{image}:{}", 400 + number % 97),
            "digest": digest(&format!("{image}{number}")), "platform": "linux/arm64",
            "created_at": published(age), "pushed_at": published(age),
        },
        "base": known(base),
        "current": known(current),
        "behind": is_behind.then(|| json!({
            "since": published(age - 1), "days": age - 1, "releases": age, "exact": true, "content_changed": true,
        })),
        "replacement": (action == "redeploy").then(|| json!({
            "reference": format!("{account}.dkr.ecr.{region}.amazonaws.com/{image}:498"), "digest": digest(&image),
            "pushed_at": now, "base_release": release(0), "verdict": "fresh",
        })),
        "runtime": runtime.map(|(name, status)| json!({
            "name": name, "status": status,
            "deprecation_date": if status == "supported" { "2029-06-30" } else if status == "ending" { "2027-01-15" } else { "2025-12-15" },
            "block_update_date": "2029-08-31",
            "upgrade_to": (status == "deprecated").then_some("python3.13"),
        })),
        "verdict": verdict, "stale": verdict == "stale", "out_of_date": age > 14, "deprecated": is_ended,
        "severity": severity, "action": action, "reasons": reasons,
    })
}

/// A report of so many findings, as of `now`, the worst first.
pub fn report(now: DateTime<Utc>, count: usize) -> Report {
    let findings: Vec<_> = (0..count).map(|number| finding(now, number)).collect();
    let mut report: Report = serde_json::from_value(json!({
        "schema": "basewatch.report/v1", "run_id": "01KAF2Z0000000000000000000", "generated_at": now, "complete": false,
        "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": Summary::new(&[]), "findings": findings,
        "errors": [{ "scope": "ecr eu-central-1", "code": "access-denied", "message": "not authorized to perform ecr:DescribeRepositories" }],
        "notes": [{ "code": "exemption-expiring", "message": "the exemption \"vendor image\" of platform ends on 2026-11-30" }],
        "requests": {},
    }))
    .unwrap();
    report.findings.sort_by(basewatch::report::Finding::worst_first);
    report.summary = Summary::new(&report.findings);
    report.lines = lines(now, &report);
    report
}

/// The lines of `report`, each with a release nearly every day.
fn lines(now: DateTime<Utc>, report: &Report) -> Vec<LineFields> {
    let mut lines = LineFields::from_findings(&report.findings, []);
    for line in &mut lines {
        let tag = line.reference.rsplit_once(':').unwrap().1.to_owned();
        let known: Vec<_> = line.releases.iter().filter_map(|release| release.published_at).collect();
        let oldest = known.iter().min().copied().unwrap_or(now);
        for age in (1..400).filter(|age| age % 4 != 2) {
            let at = now - Duration::days(age);
            if at > oldest && !known.contains(&at) {
                let release = json!({
                    "release": format!("{tag}.{}", at.format("%Y.%m.%d.%H")), "published_at": at,
                    "published_source": "dated-tag",
                });
                line.releases.push(serde_json::from_value(release).unwrap());
            }
        }
        line.releases.sort_by_key(|release| std::cmp::Reverse(release.published_at));
        line.releases_complete = true;
    }
    lines
}

/// Eighty-six days of history that end with `report`; three days without a run, and two incomplete ones.
pub fn trend(report: &Report) -> Vec<TrendDay> {
    let last = report.generated_at.date_naive();
    let now = &report.summary.by_verdict;
    let days = (0..86_u64).rev().filter(|ago| !matches!(ago, 30 | 31 | 57));
    let day = |ago: u64| {
        // A wave of rebuilds halfway improved it.
        let share = if ago > 40 { 100 + ago / 2 } else { 100 + ago / 4 };
        let by_verdict: BTreeMap<_, _> = now
            .iter()
            .map(|(verdict, count)| match verdict {
                Verdict::Stale | Verdict::OutOfDate => (*verdict, count * share / 100 + (ago * 7 % 5)),
                Verdict::Fresh => (*verdict, count * 100 / share),
                _ => (*verdict, *count),
            })
            .collect();
        TrendDay {
            date: last - Days::new(ago),
            complete: ago != 12 && ago != 13,
            deployments: by_verdict.values().sum(),
            by_verdict,
            age_p50_days: Some(12 + ago / 10),
            age_p90_days: Some(80 + ago / 2 + ago * 3 % 4),
            alerts_sent: ago % 3,
        }
    };
    days.map(day).collect()
}
