//! Gets the vault's keys: from the file or the credential that the configuration names.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::{Config, KeySource};
use crate::vault::{Vault, VaultError};

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
    /// The store was served with other keys.
    #[error(
        "these are not the keys of this store: its card numbers would not open and its repeats would not be known. Put \
         the key file of this store in place"
    )]
    OtherKeys,
    /// What was read is no key file.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

fn hint(source: &std::io::Error) -> &'static str {
    if source.kind() == std::io::ErrorKind::NotFound {
        "; put the file of this store's keys there, or set `create_key_file = true` for a new store"
    } else {
        ""
    }
}

/// Reads the keys; makes a key file where the configuration says so, there is none, and the store has none yet. `check` is
/// the check value of the keys that the store was served with.
///
/// # Errors
///
/// [`KeyError`].
pub fn open_vault(config: &Config, check: Option<[u8; 16]>) -> Result<Vault, KeyError> {
    let vault = read_keys(config, check.is_none())?;
    if check.is_none_or(|check| check == vault.check_value()) { Ok(vault) } else { Err(KeyError::OtherKeys) }
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
            if *create && new_store && !path.exists() {
                make(&path).map_err(|source| KeyError::File { path: path.clone(), source })?;
            }
            let fault = |source| KeyError::File { path: path.clone(), source };
            let mode = std::fs::metadata(&path).map_err(fault)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Mode { path, mode });
            }
            read(&path)
        }
    }
}

fn read(path: &Path) -> Result<Vault, KeyError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| KeyError::File { path: path.to_path_buf(), source })?;
    Ok(Vault::parse(&path.display().to_string(), &Zeroizing::new(text))?)
}

/// The file is on disk before anything is sealed with it.
fn make(path: &Path) -> std::io::Result<()> {
    let text = Vault::new_key_file().map_err(std::io::Error::other)?;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
}
