//! The table report: every table of the sample, as the program prints it.

use std::collections::HashSet;
use testbed::{poison::poisoned, sample};

use basewatch::{
    judge::Verdict,
    report::{
        AgeDistribution, Finding, RenderOptions, Report, Sanitized, Summary, base_table, explain, is_visible, json,
        table,
    },
};
use proptest::prelude::*;

fn at(width: usize) -> RenderOptions {
    RenderOptions { width: Some(width), ..RenderOptions::default() }
}

#[test]
fn the_table_at_80_columns() {
    insta::assert_snapshot!(table::render(&sample::report(), &at(80)));
}

#[test]
fn the_table_at_140_columns() {
    insta::assert_snapshot!(table::render(&sample::report(), &at(140)));
}

#[test]
fn the_table_in_color() {
    let style = RenderOptions { color: true, ..at(140) };
    insta::assert_snapshot!(table::render(&sample::report(), &style).replace('\x1b', "␛"));
}

#[test]
fn the_table_with_everything() {
    insta::assert_snapshot!(table::render(&sample::report(), &RenderOptions { show_all: true, ..at(124) }));
}

#[test]
fn the_table_of_an_audit_that_found_nothing() {
    insta::assert_snapshot!(table::render(&sample::report_of(Vec::new(), Vec::new()), &at(80)));
}

#[test]
fn the_table_of_an_audit_without_outdated_bases() {
    let findings = ["gateway:9", "thumbnails:3"].map(sample::fresh).to_vec();
    insta::assert_snapshot!(table::render(&sample::report_of(findings, Vec::new()), &at(80)));
}

#[test]
fn the_table_starts_with_the_warning_that_most_of_the_fleet_is_unknown() {
    insta::assert_snapshot!(table::render(&sample::report_of_mostly_unknown(), &at(80)));
}

#[test]
fn the_report_as_json() {
    insta::assert_snapshot!(json::render(&sample::report()));
}

#[test]
fn a_base_at_80_columns() {
    insta::assert_snapshot!(base_table::render(&sample::base_report(), &at(80)));
}

#[test]
fn an_explanation_at_80_columns() {
    insta::assert_snapshot!(explain::render(&sample::explanation(), &at(80)));
}

