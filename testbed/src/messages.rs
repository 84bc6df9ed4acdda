//! Sample messages, for the tests of every format.

use std::collections::BTreeMap;

use basewatch::{
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    notify::{
        AlertItem, AlertSubject, EventKind, Message, MessageKind, SCHEMA, SelfMonitorFields,
        run_health::{RUN, RunError, RunHealth},
    },
    report::ReasonFields,
};
use chrono::{DateTime, NaiveDate, Utc};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// An instant.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a literal instant or day")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a literal instant or day")
}

fn reason(code: &str, message: &str) -> ReasonFields {
    ReasonFields { code: code.to_owned(), message: message.to_owned() }
}

/// A unique id of twelve hexadecimal digits.
fn id(of: &str) -> String {
    basewatch::image::Digest::sha256(of.as_bytes()).short().to_owned()
}

/// The function `name` of payments, stale by three months.
pub fn stale(name: &str) -> AlertItem {
    AlertItem {
        event: EventKind::Triggered,
        about: AlertSubject::Base,
        alert: id(name),
        group: None,
        finding: format!("lambda:eu-west-1:123456789012:{name}:live"),
        name: format!("{name}:live"),
        tags: Vec::new(),
        kind: DeploymentKind::Lambda,
        account: Some("123456789012".to_owned()),
        region: Some("eu-west-1".to_owned()),
        owner: Some("payments".to_owned()),
        arn: Some(format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}:live")),
        image: format!("{REGISTRY}/{name}:421"),
        repository: name.to_owned(),
        base: Some("lambda/java:21.2026.08.22.00".to_owned()),
        line: Some("public.ecr.aws/lambda/java:21".to_owned()),
        age: "90 d".to_owned(),
        age_days: Some(90),
        behind: "89 d, 71 releases".to_owned(),
        pinned: None,
        current: Some("21.2026.11.19.13".to_owned()),
        verdict: Verdict::Stale,
        severity: Severity::High,
        previous_severity: None,
        action: Action::Rebuild,
        replacement: None,
        runtime: Some("java21".to_owned()),
        deprecation_date: Some(day("2029-06-30")),
        block_update_date: Some(day("2029-08-31")),
        reasons: vec![reason("base-too-old", "the base is 90 days old, and the limit is 45 days")],
        first_notified_at: None,
        ended: None,
        rebuild: None,
        group_size: None,
        page: None,
    }
}

/// A service whose better image is not deployed, and which has become worse for it.
fn redeploy() -> AlertItem {
    AlertItem {
        event: EventKind::Escalated,
        name: "prod/checkout web".to_owned(),
        kind: DeploymentKind::Ecs,
        arn: Some("arn:aws:ecs:eu-west-1:123456789012:service/prod/checkout".to_owned()),
        base: Some("amazonlinux/amazonlinux:2023.9.20260922.0".to_owned()),
        line: Some("public.ecr.aws/amazonlinux/amazonlinux:2023".to_owned()),
        current: Some("2023.9.20261117.0".to_owned()),
        age: "≥ 59 d".to_owned(),
        age_days: Some(59),
        behind: "≥ 41 d, 6 releases".to_owned(),
        previous_severity: Some(Severity::Medium),
        action: Action::Redeploy,
        replacement: Some(format!("{REGISTRY}/checkout@sha256:{}", "4f".repeat(32))),
        runtime: None,
        deprecation_date: None,
        block_update_date: None,
        reasons: vec![reason("base-too-old", "the base is at least 59 days old")],
        first_notified_at: Some(at("2026-11-02T06:00:00Z")),
        ..stale("checkout")
    }
}

fn upgrade() -> AlertItem {
    AlertItem {
        event: EventKind::Reminded,
        base: Some("lambda/python:3.9.2025.12.10.12".to_owned()),
        line: Some("public.ecr.aws/lambda/python:3.9".to_owned()),
        age: "345 d".to_owned(),
        age_days: Some(345),
        behind: "–".to_owned(),
        current: Some("3.9.2025.12.10.12".to_owned()),
        verdict: Verdict::Deprecated,
        action: Action::Upgrade,
        runtime: Some("python3.9".to_owned()),
        deprecation_date: Some(day("2025-12-15")),
        block_update_date: Some(day("2027-03-03")),
        reasons: vec![reason("runtime-deprecated", "python3.9 has been deprecated since 2025-12-15")],
        first_notified_at: Some(at("2026-11-06T06:00:00Z")),
        ..stale("ledger_export")
    }
}

