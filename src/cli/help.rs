//! What stands below the options of each command that has no text of its own: examples, and what its exit status means.

use clap::Command;

/// Examples, one a line, by the words of a command. Those that need more than that say it where they are declared.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("ctl status", &["billswitch ctl status", "billswitch ctl status --json | jq -r .business_date"]),
    (
        "ctl links",
        &[
            "billswitch ctl links",
            "billswitch ctl links --json | jq -r '.[] | select(.signed_on | not) | .name'",
        ],
    ),
    ("ctl echo", &["billswitch ctl echo atmnet"]),
    (
        "ctl billers",
        &["billswitch ctl billers", "billswitch ctl billers --json | jq '.[] | select(.owed > 0) | .code'"],
    ),
    ("ctl block", &["billswitch ctl block KPPOLICE"]),
    ("ctl unblock", &["billswitch ctl unblock KPPOLICE"]),
    (
        "ctl txn",
        &[
            "billswitch ctl txn --rrn 632409004707",
            "billswitch ctl payment --stan 004707 --json | jq '.[].payment.state'",
        ],
    ),
    (
        "ctl exceptions",
        &["billswitch ctl exceptions", "billswitch ctl exceptions --json | jq '.[] | {leg, why, next}'"],
    ),
    (
        "ctl resolve",
        &["billswitch ctl resolve 4711 --as stands --why 'seen in the list of the department, A. Khan'"],
    ),
    ("ctl totals", &["billswitch ctl totals", "billswitch ctl totals --date 2026-11-20 --link atmnet"]),
    ("ctl journal", &["billswitch ctl journal tail", "billswitch ctl journal verify"]),
    ("ctl journal tail", &["billswitch ctl journal tail -n 50"]),
    (
        "ctl journal verify",
        &["billswitch ctl journal verify", "billswitch ctl journal verify --json | jq -r .head_hash"],
    ),
    ("ctl drain", &["billswitch ctl drain"]),
    ("ctl reload", &["billswitch ctl reload"]),
    ("ctl cutover", &["billswitch ctl cutover"]),
    ("journal list", &["billswitch journal list", "billswitch journal list --json | jq '.[].date'"]),
    (
        "journal archive",
        &[
            "billswitch journal archive 2026-11-20 --to 2026-11-20.bsa",
            "billswitch journal archive 2026-11-20 --to 2026-11-20.bsa --store /var/lib/billswitch",
        ],
    ),
    (
        "journal restore",
        &[
            "billswitch journal restore 2026-11-20.bsa",
            "billswitch journal restore 2026-11-20.bsa --store looked-at",
        ],
    ),
    (
        "journal prune",
        &[
            "billswitch journal prune 2026-11-20 --archived 2026-11-20.bsa",
            "billswitch journal prune 2026-11-20 --without-archive",
        ],
    ),
    ("journal verify", &["billswitch journal verify", "billswitch journal verify --store looked-at --json"]),
    ("journal tail", &["billswitch journal tail -n 50", "billswitch journal tail --store looked-at"]),
    ("journal txn", &["billswitch journal txn --rrn 632409004707 --store looked-at"]),
    (
        "journal scroll",
        &["billswitch journal scroll KPEXCISE --date 2026-11-20 --store looked-at > scroll.csv"],
    ),
    (
        "book search",
        &[
            "billswitch book search KPEXCISE --state overdue",
            "billswitch book search KPEXCISE --psid 1101 --limit 10 --json | jq -r '.[].psid'",
        ],
    ),
    (
        "book show",
        &[
            "billswitch book show KPEXCISE 11011000000000000",
            "billswitch book show KPEXCISE 11011000000000000 --json | jq .notes",
        ],
    ),
    (
        "book block",
        &["billswitch book block KPEXCISE 11011000000000000 --why 'disputed, letter 112' --json | jq .state"],
    ),
    ("book unblock", &["billswitch book unblock KPEXCISE 11011000000000000 --why 'settled, letter 113'"]),
    ("book cancel", &["billswitch book cancel KPEXCISE 11011000000000000 --why 'issued twice, letter 114'"]),
    (
        "book correct",
        &["billswitch book correct KPEXCISE 11011000000000000 --why 'letter 115' \\\n    \
             --amount-within-due 90000 --heads B01401:90000"],
    ),
    (
        "book reissue",
        &[
            "billswitch book reissue KPEXCISE 11011000000000000 --why 'letter 116' \\\n    \
             --due-date 2027-01-15 --expiry-date 2027-02-15",
            "billswitch book reissue KPEXCISE 11011000000000000 --why 'letter 117' --as 11011000000009999",
        ],
    ),
    (
        "book unpaid",
        &[
            "billswitch book unpaid KPEXCISE > unpaid.csv",
            "billswitch book unpaid KPEXCISE --json | jq -r .psid",
        ],
    ),
    ("specs list", &["billswitch specs list", "billswitch specs list --json | jq -r '.[].name'"]),
    (
        "specs show",
        &[
            "billswitch specs show onelink",
            "billswitch specs show onelink --profile",
            "billswitch specs show onelink --json | jq '.fields[] | select(.card_data)'",
        ],
    ),
    ("specs check", &["billswitch specs check", "billswitch specs check mynet.toml --json | jq '.[].fault'"]),
    (
        "key link",
        &[
            "billswitch key link > atmnet.keys",
            "billswitch key link --algorithm aes-cmac --components parts --no-mac > atmnet.keys",
        ],
    ),
    ("key show", &["billswitch key show atmnet.keys", "billswitch key show atmnet.keys --json | jq -r .kek"]),
    (
        "sim",
        &[
            "billswitch sim rest --listen 127.0.0.1:8090 --bills bills.csv --ledger department.jsonl",
            "billswitch sim compare acquirer.jsonl department.jsonl",
        ],
    ),
];

