//! `basewatch man`: manual pages.

use std::{fs, path::Path};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::{
    app::{ExitStatus, output::print},
    cli::{Cli, ManArgs},
};

/// The section of `clap_mangen` for the text after the options.
const EXTRA: &str = ".SH EXTRA\n";

/// Prints the main page, or writes the pages of all commands to a folder.
pub fn run(args: &ManArgs) -> anyhow::Result<ExitStatus> {
    if let Some(folder) = &args.folder {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        write_pages(command, folder).with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
        return Ok(ExitStatus::Clean);
    }
    print(&page(&Man::new(Cli::command()))?)?;
    Ok(ExitStatus::Clean)
}

/// Writes the pages of `command` and of the commands below it.
fn write_pages(command: Command, folder: &Path) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below.clone(), folder)?;
    }
    let man = Man::new(command);
    Ok(fs::write(folder.join(man.get_filename()), page(&man)?)?)
}

fn page(man: &Man) -> anyhow::Result<String> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    let page = String::from_utf8(page)?;
    Ok(match page.split_once(EXTRA) {
        Some((before, extra)) => format!("{before}{}", unfilled(extra)),
        None => page,
    })
}

/// The paragraphs of `extra`, each a title with a colon and indented lines, as sections whose lines are not filled:
/// commands that can be copied.
fn unfilled(extra: &str) -> String {
    let mut lines = Vec::new();
    let mut is_open = false;
    for line in extra.lines() {
        let is_title = line.ends_with(':') && !line.starts_with([' ', '.']);
        if is_open && (is_title || line.starts_with('.')) {
            lines.push(".fi".to_owned());
            is_open = false;
        }
        if is_title {
            lines.push(format!(".SH \"{}\"", line.trim_end_matches(':').to_uppercase()));
            lines.push(".nf".to_owned());
            is_open = true;
        } else if !is_open {
            lines.push(line.to_owned());
        } else if let Some(line) = Some(line.trim_start()).filter(|line| !line.is_empty()) {
            // A line that begins with a period or an apostrophe would be a request.
            let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
            lines.push(format!("{guard}{line}"));
        }
    }
    lines.extend(is_open.then(|| ".fi".to_owned()));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_paragraph_are_not_filled() {
        let extra = "Examples:\n  basewatch audit\n  .hidden\n\nExit codes:\n  0  no finding\n.SH VERSION\nv0.1.0\n";
        let expected = ".SH \"EXAMPLES\"\n.nf\nbasewatch audit\n\\&.hidden\n.fi\n.SH \"EXIT CODES\"\n.nf\n\
                        0  no finding\n.fi\n.SH VERSION\nv0.1.0\n";
        assert_eq!(unfilled(extra), expected);
    }
}
