//! How the simulated sides of the switch frame their messages, and what those get their MACs by.

use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use crate::cli::CliError;
use crate::iso8583::Framing;
use crate::profile::Profile;
use crate::vault::{LinkKeyFile, MacKey};

/// What a profile leaves open.
#[derive(Args, Debug)]
pub(super) struct WireArgs {
    /// How frames stand on the connection, if not as the dialect says: "binary 2 little", "ascii 4", "end FF" …
    #[arg(long, value_name = "TEXT")]
    framing: Option<String>,
    /// Messages have MACs: the key file that the switch has as well (`billswitch key link`)
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl WireArgs {
    /// How frames stand on a connection.
    pub(super) fn framing(&self, profile: &Profile) -> Result<Framing, CliError> {
        let Some(text) = &self.framing else { return Ok(profile.dialect().framing()) };
        Framing::parse(text).map_err(|error| CliError::Usage(error.to_string()))
    }

    /// What messages get their MACs by.
    pub(super) fn key(&self, profile: &Profile) -> Result<Option<MacKey>, CliError> {
        let Some(path) = &self.key_file else { return Ok(None) };
        let none = || CliError::Usage(format!("profile `{}` has no [mac]", profile.name()));
        let algorithm = profile.mac_rule().ok_or_else(none)?.algorithm();
        let name = path.display().to_string();
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(CliError::io(name.clone()))?);
        let keys = LinkKeyFile::parse(&name, &text, algorithm)?;
        let none = || CliError::Usage(format!("{name} has no `mac`: there is no key to make MACs with"));
        keys.mac.ok_or_else(none).map(Some)
    }
}
