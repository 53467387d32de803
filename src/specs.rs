//! Finds dialects, profiles and contracts: in a folder of data files, or among those that are built in.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::contract::{Contract, ContractError, shipped as contracts};
use crate::iso8583::{Dialect, DialectError, shipped as dialects};
use crate::profile::{Profile, ProfileError, shipped as profiles};

/// A folder with `dialects/`, `profiles/` and `billers/`, or what is built in.
#[derive(Clone, Debug, Default)]
pub struct Specs {
    dir: Option<PathBuf>,
}

/// What a data file describes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpecKind {
    /// How messages are laid out.
    Dialect,
    /// What they mean.
    Profile,
    /// What a department's HTTP API means.
    Contract,
}

impl SpecKind {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialect => "dialect",
            Self::Profile => "profile",
            Self::Contract => "contract",
        }
    }

    /// The folder that such files are in.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Dialect => "dialects",
            Self::Profile => "profiles",
            Self::Contract => "billers",
        }
    }
}

/// A dialect, profile or contract that cannot be used.
#[derive(Debug, Error)]
pub enum SpecError {
    /// There is none of that name.
    #[error("there is no {kind} `{name}` in {place}: it has {known}")]
    Missing {
        /// `dialect`, `profile` or `contract`.
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
    /// The contract file is at fault.
    #[error(transparent)]
    Contract(#[from] ContractError),
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
        let (file, text) = self.text(SpecKind::Dialect, name)?;
        self.parse(&file, &text)
    }

    /// Reads and checks a profile with its dialect.
    ///
    /// # Errors
    ///
    /// [`SpecError`].
    pub fn profile(&self, name: &str) -> Result<Profile, SpecError> {
        self.profile_with_digest(name).map(|(profile, _)| profile)
    }

    /// The same, with a hash of all the texts that it was made of.
    ///
    /// # Errors
    ///
    /// [`SpecError`].
    pub fn profile_with_digest(&self, name: &str) -> Result<(Profile, [u8; 32]), SpecError> {
        let (file, text) = self.text(SpecKind::Profile, name)?;
        let made_of = RefCell::new(Sha256::new_with_prefix(&text));
        let named = |name: &str| {
            let found = self.named(name)?;
            made_of.borrow_mut().update(&found.1);
            Ok::<_, SpecError>(found)
        };
        let base = |name: &str| named(name).ok().map(|(_, text)| text);
        let dialect = |name: &str| {
            let (file, text) = named(name).map_err(|error| error.to_string())?;
            Dialect::parse(&file, &text, &base).map(Arc::new).map_err(|error| error.to_string())
        };
        let profile = Profile::parse(name, &file, &text, &dialect)?;
        Ok((profile, made_of.into_inner().finalize().into()))
    }

    /// Reads and checks a contract: one in the folder, or one that is built in.
    ///
    /// # Errors
    ///
    /// [`SpecError`].
    pub fn contract(&self, name: &str) -> Result<Contract, SpecError> {
        let found = self.text(SpecKind::Contract, name);
        let (file, text) =
            found.or_else(|error| Self::default().text(SpecKind::Contract, name).map_err(|_| error))?;
        Ok(Contract::parse(name, &file, &text)?)
    }

    fn parse(&self, file: &str, text: &str) -> Result<Dialect, SpecError> {
        let base = |name: &str| self.named(name).ok().map(|(_, text)| text);
        Ok(Dialect::parse(file, text, &base)?)
    }

    /// The file and the text of a dialect that another file names: what is not in the folder may be built in, so that
    /// a folder need not hold copies of what its files start from.
    ///
    /// # Errors
    ///
    /// [`SpecError::Missing`].
    pub fn named(&self, name: &str) -> Result<(String, String), SpecError> {
        self.text(SpecKind::Dialect, name)
            .or_else(|error| Self::default().text(SpecKind::Dialect, name).map_err(|_| error))
    }

    /// The names of all that there are of a kind.
    #[must_use]
    pub fn names(&self, kind: SpecKind) -> Vec<String> {
        let Some(dir) = &self.dir else {
            let shipped = match kind {
                SpecKind::Dialect => dialects::DIALECTS,
                SpecKind::Profile => profiles::PROFILES,
                SpecKind::Contract => contracts::CONTRACTS,
            };
            return shipped.iter().map(|(name, _)| (*name).to_owned()).collect();
        };
        let files = std::fs::read_dir(dir.join(kind.folder())).into_iter().flatten().flatten();
        let mut names: Vec<String> = files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        names
    }

    /// A file as it is: what errors call it, and its text.
    ///
    /// # Errors
    ///
    /// [`SpecError::Missing`].
    pub fn text(&self, kind: SpecKind, name: &str) -> Result<(String, String), SpecError> {
        let found = match &self.dir {
            None => {
                let shipped = match kind {
                    SpecKind::Dialect => dialects::dialect_text(name),
                    SpecKind::Profile => profiles::profile_text(name),
                    SpecKind::Contract => contracts::contract_text(name),
                };
                shipped.map(|text| (format!("built-in {} {name}.toml", kind.as_str()), text.to_owned()))
            }
            Some(dir) => {
                let path = dir.join(kind.folder()).join(format!("{name}.toml"));
                std::fs::read_to_string(&path).ok().map(|text| (path.display().to_string(), text))
            }
        };
        found.ok_or_else(|| SpecError::Missing {
            kind: kind.as_str(),
            name: name.to_owned(),
            place: self
                .dir
                .as_ref()
                .map_or_else(|| "the program".to_owned(), |dir| dir.display().to_string()),
            known: self.names(kind).join(", "),
        })
    }
}
