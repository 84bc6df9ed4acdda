//! The sample that every renderer is tested with: each verdict, bounds, missing values, hostile text, errors, and
//! many deployments of one image.

use std::collections::BTreeMap;

use basewatch::{
    image::{Digest, DigestKind, LambdaArch, Platform},
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    report::{
        BASE_SCHEMA, BaseInUse, BaseLink, BaseReport, Behind, CurrentRelease, DeploymentFields, EXPLAIN_SCHEMA,
        ErrorAbout, ErrorEntry, ExemptionFields, ExitReason, Explanation, Finding, HoldFields, ImageFields, LineFields,
        Note, NoteCode, PlatformBase, PolicyFields, ReasonFields, ReleaseRow, ReplacementFields, Report, RuntimeFields,
        SCHEMA, Summary,
    },
    resolve::{ExplanationStep, PublishDateSource, StepOutcome},
};
use chrono::{DateTime, TimeDelta, Utc};

const ACCOUNT: &str = "123456789012";

/// The instant that counts as now.
pub fn now() -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse().unwrap()
}

/// A digest that differs for each seed.
pub fn digest(seed: &str) -> Digest {
    Digest::sha256(seed.as_bytes())
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

fn ago(days: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(days)
}

/// A fresh deployment of `name`, as `repository:tag`.
pub fn fresh(name: &str) -> Finding {
    Finding {
        id: format!("ecr:eu-west-1:{ACCOUNT}:{name}"),
        deployment: DeploymentFields {
            kind: DeploymentKind::Ecr,
            name: name.to_owned(),
            qualifier: None,
            version: None,
            arn: None,
            account: ACCOUNT.parse().ok(),
            region: "eu-west-1".parse().ok(),
            owner: None,
            state: None,
            state_reason_code: None,
            state_reason: None,
            last_update_status: None,
            last_update_status_reason_code: None,
            last_update_status_reason: None,
            architecture: None,
            memory_mb: None,
            command: Vec::new(),
        },
        image: ImageFields {
            reference: format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{name}").into(),
            digest: Some(digest(name)),
            platform: Some(platform("linux/arm64")),
            created_at: Some(ago(1)),
            pushed_at: Some(ago(1) + TimeDelta::minutes(7)),
            holding: None,
        },
        base: Some(base("lambda/nodejs", "22", 1)),
        current: Some(current("lambda/nodejs", "22", 1)),
        behind: None,
        replacement: None,
        runtime: None,
        verdict: Verdict::Fresh,
        stale: false,
        out_of_date: false,
        deprecated: false,
        severity: Severity::None,
        action: Action::None,
        reasons: Vec::new(),
        subjects: None,
        policy_rule: None,
        exemption: None,
    }
}

fn base(repository: &str, version: &str, age_days: i64) -> BaseInUse {
    let published = ago(age_days);
    let release = format!("{version}.{}", published.format("%Y.%m.%d.%H"));
    let base_digest = digest(&release);
    BaseInUse {
        reference: format!("public.ecr.aws/{repository}@{base_digest}").into(),
        mirror: None,
        digest: Some(base_digest),
        digest_kind: Some(DigestKind::Index),
        identified_by: "label".to_owned(),
        evidence: "sdkBaseVersion".to_owned(),
        confidence: Some("confirmed".to_owned()),
        equal_releases: Vec::new(),
        line: Some(format!("public.ecr.aws/{repository}:{version}")),
        line_source: Some("dated-tag".to_owned()),
        release: Some(release),
        published_at: Some(published),
        published_source: Some(PublishDateSource::DatedTag),
        estimated: false,
        age_days: Some(age_days),
        chain: Vec::new(),
    }
}

fn current(repository: &str, version: &str, age_days: i64) -> CurrentRelease {
    let release = format!("{version}.{}", ago(age_days).format("%Y.%m.%d.%H"));
    CurrentRelease {
        reference: format!("public.ecr.aws/{repository}:{version}").into(),
        pinned: None,
        digest: digest(&release),
        platform_digest: Some(digest(&format!("{release}-arm64"))),
        release: Some(release),
        published_at: Some(ago(age_days)),
        published_source: Some(PublishDateSource::DatedTag),
        estimated: false,
    }
}

fn behind(days: i64, releases: u64) -> Behind {
    Behind {
        since: Some(ago(days)),
        days: Some(days),
        releases: Some(releases),
        exact: true,
        content_changed: Some(true),
    }
}

fn reason(code: &str, message: &str) -> ReasonFields {
    ReasonFields { code: code.to_owned(), message: message.to_owned() }
}

fn judged(finding: Finding, verdict: Verdict, severity: Severity, action: Action, reasons: &[(&str, &str)]) -> Finding {
    Finding {
        verdict,
        severity,
        action,
        stale: verdict == Verdict::Stale,
        out_of_date: matches!(verdict, Verdict::Stale | Verdict::OutOfDate) && finding.behind.is_some(),
        deprecated: verdict == Verdict::Deprecated,
        reasons: reasons.iter().map(|(code, message)| reason(code, message)).collect(),
        ..finding
    }
}

fn deprecated() -> Finding {
    let runtime = RuntimeFields {
        name: "python3.9".to_owned(),
        status: "deprecated".to_owned(),
        deprecation_date: Some("2025-12-15".parse().unwrap()),
        block_update_date: Some("2027-03-03".parse().unwrap()),
        upgrade_to: Some("python3.13".to_owned()),
    };
    judged(
        Finding {
            base: Some(base("lambda/python", "3.9", 204)),
            current: Some(current("lambda/python", "3.9", 204)),
            runtime: Some(runtime),
            ..fresh("invoice-renderer:prod")
        },
        Verdict::Deprecated,
        Severity::High,
        Action::Upgrade,
        &[(
            "runtime-deprecated",
            "python3.9 has had no patches since 2025-12-15; functions can be updated until 2027-03-03",
        )],
    )
}

/// One image under thirteen tags.
fn stale_under_many_tags() -> impl Iterator<Item = Finding> {
    (0..13).map(|number| {
        let name = format!("orders:{}", 421 - number);
        judged(
            Finding {
                image: ImageFields { digest: Some(digest("orders")), ..fresh(&name).image },
                base: Some(base("lambda/java", "21", 90)),
                current: Some(current("lambda/java", "21", 0)),
                behind: Some(behind(89, 71)),
                ..fresh(&name)
            },
            Verdict::Stale,
            Severity::High,
            Action::Rebuild,
            &[
                ("base-too-old", "the base was published 90 days ago, 45 days over the limit of 45 days"),
                ("base-superseded", "71 newer releases since 2026-08-23; the current one is 21.2026.11.20.06"),
            ],
        )
    })
}

fn stale_by_a_bound() -> Finding {
    let old = BaseInUse {
        release: None,
        published_at: Some(ago(61)),
        published_source: Some(PublishDateSource::AtLeast),
        estimated: false,
        age_days: Some(61),
        line_source: Some("default-tag".to_owned()),
        ..base("lambda/java", "latest", 61)
    };
    judged(
        Finding {
            base: Some(old),
            current: Some(current("lambda/java", "latest", 0)),
            behind: Some(Behind { exact: false, ..behind(60, 12) }),
            policy_rule: Some("payments".to_owned()),
            ..fresh("payments-reconciliation-nightly-batch-worker-with-a-name-that-does-not-fit-a-row:2026-09-20.1")
        },
        Verdict::Stale,
        Severity::Critical,
        Action::Rebuild,
        &[
            ("base-too-old", "published at least 61 days ago: the image built on it is that old; the limit is 30 days"),
            ("line-assumed", "no tag is recorded; latest is assumed because it is the configured default tag"),
        ],
    )
}

fn stale_on_a_quiet_line() -> Finding {
    judged(
        Finding {
            base: Some(base("lambda/provided", "al2", 62)),
            current: Some(current("lambda/provided", "al2", 62)),
            ..fresh("注文サービス/請求書:本番")
        },
        Verdict::Stale,
        Severity::Low,
        Action::None,
        &[("line-quiet", "the base is 62 days old and still the newest of its line: rebuilding does not help")],
    )
}

/// Findings covered by exemptions.
fn exempted() -> Finding {
    let old = judged(
        Finding {
            base: Some(base("lambda/ruby", "3.3", 75)),
            current: Some(current("lambda/ruby", "3.3", 1)),
            behind: Some(behind(70, 44)),
            ..fresh("vendor-agent:2")
        },
        Verdict::Stale,
        Severity::High,
        Action::Rebuild,
        &[("base-too-old", "published 75 days ago, over the limit of 45 days")],
    );
    let exemption = ExemptionFields {
        reason: "vendor image, replaced in Q1".to_owned(),
        owner: "platform".to_owned(),
        until: "2026-11-30".parse().unwrap(),
    };
    Finding { exemption: Some(exemption), ..old }
}

/// One multi-platform image: two findings of one name.
fn out_of_date() -> impl Iterator<Item = Finding> {
    ["linux/amd64", "linux/arm64"].into_iter().map(|architecture| {
        let finding = fresh("search:7");
        judged(
            Finding {
                id: format!("{}#{architecture}", finding.id),
                image: ImageFields {
                    digest: Some(digest(architecture)),
                    platform: Some(platform(architecture)),
                    ..finding.image.clone()
                },
                base: Some(base("lambda/java", "17", 30)),
                current: Some(current("lambda/java", "17", 2)),
                behind: Some(behind(28, 19)),
                ..finding
            },
            Verdict::OutOfDate,
            Severity::Medium,
            Action::Rebuild,
            &[("base-superseded", "19 newer releases since 2026-10-23, 14 days more than the grace of 14 days")],
        )
    })
}

fn superseded() -> Finding {
    judged(
        Finding {
            base: Some(base("lambda/python", "3.12", 9)),
            current: Some(current("lambda/python", "3.12", 0)),
            behind: Some(behind(0, 1)),
            ..fresh("mailer:88")
        },
        Verdict::Superseded,
        Severity::Info,
        Action::Rebuild,
        &[("base-superseded", "1 newer release since today, within the grace of 14 days")],
    )
}

/// A function `name` of `owner` with `qualifier`.
fn function(name: &str, qualifier: &str, owner: &str) -> Finding {
    let finding = fresh(&format!("{name}:7"));
    Finding {
        id: format!("lambda:eu-west-1:{ACCOUNT}:{name}:{qualifier}"),
        deployment: DeploymentFields {
            kind: DeploymentKind::Lambda,
            name: name.to_owned(),
            qualifier: Some(qualifier.to_owned()),
            arn: format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}:{qualifier}").parse().ok(),
            owner: Some(owner.to_owned()),
            state: Some("Active".to_owned()),
            architecture: Some(LambdaArch::Arm64),
            memory_mb: Some(512),
            ..finding.deployment
        },
        ..finding
    }
}

