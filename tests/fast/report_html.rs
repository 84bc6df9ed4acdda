//! The HTML report: the page of the sample, hostile text, and its size.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::collections::BTreeSet;
use testbed::{
    company_report,
    hostile_report::{self, TEXT as HOSTILE},
    sample,
};

use basewatch::{
    dashboard::{self, DashboardView, FailedRun, PageMode, PageScope, ServerActivity, TrendDay},
    judge::Action,
    report::{Finding, FindingQuery, HoldFields, Report, is_visible, query::PARAMETERS},
};

/// The page without style and script, which are reviewed in their own files.
fn without_style_and_script(page: &str) -> String {
    let mut text = page.to_owned();
    for (start, end) in [("<style>", "</style>"), ("<script>", "</script>"), ("sha256-", "base-uri")] {
        let (before, rest) = text.split_once(start).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        text = format!("{before}{start}…{end}{after}");
    }
    text
}

fn served<'a>(report: &'a Report, trend: &'a [TrendDay], query: &'a FindingQuery) -> DashboardView<'a> {
    DashboardView {
        report,
        trend,
        query,
        now: report.generated_at,
        next_run_at: None,
        mode: PageMode::Served(ServerActivity::default()),
    }
}

#[test]
fn the_sample_as_a_file() {
    insta::assert_snapshot!(without_style_and_script(&dashboard::render(&sample::report())));
}

#[test]
fn the_sample_as_it_is_served() {
    let report = sample::report();
    let query = FindingQuery::parse([("verdict", "stale"), ("owner", "-"), ("sort", "-age"), ("limit", "3")]).unwrap();
    let next_run_at = Some(sample::now() + chrono::TimeDelta::hours(18));
    let failed_run = Some(FailedRun { at: sample::now(), message: "the store cannot be reached" });
    let mode = PageMode::Served(ServerActivity {
        running_since: Some(sample::now()),
        failed_run,
        ..ServerActivity::default()
    });
    let trend = company_report::trend(&report);
    let view = DashboardView {
        next_run_at,
        mode,
        now: sample::now() + chrono::TimeDelta::hours(6),
        ..served(&report, &trend, &query)
    };
    let page = without_hashes(&dashboard::page(&view));
    insta::assert_snapshot!(page);
}

/// Asset names change with every change of their content.
#[test]
fn a_page_starts_with_the_warning_that_most_of_the_fleet_is_unknown() {
    let report = sample::report_of_mostly_unknown();
    let page = dashboard::page(&served(&report, &[], &FindingQuery::default()));
    let head = page.split("<ul class=\"tiles\">").next().unwrap();
    let overview = head.split("<main").nth(1).unwrap();
    insta::assert_snapshot!(overview);
    assert!(overview.contains("Complete, but most of the fleet is unknown") && !overview.contains("fact ok"));
    assert!(page.contains("<title>Most of the fleet is unknown"), "{head}");
    assert_eq!(page.matches("could be judged").count(), 1 + usize::from(page.contains("application/json")));
}

fn without_hashes(page: &str) -> String {
    dashboard::assets().iter().fold(page.to_owned(), |page, asset| {
        let (stem, ending) = asset.path.rsplit_once('.').unwrap();
        page.replace(&asset.path, &format!("{}-HASH.{ending}", stem.rsplit_once('-').unwrap().0))
    })
}

#[test]
fn pages_without_a_report_explain_the_next_run_or_the_valid_parameters() {
    let now = sample::now();
    let planned = dashboard::waiting(ServerActivity::default(), now, Some(now + chrono::TimeDelta::minutes(30)));
    assert!(planned.contains("in 30 minutes"), "{planned}");
    let failed_run = Some(FailedRun { at: now, message: "<b>no\u{1b}</b>" });
    let failed = dashboard::waiting(ServerActivity { failed_run, ..ServerActivity::default() }, now, None);
    assert!(failed.contains("No run is planned") && failed.contains("&#60;b&#62;no\\u{1b}"), "{failed}");
    let error = FindingQuery::parse([("verdict", "<script>alert(1)</script>")]).unwrap_err();
    let refused = dashboard::bad_request(&error);
    assert!(refused.contains("out-of-date") && !refused.contains("<script>alert"), "{refused}");
    assert!(PARAMETERS.iter().all(|(name, _)| refused.contains(&format!("<code>{name}</code>"))));
}

