//! The capabilities of the terminal.

use std::io::{self, IsTerminal as _};

use crate::{
    cli::{ColorWhen, GlobalArgs},
    config::EnvironmentVariables,
};

/// The capabilities of the terminal and the output flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// Whether standard output is colored.
    pub is_colored: bool,
    /// Whether progress is shown on standard error.
    pub has_progress: bool,
    /// The width of standard output in columns; `None` if it is not a terminal.
    pub width: Option<usize>,
    /// `--verbose`: whether reports show everything.
    pub show_all: bool,
}

impl Console {
    /// The console of this process, as `global` and `environment` say.
    #[must_use]
    pub fn new(global: &GlobalArgs, environment: &EnvironmentVariables) -> Self {
        Self {
            is_colored: is_colored(global.color, environment, io::stdout().is_terminal()),
            has_progress: io::stderr().is_terminal() && !global.quiet && global.verbose == 0,
            width: console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)),
            show_all: global.verbose > 0,
        }
    }
}

/// Whether to use colors. `NO_COLOR` follows <https://no-color.org>: set and not empty.
#[must_use]
pub fn is_colored(when: ColorWhen, environment: &EnvironmentVariables, is_terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            is_terminal && environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_follow_the_flag_the_terminal_and_no_color() {
        let plain = EnvironmentVariables::default();
        let without: EnvironmentVariables = [("NO_COLOR".to_owned(), "1".to_owned())].into_iter().collect();
        let empty: EnvironmentVariables = [("NO_COLOR".to_owned(), String::new())].into_iter().collect();
        let dumb: EnvironmentVariables = [("TERM".to_owned(), "dumb".to_owned())].into_iter().collect();
        assert!(is_colored(ColorWhen::Auto, &plain, true) && is_colored(ColorWhen::Auto, &empty, true));
        assert!(!is_colored(ColorWhen::Auto, &plain, false));
        assert!(!is_colored(ColorWhen::Auto, &without, true) && !is_colored(ColorWhen::Auto, &dumb, true));
        assert!(is_colored(ColorWhen::Always, &without, false) && !is_colored(ColorWhen::Never, &plain, true));
    }
}
