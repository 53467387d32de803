//! `billswitch key`: a new key file.

use std::io::Write;
use std::process::ExitCode;

use super::CliError;
use crate::vault::Vault;

pub(super) fn run() -> Result<ExitCode, CliError> {
    let text = Vault::new_key_file()?;
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::io("writing the key"))?;
    Ok(ExitCode::SUCCESS)
}
