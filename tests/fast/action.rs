//! The GitHub Action of `action.yml`: its step with a given program, and its inputs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{
    bare::{in_folder, stderr, stdout},
    java_fleet::JavaFleet,
    program_path, repository,
};

/// A job in an empty folder, in which the step runs with inputs.
struct Job {
    folder: TempDir,
    fleet: JavaFleet,
}

impl Job {
    fn new() -> Self {
        let fleet = JavaFleet::start().with_old(&["orders"]).with_new(&["fresh"]);
        Self { folder: tempfile::tempdir().unwrap(), fleet }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the step with the inputs of `action.yml` that are not empty.
    fn step(&self, inputs: &[(&str, &str)]) -> Output {
        for file in ["output", "summary"] {
            fs::write(self.path().join(file), "").unwrap();
        }
        let mut command = in_folder(Command::new(repository().join("scripts/action")), self.path());
        command.env("RUNNER_TEMP", self.path());
        command.env("GITHUB_OUTPUT", self.path().join("output"));
        command.env("GITHUB_STEP_SUMMARY", self.path().join("summary"));
        command.env("INPUT_BINARY", program_path()).env("INPUT_FORMAT", "table");
        command.envs(inputs.iter().copied()).output().unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    fn image(&self, name: &str) -> String {
        format!("{}/{name}:1", self.fleet.host())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_base_fails_the_step_and_is_in_summary_log_and_sarif() {
    let job = Job::new();
    let images = format!("\n  {}\n  {}\n", job.image("orders"), job.image("fresh"));
    let inputs = [("INPUT_IMAGES", images.as_str()), ("INPUT_FAIL_ON", "stale"), ("INPUT_OUTPUT", "basewatch.sarif")];
    let output = job.step(&inputs);
    let log = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{log}\n{}", stderr(&output));
    assert!(log.contains("orders:1") && log.contains("::error title=basewatch::a base is outdated"), "{log}");
    assert_eq!(job.read("output"), "exit-code=1\nreport=basewatch.sarif\n");
    assert!(job.read("summary").starts_with("## basewatch: "), "{}", job.read("summary"));
    assert!(job.read("summary").contains("| **stale** |"), "{}", job.read("summary"));
    let sarif: Value = serde_json::from_str(&job.read("basewatch.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_succeeds_below_fail_on_and_warns_if_the_audit_is_incomplete() {
    let job = Job::new();
    let orders = job.image("orders");
    let output = job.step(&[("INPUT_IMAGES", &orders), ("INPUT_FAIL_ON", "never")]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(job.read("output"), "exit-code=0\n");
    // A layout without its blobs: the audit is incomplete.
    let layout = job.path().join("layout");
    fs::create_dir(&layout).unwrap();
    fs::write(layout.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let manifest = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 2 });
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string()).unwrap();
    let output = job.step(&[("INPUT_IMAGES", "oci:layout")]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("::warning title=basewatch::the audit is incomplete"), "{}", stdout(&output));
    assert_eq!(job.read("output"), "exit-code=3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_names_inventory_and_thresholds() {
    let job = Job::new();
    let configuration = format!(
        "[policy]\nmax_age = \"20000d\"\ngrace = \"20000d\"\n[inventory]\nimages = [{{ references = {} }}]\n",
        job.fleet.references(&["orders"])
    );
    fs::write(job.path().join("audit.toml"), configuration).unwrap();
    let output = job.step(&[("INPUT_CONFIG", "audit.toml"), ("INPUT_FORMAT", "json")]);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", stdout(&output), stderr(&output));
    let log = stdout(&output);
    let report = &log[log.find('{').unwrap()..=log.rfind('}').unwrap()];
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["findings"][0]["verdict"], "superseded");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_does_not_read_commands_in_the_report() {
    let job = Job::new();
    let output = job.step(&[("INPUT_IMAGES", &job.image("fresh")), ("INPUT_FAIL_ON", "never")]);
    let log = stdout(&output);
    let (before, rest) = log.split_once("::stop-commands::").unwrap();
    let (token, rest) = rest.split_once('\n').unwrap();
    let (report, after) = rest.split_once(&format!("\n::{token}::\n")).unwrap();
    assert!(token.len() == 32 && report.contains("fresh:1"), "{log}");
    assert!(!before.contains("fresh:1") && !after.contains("fresh:1"), "{log}");
    let again = stdout(&job.step(&[("INPUT_IMAGES", &job.image("fresh"))]));
    assert!(!again.contains(token), "a report cannot know the token");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_never_code_or_an_option() {
    let job = Job::new();
    let (escape, option) = ("$(touch${IFS}escaped) `touch${IFS}escaped` ; *", "--output=escaped");
    for images in [escape, option] {
        let output = job.step(&[("INPUT_IMAGES", images)]);
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        assert_eq!(job.read("output"), "exit-code=2\n");
    }
    let output = job.step(&[("INPUT_BINARY", "missing")]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stdout(&output).contains("missing is not a program"), "{}", stdout(&output));
    let output = job.step(&[("INPUT_BINARY", ""), ("INPUT_VERSION", "1.0/../x")]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stdout(&output).contains("version is '1.0/../x'"), "{}", stdout(&output));
    assert!(!job.path().join("escaped").exists());
}

#[test]
fn inputs_reach_the_script_by_environment_only_and_are_documented() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (action, script) = (read("action.yml"), read("scripts/action"));
    let page = read("docs/deploy/github-actions.md");
    let (_, inputs) = action.split_once("\ninputs:\n").unwrap();
    let (inputs, rest) = inputs.split_once("\noutputs:\n").unwrap();
    let (outputs, steps) = rest.split_once("\nruns:\n").unwrap();
    let names = |section: &str| -> BTreeSet<String> {
        let keys = section.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
        keys.filter(|key| !key.starts_with(' ')).map(str::to_owned).collect()
    };
    let inputs_named = names(inputs);
    assert_eq!(inputs_named.len(), 9, "{inputs_named:?}");
    for name in &inputs_named {
        let variable = format!("INPUT_{}", name.to_uppercase().replace('-', "_"));
        assert!(steps.contains(&format!("        {variable}: ${{{{ inputs.{name} }}}}\n")), "{name} is not passed");
        assert!(script.contains(&variable), "{variable} is not used");
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not documented");
    }
    for name in names(outputs) {
        assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
        assert!(script.contains(&format!("output {name} ")), "{name} is not written");
    }
    let run: Vec<_> = steps.lines().filter(|line| line.trim().starts_with("run:")).collect();
    assert_eq!(run, ["      run: '\"$GITHUB_ACTION_PATH/scripts/action\"'"]);
}