/// Workloads: an alias whose repository has a better image, a function whose image was deleted, and a sidecar.
fn running() -> [Finding; 3] {
    let behind_live = Finding {
        base: Some(base("lambda/java", "21", 40)),
        current: Some(current("lambda/java", "21", 1)),
        behind: Some(behind(39, 33)),
        replacement: Some(ReplacementFields {
            reference: format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/invoices:8").into(),
            digest: digest("invoices:8"),
            pushed_at: Some(ago(2)),
            base_release: current("lambda/java", "21", 3).release,
            verdict: Verdict::Superseded,
        }),
        ..function("invoices", "live", "payments")
    };
    let gone = function("nightly", "$LATEST", "platform");
    let gone = Finding {
        deployment: DeploymentFields {
            state: Some("Failed".to_owned()),
            state_reason_code: Some("ImageDeleted".to_owned()),
            state_reason: Some("The image was deleted.".to_owned()),
            command: vec!["app.nightly".to_owned()],
            ..gone.deployment
        },
        image: ImageFields { holding: Some("gone".to_owned()), platform: None, created_at: None, ..gone.image },
        base: None,
        current: None,
        ..gone
    };
    let sidecar = fresh("agent:3");
    let sidecar = Finding {
        id: format!("ecs:eu-west-1:{ACCOUNT}:prod/checkout:agent"),
        deployment: DeploymentFields {
            kind: DeploymentKind::Ecs,
            name: "prod/checkout".to_owned(),
            qualifier: Some("agent".to_owned()),
            owner: Some("platform".to_owned()),
            state: Some("ACTIVE".to_owned()),
            ..sidecar.deployment
        },
        base: Some(base("lambda/python", "3.12", 30)),
        current: Some(current("lambda/python", "3.12", 2)),
        behind: Some(behind(28, 9)),
        ..sidecar
    };
    let better = "invoices:8, pushed 2026-11-18, is built on a better base (superseded) but is not deployed";
    let lost = "the running image was deleted from nightly: it cannot be audited, rolled back to or cold-started";
    let failed = "the function cannot be invoked: ImageDeleted: The image was deleted.";
    let older = "9 newer releases, behind for 28 days (since 2026-10-23); the current one is 3.12.2026.11.18.06";
    [
        judged(behind_live, Verdict::OutOfDate, Severity::Medium, Action::Redeploy, &[("not-deployed", better)]),
        judged(
            gone,
            Verdict::Unknown,
            Severity::Medium,
            Action::Restore,
            &[("image-missing", lost), ("function-failed", failed)],
        ),
        judged(sidecar, Verdict::OutOfDate, Severity::Medium, Action::Rebuild, &[("base-superseded", older)]),
    ]
}

