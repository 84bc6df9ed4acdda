//! `basewatch completions`: shell completions.

use clap::CommandFactory as _;

use crate::{
    app::{ExitStatus, output::print},
    cli::{Cli, CompletionsArgs},
};

/// Prints the completions for a shell.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "basewatch", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(ExitStatus::Clean)
}