#[test]
fn hostile_text_is_escaped_everywhere() {
    let report = hostile_report::report();
    let trend = company_report::trend(&report);
    let query =
        FindingQuery { text: HOSTILE.to_owned(), owners: [HOSTILE.to_owned()].into(), ..FindingQuery::default() };
    let all = FindingQuery::default();
    let pages = [
        dashboard::render(&report),
        dashboard::page(&served(&report, &trend, &query)),
        dashboard::page(&served(&report, &trend, &all)),
    ];
    for page in &pages {
        let page = if page.contains("<style>") { without_style_and_script(page) } else { page.clone() };
        assert!(page.contains("&#60;script&#62;alert(1)"), "the text is there");
        // In JSON, quotes are escaped as usual, and angle brackets as well.
        let page = page.split("<script type=\"application/json\"").next().unwrap();
        assert!(!page.contains("<script>alert") && !page.contains("</style>&lt;") && !page.contains("\"' onload"));
        let invisible: BTreeSet<_> = page.chars().filter(|c| !is_visible(*c) && *c != '\n').collect();
        assert!(invisible.is_empty(), "{invisible:?}");
    }
}

/// The values of an attribute in a page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn links_stay_within_the_page_and_the_api() {
    let report = hostile_report::report();
    let trend = company_report::trend(&report);
    let query = FindingQuery { text: HOSTILE.to_owned(), ..FindingQuery::default() };
    for page in [dashboard::render(&report), dashboard::page(&served(&report, &trend, &query))] {
        for link in values(&page, "href").into_iter().chain(values(&page, "action")) {
            let pages = ["/owners/", "/lines/", "/deployments/", "/alerts", "/docs/verdicts"];
            let is_own = ["?", "#", "/api/v1/", "/assets/", "data:image/svg+xml;base64,"].into_iter().chain(pages);
            let mut is_own = is_own.chain((link == "/").then_some("/"));
            assert!(is_own.any(|start| link.starts_with(start)), "{link}");
        }
        for source in values(&page, "src") {
            assert!(source.starts_with("/assets/"), "{source}");
        }
    }
}

#[test]
fn served_pages_follow_their_content_security_policy() {
    let report = company_report::report(sample::now(), 300);
    let trend = company_report::trend(&report);
    let page = dashboard::page(&served(&report, &trend, &FindingQuery::default()));
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="));
    assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/assets/").count());
    for asset in dashboard::assets() {
        assert!(page.contains(&asset.path), "{}", asset.path);
        assert!(!asset.bytes.is_empty());
    }
    assert!(dashboard::POLICY.contains("default-src 'none'") && !dashboard::POLICY.contains("unsafe"));
}

/// The anchors of the findings in a page. Compact rows omit the quotes.
fn anchors(page: &str) -> Vec<&str> {
    let ids = page.split(" id=").skip(1).filter_map(|rest| rest.trim_start_matches('"').split(['"', ' ', '>']).next());
    ids.filter(|id| id.starts_with("f-")).collect()
}

#[test]
fn every_finding_has_a_unique_anchor() {
    for report in [company_report::report(sample::now(), 2000), sample::report()] {
        let page = dashboard::render(&report);
        let unique: BTreeSet<_> = anchors(&page).into_iter().collect();
        assert_eq!(unique.len(), report.findings.len());
    }
}

#[test]
fn a_page_has_a_hundred_findings_and_a_file_has_all() {
    let report = company_report::report(sample::now(), 1234);
    let query = FindingQuery::parse([("offset", "1200")]).unwrap();
    assert_eq!(anchors(&dashboard::page(&served(&report, &[], &FindingQuery::default()))).len(), 100);
    let last = dashboard::page(&served(&report, &[], &query));
    assert_eq!(anchors(&last).len(), 34);
    assert!(last.contains("1,234 findings; showing 1,201 to 1,234"), "{last}");
    assert_eq!(anchors(&dashboard::render(&report)).len(), 1234);
}

#[test]
fn a_file_with_ten_thousand_findings_stays_below_three_megabytes() {
    let report = company_report::report(sample::now(), 10_000);
    let page = dashboard::render(&report);
    println!("10,000 findings: {} bytes", page.len());
    assert!(page.len() < 3_000_000, "{}", page.len());
    let served = dashboard::page(&served(&report, &company_report::trend(&report), &FindingQuery::default()));
    println!("a page of 100 of them: {} bytes", served.len());
    assert!(served.len() < 500_000, "{}", served.len());
}

