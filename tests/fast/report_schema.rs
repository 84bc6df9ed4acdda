//! The JSON schemas, and a documented heading for every code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::{collections::BTreeSet, fs, path::Path};
use testbed::sample;

use basewatch::{
    judge::{Action, ReasonCode, Severity, Verdict},
    report::{BaseReport, Explanation, Finding, Report, dockerfiles::DockerfileReport, stamp::Stamp},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The schema of written documents: a field that is always present is required, even if it may be null.
fn schema<T: JsonSchema>() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value();
    let whole = schema.as_object_mut().unwrap();
    let mut ordered = serde_json::Map::new();
    for key in ["$schema", "$id", "title", "description"] {
        ordered.extend(whole.remove_entry(key));
    }
    ordered.append(whole);
    Value::Object(ordered)
}

/// Compares the schema in the repository with the types; `UPDATE_SCHEMA=1` writes it.
fn assert_current<T: JsonSchema>(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
    let expected = schema::<T>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&expected).unwrap() + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    // As values: the order of keys depends on the serde_json features that other crates enable.
    let actual: Value = serde_json::from_str(&text).unwrap_or_default();
    assert!(actual == expected, "schema/{name} differs from the types; UPDATE_SCHEMA=1 writes it");
}

#[track_caller]
fn assert_valid<T: JsonSchema>(document: &Value) {
    let validator = jsonschema::options().should_validate_formats(true).build(&schema::<T>()).unwrap();
    let problems: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

fn is_valid<T: JsonSchema>(document: &Value) -> bool {
    jsonschema::options().should_validate_formats(true).build(&schema::<T>()).unwrap().is_valid(document)
}

#[track_caller]
fn assert_comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(document: &T) {
    let value = serde_json::to_value(document).unwrap();
    assert_eq!(&serde_json::from_value::<T>(value).unwrap(), document);
}

#[test]
fn the_schema_files_are_up_to_date() {
    assert_current::<Report>("report.schema.json");
    assert_current::<BaseReport>("base.schema.json");
    assert_current::<Explanation>("explain.schema.json");
    assert_current::<Stamp>("stamp.schema.json");
    assert_current::<DockerfileReport>("dockerfiles.schema.json");
}

#[test]
fn every_schema_has_an_id_and_a_dialect() {
    let names = [
        (schema::<Report>(), "basewatch.report/v1"),
        (schema::<BaseReport>(), "basewatch.base/v1"),
        (schema::<Explanation>(), "basewatch.explain/v1"),
        (schema::<Stamp>(), "basewatch.stamp/v1"),
        (schema::<DockerfileReport>(), "basewatch.dockerfiles/v1"),
    ];
    for (schema, id) in names {
        assert_eq!(schema["$id"], id);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["title"].as_str().is_some_and(|title| title.starts_with("basewatch ")), "{schema}");
    }
}

#[test]
fn samples_are_valid_and_survive_a_round_trip() {
    assert_valid::<Report>(&serde_json::to_value(sample::report()).unwrap());
    assert_valid::<Report>(&serde_json::to_value(sample::report_of(Vec::new(), Vec::new())).unwrap());
    assert_valid::<BaseReport>(&serde_json::to_value(sample::base_report()).unwrap());
    assert_valid::<Explanation>(&serde_json::to_value(sample::explanation()).unwrap());
    assert_comes_back(&sample::report());
    assert_comes_back(&sample::base_report());
    assert_comes_back(&sample::explanation());
}

/// A report with all kinds of deployments.
fn contract() -> Value {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    json!({
        "schema": "basewatch.report/v1",
        "run_id": "01KAF2Z0000000000000000000",
        "generated_at": "2026-11-20T06:00:00Z",
        "complete": true,
        "policy": { "max_age_days": 45, "grace_days": 14 },
        "summary": {
            "deployments": 3, "images": 2, "bases": 1,
            "by_verdict": {
                "fresh": 1, "superseded": 0, "out-of-date": 1, "stale": 1, "deprecated": 0, "unknown": 0
            },
            "base_age_days": { "p50": 31, "p90": 88, "max": 88 }
        },
        "findings": [ {
            "id": "ecr:eu-west-1:123456789012:orders:421",
            "deployment": {
                "kind": "ecr", "name": "orders:421", "account": "123456789012", "region": "eu-west-1"
            },
            "image": {
                "reference": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421", "digest": digest,
                "platform": "linux/arm64", "created_at": "2026-08-22T10:00:00Z", "pushed_at": "2026-08-22T10:01:00Z"
            },
            "base": {
                "reference": format!("public.ecr.aws/lambda/java@{digest}"), "digest": digest, "digest_kind": "index",
                "identified_by": "label", "evidence": "sdkBaseVersion", "confidence": "confirmed",
                "line": "public.ecr.aws/lambda/java:21", "line_source": "dated-tag", "release": "21.2026.08.22.00", "published_at": "2026-08-22T00:00:00Z",
                "published_source": "dated-tag", "age_days": 90, "chain": []
            },
            "current": {
                "reference": "public.ecr.aws/lambda/java:21", "digest": digest, "platform_digest": digest,
                "release": "21.2026.11.19.13", "published_at": "2026-11-19T13:00:00Z", "published_source": "dated-tag"
            },
            "behind": {
                "since": "2026-08-23T12:00:00Z", "days": 89, "releases": 71, "exact": true, "content_changed": true
            },
            "runtime": {
                "name": "java21", "status": "supported",
                "deprecation_date": "2029-06-30", "block_update_date": "2029-08-31"
            },
            "verdict": "stale", "stale": true, "out_of_date": true, "deprecated": false,
            "severity": "high", "action": "rebuild",
            "reasons": [ { "code": "base-too-old", "message": "the base is 90 days old" } ]
        } ],
        "errors": [ {
            "about": "inventory", "scope": "account 210987654321", "account": "210987654321", "code": "access-denied",
            "message": "not authorized",
        } ],
        "requests": { "public.ecr.aws": 4, "ecr": 2, "lambda": 3 }
    })
}

