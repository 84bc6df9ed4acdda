//! The built program in an empty folder, without the environment of the tests.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::program_path;

/// The program, with its home in `folder`.
pub fn basewatch(folder: &Path) -> Command {
    in_folder(Command::new(program_path()), folder)
}

/// Any program, with its home in `folder`.
pub fn in_folder(mut command: Command, folder: &Path) -> Command {
    let is_setting =
        |name: &str| ["AWS_", "BASEWATCH_", "DOCKER_", "OTEL_", "XDG_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os() {
        if is_setting(&name.to_string_lossy()) {
            command.env_remove(&name);
        }
    }
    command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true");
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// What it printed on standard output, which is UTF-8.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// What it printed on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
