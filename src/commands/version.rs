//! `basewatch version`: the version, commit and target of this build.

use std::{env::consts, fmt::Write as _};

use anyhow::Result;
use serde::Serialize;

use crate::{
    app::{ExitStatus, output::print},
    cli::{OutputFormat, VersionArgs},
    report::json,
};

/// What identifies a build.
#[derive(Clone, Debug, Serialize)]
struct BuildFields {
    /// The version of the package.
    version: &'static str,
    /// The commit; `None` if the build did not set `BASEWATCH_COMMIT`.
    commit: Option<&'static str>,
    /// The target triple.
    target: String,
}

/// This build.
fn build() -> BuildFields {
    BuildFields {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("BASEWATCH_COMMIT").filter(|commit| !commit.is_empty()),
        target: target(),
    }
}

/// The target triple, as `rustc` calls the systems that basewatch is built for.
fn target() -> String {
    let (vendor, system) = if cfg!(target_os = "macos") { ("apple", "darwin") } else { ("unknown", consts::OS) };
    let abi = match () {
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "musl") => "-musl",
        () => "",
    };
    format!("{}-{vendor}-{system}{abi}", consts::ARCH)
}

/// Prints the version.
///
/// # Errors
///
/// When standard output cannot be written.
pub fn run(args: &VersionArgs) -> Result<ExitStatus> {
    print(&match args.format {
        OutputFormat::Json => json::render(&build()),
        OutputFormat::Table => table(&build()),
    })?;
    Ok(ExitStatus::Clean)
}

fn table(BuildFields { version, commit, target }: &BuildFields) -> String {
    let mut text = format!("basewatch {version}\n");
    if let Some(commit) = commit {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "commit {commit}");
    }
    let _ = writeln!(text, "target {target}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_shown_if_the_build_knows_it() {
        let build = BuildFields { version: "1.2.3", commit: None, target: "x86_64-unknown-linux-gnu".to_owned() };
        assert_eq!(table(&build), "basewatch 1.2.3\ntarget x86_64-unknown-linux-gnu\n");
        let known = BuildFields { commit: Some("9c0a8d2"), ..build.clone() };
        assert_eq!(table(&known), "basewatch 1.2.3\ncommit 9c0a8d2\ntarget x86_64-unknown-linux-gnu\n");
    }
}
