//! What of a configuration a running switch can take over: terms, links' limits and profiles. Everything else is read at start.

use toml::{Table, Value};

use super::Config;
use crate::biller::kind::Way;

/// Keys of a link that a running switch can take over.
const LINK_KEYS: &[&str] = &[
    "profile",
    "framing",
    "frame_bytes_max",
    "frame_timeout_ms",
    "write_timeout_ms",
    "idle_echo_ms",
    "echo_timeout_ms",
    "idle_timeout_ms",
    "in_flight_max",
    "waiting_max",
    "unanswerable_max",
    "connections_max",
    "second_connection",
    "totals",
    "totals_wait_ms",
    "totals_retry_ms",
];
/// Keys of a biller. What its adapter was made with is not among them, nor how long that waits.
const BILLER_KEYS: &[&str] = &[
    "currency",
    "surcharge_head",
    "settlement_account",
    "head_kinds",
    "reversible",
    "partly_reversible",
    "in_doubt",
    "retry_ms",
    "attempts_max",
    "forward_age_max_ms",
    "forward_in_flight_max",
    "forward_per_second",
    "in_doubt_max",
    "rules",
];
/// Keys beside them: other people's deadlines, which are only compared.
const OTHER_KEYS: &[&str] = &["deadlines", "link", "biller"];

/// Whether a running switch can go over from `old` to `new`.
///
/// # Errors
///
/// What it would have to be started anew for, in words.
pub fn can_take_over(old: &Config, new: &Config) -> Result<(), String> {
    if old.store != new.store {
        return Err(at_start("store", "the configuration"));
    }
    same_but_for(&old.written, &new.written, OTHER_KEYS, "the configuration")?;
    entries(old, new, "link", "name", LINK_KEYS)?;
    entries(old, new, "biller", "code", BILLER_KEYS)?;
    same_currencies_where_told(old, new)
}

/// Who is told the currency with each order is told the same with its repeats: not another one meanwhile.
fn same_currencies_where_told(old: &Config, new: &Config) -> Result<(), String> {
    let told = |way: &Way| matches!(way, Way::Wire(making) if making.tells_currency());
    let mut both = old.billers.iter().zip(&new.billers);
    let changed = both.find(|(old, new)| told(&old.way) && old.terms.currency != new.terms.currency);
    changed.map_or(Ok(()), |(old, _)| {
        Err(at_start("currency", &format!("biller `{}`, which is told it with each order", old.code)))
    })
}

fn at_start(key: &str, of: &str) -> String {
    format!("`{key}` of {of} is read at start only: put it back as it was, or start the daemon anew")
}

/// Every `[[kind]]` is there as before, and differs in what it may.
fn entries(old: &Config, new: &Config, kind: &str, name: &str, may: &[&str]) -> Result<(), String> {
    let list =
        |config: &Config| config.written.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
    let called = |entry: &Value| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (before, after) = (list(old), list(new));
    if before.iter().map(called).ne(after.iter().map(called)) {
        return Err(format!(
            "every {kind} must be there as before, in the same order: to add or remove one, start the daemon anew"
        ));
    }
    for (before, after) in before.iter().zip(&after) {
        if let (Some(was), Some(is)) = (before.as_table(), after.as_table()) {
            same_but_for(was, is, may, &format!("{kind} `{}`", called(before)))?;
        }
    }
    Ok(())
}

fn same_but_for(old: &Table, new: &Table, may: &[&str], of: &str) -> Result<(), String> {
    let keys = old.keys().chain(new.keys()).filter(|key| !may.contains(&key.as_str()));
    let mut changed = keys.filter(|key| old.get(*key) != new.get(*key));
    changed.next().map_or(Ok(()), |key| Err(at_start(key, of)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_currency_of_a_department_behind_a_host_is_read_at_start_only() {
        let text = include_str!("../../deploy/examples/hosts.toml");
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples");
        let config = |text: &str| Config::parse("hosts.toml", text, &folder).unwrap();
        let (old, rules) = (config(text), text.replacen("lengths = [12]", "lengths = [11]", 1));
        assert_eq!(can_take_over(&old, &config(&rules)), Ok(()));
        let refused = can_take_over(&old, &config(&text.replacen("\"360\"", "\"586\"", 1))).unwrap_err();
        assert!(refused.contains("`currency` of biller `WATER`"), "{refused}");
    }
}
