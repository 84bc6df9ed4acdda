//! `basewatch convert`: a saved report in other formats.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use basewatch::{
    report::{Report, csv, json, markdown, sarif},
    store::{FolderStore, write_parts},
};
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use testbed::{bare::basewatch, sample};

/// A folder with the report of the sample, and that report.
fn saved() -> (TempDir, Report) {
    let (folder, report) = (tempfile::tempdir().expect("a temporary folder"), sample::report());
    fs::write(folder.path().join("report.json"), json::render(&report)).expect("a writable folder");
    (folder, report)
}

fn convert(folder: &Path, args: &[&str]) -> Output {
    let mut command: Command = basewatch(folder);
    command.current_dir(folder).arg("convert").args(args).stdin(Stdio::null()).output().expect("the program starts")
}

/// Standard output of a run that must succeed.
fn converted(folder: &Path, args: &[&str]) -> String {
    let output = convert(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_report_is_rendered_as_the_audit_would_have_rendered_it() {
    let (folder, report) = saved();
    for (format, expected) in [
        ("json", json::render(&report)),
        ("markdown", markdown::render(&report)),
        ("csv", csv::render(&report)),
        ("sarif", sarif::render(&report)),
    ] {
        assert_eq!(converted(folder.path(), &["report.json", "-f", format]), expected, "{format}");
    }
    assert!(converted(folder.path(), &["report.json"]).contains("stale"), "the table is the default");
    let printed =
        converted(folder.path(), &["report.json", "-f", "json", "-o", "report.html", "-o", "-", "-o", "again.json"]);
    let again = fs::read_to_string(folder.path().join("again.json")).expect("a second report");
    assert_eq!((printed, again.clone()), (again, json::render(&report)));
    assert!(fs::read_to_string(folder.path().join("report.html")).expect("a page").starts_with("<!doctype html>"));
}

#[test]
fn a_report_is_read_from_standard_input_and_from_a_compressed_file() {
    let (folder, report) = saved();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(json::render(&report).as_bytes()).expect("memory");
    fs::write(folder.path().join("report.json.gz"), encoder.finish().expect("memory")).expect("a writable folder");
    assert_eq!(converted(folder.path(), &["report.json.gz", "-f", "csv"]), csv::render(&report));
    let mut child = basewatch(folder.path())
        .args(["convert", "-", "-f", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("piped").write_all(json::render(&report).as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), csv::render(&report));
}

#[tokio::test]
async fn a_stored_report_is_read_with_its_parts() {
    let (folder, report) = saved();
    let root = folder.path().join("store");
    let lines: Vec<_> = report.findings.iter().map(|finding| json::compact(finding).into_bytes()).collect();
    let store = FolderStore::new(root.clone());
    let parts = write_parts(&store, "reports/2026/11/20/run", lines.into_iter(), &[]).await.expect("a writable folder");
    let stored = Report { findings: Vec::new(), parts, ..report.clone() };
    fs::write(root.join("reports/latest.json"), json::render(&stored)).expect("a writable folder");
    assert_eq!(converted(folder.path(), &["store/reports/latest.json", "-f", "csv"]), csv::render(&report));
    fs::copy(root.join("reports/latest.json"), folder.path().join("alone.json")).expect("a copy");
    let alone = convert(folder.path(), &["alone.json"]);
    assert_eq!(alone.status.code(), Some(2));
    let message = String::from_utf8_lossy(&alone.stderr);
    assert!(message.contains("alone.json lists its findings in parts: convert it in its store"), "{message}");
}

#[test]
fn what_is_no_report_is_refused_with_what_was_found() {
    let (folder, report) = saved();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a writable folder");
    write("other.json", "{\"schema\": \"basewatch.base/v1\"}");
    write("newer.json", &json::render(&report).replacen("basewatch.report/v1", "basewatch.report/v9", 1));
    write("none.json", "{\"findings\": []}");
    write("broken.json", "{\"schema\": \"basewatch.report/v1\", \"findings\": 7}");
    write("text.json", "not JSON");
    write("empty.json", "");
    for (file, expected) in [
        (
            "other.json",
            "error: other.json: the document has the schema \"basewatch.base/v1\"; convert reads \"basewatch.report/v1\"",
        ),
        ("newer.json", "\"basewatch.report/v9\"; convert reads \"basewatch.report/v1\""),
        ("none.json", "the document has no schema; convert reads \"basewatch.report/v1\""),
        ("broken.json", "broken.json: not a valid basewatch.report/v1: "),
        ("text.json", "text.json: not a JSON report: "),
        ("empty.json", "empty.json: not a JSON report: "),
        ("missing.json", "error: cannot read missing.json: No such file"),
        ("s3://bucket/report.json", "write s3://BUCKET/PREFIX/reports/latest.json"),
    ] {
        let output = convert(folder.path(), &[file, "-o", "out.html"]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(message.contains(expected), "{file}: {message}");
        assert!(!folder.path().join("out.html").exists(), "{file}");
    }
}
