//! User name and password for a department.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

/// Who asks. Holds a password: no `Debug`.
pub struct Credentials {
    username: Zeroizing<String>,
    password: Zeroizing<String>,
}

/// Why credentials cannot be used. Tells nothing of what the file holds.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CredentialsError {
    /// Not the two lines there have to be.
    #[error("the credentials file is two lines: username = \"…\" and password = \"…\"")]
    Format,
    /// Characters that no HTTP header can carry.
    #[error("user name or password has a character that no HTTP header can carry")]
    Characters,
}

/// Where a user name and a password come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CredentialSource {
    /// A file that only its owner may read.
    File(PathBuf),
    /// A systemd credential, by name.
    Credential(String),
}

/// Why credentials cannot be had.
#[derive(Debug, Error)]
pub enum CredentialsFileError {
    /// Their file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Others may read the file with the password.
    #[error("{} may be read by others (mode {mode:o}): chmod 600 it", path.display())]
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
    NoDirectory(String),
    /// What stands in the file.
    #[error(transparent)]
    Text(#[from] CredentialsError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    username: Zeroizing<String>,
    password: Zeroizing<String>,
}

impl Credentials {
    /// Reads them from where they are.
    ///
    /// # Errors
    ///
    /// [`CredentialsFileError`].
    pub fn read(source: &CredentialSource) -> Result<Self, CredentialsFileError> {
        let path = match source {
            CredentialSource::Credential(name) => {
                let dir = std::env::var_os("CREDENTIALS_DIRECTORY");
                let dir = dir.ok_or_else(|| CredentialsFileError::NoDirectory(name.clone()))?;
                Path::new(&dir).join(name)
            }
            CredentialSource::File(path) => {
                let fault = |source| CredentialsFileError::Unreadable { path: path.clone(), source };
                let mode = std::fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(CredentialsFileError::Mode { path: path.clone(), mode });
                }
                path.clone()
            }
        };
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| CredentialsFileError::Unreadable { path, source })?;
        Ok(Self::parse(&Zeroizing::new(text))?)
    }

    /// Reads the text of a credentials file.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::Format`].
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        // The parser's own words may quote the file.
        let File { username, password } = toml::from_str(text).map_err(|_| CredentialsError::Format)?;
        Ok(Self { username, password })
    }

    /// Both as headers, which no log shows.
    pub(super) fn headers(&self) -> Result<(HeaderValue, HeaderValue), CredentialsError> {
        let header = |value: &str| {
            let mut value = HeaderValue::from_str(value).map_err(|_| CredentialsError::Characters)?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok((header(&self.username)?, header(&self.password)?))
    }
}
