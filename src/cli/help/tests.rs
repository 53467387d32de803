//! The texts below the options are complete, and what they show is understood.

use clap::{Command, CommandFactory};

use super::{EXAMPLES, STATUSES, taught};
use crate::cli::Cli;

/// Columns that help is wrapped to where the terminal does not say how many it has.
const COLUMNS: usize = 100;

/// Every command with its words, from the first below the program on.
fn commands() -> Vec<(String, Command)> {
    fn walk(command: &Command, above: &str, found: &mut Vec<(String, Command)>) {
        for sub in command.get_subcommands() {
            let words = format!("{above}{}", sub.get_name());
            walk(sub, &format!("{words} "), found);
            found.push((words, sub.clone()));
        }
    }
    let mut found = Vec::new();
    walk(&taught(Cli::command()), "", &mut found);
    found
}

/// What `--help` shows below the options.
fn below_options(command: &Command) -> String {
    let text = command.get_after_long_help().or_else(|| command.get_after_help());
    text.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn every_command_has_examples_and_says_what_its_exit_status_means() {
    let all = commands();
    let told = EXAMPLES.iter().map(|(of, _)| of).chain(STATUSES.iter().map(|(of, _)| of));
    for of in told {
        assert!(all.iter().any(|(words, _)| words == of), "there is no `{of}`");
    }
    for (words, command) in all {
        let text = below_options(&command);
        assert!(text.contains("Example"), "`{words}` has no example");
        let times = ["Exit status", "Exit code"].map(|told| text.matches(told).count());
        assert_eq!(times.iter().sum::<usize>(), 1, "`{words}`: {times:?}");
        assert!(text.contains(&format!("billswitch {words}")), "`{words}` is in no example of its own");
    }
}

/// The words of a line as a shell has them, up to where another command or a file begins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (letter, quote) {
            (end, Some(begun)) if end == begun => quote = None,
            (_, None) if "'\"".contains(letter) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            (_, Some(_) | None) => word.get_or_insert_default().push(letter),
        }
    }
    assert_eq!(quote, None, "{line}");
    words.extend(word);
    let end = words.iter().position(|word| ["|", ">", "&&"].contains(&word.as_str()));
    words.truncate(end.unwrap_or(words.len()));
    words
}

#[test]
fn every_example_is_a_command_that_is_understood() {
    let program = taught(Cli::command());
    let mut texts: Vec<String> = commands().iter().map(|(_, command)| below_options(command)).collect();
    texts.push(below_options(&program));
    let mut tried = 0;
    for text in texts {
        let text = text.replace(" \\\n    ", " ");
        // What stands apart behind an example is about it.
        let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
        let lines = lines.filter_map(|line| line.split("  ").next());
        let calls = lines.flat_map(|line| line.split(" | ")).filter(|call| call.starts_with("billswitch "));
        for call in calls {
            let parsed = program.clone().try_get_matches_from(words(call));
            assert!(
                parsed.is_ok(),
                "{call}\n{}",
                parsed.err().map(|error| error.to_string()).unwrap_or_default()
            );
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried} examples");
}

/// A line that is wider than the terminal is wrapped, and its rest stands where the next row of the table should.
#[test]
fn help_keeps_its_shape_on_a_hundred_columns() {
    let mut faults = Vec::new();
    let mut all = commands();
    all.push(("billswitch".to_owned(), taught(Cli::command())));
    for (words, command) in all {
        let texts = [command.get_after_help(), command.get_after_long_help(), command.get_long_about()];
        for text in texts.into_iter().flatten().map(ToString::to_string) {
            let mut before = "";
            for line in text.lines() {
                let table = line.starts_with(' ');
                // A message in hex cannot be broken.
                let hex = line.split(' ').any(|word| word.len() > COLUMNS / 2);
                if table && !hex && line.chars().count() > COLUMNS {
                    faults.push(format!("{words}: too wide for a table: {line}"));
                }
                if !table
                    && !line.is_empty()
                    && before.chars().count() > COLUMNS / 2
                    && !before.starts_with(' ')
                {
                    faults.push(format!("{words}: a paragraph broken by hand before: {line}"));
                }
                before = line;
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
