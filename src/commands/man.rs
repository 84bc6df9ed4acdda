//! `basewatch man`: manual pages.

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::{
    app::{ExitStatus, output::print},
    cli::{Cli, ManArgs},
};

/// Prints the main page, or writes the pages of all commands to a folder.
pub fn run(args: &ManArgs) -> anyhow::Result<ExitStatus> {
    if let Some(folder) = &args.folder {
        clap_mangen::generate_to(Cli::command(), folder)
            .with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
        return Ok(ExitStatus::Clean);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    print(&String::from_utf8(page)?)?;
    Ok(ExitStatus::Clean)
}