fn restore() -> AlertItem {
    AlertItem {
        event: EventKind::Reminded,
        about: AlertSubject::Workload,
        action: Action::Restore,
        severity: Severity::Medium,
        image: format!("{REGISTRY}/refunds@sha256:{}", "0b".repeat(32)),
        reasons: vec![
            reason("image-missing", "the deployed image is not in its repository"),
            reason("function-inactive", "the function has not been invoked for weeks"),
        ],
        first_notified_at: Some(at("2026-11-13T06:00:00Z")),
        ..stale("refunds")
    }
}

/// An image that was pushed under three tags.
fn tagged() -> AlertItem {
    AlertItem {
        finding: "ecr:eu-west-1:123456789012:search:3.2".to_owned(),
        name: "search:3.2".to_owned(),
        tags: ["3.2", "3.2.1", "latest"].map(str::to_owned).to_vec(),
        kind: DeploymentKind::Ecr,
        arn: None,
        image: format!("{REGISTRY}/search:3.2"),
        base: Some("lambda/python:3.12.2026.10.19.08".to_owned()),
        line: Some("public.ecr.aws/lambda/python:3.12".to_owned()),
        age: "31 d".to_owned(),
        age_days: Some(31),
        behind: "29 d, 21 releases".to_owned(),
        current: Some("3.12.2026.11.18.02".to_owned()),
        verdict: Verdict::OutOfDate,
        severity: Severity::Medium,
        runtime: Some("python3.12".to_owned()),
        deprecation_date: Some(day("2028-10-31")),
        block_update_date: Some(day("2029-01-10")),
        reasons: vec![reason("base-superseded", "21 newer releases")],
        ..stale("search")
    }
}

fn resolved(name: &str, ended: &str) -> AlertItem {
    AlertItem {
        event: EventKind::Resolved,
        ended: Some(ended.to_owned()),
        first_notified_at: Some(at("2026-10-30T06:00:00Z")),
        ..stale(name)
    }
}

/// A message with `items` for the topic of payments.
pub fn message(kind: MessageKind, items: Vec<AlertItem>) -> Message {
    let mut message = Message {
        schema: SCHEMA.to_owned(),
        dedup_key: basewatch::image::Digest::sha256(format!("{kind:?} {}", items.len()).as_bytes()).hex().to_owned(),
        kind,
        run_id: "01KAF2Z0000000000000000000".to_owned(),
        at: at("2026-11-20T06:00:00Z"),
        complete: true,
        owner: Some("payments".to_owned()),
        subscription_reason: "this topic is subscribed to findings of payments, search-*".to_owned(),
        severity: Severity::None,
        events: BTreeMap::new(),
        severities: BTreeMap::new(),
        subjects: BTreeMap::new(),
        verdicts: BTreeMap::new(),
        owners: BTreeMap::new(),
        accounts: items.iter().filter_map(|item| item.account.clone()).take(100).collect(),
        regions: items.iter().filter_map(|item| item.region.clone()).collect(),
        repositories: items.iter().map(|item| item.repository.clone()).take(100).collect(),
        items: Vec::new(),
        left_out: 0,
        watch: None,
        report: Some("s3://acme-basewatch/prod/reports/latest.json".to_owned()),
        page: None,
    };
    for item in &items {
        *message.events.entry(item.event).or_default() += 1;
        if item.event != EventKind::Resolved {
            message.severity = message.severity.max(item.severity);
            *message.severities.entry(item.severity).or_default() += 1;
            *message.subjects.entry(item.about).or_default() += 1;
            if item.about == AlertSubject::Base {
                *message.verdicts.entry(item.verdict).or_default() += 1;
            }
        }
    }
    message.items = items;
    message
}

/// One function that has just become stale.
pub fn small() -> Message {
    message(MessageKind::Findings, vec![stale("orders")])
}

/// Every event in one message, with fifteen functions on one base, of an incomplete run.
pub fn events() -> Message {
    let of_group = |name: &str| AlertItem { group: Some(id("group of orders")), ..stale(name) };
    let mut items: Vec<_> = (1..=15).map(|number| of_group(&format!("orders-{number:02}"))).collect();
    let blocked = AlertItem {
        severity: Severity::Critical,
        previous_severity: Some(Severity::High),
        event: EventKind::Escalated,
        ..upgrade()
    };
    items.extend([tagged(), blocked, redeploy(), restore()]);
    items.push(AlertItem {
        alert: id("settle"),
        name: "settle".to_owned(),
        repository: "settle".to_owned(),
        ..upgrade()
    });
    items.push(AlertItem {
        severity: Severity::Low,
        action: Action::None,
        event: EventKind::Reminded,
        first_notified_at: Some(at("2026-11-13T06:00:00Z")),
        reasons: vec![
            reason("base-too-old", "the base is 90 days old"),
            reason("line-quiet", "it is still the newest of its line: there is nothing to rebuild on"),
        ],
        behind: "–".to_owned(),
        ..stale("quiet")
    });
    items.push(resolved("carts", "now built on the current release"));
    items.push(resolved("prices", "now built on the current release"));
    items.push(resolved("old-import", "no longer exists"));
    Message { complete: false, ..message(MessageKind::Findings, items) }
}

