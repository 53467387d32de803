//! The command line: what each command takes, does and prints.

mod book;
mod check;
mod ctl;
mod demo;
mod descriptors;
mod error;
mod help;
mod journal;
mod key;
pub mod message;
mod output;
pub mod replay;
mod serve;
mod sim;
mod simulate;
mod specs;
mod tables;
mod totals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use rustix::fs::Mode;

use crate::config::{Config, Specs};
use crate::iso8583::Dialect;
pub use error::CliError;

const AFTER_HELP: &str = "\
Begin with:
  billswitch demo          a recorded morning, replayed and checked
  billswitch serve         the switch, on the built-in configuration
  billswitch ctl status    how it is doing
  billswitch doctor FILE   what speaks in a capture, a log or a message

Exit status, where a command says nothing else:
  0   done, and all is as it should be
  1   done, and something is not as it should be: a difference, a refused line
  2   the command, the configuration or a file cannot be used
  3   no daemon answers
  4   another process has the store
  70  the journal failed while serving: nothing left after that; start again";

/// A switch for bill payments: ISO 8583 in, departments out, every leg journalled before anything leaves
#[derive(Debug, Parser)]
#[command(name = "billswitch", version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the switch
    Serve(serve::ServeArgs),
    /// Check a configuration with its dialects and profiles, and say what is wrong by file and line
    Check(check::CheckArgs),
    /// Ask a running switch, or tell it something
    Ctl(ctl::CtlArgs),
    /// Import a department's bills, and export what was paid; with the daemon running or without
    Book(book::BookArgs),
    Journal(journal::JournalArgs),
    Decode(message::DecodeArgs),
    Encode(message::EncodeArgs),
    Doctor(message::DoctorArgs),
    Diff(message::DiffArgs),
    Redact(message::RedactArgs),
    Convert(message::ConvertArgs),
    /// List, show and check dialects and profiles, the data that says how messages are laid out and what they mean
    Specs(specs::SpecsArgs),
    Replay(replay::ReplayArgs),
    /// Replay a recorded morning against a switch of its own and check everything: the main job in one command
    Demo(demo::DemoArgs),
    Simulate(simulate::SimulateArgs),
    /// Print a new key file: the vault's, or a link's; show the check values of one
    Key(key::KeyArgs),
    /// Play a department or an acquirer, with faults and a ledger, to try the switch against
    Sim(sim::SimArgs),
}

/// Where the configuration and the store are.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Configuration file; the built-in configuration if none is given
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Store directory, instead of the configured one
    #[arg(long, value_name = "DIR", global = true)]
    pub store: Option<PathBuf>,
}

impl Place {
    /// The configuration, with the store of the command line if it names one.
    ///
    /// # Errors
    ///
    /// [`CliError::Config`].
    pub fn load(&self) -> Result<Config, CliError> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(store) = &self.store {
            config.store.clone_from(store);
        }
        Ok(config)
    }
}

/// A dialect of the message tools.
fn dialect(specs: Option<&PathBuf>, name: &str) -> Result<Dialect, CliError> {
    Ok(Specs::new(specs.cloned()).dialect(name)?)
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&help::taught(Cli::command()).get_matches());
    let command = cli.unwrap_or_else(|error| error.exit()).command;
    if matches!(command, Command::Serve(_) | Command::Book(_) | Command::Journal(_) | Command::Demo(_)) {
        // What is made in a store, or of it, is its owner's alone, whatever the directory's mode has become.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    let done = match command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Ctl(args) => ctl::run(args),
        Command::Book(args) => book::run(args),
        Command::Journal(args) => journal::run(args),
        Command::Decode(args) => {
            args.read.from.with.load().and_then(|dialect| Ok(message::decode(&args, &dialect)?))
        }
        Command::Encode(args) => args.with.load().and_then(|dialect| Ok(message::encode(&args, &dialect)?)),
        Command::Doctor(args) => message::doctor(&args).map_err(CliError::from),
        Command::Diff(args) => args.read.from.with.load().and_then(|dialect| {
            let other = args.with_b().map(|with| with.load()).transpose()?;
            Ok(message::diff(&args, &dialect, other.as_ref())?)
        }),
        Command::Redact(args) => {
            args.from.with.load().and_then(|dialect| Ok(message::redact(&args, &dialect)?))
        }
        Command::Convert(args) => args.from.with.load().and_then(|dialect| {
            let target = args.target().load()?;
            Ok(message::convert(&args, &dialect, &target)?)
        }),
        Command::Specs(args) => specs::run(args),
        Command::Replay(args) => {
            let dialect = dialect(args.specs.as_ref(), &args.dialect);
            dialect.and_then(|dialect| Ok(replay::run(&args, Arc::new(dialect))?))
        }
        Command::Demo(args) => demo::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Sim(args) => sim::run(args),
    };
    done.unwrap_or_else(|error| error.report())
}