#[test]
fn the_documented_example_is_valid_and_can_be_read() {
    let document = contract();
    assert_valid::<Report>(&document);
    let report: Report = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(serde_json::to_value(&report).unwrap(), document, "nothing is lost or made up");
}

#[test]
fn readers_accept_the_fields_of_later_versions() {
    let mut document = contract();
    document["findings"][0]["owner"] = json!("payments");
    document["findings"][0]["deployment"]["qualifier"] = json!("live");
    document["later"] = json!({ "much": "later" });
    assert_valid::<Report>(&document);
    assert!(serde_json::from_value::<Report>(document).is_ok());
}

#[test]
fn reports_of_earlier_versions_can_be_read() {
    let mut document = contract();
    let base = document["findings"][0]["base"].as_object_mut().unwrap();
    assert!(base.remove("confidence").is_some() && base.remove("chain").is_some());
    let report: Report = serde_json::from_value(document).unwrap();
    let base = report.findings[0].base.as_ref().unwrap();
    assert!(base.confidence.is_none() && base.chain.is_empty() && base.equal_releases.is_empty());
}

#[test]
fn the_schema_rejects_invalid_reports() {
    assert!(is_valid::<Report>(&contract()));
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut document = contract();
        change(&mut document);
        document
    };
    let table: [(&str, Value); 6] = [
        ("a missing verdict", broken(&|report| drop(report["findings"][0].as_object_mut().unwrap().remove("verdict")))),
        ("a missing base", broken(&|report| drop(report["findings"][0].as_object_mut().unwrap().remove("base")))),
        ("an unknown verdict", broken(&|report| report["findings"][0]["verdict"] = json!("rotten"))),
        ("no instant", broken(&|report| report["generated_at"] = json!("yesterday"))),
        ("a digest of 63 digits", broken(&|report| report["findings"][0]["image"]["digest"] = json!("sha256:0"))),
        ("a count in words", broken(&|report| report["summary"]["images"] = json!("two"))),
    ];
    for (what, document) in table {
        assert!(!is_valid::<Report>(&document), "{what}");
    }
}

#[test]
fn a_finding_without_a_base_has_a_null_base() {
    let finding: Finding = sample::report().findings.into_iter().find(|finding| finding.base.is_none()).unwrap();
    let value = serde_json::to_value(finding).unwrap();
    for key in ["base", "current", "behind", "runtime"] {
        assert!(value.as_object().unwrap().get(key).is_some_and(Value::is_null), "{key}");
    }
}

#[test]
fn every_reason_code_has_a_heading_and_vice_versa() {
    let verdicts = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdicts.md")).unwrap();
    let documented: Vec<_> = verdicts.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let codes: Vec<_> = ReasonCode::ALL.iter().map(|code| format!("`{code}`")).collect();
    assert_eq!(documented.len(), documented.iter().collect::<BTreeSet<_>>().len(), "one heading each: {documented:?}");
    assert_eq!(documented.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), codes.iter().cloned().collect());
    for section in verdicts.split("\n### ").skip(1) {
        let text = section.split("\n## ").next().unwrap_or_default();
        assert!(text.contains("**What to do:**"), "{text}");
    }
    let words = Verdict::ALL.iter().map(|verdict| verdict.as_str());
    let words = words.chain(Severity::ALL.iter().map(|severity| severity.as_str()));
    let actions =
        [Action::None, Action::Rebuild, Action::Redeploy, Action::Upgrade, Action::Restore, Action::Investigate];
    for word in words.chain(actions.iter().map(|action| action.as_str())) {
        assert!(verdicts.contains(&format!("| `{word}` |")), "{word} has no row");
    }
}
