//! `billswitch specs`: which dialects, profiles and contracts there are, what is in them, and what is wrong with them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::CliError;
use super::output::beside_verdict;
use super::tables::table;
use crate::config::{SpecFile, SpecKind, Specs};
use crate::iso8583::{CardData, Dialect, Entry};

const AFTER_HELP: &str = "\
Examples:
  billswitch specs list
  billswitch specs show onelink
  billswitch specs show onelink --json | jq '.fields[] | select(.card_data)'
  billswitch specs check --specs deploy/specs
  billswitch specs check mynet.toml";

/// Exit code if a file is wrong.
const WRONG: u8 = 2;

/// What `specs` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct SpecsArgs {
    /// Folder with dialects/, profiles/ and billers/, instead of those that are built in
    #[arg(long, value_name = "DIR", global = true)]
    specs: Option<PathBuf>,
    #[command(subcommand)]
    command: SpecsCommand,
}

#[derive(Debug, Subcommand)]
enum SpecsCommand {
    /// The dialects, profiles and contracts of billers there are, and what they are for
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// A dialect as the program understands it (fields, what is inside them, conditions, rules, codes), or another's file
    Show {
        /// The dialect, or the profile or contract if no dialect has this name
        name: String,
        /// Show the profile of this name
        #[arg(long)]
        profile: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read files whole and say what is wrong with them, by line
    #[command(after_help = "Without a file, all of --specs are checked, or all that are built in. \
        What a file names (`extends`, `dialect`) is looked for beside it, then in --specs or among what is built in.")]
    Check {
        /// Files of dialects, profiles or contracts
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: SpecsArgs) -> Result<ExitCode, CliError> {
    let specs = Specs::new(args.specs.clone());
    if let Some(path) = args.specs.filter(|_| names(&specs).next().is_none()) {
        return Err(CliError::NoSpecs { path });
    }
    match args.command {
        SpecsCommand::List { json } => list(&specs, json),
        SpecsCommand::Show { name, profile, json } => show(&specs, &name, profile, json),
        SpecsCommand::Check { files, json } => check(&specs, &files, json),
    }
}

/// Everything there is.
fn names(specs: &Specs) -> impl Iterator<Item = (SpecKind, String)> {
    let kinds = [SpecKind::Dialect, SpecKind::Profile, SpecKind::Contract].into_iter();
    kinds.flat_map(|kind| specs.names(kind).into_iter().map(move |name| (kind, name)))
}

fn print(text: &str) -> Result<(), CliError> {
    let mut out = beside_verdict();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::io("standard output"))
}

fn list(specs: &Specs, as_json: bool) -> Result<ExitCode, CliError> {
    let mut shown = table(&["name", "kind", "about"]);
    let mut all = Vec::new();
    for (kind, name) in names(specs) {
        let about = about(specs, kind, &name);
        shown.add_row([name.as_str(), kind.as_str(), about.as_str()]);
        all.push(json!({ "name": name, "kind": kind.as_str(), "about": about }));
    }
    print(&if as_json { format!("{:#}\n", Value::from(all)) } else { format!("{shown}\n") })?;
    Ok(ExitCode::SUCCESS)
}

/// The first sentence of the file's note; what is wrong, if it cannot be had.
fn about(specs: &Specs, kind: SpecKind, name: &str) -> String {
    let note = match kind {
        SpecKind::Dialect => specs.dialect(name).map(|dialect| dialect.note().to_owned()),
        SpecKind::Profile => specs.text(kind, name).map(|(_, text)| profile_note(&text)),
        SpecKind::Contract => specs.contract(name).map(|contract| contract.note().to_owned()),
    };
    match note {
        Ok(note) => note.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned(),
        Err(error) => format!("wrong: {error}"),
    }
}

fn profile_note(text: &str) -> String {
    let file: Option<toml::Table> = toml::from_str(text).ok();
    let note = file.as_ref().and_then(|file| file.get("note")).and_then(toml::Value::as_str);
    note.unwrap_or_default().to_owned()
}

fn show(specs: &Specs, name: &str, profile: bool, as_json: bool) -> Result<ExitCode, CliError> {
    let has = |kind| specs.names(kind).iter().any(|known| known == name);
    if profile || (!has(SpecKind::Dialect) && has(SpecKind::Profile)) {
        let profile = specs.profile(name)?;
        let (_, text) = specs.text(SpecKind::Profile, name)?;
        let file: Option<toml::Table> = toml::from_str(&text).ok();
        let dialect = profile.dialect().name();
        print(&if as_json {
            format!("{:#}\n", json!({ "name": name, "kind": "profile", "dialect": dialect, "file": file }))
        } else {
            // A profile reads as its file does.
            text
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if !has(SpecKind::Dialect) && has(SpecKind::Contract) {
        return show_contract(specs, name, as_json);
    }
    let dialect = specs.dialect(name)?;
    print(&if as_json { format!("{:#}\n", dialect_json(&dialect)) } else { dialect_table(&dialect) })?;
    Ok(ExitCode::SUCCESS)
}

/// A contract reads as its file does.
fn show_contract(specs: &Specs, name: &str, as_json: bool) -> Result<ExitCode, CliError> {
    specs.contract(name)?;
    let (_, text) = specs.text(SpecKind::Contract, name)?;
    let file: Option<toml::Table> = toml::from_str(&text).ok();
    print(&if as_json {
        format!("{:#}\n", json!({ "name": name, "kind": "contract", "file": file }))
    } else {
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn dialect_json(dialect: &Dialect) -> Value {
    let field = |number: u8| {
        json!({
            "field": number,
            "name": dialect.field_name(number),
            "type": dialect.field_type(number),
            "card_data": card_data(dialect.card_data(number)).map(|(word, _)| word),
            "tlv": dialect.is_tlv(number),
        })
    };
    let fields: Vec<Value> = dialect.fields().map(field).collect();
    let outline = dialect.outline();
    let inside: Vec<Value> =
        outline.iter().filter(|entry| entry.path.contains('.')).map(entry_json).collect();
    let when = dialect.otherwise().into_iter().map(|(condition, entries)| {
        json!({ "condition": condition, "fields": entries.iter().map(entry_json).collect::<Vec<Value>>() })
    });
    let codes = dialect.coded().map(|(path, codes)| {
        let codes: Map<String, Value> =
            codes.map(|(code, meaning)| (code.to_owned(), Value::from(meaning))).collect();
        (path.to_owned(), Value::Object(codes))
    });
    json!({
        "name": dialect.name(),
        "kind": "dialect",
        "note": dialect.note(),
        "framing": dialect.framing().to_string(),
        "fields": fields,
        "inside": inside,
        "when": when.collect::<Vec<Value>>(),
        "presence": dialect.presence_rules(),
        "codes": Value::Object(codes.collect()),
    })
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "path": entry.path,
        "name": entry.name,
        "type": entry.notation,
        "inside": entry.inside,
        "card_data": card_data(entry.card_data).map(|(word, _)| word),
    })
}

fn dialect_table(dialect: &Dialect) -> String {
    let mut text = format!("{}: {}\nframing: {}\n", dialect.name(), dialect.note(), dialect.framing());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", entries_table(&dialect.outline()));
    for (condition, entries) in dialect.otherwise() {
        let _ = writeln!(text, "\nwhere {condition}:\n{}", entries_table(&entries));
    }
    let rules = dialect.presence_rules();
    if !rules.is_empty() {
        let _ = writeln!(text, "\nrules:\n  {}", rules.join("\n  "));
    }
    for (path, codes) in dialect.coded() {
        let name = path.parse().ok().and_then(|field| dialect.field_name(field)).unwrap_or_default();
        let _ = writeln!(text, "\nDE {path} {name}:");
        for (code, meaning) in codes {
            let _ = writeln!(text, "  {code}  {meaning}");
        }
    }
    text
}

/// Fields with what is inside them, that further in.
fn entries_table(entries: &[Entry]) -> comfy_table::Table {
    let mut rows = table(&["DE", "name", "type", "notes"]);
    for entry in entries {
        let depth = entry.path.matches('.').count();
        let key = match entry.path.rsplit_once('.') {
            Some((_, key)) => format!("{:1$}{key}", "", depth.saturating_mul(2).saturating_add(2)),
            None => format!("{:>3}", entry.path),
        };
        let card = card_data(entry.card_data).map(|(_, words)| words);
        let inside = Some(entry.inside.as_str()).filter(|inside| !inside.is_empty());
        let notes: Vec<&str> = [card, inside].into_iter().flatten().collect();
        rows.add_row([key.as_str(), &entry.name, &entry.notation, &notes.join(", ")]);
    }
    rows
}

/// The word of the file, and what it means for people.
const fn card_data(card_data: CardData) -> Option<(&'static str, &'static str)> {
    match card_data {
        CardData::None => None,
        CardData::Pan => Some(("pan", "card number: shown masked")),
        CardData::Never => Some(("never", "card data: never kept")),
    }
}

fn check(specs: &Specs, files: &[PathBuf], as_json: bool) -> Result<ExitCode, CliError> {
    let files: Vec<SpecFile> = if files.is_empty() {
        names(specs).map(|(kind, name)| SpecFile::named(specs, kind, &name)).collect::<Result<_, _>>()?
    } else {
        let open = |path: &PathBuf| SpecFile::open(path).map_err(CliError::io(path.display().to_string()));
        files.iter().map(open).collect::<Result<_, _>>()?
    };
    let mut text = String::new();
    let (mut wrong, mut all) = (0_usize, Vec::new());
    for file in &files {
        match file.check(specs) {
            Ok(what) => {
                let _ = writeln!(text, "ok: {}: {what}", file.name());
                all.push(json!({ "file": file.name(), "ok": true, "what": what }));
            }
            Err(fault) => {
                wrong = wrong.saturating_add(1);
                let _ = writeln!(text, "{fault}");
                all.push(json!({ "file": file.name(), "ok": false, "fault": fault }));
            }
        }
    }
    print(&if as_json { format!("{:#}\n", Value::from(all)) } else { text })?;
    Ok(if wrong > 0 { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}
