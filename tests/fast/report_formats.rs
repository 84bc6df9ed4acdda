//! Reports in formats that other programs show: Markdown, CSV and SARIF of the sample, within the limits of these
//! programs, and harmless for any image content.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};
use testbed::{poison::poisoned, sample};

use basewatch::{
    judge::{Action, Severity, Verdict},
    report::{Finding, Report, csv, is_visible, markdown, sarif},
};
use proptest::prelude::*;
use serde_json::Value;

/// The maximum length of a GitHub comment.
const COMMENT: usize = 65_536;

/// The schema of OASIS for SARIF 2.1.0 with errata 01, as bundled with Microsoft's SARIF Multitool 5.7.0 (MIT).
static SARIF: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../data/sarif-schema-2.1.0.json")).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
});

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// `number` findings of different images, each similar to one of the sample that is not fresh.
fn many(number: usize) -> Vec<Finding> {
    let mut templates = sample::report().findings;
    templates.retain(|finding| finding.verdict != Verdict::Fresh);
    let like = |number: usize| {
        let mut finding = templates[number % templates.len()].clone();
        finding.id = format!("ecr:{number}");
        finding.deployment.name = format!("service-{number}:1");
        finding.deployment.qualifier = None;
        finding.image.digest = Some(sample::digest(&number.to_string()));
        finding
    };
    (0..number).map(like).collect()
}

/// Text with special characters of every format.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "|",
        "\\",
        "`",
        "``",
        "<b>",
        "<script>",
        "</details>",
        "<!--",
        "&lt;",
        "[a](b)",
        "![a](b)",
        "[x]: y",
        "@team",
        "o/r#12",
        "#12",
        "GH-12",
        "www.x.y",
        "https://x.y",
        "a@b.c",
        ":smile:",
        "**",
        "_x_",
        "~~",
        "$x$",
        "\r\n",
        "\n",
        "\t",
        "=1+1",
        "+1",
        "-1",
        "@SUM",
        "＝1",
        ",",
        ";",
        "\"",
        "'",
        "{0}",
        "{",
        "}",
        "](",
        "\u{202e}",
        "\u{1b}[31m",
        "注",
        "e\u{301}",
        " ",
        "  ",
        "x",
        "0123456789abcdef",
    ];
    let composed = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12).prop_map(|parts| parts.concat());
    prop_oneof![any::<String>(), composed]
}

