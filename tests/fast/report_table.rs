//! The table report: every table of the sample, as the program prints it.

use std::collections::{BTreeMap, HashSet};
use testbed::{company_report, poison::poisoned, sample};

use basewatch::{
    judge::{Action, Verdict},
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
    // The ages of two bases are bounds: at least 20 and 61 days.
    let (p50_is_bound, p90_is_bound, max_is_bound) = (true, true, true);
    let ages = AgeDistribution { p50: 75, p90: 90, max: 204, p50_is_bound, p90_is_bound, max_is_bound };
    assert_eq!(summary.base_age_days, Some(ages));
    assert_eq!(Summary::new(&[]).base_age_days, None);
    assert_eq!(Summary::new(&[]).by_verdict.len(), Verdict::ALL.len());
}

/// The first line of `text` that is wider than the terminal and could be shorter. A word, such as a reference to paste,
/// is not broken: the terminal wraps it.
fn overflowing(text: &str, width: usize) -> Option<&str> {
    let is_too_wide = |line: &&str| {
        let last = line.split(' ').next_back().unwrap_or_default();
        let columns = |text: &str| Sanitized::from(text).width();
        columns(line) > width && columns(last) + MOST_INDENTED <= width
    };
    text.lines().find(is_too_wide)
}

/// The largest indentation of a line, that of the steps of an explanation.
const MOST_INDENTED: usize = 19;

#[test]
fn no_line_is_wider_than_the_terminal() {
    let reports = [sample::report(), company_report::report(sample::now(), 3_000), with_owners(60)];
    for width in [20, 40, 59, 60, 72, 80, 100, 123, 124, 140, 200] {
        let of_report =
            |(report, show_all): (&Report, bool)| table::render(report, &RenderOptions { show_all, ..at(width) });
        let tables =
            [(&reports[0], false), (&reports[0], true), (&reports[1], false), (&reports[2], true)].map(of_report);
        let base = base_table::render(&sample::base_report(), &at(width));
        let explanation = explain::render(&sample::explanation(), &at(width));
        for page in tables.into_iter().chain([base, explanation]) {
            assert_eq!(overflowing(&page, width), None, "{width}: {page}");
        }
    }
}

#[test]
fn on_a_narrow_terminal_rows_are_lists_and_nothing_is_cut() {
    insta::assert_snapshot!(table::render(&sample::report(), &at(40)));
    for width in [40, 59] {
        let text = table::render(&sample::report(), &at(width));
        assert!(!text.contains('…'), "{width}: {text}");
        // Long words are broken.
        let unbroken: String = text.split_whitespace().collect();
        let is_shared = |name: &str| name.starts_with("orders:4") && name != "orders:421";
        for finding in sample::report().findings.iter().filter(|finding| !finding.needs_no_action()) {
            let name = finding.deployment.name.as_str();
            assert!(is_shared(name) || unbroken.contains(Sanitized::from(name).as_str()), "{name}: {text}");
            let base = finding.base.as_ref().and_then(|base| base.release.as_deref()).unwrap_or_default();
            assert!(unbroken.contains(base), "{base}: {text}");
        }
        assert!(
            unbroken.contains("123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme/base:stable@333cbdfbbe43"),
            "{text}"
        );
    }
}

#[test]
fn without_a_width_nothing_is_truncated_or_wrapped() {
    let text = table::render(&sample::report(), &RenderOptions { show_all: true, ..RenderOptions::default() });
    for finding in sample::report().findings.iter().filter(|finding| !finding.id.contains("evil")) {
        if let Some(reason) = finding.reasons.first().filter(|reason| reason.code != "label-malformed") {
            assert!(text.contains(&reason.message), "{}", reason.message);
        }
    }
    assert!(text.contains("with-a-name-that-does-not-fit-a-row:2026-09-20.1"), "{text}");
}

#[test]
fn the_line_under_a_row_does_not_repeat_its_columns() {
    let text = table::render(&sample::report(), &at(140));
    assert!(text.contains("\n             base-too-old: current release 21.2026.11.20.06\n"), "{text}");
    assert!(text.contains("\n             base-superseded: current release 17.2026.11.18.06\n"), "{text}");
    // Other reasons say what no column shows.
    assert!(
        text.contains("line-quiet: ") && text.contains("runtime-deprecated: python3.9 has had no patches"),
        "{text}"
    );
    for age in ["days ago", "behind for"] {
        assert!(!text.contains(age), "{age}: {text}");
    }
    let all = table::render(&sample::report(), &RenderOptions { show_all: true, ..at(140) });
    assert!(all.contains("base-too-old: the base was published 90 days ago"), "{all}");
}

