//! What is said on standard error while a run goes on. Standard output is the report and nothing else.

use tracing_subscriber::{EnvFilter, filter::Directive};

/// Libraries whose finer levels write out requests with their credentials.
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

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbosity {
    /// How often `--verbose` was given.
    pub verbose: u8,
    /// Whether `--quiet` was given.
    pub is_quiet: bool,
}

impl Verbosity {
    /// The filter: that of the flags, else `configured` (of `BASEWATCH_LOG`), else warnings.
    fn filter(self, configured: Option<&str>) -> &str {
        match (self.is_quiet, self.verbose) {
            (true, _) => "error",
            (false, 0) => configured.unwrap_or("warn"),
            (false, 1) => "warn,basewatch=info",
            (false, 2) => "info,basewatch=debug",
            (false, _) => "debug,basewatch=trace",
        }
    }
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter of `BASEWATCH_LOG` is malformed.
    #[error(
        "BASEWATCH_LOG: {0:?} is no log filter: write a level (error, warn, info, debug, trace), as in \"info\" or \"warn,basewatch=debug\""
    )]
    Filter(String),
    /// There is a subscriber already.
    #[error("logging is set up twice")]
    Twice,
}

/// Starts to write events to standard error.
///
/// `configured` is the filter of `BASEWATCH_LOG`; flags win over it. Whatever they ask for, the
/// libraries that would write credentials into the log stay at `info`.
pub fn init(verbosity: Verbosity, configured: Option<&str>, is_colored: bool) -> Result<(), Error> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(verbosity, configured)?)
        .with_writer(std::io::stderr)
        .with_ansi(is_colored)
        .with_target(verbosity.verbose > 1)
        .without_time()
        // A closed standard error is no reason to fail.
        .log_internal_errors(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)
}

fn filter(verbosity: Verbosity, configured: Option<&str>) -> Result<EnvFilter, Error> {
    let text = verbosity.filter(configured);
    let filter = EnvFilter::try_new(text).map_err(|_| Error::Filter(text.to_owned()))?;
    let capped = CAPPED.iter().map(|text| text.parse::<Directive>().expect("a valid directive"));
    Ok(if text == "error" { filter } else { capped.fold(filter, EnvFilter::add_directive) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Verbosity = Verbosity { verbose: 0, is_quiet: false };

    #[test]
    fn flags_win_over_the_variable() {
        assert_eq!(PLAIN.filter(None), "warn");
        assert_eq!(PLAIN.filter(Some("debug")), "debug");
        assert_eq!(Verbosity { verbose: 1, ..PLAIN }.filter(Some("trace")), "warn,basewatch=info");
        assert_eq!(Verbosity { is_quiet: true, ..PLAIN }.filter(Some("trace")), "error");
    }

    #[test]
    fn libraries_that_log_credentials_stay_quiet() {
        for asked in ["trace", "h2=trace,hyper=debug"] {
            let filter = filter(PLAIN, Some(asked)).expect("a valid filter").to_string();
            assert!(filter.contains("h2=info") && !filter.contains("h2=trace"), "{filter}");
            assert!(filter.contains("hyper=info") && !filter.contains("hyper=debug"), "{filter}");
        }
    }

    #[test]
    fn a_malformed_filter_is_named() {
        let error = filter(PLAIN, Some("basewatch=loud")).expect_err("no level").to_string();
        assert!(error.starts_with("BASEWATCH_LOG: \"basewatch=loud\""), "{error}");
    }
}