/// The texts in a JSON document.
fn texts(document: &Value) -> Vec<&str> {
    match document {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_sample_in_markdown() {
    insta::assert_snapshot!(markdown::render(&sample::report()));
}

#[test]
fn an_audit_that_found_nothing_in_markdown() {
    insta::assert_snapshot!(markdown::render(&sample::report_of(Vec::new(), Vec::new())));
}

#[test]
fn markdown_starts_with_the_warning_that_most_of_the_fleet_is_unknown() {
    insta::assert_snapshot!(markdown::render(&sample::report_of_mostly_unknown()));
}

#[test]
fn an_incomplete_report_is_not_summarized_as_fresh() {
    let fresh = vec![sample::fresh("gateway:9")];
    let text = markdown::render(&sample::report_of(fresh.clone(), Vec::new()));
    assert!(text.starts_with("## basewatch: all deployments are fresh\n"), "{text}");
    let error = vec![sample::error("ecr eu-west-1", "access-denied", "no")];
    let text = markdown::render(&sample::report_of(fresh, error));
    assert!(!text.contains("all deployments are fresh") && text.contains("**Incomplete:**"), "{text}");
}

#[test]
fn markdown_lists_each_action_once_for_all_deployments() {
    let text = markdown::render(&sample::report());
    let (_, items) = text.split_once("### What to do\n\n").unwrap();
    let items: Vec<_> = items.split("\n\n").next().unwrap().lines().collect();
    let rebuild: Vec<_> = items.iter().filter(|item| item.contains("orders:421")).collect();
    assert_eq!(rebuild.len(), 1, "{items:#?}");
    assert!(
        rebuild[0].starts_with("- **Rebuild** 1 image on `public.ecr.aws/lambda/java:21@sha256:"),
        "{}",
        rebuild[0]
    );
    assert!(rebuild[0].ends_with("`orders:421`, `orders:420`, `orders:419` and 10 more deployments"), "{}", rebuild[0]);
    for action in ["**Redeploy** 1 ", "from `python3.9` to `python3.13`", "**Restore** ", "**Investigate** 4 images"] {
        assert!(items.iter().any(|item| item.contains(action)), "{action}: {items:#?}");
    }
    // Exempted findings and those without a possible action are not listed.
    assert!(!items.iter().any(|item| item.contains("vendor-agent") || item.contains("請求書")), "{items:#?}");
}

#[test]
fn markdown_fits_into_a_comment_and_counts_omitted_rows() {
    let report = sample::report_of(many(10_000), Vec::new());
    let text = markdown::render(&report);
    assert!(text.len() <= COMMENT, "{}", text.len());
    let shown: Vec<_> = text.lines().filter(|line| line.starts_with("| **") || line.starts_with("| stale")).collect();
    assert_eq!(shown.len(), 100);
    assert!(text.contains("\n**And 9900 rows more, for "), "{text}");
    // The shown and the omitted findings add up to all.
    let (_, rest) = text.split_once("rows more, for ").unwrap();
    let (rest, _) = rest.split_once("**").unwrap();
    let counted: usize = rest.split(", ").map(|part| part.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(counted, 9_900);
}

#[test]
fn markdown_of_the_largest_texts_fits_into_a_comment() {
    for text in ["\u{10ffff}", "注\u{20d0}\u{20d0}\u{20d0}\u{20d0}", "|", "`", "x", "[a](b) "] {
        let findings = many(150);
        let errors = (0..50).map(|_| sample::error("account", "throttled", "no")).collect();
        let report = poisoned(&sample::report_of(findings, errors), &text.repeat(1_001));
        let page = markdown::render(&report);
        assert!(page.len() <= COMMENT, "{text}: {}", page.len());
        assert!(page.contains("rows more, for ") && page.contains("\n- and "), "{text}: {}", page.len());
    }
}

#[test]
fn long_markdown_lists_are_truncated_with_a_count() {
    let errors = (0..30).map(|number| sample::error(&format!("place {number}"), "throttled", "slow down")).collect();
    let text = markdown::render(&sample::report_of(Vec::new(), errors));
    assert!(text.contains("- place 19, `throttled`: slow down\n- and 10 more\n"), "{text}");
}

#[test]
fn the_sample_in_csv() {
    insta::assert_snapshot!(csv::render(&sample::report()).replace("\r\n", "␍␊\n"));
}

#[test]
fn an_empty_report_is_a_csv_header() {
    let text = csv::render(&sample::report_of(Vec::new(), Vec::new()));
    assert_eq!(text, csv::titles().collect::<Vec<_>>().join(",") + "\r\n");
}

#[test]
fn csv_has_a_row_per_finding_and_the_documented_columns() {
    let report = sample::report();
    let rows = records(&csv::render(&report));
    assert_eq!(rows.len(), 1 + report.findings.len());
    let column = |title: &str| csv::titles().position(|known| known == title).unwrap();
    for (row, finding) in rows[1..].iter().zip(&report.findings) {
        assert_eq!(row[column("id")], csv::cell(&finding.id));
        assert_eq!(row[column("verdict")], finding.verdict.as_str());
        assert_eq!(row[column("generated_at")], "2026-11-20T06:00:00Z");
        assert_eq!(row[column("base")].is_empty(), finding.base.is_none());
        let age = finding.base.as_ref().and_then(|base| base.age_days).map(|age| age.to_string());
        assert_eq!(row[column("base_age_days")], age.unwrap_or_default());
    }
    let documented = page("docs/formats.md");
    let (_, table) = documented.split_once("| column | ").unwrap();
    let names = table.split("\n\n").next().unwrap().lines().skip(2);
    let names: Vec<_> =
        names.flat_map(|line| line.split(" | ").next().unwrap().split('`').skip(1).step_by(2)).collect();
    assert_eq!(names, csv::titles().collect::<Vec<_>>());
}

/// The result of a CSV reader for `text`.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The SARIF of `report`, valid by the schema.
#[track_caller]
fn log(report: &Report) -> Value {
    let log: Value = serde_json::from_str(&sarif::render(report)).unwrap();
    let problems: Vec<_> = SARIF.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    log
}

#[test]
fn the_sample_in_sarif() {
    let mut log = log(&sample::report());
    let driver = &mut log["runs"][0]["tool"]["driver"];
    driver["semanticVersion"] = "VERSION".into();
    // The rest is as in docs/verdicts.md.
    driver["rules"].as_array_mut().unwrap().truncate(2);
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
}

#[test]
fn sarif_has_a_result_for_each_finding_that_is_not_fresh() {
    let report = sample::report();
    let log = log(&report);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let not_fresh: Vec<_> = report.findings.iter().filter(|finding| finding.verdict != Verdict::Fresh).collect();
    assert_eq!(results.len(), not_fresh.len());
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for finding in not_fresh {
        let is_it = |result: &&Value| {
            result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
                == *basewatch::report::sanitize(&finding.id)
        };
        let result = results.iter().find(is_it).unwrap_or_else(|| panic!("{}", finding.id));
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result["ruleId"], finding.reasons[0].code);
        let level = match finding.severity {
            Severity::None => "none",
            Severity::Info | Severity::Low => "note",
            Severity::Medium => "warning",
            Severity::High | Severity::Critical => "error",
        };
        assert_eq!(result["level"], level, "{}", finding.id);
        assert_eq!(result["suppressions"].as_array().unwrap().len(), usize::from(finding.exemption.is_some()));
        let advice = result["message"]["text"].as_str().unwrap();
        assert_eq!(finding.action == Action::Rebuild, advice.contains("Rebuild the image on "), "{advice}");
    }
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let complete = sample::report_of(Vec::new(), Vec::new());
    assert_eq!(self::log(&complete)["runs"][0]["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn sarif_has_the_properties_that_github_requires() {
    let log = log(&sample::report());
    let run = &log["runs"][0];
    let is_text =
        |value: &Value, most: usize| value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()));
    let mut seen = BTreeSet::new();
    for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
        assert!(seen.insert(rule["id"].as_str().unwrap()), "{rule}");
        assert!(is_text(&rule["name"], 255) && is_text(&rule["help"]["text"], 10_000), "{rule}");
        assert!(is_text(&rule["shortDescription"]["text"], 1024), "{rule}");
        assert!(is_text(&rule["fullDescription"]["text"], 1024), "{rule}");
        assert!(rule["properties"]["tags"].as_array().unwrap().len() <= 10, "{rule}");
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["note", "warning", "error"].contains(&level), "{rule}");
        let help = rule["helpUri"].as_str().unwrap();
        assert!(help.starts_with(env!("CARGO_PKG_REPOSITORY")), "{help}");
    }
    let mut prints = BTreeSet::new();
    for result in run["results"].as_array().unwrap() {
        assert!(is_text(&result["message"]["text"], 20_000), "{result}");
        assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.is_empty() && !uri.starts_with('/') && !uri.contains(':'), "{uri}");
        for end in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert_eq!(place["region"][end], 1, "{result}");
        }
        let print = result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
        assert!(prints.insert(print.to_owned()), "{print}");
    }
}