#[test]
fn a_small_file_embeds_the_report() {
    let report = sample::report();
    let page = dashboard::render(&report);
    let (_, rest) = page.split_once("id=\"report\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Report>(json).unwrap(), report);
}

#[test]
fn what_to_do_has_at_most_ten_entries_and_copies_what_one_pastes() {
    for count in [10, 400, 3000] {
        let report = company_report::report(sample::now(), count);
        let page = dashboard::page(&served(&report, &[], &FindingQuery::default()));
        let next = page.split("id=\"next\"").nth(1).unwrap().split("</section>").next().unwrap();
        let entries: Vec<_> = next.split("<li class=\"task\">").skip(1).collect();
        assert!((1..=10).contains(&entries.len()), "{count} findings: {} entries", entries.len());
        let rebuilds: Vec<_> = entries.iter().filter(|entry| entry.contains("<p class=\"doing\">Rebuild")).collect();
        assert!(!rebuilds.is_empty());
        for entry in rebuilds {
            let copied = entry.split("<span class=\"copy\">").nth(1).unwrap().split('<').next().unwrap();
            let is_pinned = copied.split_once("@sha256:").is_some_and(|(_, digest)| digest.len() == 64);
            assert!(is_pinned, "{copied}");
        }
    }
}

#[test]
fn a_minus_sorts_descending_and_unknown_ages_are_last_in_either_order() {
    let report = sample::report();
    let ages = |sort: &str| -> Vec<Option<i64>> {
        let query = FindingQuery::parse([("sort", sort)]).unwrap();
        let selected = query.select(&report.findings);
        selected.into_iter().map(|finding| finding.base.as_ref().and_then(|base| base.age_days)).collect()
    };
    let (oldest, youngest) = (ages("-age"), ages("age"));
    let known = |ages: &[Option<i64>]| ages.iter().map_while(|age| *age).collect::<Vec<_>>();
    let (oldest_known, youngest_known) = (known(&oldest), known(&youngest));
    assert!(oldest_known.is_sorted_by(|one, other| one >= other), "{oldest:?}");
    assert!(youngest_known.is_sorted() && youngest_known.len() == oldest_known.len(), "{youngest:?}");
    assert!(oldest_known.len() < oldest.len(), "some ages are unknown");
    assert!([&oldest, &youngest].iter().all(|ages| ages[oldest_known.len()..].iter().all(Option::is_none)));
}

#[test]
fn an_owner_and_a_line_have_pages_with_their_own_counts() {
    let report = company_report::report(sample::now(), 400);
    let owner = report.findings.iter().find_map(|finding| finding.deployment.owner.clone()).unwrap();
    let line = report.findings.iter().find_map(|finding| finding.base.as_ref()?.line.clone()).unwrap();
    let query = FindingQuery::parse([("limit", "1000")]).unwrap();
    let view = served(&report, &[], &query);
    let count = report.findings.iter().filter(|finding| finding.deployment.owner.as_ref() == Some(&owner)).count();
    let page = dashboard::scoped_page(&view, PageScope::Owner(&owner)).unwrap();
    assert_eq!(anchors(&page).len(), count);
    assert!(page.contains(&format!("<title>{owner}: ")) && page.contains("id=\"next\""), "title and to-do");
    assert!(page.contains(&format!("format=csv&#38;owner={owner}")), "the download has the same findings");
    let is_on = |finding: &&Finding| finding.base.as_ref().and_then(|base| base.line.as_ref()) == Some(&line);
    let page = dashboard::scoped_page(&view, PageScope::Line(&line)).unwrap();
    assert_eq!(anchors(&page).len(), report.findings.iter().filter(is_on).count());
    assert_eq!(page.matches("<div class=\"lane\">").count(), 1, "one release line");
    assert!(dashboard::scoped_page(&view, PageScope::Owner("unknown-owner")).is_none());
}

#[test]
fn an_empty_report_renders_as_a_page() {
    let page = dashboard::render(&sample::report_of(Vec::new(), Vec::new()));
    assert!(page.contains("No deployments"), "{page}");
    let blind = vec![sample::error("ecr", "access-denied", "no")];
    assert!(dashboard::render(&sample::report_of(Vec::new(), blind)).contains("No deployments could be read"));
}

#[test]
fn a_held_release_is_marked_with_its_replacement() {
    let mut report = sample::report();
    let pinned = "public.ecr.aws/lambda/java:21.2026.11.18.13@sha256:7c61";
    let finding = report.findings.iter_mut().find(|finding| finding.action == Action::Rebuild).unwrap();
    finding.current.as_mut().unwrap().pinned = Some(pinned.into());
    let until = "2027-01-31".parse().unwrap();
    let release = report.lines.iter_mut().flat_map(|line| &mut line.releases).find(|release| !release.current).unwrap();
    release.hold = Some(HoldFields { reason: "TLS to RDS fails <b>".to_owned(), until });
    let page = dashboard::render(&report);
    assert!(page.contains("(held until 2027-01-31: TLS to RDS fails &#60;b&#62;)"), "the reason is text");
    assert!(page.contains(&format!(">{pinned}</span>")), "what to do copies the release to build on");
    assert!(basewatch::report::markdown::render(&report).contains(pinned));
    assert!(basewatch::report::sarif::render(&report).contains(pinned));
}
