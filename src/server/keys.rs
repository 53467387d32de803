//! Gets the vault's keys: from the file or the credential that the configuration names.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::StartError;
use crate::config::{Config, KeySource};
use crate::desk::Desk;
use crate::journal::{Store, Writer};
use crate::vault::{Vault, VaultError};

/// Under this and a key's version, a store keeps that key's check value.
const CHECK_PREFIX: &[u8] = b"Okey";

/// Why there are no keys.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("key file {}: {source}{}", path.display(), hint(source))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("key file {} may be read by others (mode {mode:o}): chmod 600 it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The system gave no credentials.
    #[error(
        "credential `{0}`: $CREDENTIALS_DIRECTORY is not set; is this run by systemd with LoadCredential=?"
    )]
    NoCredentials(String),
    /// The key of this version is not the one that the store was filled with.
    #[error(
        "key version {0} of the key file is not this store's: put the store's own key file back; with another no card \
         number in it can be read, and no repeat is known again"
    )]
    AnotherKey(u8),
    /// A key of the store is not in the file.
    #[error("key version {0}, which this store was filled with, is missing from the key file: put it back")]
    KeyGone(u8),
    /// What was read is no key file.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

fn hint(source: &std::io::Error) -> &'static str {
    if source.kind() == std::io::ErrorKind::NotFound {
        "; put the store's or the link's own key file back there, or, for a store that never had one, set `create_key_file = true`"
    } else {
        ""
    }
}

/// Reads the keys and makes sure that they are those of the store, noting in it those that are new. Makes a key file where
/// the configuration says so and neither file nor store has any.
pub(super) fn open(config: &Config, store: &Store, writer: &mut Writer) -> Result<Vault, StartError> {
    let mut known = BTreeMap::new();
    for entry in store.scan(CHECK_PREFIX) {
        let (key, value) = entry?;
        known.insert(key.last().copied().unwrap_or_default(), value.to_vec());
    }
    let vault = read_keys(config, known.is_empty())?;
    belong(&vault, &known, store, writer)?;
    Ok(vault)
}

fn read_keys(config: &Config, new_store: bool) -> Result<Vault, KeyError> {
    match &config.keys {
        KeySource::Credential(name) => {
            let dir = std::env::var_os("CREDENTIALS_DIRECTORY");
            let dir = dir.ok_or_else(|| KeyError::NoCredentials(name.clone()))?;
            read(&Path::new(&dir).join(name))
        }
        KeySource::File { path, create } => {
            let path = config.store.join(path);
            if *create && new_store {
                // One that is there may have been made by a process that did not come to sync its name.
                let there = if path.exists() { settle(&path) } else { make(&path) };
                there.map_err(|source| KeyError::File { path: path.clone(), source })?;
            }
            check_mode(&path)?;
            read(&path)
        }
    }
}

fn belong(
    vault: &Vault,
    known: &BTreeMap<u8, Vec<u8>>,
    store: &Store,
    writer: &mut Writer,
) -> Result<(), StartError> {
    let held = |version: &u8| vault.checks().iter().any(|(held, _)| held == version);
    if let Some(version) = known.keys().find(|version| !held(version)) {
        return Err(KeyError::KeyGone(*version).into());
    }
    let mut desk = Desk::new(store.clone());
    for (version, check) in vault.checks() {
        match known.get(version) {
            Some(stored) if stored == check => {}
            Some(_) => return Err(KeyError::AnotherKey(*version).into()),
            None => desk.put([CHECK_PREFIX, &[*version]].concat(), check.to_vec()),
        }
    }
    desk.take_turn().map_or(Ok(()), |turn| Ok(writer.commit(&[turn])?))
}

fn check_mode(path: &Path) -> Result<(), KeyError> {
    let fault = |source| KeyError::File { path: path.to_path_buf(), source };
    let mode = std::fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Mode { path: path.to_path_buf(), mode }) }
}

/// The text of a file of secrets, which only its owner may read.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    check_mode(path)?;
    let fault = |source| KeyError::File { path: path.to_path_buf(), source };
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(fault)
}

fn read(path: &Path) -> Result<Vault, KeyError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| KeyError::File { path: path.to_path_buf(), source })?;
    Ok(Vault::parse(&path.display().to_string(), &Zeroizing::new(text))?)
}

/// The file is on disk before anything is sealed with it, and has its name only when it is whole: whatever ends the process
/// meanwhile, there is a key file or none.
fn make(path: &Path) -> std::io::Result<()> {
    let text = Vault::new_key_file().map_err(std::io::Error::other)?;
    if let Some(dir) = path.parent() {
        // It becomes the store's directory, which is its owner's alone.
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    settle(path)
}

/// Makes a file durable, and its name.
fn settle(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_there_whole_whatever_ended_the_making_of_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store/vault.keys");
        make(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        // A kill has left half of one.
        std::fs::write(dir.path().join("store/vault.keys.new"), "1 00").unwrap();
        make(&path).unwrap();
        check_mode(&path).unwrap();
        read(&path).unwrap();
        let left = std::fs::read_dir(dir.path().join("store")).unwrap().count();
        assert_eq!(left, 1, "nothing else is left there");
    }
}