/// The same base, found by the layers of the image.
fn by_layers(base: BaseInUse) -> BaseInUse {
    BaseInUse { identified_by: "layers".to_owned(), evidence: "6 of 9".to_owned(), ..base }
}

/// An image whose layers contradict its label, one without evidence, and one on a base that is outdated itself.
fn identified_by_layers() -> [Finding; 3] {
    let contradicted = Finding {
        base: Some(by_layers(base("lambda/python", "3.12", 30))),
        current: Some(current("lambda/python", "3.12", 2)),
        behind: Some(behind(28, 9)),
        ..fresh("exports:5")
    };
    let unlabelled = Finding {
        base: Some(BaseInUse {
            equal_releases: vec!["public.ecr.aws/lambda/python:3.12.2026.10.22.06".to_owned()],
            ..by_layers(base("lambda/python", "3.12", 30))
        }),
        current: Some(current("lambda/python", "3.12", 2)),
        behind: Some(behind(28, 9)),
        ..fresh("imports:2")
    };
    let older = "9 newer releases, behind for 28 days (since 2026-10-23); the current one is 3.12.2026.11.18.06";
    let disproven = "label sdkBaseVersion names public.ecr.aws/lambda/java:21, but the image does not begin with the layers \
                     of that base; its first 6 layers are those of public.ecr.aws/lambda/python:3.12.2026.10.21.06";
    [
        judged(
            contradicted,
            Verdict::OutOfDate,
            Severity::Medium,
            Action::Rebuild,
            &[("base-superseded", older), ("label-contradicted", disproven)],
        ),
        judged(unlabelled, Verdict::OutOfDate, Severity::Medium, Action::Rebuild, &[("base-superseded", older)]),
        waiting_for_its_base(),
    ]
}