/// What the exit status means, by how the words of a command begin: the longest counts.
const STATUSES: &[(&str, &str)] = &[
    ("ctl", "0 done, 1 refused or at fault (the journal, say), 2 it cannot be asked so, 3 no daemon answers"),
    ("journal", "0 done, 1 refused or at fault, 2 it cannot be asked so, 4 another process has the store"),
    (
        "book",
        "0 done, 1 refused, a line of the file is bad, or there is no such bill, 2 it cannot be done, \
         4 another process has the store",
    ),
    ("specs", "0 done and all is well, 2 there is no such file or something is wrong with one"),
    ("key", "0 done, 2 a file cannot be used"),
    ("sim", "0 it was told to end, 2 it cannot begin, or an argument or a file cannot be used"),
    ("sim acquirer", "0 done, 1 the switch refused a repeat of what it had approved, 2 it cannot begin"),
    ("sim compare", "0 nothing differs, 1 something does, 2 a ledger cannot be read"),
];

/// The command and all below it with examples and exit statuses.
pub(super) fn taught(command: Command) -> Command {
    command.mut_subcommands(|sub| below(sub, ""))
}

fn below(command: Command, above: &str) -> Command {
    let words = format!("{above}{}", command.get_name());
    let examples = EXAMPLES.iter().find(|(of, _)| *of == words).map(|(_, examples)| *examples);
    let begins =
        |of: &str| words.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let status = STATUSES.iter().filter(|(of, _)| begins(of)).max_by_key(|(of, _)| of.len());
    let own = command.get_after_help().map(ToString::to_string);
    let examples = examples.map(|examples| {
        let lines: Vec<String> = examples.iter().map(|example| format!("  {example}")).collect();
        format!("Examples:\n{}", lines.join("\n"))
    });
    let status = status.map(|(_, status)| format!("Exit status: {status}."));
    let text: Vec<String> = [own, examples, status].into_iter().flatten().collect();
    let command = if text.is_empty() { command } else { command.after_help(text.join("\n\n")) };
    command.mut_subcommands(|sub| below(sub, &format!("{words} ")))
}

#[cfg(test)]
mod tests;
