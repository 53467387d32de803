//! What went wrong with a command, and the exit status that says so.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use super::message::MessageToolError;
use super::output::is_reader_gone;
use crate::biller::book::LineFault;
use crate::config::{ConfigError, SpecError};
use crate::control::ControlError;
use crate::journal::{ArchiveError, JournalError};
use crate::server::{ImportError, StartError};
use crate::settle::{AuditError, ScrollError};
use crate::sim::replay::ReplayError;
use crate::sim::rest::{OfficeError, ServerTlsError};
use crate::sim::world::SiteError;
use crate::telemetry::LogError;
use crate::telemetry::recorder::RecorderError;
use crate::vault::VaultError;

/// The daemon could not start for a reason that may be over at the next start: a supervisor shall go on trying.
const MAY_PASS: u8 = 75;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// Arguments that do not make a command.
    #[error("{0}")]
    Usage(String),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A dialect or profile.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The daemon.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The store.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Sealed days.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The switch could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The message tool.
    #[error(transparent)]
    Message(#[from] MessageToolError),
    /// A bill file of the demonstration.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The scroll.
    #[error(transparent)]
    Scroll(#[from] ScrollError),
    /// Journal and books.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The log filter.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The recording.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A component of a key; none of it is told.
    #[error("{}", component(*.0))]
    Component(usize),
    /// The simulation's world.
    #[error(transparent)]
    Simulation(#[from] SiteError),
    /// The simulated department.
    #[error(transparent)]
    Department(#[from] OfficeError),
    /// Its TLS.
    #[error(transparent)]
    DepartmentTls(#[from] ServerTlsError),
    /// A file or the terminal.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Lines of a bill file.
    #[error("{0} bad lines: nothing was imported; mend them, or use --skip-bad")]
    BadLines(u64),
    /// A line of a bill file without which the others cannot be read.
    #[error(transparent)]
    BadLine(#[from] LineFault),
    /// A store that is not there.
    #[error("there is no store in {}: see --store and --config", path.display())]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A bill that is not there.
    #[error("the book of {biller} has no bill {psid}; `billswitch book search {biller}` lists bills")]
    NoBill {
        /// The department.
        biller: String,
        /// The PSID.
        psid: String,
    },
    /// A full list that is not worth its name.
    #[error("{0}")]
    NotFull(String),
    /// The bill book, or the demonstration.
    #[error("{0}")]
    Book(String),
    /// A folder without a dialect or a profile.
    #[error("there are no dialects and no profiles in {}: see --specs", path.display())]
    NoSpecs {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// No such department.
    #[error("no biller `{code}` is configured: there are {known}")]
    NoBiller {
        /// As given.
        code: String,
        /// Those there are.
        known: String,
    },
}

/// What is wrong with the components of a key: on this line, or that there is none.
fn component(line: usize) -> String {
    match line {
        0 => "there is no component: want one a line, in hexadecimal".to_owned(),
        line => format!("the component on line {line} is not hexadecimal digits, two a byte"),
    }
}

impl CliError {
    /// Names what was being done when the system refused.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Tells of it on standard error, and gives the exit status.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        if is_reader_gone(self) {
            // Whoever read the output has seen enough.
            return ExitCode::SUCCESS;
        }
        let _ = writeln!(std::io::stderr(), "billswitch: {self}");
        ExitCode::from(self.status())
    }

    fn status(&self) -> u8 {
        match self {
            Self::Start(error) if error.may_pass() => MAY_PASS,
            Self::Journal(error)
            | Self::Archive(ArchiveError::Journal(error))
            | Self::Start(StartError::Journal(error))
            | Self::Scroll(ScrollError::Journal(error))
            | Self::Audit(AuditError::Journal(error)) => match error {
                JournalError::Locked { .. } => 4,
                JournalError::Damaged { .. }
                | JournalError::Gap { .. }
                | JournalError::Lost { .. }
                | JournalError::Leg { .. } => 1,
                JournalError::Io { .. }
                | JournalError::Format { .. }
                | JournalError::Pruned { .. }
                | JournalError::OutOfStep { .. }
                | JournalError::TooLarge { .. }
                | JournalError::ReservedKey
                | JournalError::NotSynced
                | JournalError::Poisoned
                | JournalError::Engine { .. } => 2,
            },
            Self::Control(ControlError::NoDaemon { .. }) => 3,
            Self::Control(ControlError::Refused(_))
            | Self::Audit(_)
            | Self::Archive(_)
            | Self::BadLines(_)
            | Self::BadLine(_)
            | Self::NoBill { .. }
            | Self::NotFull(_)
            | Self::Message(_) => 1,
            Self::Start(_)
            | Self::Control(_)
            | Self::Config(_)
            | Self::Usage(_)
            | Self::Spec(_)
            | Self::Replay(_)
            | Self::Scroll(_)
            | Self::Log(_)
            | Self::Recorder(_)
            | Self::Vault(_)
            | Self::Component(_)
            | Self::Simulation(_)
            | Self::Department(_)
            | Self::DepartmentTls(_)
            | Self::Io { .. }
            | Self::NoStore { .. }
            | Self::NoSpecs { .. }
            | Self::Book(_)
            | Self::Import(_)
            | Self::NoBiller { .. } => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn what_the_system_refuses_at_a_start_is_worth_another_and_what_stays_as_it_is_is_not() {
        let path = || PathBuf::from("store");
        let io = |kind: ErrorKind| JournalError::Io { what: "writing", path: path(), source: kind.into() };
        for (error, status) in [
            (io(ErrorKind::StorageFull), 75),
            (io(ErrorKind::TimedOut), 75),
            (io(ErrorKind::PermissionDenied), 2),
            (io(ErrorKind::InvalidData), 2),
            (JournalError::Locked { path: path() }, 4),
            (JournalError::Format { found: 1, want: 2 }, 2),
            (JournalError::Damaged { what: "a block", sequence: None }, 1),
        ] {
            assert_eq!(CliError::Start(error.into()).status(), status);
        }
        // Who asks for something else reads another table.
        assert_eq!(CliError::Journal(io(ErrorKind::StorageFull)).status(), 2);
    }
}
