//! Logging to standard error. Standard output is reserved for reports.

use tracing_subscriber::{
    EnvFilter,
    filter::{Directive, LevelFilter},
};

/// Libraries that log credentials at debug and trace level.
const CAPPED: [&str; 9] = [
    "aws_config=info",
    "aws_runtime=info",
    "aws_sigv4=info",
    "aws_smithy_http_client=info",
    "aws_smithy_runtime=info",
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
];

/// The verbosity flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbosity {
    /// The number of `--verbose` flags.
    pub verbose: u8,
    /// Whether `--quiet` was given.
    pub is_quiet: bool,
}

impl Verbosity {
    /// The filter: from the flags, else `configured` (`BASEWATCH_LOG`), else warnings of basewatch.
    fn filter(self, configured: Option<&str>) -> &str {
        match (self.is_quiet, self.verbose) {
            (true, _) => "error",
            // Warnings of libraries also surface as errors of basewatch.
            (false, 0) => configured.unwrap_or("error,basewatch=warn"),
            (false, 1) => "error,basewatch=info",
            (false, 2) => "info,basewatch=debug",
            (false, _) => "debug,basewatch=trace",
        }
    }
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `BASEWATCH_LOG` is malformed.
    #[error(
        "BASEWATCH_LOG: {0:?} is not a log filter: write a level (error, warn, info, debug, trace), as in \"info\" or \"warn,basewatch=debug\""
    )]
    Filter(String),
    /// A subscriber is already set.
    #[error("logging is already set up")]
    Twice,
}

/// Starts logging to standard error.
///
/// `configured` is the filter of `BASEWATCH_LOG`; flags override it. Libraries that log credentials stay at `info`.
pub fn init(verbosity: Verbosity, configured: Option<&str>, is_colored: bool) -> Result<(), Error> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(verbosity, configured)?)
        .with_writer(std::io::stderr)
        .with_ansi(is_colored)
        .with_target(verbosity.verbose > 1)
        .without_time()
        // Do not fail when standard error is closed.
        .log_internal_errors(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)
}

fn filter(verbosity: Verbosity, configured: Option<&str>) -> Result<EnvFilter, Error> {
    let text = verbosity.filter(configured);
    let filter = EnvFilter::try_new(text).map_err(|_| Error::Filter(text.to_owned()))?;
    if let Some(word) = text.split(',').map(str::trim).find(|word| is_mistyped(word)) {
        return Err(Error::Filter(word.to_owned()));
    }
    // A cap must not enable more than the filter does.
    if filter.max_level_hint().is_some_and(|level| level <= LevelFilter::WARN) || !asks_for_libraries(text) {
        return Ok(filter);
    }
    let capped = CAPPED.iter().map(|text| text.parse::<Directive>().expect("a valid directive"));
    Ok(capped.fold(filter, EnvFilter::add_directive))
}

/// Whether `word` is a misspelled level. The filter would treat it as a module name and drop all other events.
fn is_mistyped(word: &str) -> bool {
    let is_bare = word.chars().all(|c| c.is_ascii_alphabetic());
    is_bare && !word.is_empty() && word != "basewatch" && word.parse::<LevelFilter>().is_err()
}

/// Whether `text` enables more than warnings of libraries.
fn asks_for_libraries(text: &str) -> bool {
    text.split(',').map(str::trim).any(|word| {
        let level = word.rsplit('=').next().unwrap_or(word);
        !word.starts_with("basewatch") && level.parse::<LevelFilter>().map_or(true, |level| level > LevelFilter::WARN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Verbosity = Verbosity { verbose: 0, is_quiet: false };

    #[test]
    fn flags_override_the_variable() {
        assert_eq!(PLAIN.filter(None), "error,basewatch=warn");
        assert_eq!(PLAIN.filter(Some("debug")), "debug");
        assert_eq!(Verbosity { verbose: 1, ..PLAIN }.filter(Some("trace")), "error,basewatch=info");
        assert_eq!(Verbosity { is_quiet: true, ..PLAIN }.filter(Some("trace")), "error");
    }

    #[test]
    fn libraries_that_log_credentials_stay_at_info() {
        for asked in ["trace", "h2=trace,hyper=debug"] {
            let filter = filter(PLAIN, Some(asked)).expect("a valid filter").to_string();
            assert!(filter.contains("h2=info") && !filter.contains("h2=trace"), "{filter}");
            assert!(filter.contains("hyper=info") && !filter.contains("hyper=debug"), "{filter}");
        }
    }

    #[test]
    fn libraries_log_only_errors_by_default() {
        for verbose in [0, 1] {
            let filter = filter(Verbosity { verbose, ..PLAIN }, None).expect("a valid filter").to_string();
            assert!(!filter.contains("aws_config"), "{filter}");
        }
    }

    #[test]
    fn a_malformed_filter_is_quoted_in_the_error() {
        let error = filter(PLAIN, Some("inof")).expect_err("no level").to_string();
        assert!(error.starts_with("BASEWATCH_LOG: \"inof\""), "{error}");
        let error = filter(PLAIN, Some("basewatch=loud")).expect_err("no level").to_string();
        assert!(error.starts_with("BASEWATCH_LOG: \"basewatch=loud\""), "{error}");
    }
}