#[test]
fn the_summary_counts_findings_images_and_bases() {
    let report = sample::report();
    let summary = Summary::new(&report.findings);
    assert_eq!(summary.deployments, report.findings.len() as u64);
    // Thirteen deployments share an image, and the image of one could not be read.
    assert_eq!(summary.images, summary.deployments - 12 - 1);
    // Two platforms and the three fresh ones share a base each; the four unknown have none.
    assert_eq!(summary.bases, 11);
    let counts: Vec<_> = Verdict::ALL.iter().map(|verdict| summary.by_verdict[verdict]).collect();
    assert_eq!(counts, [3, 1, 6, 17, 1, 5]);
    assert_eq!(summary.exempted, 1);
    assert_eq!(summary.base_age_days, Some(AgeDistribution { p50: 75, p90: 90, max: 204 }));
    assert_eq!(Summary::new(&[]).base_age_days, None);
    assert_eq!(Summary::new(&[]).by_verdict.len(), Verdict::ALL.len());
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let report = sample::report();
    for width in [60, 72, 80, 100, 123, 124, 140, 200] {
        for show_all in [false, true] {
            let text = table::render(&report, &RenderOptions { show_all, ..at(width) });
            // Commands are not truncated, so that they can be copied.
            for line in text.lines().filter(|line| !line.contains(".dkr.ecr.")) {
                assert!(Sanitized::from(line).width() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn without_a_width_nothing_is_truncated_or_wrapped() {
    let text = table::render(&sample::report(), &RenderOptions::default());
    for finding in sample::report().findings.iter().filter(|finding| !finding.id.contains("evil")) {
        if let Some(reason) = finding.reasons.first().filter(|reason| reason.code != "label-malformed") {
            assert!(text.contains(&reason.message), "{}", reason.message);
        }
    }
    assert!(text.contains("with-a-name-that-does-not-fit-a-row:2026-09-20.1"), "{text}");
}

#[test]
fn deployments_of_one_image_share_a_row_except_for_platforms() {
    let text = table::render(&sample::report(), &at(140));
    assert_eq!(text.matches("orders:").count(), 1, "{text}");
    assert!(text.contains("orders:421 and 12 more"), "{text}");
    assert!(text.contains("search:7 amd64") && text.contains("search:7 arm64"), "{text}");
}

#[test]
fn exempted_findings_come_last_with_owner_and_end_date() {
    let report = sample::report();
    let text = table::render(&report, &at(140));
    let place = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name} is not in {text}"));
    assert!(place("vendor-agent:2") > place("mirror:3"), "{text}");
    assert!(
        text.contains("\n             exempted until 2026-11-30 by platform: vendor image, replaced in Q1\n"),
        "{text}"
    );
    assert!(text.contains("\nexempted    1 of these: 1 stale\n"), "{text}");
    assert!(text.contains(" of platform ends on 2026-11-30\n") && !text.contains("matches no deployment"), "{text}");
    let all = table::render(&report, &RenderOptions { show_all: true, ..at(140) });
    assert!(all.contains("matches no deployment"), "{all}");
    // Without other findings, there are no next steps.
    let findings = report.findings.into_iter().filter(|finding| finding.exemption.is_some()).collect();
    let text = table::render(&sample::report_of(findings, Vec::new()), &at(140));
    assert!(text.contains("vendor-agent:2") && !text.contains("next"), "{text}");
}

#[test]
fn equal_names_are_qualified_by_region_and_account() {
    let stale = |region: &str, account: &str, seed: &str| {
        let report = sample::report();
        let mut finding = report.findings.into_iter().find(|finding| finding.verdict == Verdict::Stale).unwrap();
        finding.deployment.name = "orders:1".to_owned();
        finding.deployment.region = region.parse().ok();
        finding.deployment.account = account.parse().ok();
        finding.image.digest = Some(sample::digest(seed));
        finding
    };
    let findings = vec![stale("eu-west-1", "111111111111", "a"), stale("us-east-1", "111111111111", "b")];
    let text = table::render(&sample::report_of(findings, Vec::new()), &at(140));
    assert!(text.contains("orders:1 eu-west-1 ") && text.contains("orders:1 us-east-1 "), "{text}");
    let findings = vec![stale("eu-west-1", "111111111111", "a"), stale("eu-west-1", "222222222222", "b")];
    let text = table::render(&sample::report_of(findings, Vec::new()), &at(140));
    assert!(text.contains("orders:1 111111111111 ") && text.contains("orders:1 222222222222 "), "{text}");
}

#[test]
fn a_table_of_ten_thousand_findings_is_truncated_with_a_count() {
    let template = sample::report().findings;
    let findings: Vec<Finding> = (0..10_000)
        .map(|number| {
            let mut finding = template[number % template.len()].clone();
            finding.deployment.name = format!("service-{number}:1");
            finding.deployment.qualifier = None;
            finding.image.digest = Some(sample::digest(&number.to_string()));
            finding
        })
        .collect();
    let report = sample::report_of(findings, Vec::new());
    let text = table::render(&report, &at(140));
    assert!(text.lines().count() < 400, "{}", text.lines().count());
    let not_fresh = 10_000 - report.summary.by_verdict[&Verdict::Fresh];
    assert!(text.contains(&format!("and {} rows more, for ", not_fresh - 100)), "{text}");
    let all = table::render(&report, &RenderOptions { show_all: true, ..at(140) });
    let words: HashSet<_> = all.split_whitespace().collect();
    assert!((0..10_000).all(|number| words.contains(format!("service-{number}:1").as_str())));
}

#[test]
fn errors_beyond_the_limit_are_counted() {
    let errors =
        (0..30).map(|number| sample::error(&format!("account {number}"), "throttled", "rate exceeded")).collect();
    let report = sample::report_of(Vec::new(), errors);
    let text = table::render(&report, &at(80));
    assert!(
        text.contains("account 19:") && !text.contains("account 20:") && text.contains("  and 10 more\n"),
        "{text}"
    );
    assert!(text.contains("incomplete"), "{text}");
    let all = table::render(&report, &RenderOptions { show_all: true, ..at(80) });
    assert!(all.contains("account 29:") && !all.contains("more"), "{all}");
}

#[test]
fn the_suggested_command_is_safe_for_a_shell() {
    let mut report = sample::report();
    for reference in ["$(reboot)", "a;b", "--output=x", "a b", "x`y`", "注"] {
        report.findings[0].image.reference = reference.into();
        let text = table::render(&report, &at(140));
        assert!(text.ends_with("basewatch explain IMAGE\n"), "{text}");
    }
}

#[test]
fn colors_do_not_change_the_text() {
    for width in [80, 140] {
        let plain = table::render(&sample::report(), &at(width));
        let colored = table::render(&sample::report(), &RenderOptions { color: true, ..at(width) });
        assert_ne!(plain, colored);
        assert_eq!(without_sgr(&colored), plain);
    }
}

/// `text` without the sequences `ESC [ digits m`.
fn without_sgr(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (parameters, rest) = part.strip_prefix('[').and_then(|part| part.split_once('m')).expect("an SGR sequence");
        assert!(parameters.chars().all(|c| c.is_ascii_digit() || c == ';'), "{parameters:?}");
        plain.push_str(rest);
    }
    plain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_in_any_field_reaches_the_terminal_as_a_command(
        text in prop_oneof![any::<String>(), "[\u{0}-\u{a0}\u{200b}-\u{202f}\u{2066}-\u{2069}\u{61c}注e\u{301}m;\\[]{0,40}"],
        width in prop_oneof![Just(None), (0_usize..250).prop_map(Some)],
        color: bool,
        show_all: bool,
    ) {
        let report = poisoned(&sample::report(), &text);
        let shown = table::render(&report, &RenderOptions { width, color, show_all, hide_next: false });
        let plain = if color { without_sgr(&shown) } else { shown };
        let odd = plain.chars().find(|c| *c != '\n' && !is_visible(*c));
        prop_assert_eq!(odd, None);
        prop_assert!(!plain.chars().any(|c| c != '\n' && c.is_control()));
        if width.is_none() {
            let tame = table::render(&poisoned(&sample::report(), "x"), &RenderOptions { width, show_all, ..RenderOptions::default() });
            prop_assert_eq!(plain.lines().count(), tame.lines().count(), "a line break came from outside");
        }
    }

    #[test]
    fn bases_and_explanations_obey_no_text_either(text: String, width in prop_oneof![Just(None), (0_usize..250).prop_map(Some)]) {
        let style = RenderOptions { width, ..RenderOptions::default() };
        let pages = [
            base_table::render(&poisoned(&sample::base_report(), &text), &style),
            explain::render(&poisoned(&sample::explanation(), &text), &style),
        ];
        for page in pages {
            prop_assert_eq!(page.chars().find(|c| *c != '\n' && !is_visible(*c)), None);
        }
    }

    #[test]
    fn json_keeps_every_text_and_obeys_none(text: String) {
        let report = poisoned(&sample::report(), &text);
        let shown = json::render(&report);
        prop_assert!(!shown.chars().any(|c| c != '\n' && c.is_control()));
        prop_assert_eq!(serde_json::from_str::<Report>(&shown).unwrap(), report);
    }
}