#[test]
fn sarif_fingerprint_and_location_do_not_change_with_the_image() {
    let old = sample::report().findings.into_iter().find(|finding| finding.id.ends_with("invoices:live")).unwrap();
    let mut new = old.clone();
    new.image.reference = new.image.reference.replace(":7", ":8").into();
    new.image.digest = Some(sample::digest("other"));
    new.severity = Severity::Critical;
    assert_ne!(old.image.reference, new.image.reference);
    let [old, new] = [old, new].map(|finding| {
        let mut log = log(&sample::report_of(vec![finding], Vec::new()));
        let result = log["runs"][0]["results"][0].take();
        (result["partialFingerprints"].clone(), result["locations"].clone(), result["level"].clone())
    });
    assert_eq!((&old.0, &old.1), (&new.0, &new.1));
    assert_ne!(old.2, new.2);
}

#[test]
fn results_beyond_the_github_limit_are_omitted_and_counted() {
    let mut findings = many(22);
    findings.insert(0, sample::report().findings.into_iter().find(|finding| finding.exemption.is_some()).unwrap());
    let mut errors = vec![sample::error("account", "throttled", "no")];
    errors.resize(1_003, errors[0].clone());
    let report = sample::report_of(findings, errors);
    let log: Value = serde_json::from_str(&sarif::render_within(&report, 20)).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!((results.len(), sarif::MOST_RESULTS), (20, 25_000));
    // Exempted findings are omitted first.
    assert!(!results.iter().any(|result| result["message"]["text"].as_str().unwrap().contains("vendor-agent")));
    let notifications = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert_eq!(notifications.len(), 1 + 1_000 + 1);
    assert!(
        notifications[0]["message"]["text"].as_str().unwrap().starts_with("3 results omitted"),
        "{}",
        notifications[0]
    );
    assert_eq!(notifications[1_001]["message"]["text"], "3 errors omitted.");
}

/// A line of Markdown without its code spans, by the rules of CommonMark.
fn outside_code(line: &str) -> String {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let mut outside = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        outside.push_str(&rest[..at]);
        let opening = run(&rest[at..]);
        let inside = &rest[at + opening..];
        let mut from = 0;
        let end = loop {
            let Some(next) = inside[from..].find('`').map(|next| from + next) else { break None };
            let length = run(&inside[next..]);
            if length == opening {
                break Some(next + length);
            }
            from = next + length;
        };
        let Some(end) = end else {
            outside.push_str(&rest[at..]);
            return outside;
        };
        outside.push('c');
        rest = &inside[end..];
    }
    outside + rest
}

/// The `|` of a row that separate cells.
fn bars(line: &str) -> usize {
    line.char_indices().filter(|(at, c)| *c == '|' && !line[..*at].ends_with('\\')).count()
}

