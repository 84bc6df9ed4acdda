//! Exemptions: exempted findings do not fail a run until the exemption expires, and are shown as exempted. Findings
//! without a possible action do not fail a run either.

use std::{fs, process::Output};

use basewatch::image::Annotations;
use serde_json::Value;
use tempfile::TempDir;
use testbed::{
    bare::{basewatch, stderr, stdout},
    registry::{ImageSpec, Loopback, Stock},
};

const NOW: &str = "2026-11-20";
const OLD: &str = "2026-08-22T06:00:00Z";
const NEW: &str = "2026-11-19T06:00:00Z";

/// A registry with a line that has new releases, one without, images on both, and a configuration of them.
struct Fleet {
    folder: TempDir,
    registry: Loopback,
}

impl Fleet {
    fn new() -> Self {
        let stock = Stock::new();
        let registry = Loopback::start(stock.clone()).expect("a registry on loopback");
        let build = |repository: &str, created: &str, base: Option<&str>, layers: &[&str]| {
            let labels = base.map(|base| ("sdkBaseVersion".to_owned(), base.to_owned()));
            let layers = layers.iter().map(|layer| layer.as_bytes().to_vec()).collect();
            let labels: Annotations = labels.into_iter().collect();
            let spec = ImageSpec { created: Some(created.to_owned()), labels, layers, ..ImageSpec::default() };
            stock.push_image(repository, &spec)
        };
        let (old, new) = (build("java", OLD, None, &["old"]), build("java", NEW, None, &["new"]));
        stock.tag("java", "21", &new);
        let quiet = build("quiet", OLD, None, &["quiet"]);
        stock.tag("quiet", "1", &quiet);
        for (image, line, base, layer) in [
            ("legacy", "java:21", &old, "old"),
            ("orders", "java:21", &old, "old"),
            ("agent", "quiet:1", &quiet, "quiet"),
        ] {
            let label = format!("{}/{line}@{base}", registry.host());
            let digest = build(image, "2026-08-23T06:00:00Z", Some(&label), &[layer, image]);
            stock.tag(image, "1", &digest);
        }
        Self { folder: tempfile::tempdir().expect("a folder"), registry }
    }

    /// Audits `images` as of `now`, with `policy` in the configuration.
    fn audit(&self, images: &[&str], policy: &str, now: &str, arguments: &[&str]) -> Output {
        let host = self.registry.host();
        let images: Vec<_> = images.iter().map(|image| format!("\"{host}/{image}:1\"")).collect();
        let file = format!("[[inventory.images]]\nreferences = [{}]\n{policy}", images.join(", "));
        fs::write(self.folder.path().join("basewatch.toml"), file).expect("a writable folder");
        let mut program = basewatch(self.folder.path());
        program.args(["audit", "--as-of", now]).args(arguments).output().expect("the program starts")
    }

    /// The exit code, and the report, which follows its schema.
    fn report(&self, images: &[&str], policy: &str, now: &str, arguments: &[&str]) -> (i32, Value) {
        let output = self.audit(images, policy, now, &[&["--format", "json"], arguments].concat());
        let report = serde_json::from_str(&stdout(&output)).expect("a report");
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/report.schema.json");
        let schema: Value = serde_json::from_str(&fs::read_to_string(schema).expect("a schema")).expect("JSON");
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        let problems: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert_eq!(problems, Vec::<String>::new());
        (output.status.code().expect("an exit code"), report)
    }
}

fn exemption(pattern: &str, more: &str) -> String {
    format!(
        "[[policy.exemption]]\nreason = \"vendor image\"\nowner = \"payments\"\nuntil = 2027-01-31\n\
         deployment = \"*/{pattern}:1\"\n{more}\n"
    )
}

/// Verdict, severity and exemption of each finding whose image is `name`.
fn judged(report: &Value, name: &str) -> Vec<(Value, Value, Value)> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let of_name = |finding: &&Value| finding["id"].as_str().is_some_and(|id| id.contains(&format!("/{name}:1")));
    let matching = findings.filter(of_name);
    matching.map(|it| (it["verdict"].clone(), it["severity"].clone(), it["exemption"].clone())).collect()
}