/// What one owner of a large fleet has on the first day: ten thousand deployments of forty owners.
pub fn backlog() -> Message {
    let items = (0..10_000).map(|number| {
        let owner = (number % 41 != 0).then(|| format!("team-{:02}", number % 40));
        let item = match number % 25 {
            0 => upgrade(),
            1 => redeploy(),
            _ => AlertItem {
                verdict: if number % 3 == 0 { Verdict::OutOfDate } else { Verdict::Stale },
                ..stale("orders")
            },
        };
        let name = format!("function-{number:05}");
        let severity = if number < 7 { Severity::Critical } else { item.severity };
        let age = 200 - number / 100;
        let group = format!("{age} {} {}", item.verdict.as_str(), severity.as_str());
        AlertItem {
            event: EventKind::Triggered,
            alert: id(&name),
            group: (number % 25 > 1).then(|| id(&group)),
            finding: format!("lambda:eu-west-1:123456789012:{name}:$LATEST"),
            repository: format!("team/{name}"),
            image: format!("{REGISTRY}/team/{name}:7"),
            name,
            owner,
            severity,
            previous_severity: None,
            first_notified_at: None,
            age: format!("{age} d"),
            age_days: Some(age),
            ..item
        }
    });
    let mut message = message(MessageKind::Backlog, items.collect());
    for item in &message.items {
        *message.owners.entry(item.owner.clone().unwrap_or_default()).or_default() += 1;
    }
    message.owner = None;
    "this topic is subscribed to findings of all owners, severity medium or higher"
        .clone_into(&mut message.subscription_reason);
    message.items.truncate(20);
    message.left_out = 9_980;
    message
}

/// Rebuilds that brought nothing.
pub fn rebuilds() -> Message {
    let rebuild = |name: &str, text: &str| AlertItem {
        name: name.to_owned(),
        kind: DeploymentKind::Ecr,
        rebuild: Some(text.to_owned()),
        verdict: Verdict::OutOfDate,
        ..stale(name)
    };
    let items = vec![
        rebuild(
            "orders",
            "orders: the rebuild on lambda/java:21.2026.11.19.13 was requested 26 h ago (orders-ci, 7153); no new image \
             has been pushed; 3 rebuilds in a row failed, no further ones are requested until 2026-11-27 06:00 UTC",
        ),
        rebuild(
            "carts",
            "carts: the rebuild on lambda/java:21.2026.11.19.13 was refused (carts-ci) after 5 attempts: api.github.com \
             answered 404: Not Found",
        ),
    ];
    message(MessageKind::Rebuilds, items)
}

/// A test message.
pub fn test() -> Message {
    Message { owner: None, report: None, ..message(MessageKind::Test, Vec::new()) }
}

/// A self-monitoring message: `trouble` for `runs` runs, with `errors` (scope, code, message).
pub fn watch(event: EventKind, trouble: RunHealth, runs: u32, errors: &[(&str, &str, &str)]) -> Message {
    let since = at("2026-11-18T06:00:00Z");
    let errors = errors.iter().map(|(scope, code, message)| RunError::new(scope, code, message, since));
    let is_over = event == EventKind::Resolved;
    let mut message = message(MessageKind::Watch, Vec::new());
    message.owner = None;
    message.complete = is_over;
    "this topic is subscribed to self-monitoring".clone_into(&mut message.subscription_reason);
    message.report = message.report.filter(|_| trouble != RunHealth::Failed || is_over);
    message.severity = Severity::High;
    message.events.insert(event, 1);
    message.severities.extend((!is_over).then_some((Severity::High, 1)));
    message.watch = Some(SelfMonitorFields {
        event,
        trouble,
        runs,
        since,
        first_notified_at: Some(at("2026-11-18T06:00:00Z")),
        last_good_at: Some(at("2026-11-17T06:00:00Z")),
        last_report_at: (trouble != RunHealth::Empty).then(|| at("2026-11-17T06:00:00Z")),
        errors: errors.collect(),
        errors_left_out: 0,
    });
    message
}

/// Runs that fail for a ledger that cannot be read.
pub fn watch_failed() -> Message {
    let why = "the ledger cannot be used: s3://acme-basewatch/prod/ledger.json was written by a newer basewatch: its format is \
               basewatch.ledger/v2, expected basewatch.ledger/v1; it was not changed";
    watch(EventKind::Reminded, RunHealth::Failed, 9, &[(RUN, "failed", why)])
}

