//! `billswitch key`: key files, and what tells one key from another.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use super::CliError;
use super::output::output;
use super::tables::table;
use crate::iso8583::{MacAlgorithm, MacPadding};
use crate::vault::{LinkKeyFile, Vault};

const AFTER_HELP: &str = "\
Examples (a key file is a secret: `umask 077` first):
  billswitch key > vault.keys             the vault's key, which seals card numbers
  billswitch key link > atmnet.keys       a KEK and a first MAC key for a link, both random
  billswitch key link --components parts > atmnet.keys
                                          a KEK of the components that custodians have brought
  billswitch key show atmnet.keys         check values, by which both sides know the same keys

A key file is named in the configuration ([link.mac] key_file; of a department's host: mac). What it holds under \
`mac` is encrypted under `kek` and can be sent to the peer as it is, with its check value.";

/// What `key` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a new key file for a link or a host: the key under which keys are exchanged (KEK), and a first MAC key under it
    Link {
        /// How the link's MACs are made, as its profile's [mac] says
        #[arg(long, value_enum, default_value = "retail")]
        algorithm: Algorithm,
        /// Make the KEK of these components rather than at random: a file, or - for standard input, with one of them a line in
        /// hexadecimal; they are XORed
        #[arg(long, value_name = "FILE")]
        components: Option<PathBuf>,
        /// Without a first MAC key: the peer sends one
        #[arg(long)]
        no_mac: bool,
    },
    /// Show the check values of a link's key file, and nothing else of it
    Show {
        /// The key file
        file: PathBuf,
        /// How the link's MACs are made, as its profile's [mac] says
        #[arg(long, value_enum, default_value = "retail")]
        algorithm: Algorithm,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Algorithm {
    /// Keys of triple DES
    Retail,
    /// AES keys
    AesCmac,
}

impl From<Algorithm> for MacAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            // Its keys are the same whatever the padding.
            Algorithm::Retail => Self::Retail(MacPadding::Zeros),
            Algorithm::AesCmac => Self::AesCmac,
        }
    }
}

pub(super) fn run(args: &KeyArgs) -> Result<ExitCode, CliError> {
    let text = match &args.what {
        None => Vault::new_key_file()?,
        Some(What::Link { algorithm, components, no_mac }) => {
            let components = components.as_deref().map(read_components).transpose()?.unwrap_or_default();
            LinkKeyFile::compose((*algorithm).into(), &components, !no_mac)?
        }
        Some(What::Show { file, algorithm, json }) => Zeroizing::new(show(file, *algorithm, *json)?),
    };
    output().write_all(text.as_bytes()).map_err(CliError::io("writing"))?;
    Ok(ExitCode::SUCCESS)
}

/// One component a line; none of them is ever quoted.
fn read_components(path: &Path) -> Result<Vec<Zeroizing<Vec<u8>>>, CliError> {
    let text = read(path)?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut components = Vec::new();
    for (index, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let component = hex::decode(line).map_err(|_| CliError::Component(index.saturating_add(1)))?;
        components.push(Zeroizing::new(component));
    }
    if components.is_empty() { Err(CliError::Component(0)) } else { Ok(components) }
}

fn read(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::new());
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(CliError::io(&format!("reading {}", path.display())))?;
    Ok(text)
}

fn show(path: &Path, algorithm: Algorithm, json: bool) -> Result<String, CliError> {
    let file = LinkKeyFile::parse(&path.display().to_string(), &read(path)?, algorithm.into())?;
    let kek = file.kek.check_value().to_string();
    let mac = file.mac.map(|mac| mac.check_value().to_string());
    if json {
        return Ok(format!("{:#}\n", serde_json::json!({ "kek": kek, "mac": mac })));
    }
    let mut rows = table(&["key", "check value"]);
    rows.add_row(["kek", &kek]);
    rows.add_row(["mac", mac.as_deref().unwrap_or("none: the peer sends one")]);
    Ok(format!("{rows}\n"))
}
