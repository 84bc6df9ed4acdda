//! What the tests and benchmarks of basewatch share.
//!
//! [`aws`] emulates the services that basewatch calls, below the SDK or over HTTP, with faults, quotas and a record of
//! the calls. [`registry`] serves images over HTTP, with the peculiarities of ECR Public on demand. The rest is
//! registries, stores and channels with faults, sample reports, and the peers that `scripts/test` installs.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

pub mod alerts_rig;
pub mod allowed;
pub mod aws;
pub mod bare;
pub mod bucket;
pub mod company;
pub mod company_report;
pub mod confusion;
pub mod counter;
pub mod forge;
pub mod held_out;
pub mod history;
pub mod hostile_report;
pub mod java_fleet;
pub mod mailbox;
pub mod many;
pub mod memory_store;
pub mod messages;
pub mod peers;
pub mod poison;
pub mod program;
pub mod registry;
pub mod release_history;
pub mod runtime_api;
pub mod sample;
pub mod seed;
pub mod serve_rig;
pub mod toxic;
pub mod toxic_client;
pub mod world;

/// The folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("testbed is a folder of the repository")
}

/// The built program, which benchmarks may replace by another build.
///
/// # Panics
///
/// Outside of integration tests and benchmarks, for which Cargo builds the program.
pub fn program_path() -> PathBuf {
    // nextest sets the first, Cargo the second.
    let built =
        ["BASEWATCH_PROGRAM", "NEXTEST_BIN_EXE_basewatch", "CARGO_BIN_EXE_basewatch"].into_iter().find_map(env::var_os);
    built.map(|path: OsString| path.into()).expect("Cargo sets the path of the program for integration tests")
}

/// Runs the ignored test `name` of this test program in a process of its own, with further environment `variables`.
///
/// # Panics
///
/// If it fails.
pub fn run_alone<V: AsRef<OsStr>>(name: &str, variables: impl IntoIterator<Item = (&'static str, V)>) {
    let program = env::current_exe().expect("this test program");
    let output =
        Command::new(program).args(["--ignored", "--exact", name]).envs(variables).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
