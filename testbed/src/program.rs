//! Runs the built binary with its own folder, a cleaned environment and a configuration.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{peers::clean, program_path, repository};

/// A user's machine: a home of its own, with a configuration and a catalog in it.
pub struct Program {
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// What a run printed.
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Program {
    /// A machine with this configuration.
    pub fn with_config(config: &str) -> Self {
        let home = tempfile::Builder::new().prefix("basewatch-home-").tempdir().expect("a temporary folder");
        fs::write(home.path().join("basewatch.toml"), config).expect("a file written");
        Self { home, environment: Vec::new() }
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// With AWS credentials, and `endpoint` in place of AWS.
    pub fn aws(self, endpoint: String) -> Self {
        self.env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The command with these arguments, its configuration among them.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program_path());
        clean(&mut command).args(arguments).current_dir(self.home());
        for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.env("HOME", self.home()).env("BASEWATCH_CONFIG", self.home().join("basewatch.toml"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Printed {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the binary starts");
        Printed {
            code: status.code().expect("an exit code, not a signal"),
            output: String::from_utf8(stdout).expect("UTF-8 on standard output"),
            errors: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Audits as of `now` and returns the exit code and the report, which has to follow its schema.
    pub fn audit(&self, now: &str, arguments: &[&str]) -> (i32, Value) {
        let mut all = vec!["audit", "--format", "json", "--as-of", now];
        all.extend_from_slice(arguments);
        let printed = self.run(&all);
        let report = serde_json::from_str(&printed.output).unwrap_or_else(|error| {
            panic!("no report ({error}), exit code {}:\n{}\n{}", printed.code, printed.output, printed.errors)
        });
        assert_follows_schema(&report);
        (printed.code, report)
    }
}

fn assert_follows_schema(report: &Value) {
    let path = repository().join("schema/report.schema.json");
    let schema = fs::read_to_string(&path).expect("the schema of the report");
    let schema: Value = serde_json::from_str(&schema).expect("a schema in JSON");
    let schema = jsonschema::validator_for(&schema).expect("a valid schema");
    let problems: Vec<String> = schema.iter_errors(report).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "the report breaks its schema: {problems:#?}\n{report:#}");
}

/// The finding of the deployment called `name`.
pub fn finding<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut found = findings(report).iter().filter(|finding| finding["deployment"]["name"] == name);
    let finding = found.next().unwrap_or_else(|| panic!("no finding of {name} in {report:#}"));
    assert!(found.next().is_none(), "{name} has more than one finding in {report:#}");
    finding
}

/// The finding with this id.
pub fn with_id<'a>(report: &'a Value, id: &str) -> &'a Value {
    let mut found = findings(report).iter().filter(|finding| finding["id"] == id);
    found.next().unwrap_or_else(|| panic!("no finding {id} in {report:#}"))
}

/// All findings.
pub fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().expect("a list of findings")
}

/// The codes of a finding's reasons.
pub fn codes(finding: &Value) -> Vec<&str> {
    let reasons = finding["reasons"].as_array().expect("a list of reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code")).collect()
}