fn notes(report: &Value) -> Vec<(&str, &str)> {
    let notes = report["notes"].as_array().map(Vec::as_slice).unwrap_or_default();
    notes
        .iter()
        .map(|note| (note["code"].as_str().expect("a code"), note["message"].as_str().expect("a text")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn exempted_findings_are_reported_but_do_not_fail_a_run_until_the_end_date() {
    let fleet = Fleet::new();
    let images = ["legacy", "orders"];
    let (exit, report) = fleet.report(&images, "", NOW, &[]);
    assert_eq!((exit, &report["summary"]["exempted"]), (1, &Value::Null));

    let one = exemption("legacy", "codes = [\"base-too-old\"]");
    let (exit, report) = fleet.report(&images, &one, NOW, &[]);
    assert_eq!((exit, &report["summary"]["exempted"]), (1, &1.into()), "the other one still fails it");
    assert_eq!(report["summary"]["by_verdict"]["stale"], 2);
    let fields = serde_json::json!({ "reason": "vendor image", "owner": "payments", "until": "2027-01-31" });
    assert_eq!(judged(&report, "legacy"), [("stale".into(), "high".into(), fields)]);
    assert_eq!(judged(&report, "orders"), [("stale".into(), "high".into(), Value::Null)]);
    assert_eq!(notes(&report), []);

    let both = exemption("{legacy,orders}", "");
    for (now, exit, note) in [
        ("2026-11-20", 0, None),
        ("2027-01-18T00:00:00Z", 0, Some(("exemption-expiring", "ends on 2027-01-31; it covers 2 stale"))),
        ("2027-01-31T23:59:59Z", 0, Some(("exemption-expiring", "ends on 2027-01-31; it covers 2 stale"))),
        ("2027-02-01", 1, Some(("exemption-expired", "ended on 2027-01-31 and no longer covers 2 stale"))),
    ] {
        let (code, report) = fleet.report(&images, &both, now, &[]);
        assert_eq!(code, exit, "{now}");
        let named = |(code, message)| (code, format!("the exemption \"vendor image\" of payments {message}"));
        let notes: Vec<_> = notes(&report).into_iter().map(|(code, message)| (code, message.to_owned())).collect();
        assert_eq!(notes, note.map(named).into_iter().collect::<Vec<_>>(), "{now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exemption_for_a_reason_code_ends_when_another_reason_leads() {
    let fleet = Fleet::new();
    let policy = exemption("legacy", "codes = [\"base-superseded\"]");
    let (exit, report) = fleet.report(&["legacy"], &policy, NOW, &["--grace", "1h", "--max-age", "365d"]);
    assert_eq!((exit, &report["findings"][0]["verdict"]), (0, &"out-of-date".into()));
    let (exit, report) = fleet.report(&["legacy"], &policy, NOW, &[]);
    assert_eq!((exit, &report["findings"][0]["verdict"]), (1, &"stale".into()));
    assert_eq!(report["findings"][0]["exemption"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_exemption_is_noted_in_verbose_output_of_complete_reports() {
    let fleet = Fleet::new();
    let policy = exemption("lagacy", "");
    let unused = |arguments: &[&str]| {
        let (_, report) = fleet.report(&["legacy"], &policy, NOW, arguments);
        notes(&report).iter().filter(|(code, _)| *code == "exemption-unused").count()
    };
    assert_eq!(unused(&[]), 1);
    let named = format!("{}/legacy:1", fleet.registry.host());
    assert_eq!((unused(&[&named]), unused(&["--kind", "image"])), (0, 0), "deployments outside the filter may match");
    // The deployment of an unreadable image is known, but not its base.
    let on_base = exemption("legacy", "base = \"*/python:*\"");
    for (policy, unused) in [(&policy, 1), (&on_base, 0)] {
        let missing = fleet.report(&["legacy", "gone"], policy, NOW, &[]).1;
        assert_eq!((&missing["complete"], notes(&missing).len()), (&false.into(), unused), "{policy}");
    }

    let table = |arguments: &[&str]| stdout(&fleet.audit(&["legacy"], &policy, NOW, arguments));
    assert!(!table(&[]).contains("vendor image"), "{}", table(&[]));
    assert!(table(&["-v"]).contains("\nnote        the exemption \"vendor image\" of payments matches no deployment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn table_and_explain_mark_exempted_findings() {
    let fleet = Fleet::new();
    let output = fleet.audit(&["legacy", "orders"], &exemption("legacy", ""), NOW, &[]);
    let table = stdout(&output);
    assert!(table.contains("  exempted until 2027-01-31 by payments: vendor image\n"), "{table}");
    assert!(table.contains("\nexempted    1 of these: 1 stale\n"), "{table}");
    let next = format!("\nnext        basewatch explain {}/orders:1\n", fleet.registry.host());
    assert!(table.ends_with(&next), "{table}");
    let image = format!("{}/legacy:1", fleet.registry.host());
    let mut program = basewatch(fleet.folder.path());
    let output = program.args(["explain", "--as-of", NOW, &image]).output().expect("the program starts");
    let explained = stdout(&output);
    assert!(explained.ends_with("    exempted until 2027-01-31 by payments: vendor image\n"), "{explained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_finding_without_a_possible_action_does_not_fail_a_run() {
    let fleet = Fleet::new();
    for (fail_on, exit) in [
        ("deprecated", 0),
        ("stale", 0),
        ("out-of-date", 0),
        ("unknown", 1),
        ("superseded", 1),
        ("fresh", 1),
        ("never", 0),
    ] {
        let (code, report) = fleet.report(&["agent"], "", NOW, &["--fail-on", fail_on]);
        let finding = &report["findings"][0];
        assert_eq!((&finding["verdict"], &finding["action"]), (&"stale".into(), &"none".into()));
        assert_eq!(finding["reasons"][0]["code"], "line-quiet");
        assert_eq!(code, exit, "{fail_on}");
    }
    assert_eq!(fleet.report(&["agent", "orders"], "", NOW, &["--fail-on", "stale"]).0, 1);
}

#[test]
fn config_check_warns_of_end_dates_in_the_past_or_far_future() {
    let folder = tempfile::tempdir().expect("a folder");
    let hold = |until: &str| {
        format!("[[policy.hold]]\nrelease = \"r.example/java:21.2020.*\"\nreason = \"bad\"\nuntil = \"{until}\"\n")
    };
    let policy = exemption("a", "").replace("2027-01-31", "2020-01-31")
        + &exemption("b", "").replace("2027", "9999")
        + &["2020-01-31", "9999-01-31"].map(hold).concat();
    fs::write(folder.path().join("basewatch.toml"), policy).expect("a writable folder");
    let output = basewatch(folder.path()).args(["config", "check"]).output().expect("the program starts");
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for line in [
        "after 14d, 2 exemptions, 2 holds\n",
        "  warning   the hold on r.example/java:21.2020.* ended on 2020-01-31 and no longer applies\n",
        "  warning   the hold on r.example/java:21.2020.* ends on 9999-01-31, more than two years from now\n",
        "  warning   the exemption \"vendor image\" of payments ended on 2020-01-31 and no longer applies\n",
        "  warning   the exemption \"vendor image\" of payments ends on 9999-01-31, more than two years from now\n",
    ] {
        assert!(table.contains(line), "{line}{table}");
    }
}
