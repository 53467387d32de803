//! Finds dialects and profiles: in a folder of data files, or among those that are built in.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::iso8583::{Dialect, DialectError, shipped as dialects};
use crate::profile::{Profile, ProfileError, shipped as profiles};

/// A folder with `dialects/` and `profiles/`, or what is built in.
#[derive(Clone, Debug, Default)]
pub struct Specs {
    dir: Option<PathBuf>,
}

/// A dialect or profile that cannot be used.
#[derive(Debug, Error)]
pub enum SpecError {
    /// There is none of that name.
    #[error("there is no {kind} `{name}` in {place}: it has {known}")]
    Missing {
        /// `dialect` or `profile`.
        kind: &'static str,
        /// As asked for.
        name: String,
        /// Where it was looked for.
        place: String,
        /// What there is instead.
        known: String,
    },
    /// The dialect file is at fault.
    #[error(transparent)]
    Dialect(#[from] DialectError),
    /// The profile file is at fault.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl Specs {
    /// Looks in `dir`, or among what is built in if that is none.
    #[must_use]
    pub const fn new(dir: Option<PathBuf>) -> Self {
        Self { dir }
    }

    /// Reads and checks a dialect.
    ///
    /// # Errors
    ///
    /// [`SpecError`].
    pub fn dialect(&self, name: &str) -> Result<Dialect, SpecError> {
        let (file, text) = self.text("dialect", name)?;
        let base = |name: &str| self.text("dialect", name).ok().map(|(_, text)| text);
        Ok(Dialect::parse(&file, &text, &base)?)
    }

    /// Reads and checks a profile with its dialect.
    ///
    /// # Errors
    ///
    /// [`SpecError`].
    pub fn profile(&self, name: &str) -> Result<Profile, SpecError> {
        let (file, text) = self.text("profile", name)?;
        let dialect = |name: &str| self.dialect(name).map(Arc::new).map_err(|error| error.to_string());
        Ok(Profile::parse(name, &file, &text, &dialect)?)
    }

    /// The names of all dialects there are.
    #[must_use]
    pub fn dialects(&self) -> Vec<String> {
        self.names("dialect", dialects::DIALECTS)
    }

    /// The names of all profiles there are.
    #[must_use]
    pub fn profiles(&self) -> Vec<String> {
        self.names("profile", profiles::PROFILES)
    }

    fn text(&self, kind: &'static str, name: &str) -> Result<(String, String), SpecError> {
        let found = match &self.dir {
            None => {
                let shipped = if kind == "dialect" {
                    dialects::dialect_text(name)
                } else {
                    profiles::profile_text(name)
                };
                shipped.map(|text| (format!("built-in {kind} {name}.toml"), text.to_owned()))
            }
            Some(dir) => {
                let path = dir.join(format!("{kind}s")).join(format!("{name}.toml"));
                std::fs::read_to_string(&path).ok().map(|text| (path.display().to_string(), text))
            }
        };
        found.ok_or_else(|| SpecError::Missing {
            kind,
            name: name.to_owned(),
            place: self
                .dir
                .as_ref()
                .map_or_else(|| "the program".to_owned(), |dir| dir.display().to_string()),
            known: if kind == "dialect" { self.dialects() } else { self.profiles() }.join(", "),
        })
    }

    fn names(&self, kind: &str, shipped: &[(&str, &str)]) -> Vec<String> {
        let Some(dir) = &self.dir else {
            return shipped.iter().map(|(name, _)| (*name).to_owned()).collect();
        };
        let files = std::fs::read_dir(dir.join(format!("{kind}s"))).into_iter().flatten().flatten();
        let mut names: Vec<String> = files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        names
    }
}