#[test]
fn code_spans_are_recognized_by_the_rules_of_commonmark() {
    let table = [("a `b` c", "a c c"), ("``a`b`` c", "c c"), ("` `` `", "c"), ("a ``b` c", "a ``b` c")];
    for (line, outside) in table {
        assert_eq!(outside_code(line), outside, "{line}");
    }
    assert_eq!(bars("| a | `b\\|c` |"), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_becomes_markdown(text in hostile()) {
        let shown = markdown::render(&poisoned(&sample::report(), &text));
        prop_assert_eq!(shown.chars().find(|c| *c != '\n' && !is_visible(*c)), None);
        let tame = markdown::render(&poisoned(&sample::report(), "x"));
        let (shown, tame): (Vec<_>, Vec<_>) = (shown.lines().collect(), tame.lines().collect());
        prop_assert_eq!(shown.len(), tame.len(), "a line break came from outside");
        for (shown, tame) in shown.iter().zip(&tame) {
            let outside = outside_code(shown);
            prop_assert_eq!(outside.matches('*').count(), tame.matches('*').count(), "{}", shown);
            prop_assert_eq!(outside.matches('#').count(), tame.matches('#').count(), "{}", shown);
            prop_assert!(!tame.starts_with('|') || bars(shown) == bars(tame), "{}", shown);
            for odd in ["`", "[", "]", "&", "_", "~", "$", "@", "\\", "!", "/", "{", "+"] {
                prop_assert!(!outside.contains(odd), "{}: {}", odd, shown);
            }
            let tag = outside.split('<').skip(1).find(|rest| !rest.starts_with(' '));
            prop_assert_eq!(tag, None, "{}", shown);
            // No address and no emoji: only a hyphen or an apostrophe joins two words.
            let characters: Vec<_> = outside.chars().collect();
            let joined = characters.windows(3).find(|three| {
                three[0].is_alphanumeric() && three[2].is_alphanumeric() && matches!(three[1], '.' | ':' | '@')
            });
            prop_assert!(joined.is_none() || outside.contains(" UTC"), "{:?}: {}", joined, shown);
        }
    }

    #[test]
    fn no_text_leaves_its_cell_or_becomes_a_formula(text in hostile()) {
        let report = poisoned(&sample::report(), &text);
        let shown = csv::render(&report);
        let rows = records(&shown);
        prop_assert_eq!(rows.len(), 1 + report.findings.len());
        prop_assert_eq!(shown.matches('\n').count(), rows.len());
        prop_assert_eq!(shown.matches("\r\n").count(), rows.len());
        let name = csv::titles().position(|title| title == "name").unwrap();
        for row in &rows {
            prop_assert_eq!(row.len(), rows[0].len());
            for cell in row {
                prop_assert_eq!(cell.chars().find(|c| !is_visible(*c)), None);
                let begins = cell.trim_start().chars().next();
                prop_assert!(!begins.is_some_and(|c| "=+-@\t\r＝＋－＠".contains(c)), "{}", cell);
                for part in cell.split([',', ';', '|']) {
                    let begins = part.trim_start_matches([' ', '"']).chars().next();
                    prop_assert!(!begins.is_some_and(|c| "=+-@＝＋－＠".contains(c)), "{}", cell);
                }
            }
        }
        for row in &rows[1..] {
            prop_assert_eq!(&row[name], &csv::cell(&text));
        }
    }

    #[test]
    fn no_text_becomes_a_link_or_a_placeholder_in_sarif(text in hostile()) {
        let report = poisoned(&sample::report(), &text);
        let log = log(&report);
        prop_assert!(!sarif::render(&report).chars().any(|c| c != '\n' && !is_visible(c)));
        let run = &log["runs"][0];
        let messages = run["results"].as_array().unwrap().iter().map(|result| &result["message"]);
        let messages = messages.chain(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap());
        for message in messages.flat_map(texts) {
            prop_assert!(!message.contains("](") && !message.contains("]["), "{}", message);
            prop_assert!(!message.replace("{{", "").contains('{') && !message.replace("}}", "").contains('}'), "{}", message);
            let mention = message.match_indices('@').find(|(at, _)| {
                let before = message[..*at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
                !before && message[at + 1..].starts_with(|c: char| c.is_ascii_alphanumeric())
            });
            prop_assert_eq!(mention, None, "{}", message);
            let tag = message.split('<').skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!'));
            prop_assert_eq!(tag, None, "{}", message);
            prop_assert!(!message.contains("://x") && !message.contains("www.x") && !message.contains("#12"), "{}", message);
        }
        for result in run["results"].as_array().unwrap() {
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%/".contains(&b)), "{}", uri);
            prop_assert!(!uri.is_empty() && uri.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{}", uri);
        }
    }
}