/// An image on a base that is outdated itself.
fn waiting_for_its_base() -> Finding {
    let (line, digest) = (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/acme/base"), digest("acme base"));
    let below = BaseLink {
        base: by_layers(base("lambda/java", "21", 90)),
        current: Some(current("lambda/java", "21", 0)),
        behind: Some(behind(89, 71)),
        verdict: Verdict::Stale,
        adopted: Some(false),
    };
    let chained = Finding {
        base: Some(BaseInUse {
            reference: format!("{line}:7").into(),
            digest: Some(digest.clone()),
            confidence: Some("unconfirmed".to_owned()),
            line: Some(format!("{line}:stable")),
            line_source: Some("catalog".to_owned()),
            release: None,
            published_source: Some(PublishDateSource::FirstSeen),
            chain: vec![below],
            ..base("acme/base", "7", 20)
        }),
        current: Some(CurrentRelease {
            reference: format!("{line}:stable").into(),
            pinned: None,
            digest,
            release: None,
            published_source: Some(PublishDateSource::FirstSeen),
            ..current("acme/base", "7", 20)
        }),
        ..fresh("loyalty:11")
    };
    let waits = format!(
        "{line} has to be rebuilt first: its current release is built on an outdated release of \
         public.ecr.aws/lambda/java:21, so rebuilding this image does not help"
    );
    judged(chained, Verdict::Stale, Severity::High, Action::None, &[("waits-for-base", &waits)])
}

fn unknown(name: &str, code: &str, message: &str) -> Finding {
    judged(
        Finding { base: None, current: None, ..fresh(name) },
        Verdict::Unknown,
        Severity::Low,
        Action::Investigate,
        &[(code, message)],
    )
}

/// A tag and a label with terminal escapes, and a deleted image.
fn unknowns() -> [Finding; 4] {
    let gone = Finding {
        image: ImageFields {
            digest: None,
            platform: None,
            created_at: None,
            pushed_at: None,
            ..fresh("legacy-importer:12").image
        },
        ..unknown("legacy-importer:12", "image-missing", "no such tag in the repository")
    };
    [
        unknown(
            "evil:\u{1b}[2J\u{202e}1",
            "label-malformed",
            "label sdkBaseVersion is \"\u{1b}]0;owned\u{7}latest\r\n<script>alert(1)</script>\u{9b}31m\": a digest starts with sha256: or sha512:",
        ),
        unknown(
            "scratch:1",
            "base-unidentified",
            "no label sdkBaseVersion, no org.opencontainers.image.base.* annotation or label",
        ),
        gone,
        unknown(
            "mirror:3",
            "registry-not-allowed",
            "the label names registry.example.net, which is not on the allow-list; nothing was sent to it",
        ),
    ]
}

/// The sample report.
pub fn report() -> Report {
    let mut findings = vec![deprecated(), stale_by_a_bound()];
    findings.extend(stale_under_many_tags());
    findings.push(exempted());
    findings.push(stale_on_a_quiet_line());
    findings.extend(out_of_date());
    findings.push(superseded());
    findings.extend(running());
    findings.extend(identified_by_layers());
    findings.extend(unknowns());
    findings.extend(["gateway:9", "gateway:10", "thumbnails:3"].map(fresh));
    let errors = vec![
        error("ecr eu-central-1", "access-denied", "not authorized to perform ecr:DescribeRepositories"),
        error("account 210987654321", "throttled", "rate exceeded\u{1b}[0m after 5 attempts"),
    ];
    let notes = vec![
        note("exemption-expiring", "the exemption \"vendor image, replaced in Q1\" of platform ends on 2026-11-30"),
        note("exemption-unused", "the exemption \"gone\" of platform matches no deployment"),
    ];
    Report { notes, ..report_of(findings, errors) }
}

fn note(code: &str, message: &str) -> Note {
    Note { code: code.to_owned(), message: message.to_owned() }
}

/// A report in which most of the fleet is unknown.
pub fn report_of_mostly_unknown() -> Report {
    let message = "only 0 of 5 deployments could be judged, less than policy.min_known = 0.5; most often \
                   base-unidentified (3): record the base in a label when building (looked for: sdkBaseVersion, \
                   org.opencontainers.image.base.name), or name your own base images in [[identify.base]]";
    let findings = report().findings.into_iter().filter(|finding| finding.verdict == Verdict::Unknown);
    let mut report = report_of(findings.collect(), Vec::new());
    report.notes = vec![Note::new(NoteCode::MostUnknown, message.to_owned())];
    report.summary.exit_reason = Some(ExitReason::MostUnknown);
    report
}

/// A report of these findings.
pub fn report_of(findings: Vec<Finding>, errors: Vec<ErrorEntry>) -> Report {
    let counts = |kinds: &[(&str, u64)]| kinds.iter().map(|(kind, number)| ((*kind).to_owned(), *number)).collect();
    let requests_by_kind: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::from([
        ("public.ecr.aws".to_owned(), counts(&[("head", 3), ("token", 1)])),
        ("ecr".to_owned(), counts(&[("api", 2)])),
    ]);
    Report {
        schema: SCHEMA.to_owned(),
        run_id: "01KAF2Z0000000000000000000".to_owned(),
        generated_at: now(),
        complete: errors.is_empty(),
        policy: PolicyFields { max_age_days: 45, grace_days: 14 },
        summary: Summary::new(&findings),
        lines: LineFields::from_findings(&findings, []),
        findings,
        parts: Vec::new(),
        errors,
        notes: Vec::new(),
        requests: requests_by_kind.iter().map(|(host, kinds)| (host.clone(), kinds.values().sum())).collect(),
        requests_by_kind,
        search: None,
        authentication: BTreeMap::from([
            ("public.ecr.aws".to_owned(), "anonymous".to_owned()),
            ("ecr".to_owned(), "ecr".to_owned()),
        ]),
    }
}

/// An entry of `errors`.
pub fn error(scope: &str, code: &str, message: &str) -> ErrorEntry {
    let about = if scope.starts_with("registry") { ErrorAbout::Line } else { ErrorAbout::Inventory };
    let message = message.to_owned();
    ErrorEntry { about, scope: scope.to_owned(), code: code.to_owned(), message, ..ErrorEntry::default() }
}

/// The sample output of `basewatch base --history`.
pub fn base_report() -> BaseReport {
    let release = |days: i64, architectures: &[&str], current: bool| {
        let name = format!("21.{}", ago(days).format("%Y.%m.%d.%H"));
        ReleaseRow {
            digest: current.then(|| digest(&name)),
            release: name,
            published_at: ago(days),
            architectures: architectures.iter().map(|arch| (*arch).to_owned()).collect(),
            current,
            hold: (days == 2).then(|| HoldFields {
                reason: "TLS to RDS fails, OPS-1234".to_owned(),
                until: "2027-01-31".parse().unwrap(),
            }),
        }
    };
    BaseReport {
        schema: BASE_SCHEMA.to_owned(),
        generated_at: now(),
        reference: "public.ecr.aws/lambda/java:21".to_owned(),
        digest: digest("java21"),
        digest_kind: DigestKind::Index,
        hold: None,
        line: Some("public.ecr.aws/lambda/java:21".to_owned()),
        line_source: Some("recorded-tag".to_owned()),
        runtime: Some(RuntimeFields {
            name: "java21".to_owned(),
            status: "supported".to_owned(),
            deprecation_date: Some("2029-06-30".parse().unwrap()),
            block_update_date: Some("2029-08-31".parse().unwrap()),
            upgrade_to: None,
        }),
        platforms: vec![
            PlatformBase {
                platform: platform("linux/amd64"),
                digest: digest("java21-amd64"),
                release: Some("21.2026.11.19.13".to_owned()),
                published_at: Some("2026-11-19T13:00:00Z".parse().unwrap()),
                published_source: Some(PublishDateSource::DatedTag),
                estimated: false,
                age_days: Some(0),
            },
            PlatformBase {
                platform: platform("linux/arm64"),
                digest: digest("java21-arm64"),
                release: None,
                published_at: Some(ago(2)),
                published_source: Some(PublishDateSource::FirstSeen),
                estimated: false,
                age_days: Some(2),
            },
        ],
        history: Some(vec![
            release(0, &["arm64", "x86_64"], true),
            release(2, &["arm64", "x86_64"], false),
            release(3, &[], false),
            release(40, &["x86_64"], false),
        ]),
        history_complete: Some(false),
    }
}

/// The sample output of `basewatch explain`.
pub fn explanation() -> Explanation {
    let step = |title: &str, detail: &str, outcome| ExplanationStep {
        title: title.to_owned().into(),
        detail: detail.to_owned(),
        outcome,
    };
    let finding = stale_by_a_bound();
    Explanation {
        schema: EXPLAIN_SCHEMA.to_owned(),
        reference: finding.image.reference.to_string(),
        platform: finding.image.platform.as_ref().map(ToString::to_string),
        steps: vec![
            step("label sdkBaseVersion", &format!("public.ecr.aws/lambda/java@{}", digest("java")), StepOutcome::Found),
            step("annotation org.opencontainers.image.base.name", "", StepOutcome::NotFound),
            step("label org.opencontainers.image.base.name", "ubuntu\u{1b}[31m", StepOutcome::Contradiction),
            step("line of the base", "configured default tag latest", StepOutcome::Note),
            step(
                "dated tag of the base",
                "none of the 4 tags near 2026-09-20 points at the digest",
                StepOutcome::NotFound,
            ),
        ],
        finding,
    }
}
