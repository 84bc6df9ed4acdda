//! Packages of the program as their users get them: the zip file in cargo-lambda's emulator of Lambda, the tarball by
//! the GitHub Action, with signatures of `minisign`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::json;
use tempfile::TempDir;
use testbed::{
    bare::{in_folder, stdout},
    java_fleet::JavaFleet,
    peers::{self, tool},
    program_path, repository,
    runtime_api::Function,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A target of releases that this machine can run.
fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// The program without debug information, which Lambda does not take for its size.
fn stripped(folder: &Path) -> PathBuf {
    let program = folder.join("basewatch");
    tool(Command::new("strip").arg("-o").arg(&program).arg(program_path()));
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zip_file_answers_an_invocation_of_the_emulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, packages, unpacked) =
        (stripped(folder.path()), folder.path().join("packages"), folder.path().join("task"));
    let mut package = Command::new(repository().join("scripts/package"));
    tool(package.arg(target()).args([&program, &packages]).env("PACKAGE_LEVEL", "1"));
    let mut packages = fs::read_dir(&packages).expect("packages").map(|entry| entry.expect("an entry").path());
    let zip = packages.find(|path| path.extension().is_some_and(|is| is == "zip")).expect("a zip file");
    tool(Command::new("unzip").arg("-q").arg(zip).arg("-d").arg(&unpacked));

    let fleet = JavaFleet::start().with_old(&["orders"]);
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("a folder");
    // Lambda starts `bootstrap` without arguments.
    let bootstrap = in_folder(Command::new(unpacked.join("bootstrap")), &home);
    let emulator = peers::lambda_emulator();
    let function = Function::start(bootstrap, &format!("{}/.rt", emulator.http()));
    let url = format!("{}/2015-03-31/functions/_/invocations", emulator.http());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let event = json!({ "images": [format!("{}/orders:1", fleet.host())], "as_of": "2025-11-20" });
    let response = client.post(url).body(event.to_string()).send().await.expect("a response");
    let body = response.text().await.expect("a body");
    let report: serde_json::Value =
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}\n{}", function.log()));
    assert_eq!(report["findings"][0]["verdict"], "stale", "{report:#}");
}

/// A folder of releases with a key, and a job in which the action runs.
struct Releases {
    folder: TempDir,
    public_key: String,
}

impl Releases {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        tool(Command::new("minisign").args(["-G", "-W", "-p"]).arg(file("release.pub")).arg("-s").arg(file("key")));
        let public = fs::read_to_string(file("release.pub")).expect("a key");
        let public_key = public.lines().nth(1).expect("a key in the second line").to_owned();
        Self { folder, public_key }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tarball(version: &str) -> String {
        format!("basewatch-{version}-{}.tar.gz", target())
    }

    /// The tarball in the folder of a version.
    fn path(&self, version: &str) -> PathBuf {
        self.file(&format!("v{version}")).join(Self::tarball(version))
    }

    /// Publishes a signed release whose program is the built one.
    fn publish(&self, version: &str) {
        let tarball = self.path(version);
        let folder = tarball.parent().expect("a folder");
        let name = Self::tarball(version).replace(".tar.gz", "");
        let stage = self.file("stage").join(&name);
        fs::create_dir_all(&stage).expect("a folder");
        fs::create_dir_all(folder).expect("a folder");
        let program = stage.join("basewatch");
        fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", program_path().display())).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
        tool(Command::new("tar").arg("-C").arg(self.file("stage")).arg("-czf").arg(&tarball).arg(&name));
        tool(Command::new(repository().join("scripts/sign")).arg(folder).arg(self.file("key")));
    }

    /// Runs the step of the action with this key; `None` for that of the repository.
    fn step(&self, version: &str, key: Option<&str>) -> Output {
        let fleet = JavaFleet::start().with_new(&["fresh"]);
        let mut command = in_folder(Command::new(repository().join("scripts/action")), self.folder.path());
        command.env("RUNNER_TEMP", self.folder.path());
        command.env("GITHUB_OUTPUT", self.file("output")).env("GITHUB_STEP_SUMMARY", self.file("summary"));
        command.env("INPUT_IMAGES", format!("{}/fresh:1", fleet.host())).env("INPUT_FAIL_ON", "never");
        command.env("INPUT_VERSION", version).env("INPUT_PUBLIC_KEY", key.unwrap_or_default());
        command.env("INPUT_DOWNLOAD_URL", format!("file://{}", self.folder.path().display()));
        command.output().expect("the script starts")
    }

    /// The message of a step that has to refuse the release without running it.
    fn refusal(&self, version: &str, key: Option<&str>) -> String {
        let output = self.step(version, key);
        let log = stdout(&output);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(!log.contains("fresh:1"), "it ran: {log}");
        log
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_runs_a_release_that_is_signed_and_no_other() {
    let releases = Releases::new();
    let key = releases.public_key.clone();
    releases.publish(VERSION);
    let output = releases.step(VERSION, Some(&key));
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("fresh:1"), "{}", stdout(&output));

    let stranger = Releases::new();
    assert!(releases.refusal(VERSION, Some(&stranger.public_key)).contains("signature of"), "signed by another key");
    assert!(releases.refusal("9.9.9", Some(&key)).contains("cannot download"), "no such release");

    // Another release of ours under the name of this one.
    releases.publish("0.0.9");
    let (old, new) = (releases.file("v0.0.9"), releases.file("v9.9.9"));
    fs::rename(&old, &new).expect("another name");
    assert!(releases.refusal("9.9.9", Some(&key)).contains("SHA256SUMS does not list"), "a replaced release");

    let mut changed = fs::read(releases.path(VERSION)).expect("a tarball");
    changed.push(0);
    fs::write(releases.path(VERSION), &changed).expect("a file");
    assert!(releases.refusal(VERSION, Some(&key)).contains("does not have the checksum"), "a changed tarball");

    // Checksums that fit the changed tarball, without the key.
    let folder = releases.file(&format!("v{VERSION}"));
    let signature = fs::read(folder.join("SHA256SUMS.minisig")).expect("a signature");
    tool(Command::new(repository().join("scripts/sign")).arg(&folder).arg("--unsigned"));
    assert!(releases.refusal(VERSION, Some(&key)).contains("cannot download"), "an unsigned release");
    fs::write(folder.join("SHA256SUMS.minisig"), signature).expect("a file");
    assert!(releases.refusal(VERSION, Some(&key)).contains("signature of"), "changed checksums");
}
