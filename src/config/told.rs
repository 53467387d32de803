//! What is wrong with a configuration, for programs.

use serde::Serialize;

use super::{ConfigError, SpecError};

/// A fault of a configuration, by its parts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The file; none if what is wrong is that there is none of a name.
    pub file: Option<String>,
    /// Line, from 1; none if the file could not be read.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl Told {
    fn at(file: &str, line: usize, reason: &impl ToString) -> Self {
        Self { file: Some(file.to_owned()), line: Some(line), reason: reason.to_string() }
    }
}

impl From<&ConfigError> for Told {
    fn from(error: &ConfigError) -> Self {
        match error {
            ConfigError::Unreadable { path, source } => {
                Self { file: Some(path.display().to_string()), line: None, reason: source.to_string() }
            }
            ConfigError::Line { file, line, fault } => Self::at(file, *line, fault),
            ConfigError::Spec(SpecError::Dialect(error)) => Self::at(&error.file, error.line, &error.reason),
            ConfigError::Spec(SpecError::Profile(error)) => Self::at(&error.file, error.line, &error.fault),
            ConfigError::Spec(SpecError::Contract(error)) => Self::at(&error.file, error.line, &error.fault),
            ConfigError::Spec(missing @ SpecError::Missing { .. }) => {
                Self { file: None, line: None, reason: missing.to_string() }
            }
        }
    }
}
