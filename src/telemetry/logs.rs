//! Logs: for people on a terminal, JSON otherwise. Nothing that is logged anywhere holds more of a PAN than its first six
//! and last four digits.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// Why logging could not start.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter does not read as one.
    #[error("the log filter: {0}; want a level such as `info`, or `warn,billswitch::leg=info`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something has set up logging before.
    #[error("logging is set up already")]
    Twice,
}

/// Starts logging to standard error: everything that passes `filter`.
///
/// # Errors
///
/// [`LogError`].
pub fn start_logs(filter: &str) -> Result<(), LogError> {
    let builder =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(filter)?).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|_| LogError::Twice)
}
