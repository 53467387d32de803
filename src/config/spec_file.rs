//! One file of a dialect, a profile or a contract, checked for whoever writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::contract::{Call, Contract};
use crate::iso8583::{Dialect, DialectError};
use crate::profile::Profile;
use crate::specs::{SpecError, SpecKind, Specs};

/// Characters of a line that are shown.
const EXCERPT_MAX: usize = 160;

/// A file of a dialect, a profile or a contract, read but not checked.
#[derive(Clone, Debug)]
pub struct SpecFile {
    kind: SpecKind,
    /// As errors call it.
    name: String,
    /// The dialect's or profile's own name, which is the file's.
    stem: String,
    /// Where what it names may stand beside it.
    path: Option<PathBuf>,
    text: String,
}

/// What is wrong with a file, with the line that is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SpecFault {
    /// The file: that of its base, if the fault is there.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
    /// The line, if there is one.
    pub excerpt: Option<String>,
}

impl fmt::Display for SpecFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, reason, excerpt } = self;
        write!(f, "{file}:{line}: {reason}")?;
        excerpt.as_ref().map_or(Ok(()), |excerpt| write!(f, "\n{line:>6} | {excerpt}"))
    }
}

impl SpecFile {
    /// Reads a file. It is a contract or a profile if it is in a folder of such; a profile also if it names a dialect, and a
    /// contract if it says what an inquiry is.
    ///
    /// # Errors
    ///
    /// What the system says, if it cannot be read.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let folder = path.parent().and_then(Path::file_name);
        let names_dialect = text
            .lines()
            .any(|line| line.strip_prefix("dialect").is_some_and(|rest| rest.trim_start().starts_with('=')));
        let has_inquiry = text.lines().any(|line| line.trim() == "[inquiry]");
        let kind = match folder.and_then(|folder| folder.to_str()) {
            Some("profiles") => SpecKind::Profile,
            Some("dialects") => SpecKind::Dialect,
            Some("billers") => SpecKind::Contract,
            Some(_) | None if names_dialect => SpecKind::Profile,
            Some(_) | None if has_inquiry => SpecKind::Contract,
            Some(_) | None => SpecKind::Dialect,
        };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { kind, name: path.display().to_string(), stem, path: Some(path.to_owned()), text })
    }

    /// Takes one of `specs`.
    ///
    /// # Errors
    ///
    /// [`SpecError::Missing`].
    pub fn named(specs: &Specs, kind: SpecKind, name: &str) -> Result<Self, SpecError> {
        let (file, text) = specs.text(kind, name)?;
        Ok(Self { kind, name: file, stem: name.to_owned(), path: None, text })
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks it with all that it names, which is looked for beside it and then in `specs`; says in short what it is.
    ///
    /// # Errors
    ///
    /// [`SpecFault`]: the first thing found wrong.
    pub fn check(&self, specs: &Specs) -> Result<String, SpecFault> {
        match self.kind {
            SpecKind::Dialect => {
                let base = |name: &str| self.dialect_text(specs, name).map(|(_, text)| text);
                let dialect = Dialect::parse(&self.name, &self.text, &base);
                let dialect = dialect.map_err(|error| self.dialect_fault(&error, &base))?;
                self.check_name(dialect.name())?;
                Ok(format!("dialect, {} fields", dialect.fields().count()))
            }
            SpecKind::Profile => {
                let dialect = |name: &str| {
                    let (file, text) = self
                        .dialect_text(specs, name)
                        .ok_or_else(|| "there is no such dialect".to_owned())?;
                    let base = |name: &str| self.dialect_text(specs, name).map(|(_, text)| text);
                    Dialect::parse(&file, &text, &base).map(Arc::new).map_err(|error| error.to_string())
                };
                let profile = Profile::parse(&self.stem, &self.name, &self.text, &dialect);
                let profile = profile
                    .map_err(|error| fault(&error.file, error.line, error.fault.to_string(), &self.text))?;
                Ok(format!("profile for {}", profile.dialect().name()))
            }
            SpecKind::Contract => {
                let contract = Contract::parse(&self.stem, &self.name, &self.text)
                    .map_err(|error| fault(&error.file, error.line, error.fault.to_string(), &self.text))?;
                let paths = [Call::Inquiry, Call::Payment].map(|call| contract.path(call));
                Ok(format!("contract, {}", paths.join(" and ")))
            }
        }
    }

    /// A dialect that this file names: the file to tell of, and its text.
    fn dialect_text(&self, specs: &Specs, name: &str) -> Option<(String, String)> {
        let folder = self.path.as_deref().and_then(Path::parent);
        let file = format!("{name}.toml");
        let beside = match (folder, self.kind) {
            (None, _) | (Some(_), SpecKind::Contract) => [None, None],
            (Some(folder), SpecKind::Dialect) => [Some(folder.join(&file)), None],
            (Some(folder), SpecKind::Profile) => [
                Some(folder.join("..").join(SpecKind::Dialect.folder()).join(&file)),
                Some(folder.join(&file)),
            ],
        };
        let found = beside.into_iter().flatten().find_map(|path| {
            std::fs::read_to_string(&path).ok().map(|text| (path.display().to_string(), text))
        });
        found.or_else(|| specs.named(name).ok())
    }

    /// The fault may be in a dialect that this one extends, which goes by its bare name.
    fn dialect_fault(&self, error: &DialectError, base: &dyn Fn(&str) -> Option<String>) -> SpecFault {
        if error.file == self.name {
            return fault(&self.name, error.line, error.reason.to_string(), &self.text);
        }
        let text = error.file.strip_suffix(".toml").and_then(base).unwrap_or_default();
        fault(&error.file, error.line, format!("{} (which {} extends)", error.reason, self.name), &text)
    }

    /// A dialect is found by its file's name.
    fn check_name(&self, name: &str) -> Result<(), SpecFault> {
        if name == self.stem {
            return Ok(());
        }
        let line = self.text.lines().position(|line| line.trim_start().starts_with("name"));
        let reason = format!("the name is `{name}`, but it is found by that of its file, `{}`", self.stem);
        Err(fault(&self.name, line.unwrap_or_default().saturating_add(1), reason, &self.text))
    }
}

fn fault(file: &str, line: usize, reason: String, text: &str) -> SpecFault {
    let excerpt = line.checked_sub(1).and_then(|at| text.lines().nth(at));
    let excerpt = excerpt.map(|excerpt| excerpt.chars().take(EXCERPT_MAX).collect());
    SpecFault { file: file.to_owned(), line, reason, excerpt }
}
