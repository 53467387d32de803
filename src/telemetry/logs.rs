//! Logs: for people on a terminal, JSON otherwise. Nothing that is logged anywhere holds more of a PAN than its first six
//! and last four digits.
//!
//! A log that cannot be written (a full disk, a reader that went away, or one that does not read) is no reason to serve
//! nobody: its lines are lost, and the next one that can be written says how many. Nor does anybody ever wait for it: lines are
//! logged between a turn's commit and its answers.

use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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
        // What the subscriber says of a write that failed it prints where that write went, and panics when that fails too.
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_new(filter)?)
            .log_internal_errors(false)
            .with_writer(|| Lossy { to: Unwaiting(std::io::stderr().lock()), lost: &LOST });
    let started = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|_| LogError::Twice)
}

/// Lines that could not be written since the last one that could.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Takes every line: one that cannot be written is counted, and the first after that which can be is followed by the count.
struct Lossy<'a, W> {
    to: W,
    lost: &'a AtomicU64,
}

impl<W: Write> Write for Lossy<'_, W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.to.write_all(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        // As programs read lines; people can read it too.
        if lost > 0
            && writeln!(
                self.to,
                "{{\"level\":\"WARN\",\"message\":\"lines of the log were lost\",\"lines\":{lost}}}"
            )
            .is_err()
        {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A pipe, a socket or a terminal that says that it takes bytes takes so many without waiting (POSIX: `PIPE_BUF`).
const TAKEN_BYTES: usize = 4096;

/// Writes only what is taken at once: else it is an error. What it writes to must be locked, or another thread could take the
/// room that was found.
struct Unwaiting<W>(W);

impl<W: Write + AsFd> Write for Unwaiting<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut ready = [PollFd::new(&self.0, PollFlags::OUT)];
        // A file is always ready, and so is a pipe that nobody has open any more: its error is the write's.
        if poll(&mut ready, Some(&Timespec::default()))? == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.0.write(bytes.get(..TAKEN_BYTES).unwrap_or(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full for so many writes.
    struct Full {
        left: u32,
        took: Vec<u8>,
    }

    impl Write for &mut Full {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            if self.left > 0 {
                self.left = self.left.saturating_sub(1);
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.took.extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told_of_when_there_is_room() {
        let (lost, mut disk) = (AtomicU64::new(0), Full { left: 2, took: Vec::new() });
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            Lossy { to: &mut disk, lost: &lost }.write_all(line.as_bytes()).unwrap();
        }
        let took = String::from_utf8(disk.took).unwrap();
        let told = r#"{"level":"WARN","message":"lines of the log were lost","lines":2}"#;
        assert_eq!(took, format!("three\n{told}\nfour\n"));
    }
}
