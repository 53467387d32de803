//! Standard output, of which can be told apart whether its reader went away or somebody else did.

use std::error::Error;
use std::io::{ErrorKind, Write};

use thiserror::Error;

/// Whoever read our output has seen enough, as `head` has. Carried by the error of the write that found it out: a connection
/// that broke, the daemon's say, fails with the same kind of error and must not be taken for this.
#[derive(Debug, Error)]
#[error("nobody reads the output any more")]
struct ReaderGone;

/// Standard output.
pub(super) struct Output {
    to: std::io::Stdout,
    /// Whether the command goes on without a reader.
    verdict: bool,
}

/// Standard output of a command that may end when nobody reads it any more.
pub(super) fn output() -> Output {
    Output { to: std::io::stdout(), verdict: false }
}

/// Standard output of a command whose exit status is a verdict: it is given also if nobody reads the rest.
pub(super) fn beside_verdict() -> Output {
    Output { to: std::io::stdout(), verdict: true }
}

impl Output {
    fn judged<T>(&self, done: std::io::Result<T>, instead: T) -> std::io::Result<T> {
        match done {
            Err(error) if error.kind() == ErrorKind::BrokenPipe && self.verdict => Ok(instead),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Err(std::io::Error::new(ErrorKind::BrokenPipe, ReaderGone))
            }
            done => done,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let done = self.to.write(bytes);
        self.judged(done, bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let done = self.to.flush();
        self.judged(done, ())
    }
}

/// Whether an error, or what it came of, is that the reader of our output went away.
pub(super) fn is_reader_gone(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        let io = error.downcast_ref::<std::io::Error>();
        let io = io.or_else(|| match error.downcast_ref::<csv::Error>().map(csv::Error::kind) {
            Some(csv::ErrorKind::Io(io)) => Some(io),
            _ => None,
        });
        if io.and_then(std::io::Error::get_ref).is_some_and(|inner| inner.is::<ReaderGone>()) {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CliError;
    use crate::control::ControlError;
    use crate::settle::ScrollError;

    fn gone() -> std::io::Error {
        std::io::Error::new(ErrorKind::BrokenPipe, ReaderGone)
    }

    #[test]
    fn only_our_own_output_has_no_reader_any_more() {
        let broken = || std::io::Error::from(ErrorKind::BrokenPipe);
        let table: [(CliError, bool); 6] = [
            (CliError::io("writing")(gone()), true),
            (ScrollError::Flush(gone()).into(), true),
            (ScrollError::Write(gone().into()).into(), true),
            (CliError::Control(ControlError::Io(broken())), false),
            (CliError::io("writing a file")(broken()), false),
            (CliError::io("writing")(ErrorKind::StorageFull.into()), false),
        ];
        for (error, want) in table {
            assert_eq!(is_reader_gone(&error), want, "{error}");
        }
    }
}
