//! User name and password for a department.

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    username: Zeroizing<String>,
    password: Zeroizing<String>,
}

impl Credentials {
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