#[test]
fn a_row_of_several_deployments_is_expanded_with_verbose() {
    let all = table::render(&sample::report(), &RenderOptions { show_all: true, ..at(140) });
    let words: HashSet<_> = all.split_whitespace().collect();
    for number in 409..=421 {
        assert!(words.contains(format!("orders:{number}").as_str()), "{number}: {all}");
    }
    assert!(!all.contains(" and 12 more"), "{all}");
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

/// `count` findings with images of their own, like those of the sample, worst first.
fn many(count: usize) -> Report {
    let template = sample::report().findings;
    let like = |number: usize| {
        let mut finding = template[number % template.len()].clone();
        finding.deployment.name = format!("service-{number}:1");
        finding.deployment.qualifier = None;
        finding.image.digest = Some(sample::digest(&number.to_string()));
        finding
    };
    let mut findings: Vec<Finding> = (0..count).map(like).collect();
    findings.sort_by(Finding::worst_first);
    sample::report_of(findings, Vec::new())
}

#[test]
fn a_table_of_3000_findings_begins_with_what_to_do() {
    let text = table::render(&company_report::report(sample::now(), 3_000), &at(140));
    let first: Vec<_> = text.lines().take(40).collect();
    insta::assert_snapshot!(first.join("\n"));
}

#[test]
fn what_to_do_takes_at_most_ten_lines_above_a_long_table_and_none_above_a_short_one() {
    let mut report = company_report::report(sample::now(), 3_000);
    for (number, finding) in report.findings.iter_mut().enumerate() {
        if let Some(current) = &mut finding.current {
            current.digest = sample::digest(&(number % 24).to_string());
        }
    }
    let text = table::render(&report, &at(160));
    let (_, after) = text.split_once("UTC\n\n").unwrap();
    let (steps, rest) = after.split_once("\n\n").unwrap();
    assert!(rest.starts_with("VERDICT "), "{text}");
    let lines: Vec<_> = steps.lines().collect();
    assert_eq!(lines.len(), 10, "{steps}");
    assert!(lines.iter().any(|line| line.starts_with("rebuild ") && line.contains("@sha256:")), "{steps}");
    assert!(
        lines.iter().any(|line| line.starts_with("upgrade ") && line.ends_with("from python3.9 to python3.13")),
        "{steps}"
    );
    assert!(lines[8].contains("and ") && lines[8].contains(" more bases, "), "{steps}");
    assert!(lines[9].ends_with(" images can wait: their severity is info or none"), "{steps}");
    let short = table::render(&sample::report(), &at(140));
    assert!(short.contains("UTC\n\nVERDICT "), "{short}");
}

#[test]
fn a_long_table_shows_the_worst_rows_of_every_verdict_and_counts_the_others() {
    let report = many(10_000);
    let text = table::render(&report, &at(140));
    assert!(text.lines().count() < 200, "{}", text.lines().count());
    let mut counts: BTreeMap<(Verdict, bool), usize> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| !finding.needs_no_action()) {
        *counts.entry((finding.verdict, finding.exemption.is_some())).or_default() += 1;
    }
    assert_eq!(counts.len(), 6, "five verdicts, and exempted findings");
    for ((verdict, is_exempted), count) in counts {
        let exempted = if is_exempted { ", exempted" } else { "" };
        assert!(text.contains(&format!("\nand {} more {verdict}{exempted}\n", count - 10)), "{verdict}: {text}");
    }
    let omitted = 10_000 - report.summary.by_verdict[&Verdict::Fresh] - 60;
    assert!(
        text.contains(&format!("\n{omitted} deployments are not shown; use --verbose or --format json for all\n")),
        "{text}"
    );
    let is_row = |line: &&str| line.contains(" service-");
    assert_eq!(text.lines().filter(is_row).count(), 60);
    let all = table::render(&report, &RenderOptions { show_all: true, ..at(140) });
    let words: HashSet<_> = all.split_whitespace().collect();
    assert!((0..10_000).all(|number| words.contains(format!("service-{number}:1").as_str())));
}

#[test]
fn the_length_of_a_table_does_not_depend_on_the_fleet_and_with_verbose_grows_with_it() {
    let lines = |count, show_all| table::render(&many(count), &RenderOptions { show_all, ..at(140) }).lines().count();
    let (small, large) = (lines(3_000, false), lines(10_000, false));
    assert!(small.abs_diff(large) <= 5, "{small} and {large} lines");
    let (small, large) = (lines(3_000, true), lines(9_000, true));
    assert!(large <= 3 * small, "{small} and {large} lines");
}

/// A report with `count` owners, each with as many findings as its number.
fn with_owners(count: usize) -> Report {
    let stale = sample::report().findings.into_iter().find(|finding| finding.action == Action::Rebuild);
    let stale = stale.expect("a sample to rebuild");
    let findings = (1..=count).flat_map(|owner| {
        let stale = &stale;
        (0..owner).map(move |number| {
            let mut finding = stale.clone();
            finding.deployment.name = format!("service-{owner}-{number}:1");
            finding.deployment.owner = Some(format!("team-{owner:02}"));
            finding.verdict = if number % 3 == 2 { Verdict::OutOfDate } else { Verdict::Stale };
            finding
        })
    });
    sample::report_of(findings.collect(), Vec::new())
}

#[test]
fn sixty_owners_are_a_table_with_those_that_have_the_most_findings_first() {
    let report = with_owners(60);
    let text = table::render(&report, &at(140));
    let (_, owners) = text.split_once("\nOWNER    STALE  OUT-OF-DATE\n").unwrap();
    let lines: Vec<_> = owners.lines().take(12).collect();
    assert_eq!(lines[0], "team-60  40     20");
    assert_eq!(lines[9], "team-51  34     17");
    assert_eq!(lines[10], "and 50 more owners with 1275 findings; use --verbose for all");
    assert_eq!(lines[11], "");
    let all = table::render(&report, &RenderOptions { show_all: true, ..at(140) });
    assert!(all.contains("\nteam-01  1      –\n") && !all.contains("more owners"), "{all}");
    let narrow = table::render(&report, &at(40));
    assert!(narrow.contains("\nteam-60 40 stale, 20 out-of-date\n"), "{narrow}");
}

#[test]
fn the_summary_of_ages_marks_bounds() {
    let text = table::render(&sample::report(), &at(140));
    assert!(text.contains("\nbase age    median ≥ 75 d, 90th percentile ≥ 90 d, maximum ≥ 204 d\n"), "{text}");
    let exact = sample::report_of(vec![sample::fresh("gateway:9")], Vec::new());
    let text = table::render(&exact, &at(140));
    assert!(text.contains("\nbase age    median 1 d, 90th percentile 1 d, maximum 1 d\n"), "{text}");
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