/// A run that judged too little.
pub fn watch_blind() -> Message {
    let why = "only 3 of 40 deployments could be judged, less than policy.min_known = 0.5; most often base-unidentified \
               (35): record the base in a label when building (looked for: sdkBaseVersion, \
               org.opencontainers.image.base.name), or name your own base images in [[identify.base]]";
    watch(EventKind::Triggered, RunHealth::Blind, 1, &[(RUN, "most-unknown", why)])
}

/// Runs that are denied access to two accounts and cannot notify one channel.
pub fn watch_incomplete() -> Message {
    let denied = "sts:AssumeRole of arn:aws:iam::210987654321:role/basewatch-read: AccessDenied: not authorized";
    let errors = [
        ("account 210987654321", "access-denied", denied),
        ("ecr eu-west-1", "throttled", "ecr:DescribeImages: ThrottlingException: Rate exceeded"),
        (RUN, "problem", "notification to on-call failed: hooks.example.com answered 503"),
    ];
    let mut message = watch(EventKind::Triggered, RunHealth::Incomplete, 3, &errors);
    message.watch.as_mut().expect("its fields").errors_left_out = 4;
    message
}

/// The same with other texts of AWS, registries and channels.
pub fn watch_hostile() -> Message {
    let errors: Vec<_> = HOSTILE.iter().map(|text| (*text, *text, *text)).collect();
    let long = "x".repeat(10_240);
    watch(EventKind::Escalated, RunHealth::Incomplete, 3, &[&errors[..], &[(&long, "unreachable", &long)]].concat())
}

/// Hostile names of images, labels, tags and owners.
pub const HOSTILE: [&str; 12] = [
    "\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}\u{1b}[2J",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "**bold** _slanted_ ~gone~ [click](https://evil.example) ![x](https://evil.example/x.png)",
    "<!channel> <@U012AB3CD> <https://evil.example|our dashboard> @here @everyone #general :fire:",
    "``` out of the code ` and back",
    "\u{202e}gnp.exe\u{202c} \u{2066}hidden\u{2069} zero\u{200b}width\u{feff}",
    "line one\r\nSubject: another\r\n\r\nline two\u{2028}line three\u{85}",
    "🔥🔥 注意 naïve cafe\u{301} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\"quotes\" 'and' \\back\\slashes\\ \u{0} \u{7f} \u{9b}31m",
    "$(rm -rf ~); `reboot`; --until 2099-01-01 && echo",
    "{\"default\": \"x\"}",
    "A&amp;B &lt;!channel&gt; &#60;!here&#62;",
];

/// A message in which all that can be from outside is hostile.
pub fn hostile() -> Message {
    let mut items: Vec<_> = HOSTILE.iter().enumerate().map(|(number, text)| attacked(number, text)).collect();
    items.push(attacked(99, &"x".repeat(10_240)));
    items.push(attacked(100, &"\u{202e}".repeat(10_240)));
    let mut message = message(MessageKind::Findings, items);
    message.owner = Some(HOSTILE[3].to_owned());
    message.subscription_reason = format!("this topic is subscribed to findings of {}", HOSTILE.join(" "));
    message.report = Some(format!("s3://bucket/{}", HOSTILE[0]));
    message.owners = HOSTILE.iter().map(|text| ((*text).to_owned(), 1)).collect();
    message
}

fn attacked(number: usize, text: &str) -> AlertItem {
    let text = || text.to_owned();
    let event = [EventKind::Triggered, EventKind::Escalated, EventKind::Reminded, EventKind::Resolved][number % 4];
    AlertItem {
        event,
        name: text(),
        account: Some(text()),
        region: Some(text()),
        owner: Some(text()),
        arn: Some(text()),
        image: text(),
        repository: text(),
        base: Some(text()),
        line: Some(text()),
        current: Some(text()),
        replacement: Some(text()),
        runtime: Some(text()),
        reasons: vec![reason("label-malformed", &text())],
        action: [Action::Rebuild, Action::Redeploy, Action::Upgrade, Action::Restore, Action::Investigate][number % 5],
        ended: (event == EventKind::Resolved).then(text),
        ..stale(&number.to_string())
    }
}

/// All samples, by name.
pub fn all() -> Vec<(&'static str, Message)> {
    vec![
        ("small", small()),
        ("events", events()),
        ("backlog", backlog()),
        ("rebuilds", rebuilds()),
        ("watch_failed", watch_failed()),
        ("watch_empty", watch(EventKind::Triggered, RunHealth::Empty, 1, &[])),
        ("watch_blind", watch_blind()),
        ("watch_incomplete", watch_incomplete()),
        ("watch_over", watch(EventKind::Resolved, RunHealth::Failed, 9, &[])),
        ("watch_hostile", watch_hostile()),
        ("test", test()),
        ("hostile", hostile()),
    ]
}
