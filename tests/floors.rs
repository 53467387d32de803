//! The floor plan of ARCHITECTURE.md, kept: a module imports only from the floors below its own, and what is pure stays so.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that fails may say so by panicking"
)]

use std::path::{Path, PathBuf};

/// From the ground up. Those who share a floor are strangers to each other.
const FLOORS: &[&[&str]] = &[
    &["bounds", "clock", "ids", "lines", "money"],
    &["iso8583", "switch"],
    &["contract", "profile", "vault"],
    &["link", "specs"],
    &["biller", "journal", "telemetry"],
    &["config", "desk", "settle"],
    &["control"],
    &["server", "sim"],
    &["cli"],
];

/// What the floors 0 to 2 must not know.
const IMPURE: &[&str] = &[
    "tokio::",
    "sled::",
    "std::net",
    "std::fs",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.into_iter().map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text)).collect()
}

/// The room a file is in: its first folder, or its own name.
fn room(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Lines of code: comments tell of anything.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn every_module_is_on_a_floor_and_imports_only_from_those_below() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let room = room(&path);
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let Some(own) = floor(&room) else {
            faults.push(format!("{}: on no floor", path.display()));
            continue;
        };
        for (line, text) in code(&text) {
            for import in text.split("crate::").skip(1) {
                let names = import.trim_start_matches('{');
                let other: String = names.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if other != room && floor(&other).is_none_or(|floor| floor >= own) {
                    faults.push(format!("{}:{line}: {room} imports {other}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_pure_floors_know_neither_network_nor_store_nor_clock() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        // The one clock there is; who reads it is told apart by the floors above.
        if floor(&room(&path)).is_none_or(|floor| floor > 2) || path == Path::new("clock.rs") {
            continue;
        }
        for (line, text) in code(&text) {
            faults.extend(
                IMPURE
                    .iter()
                    .filter(|word| text.contains(**word))
                    .map(|word| format!("{}:{line}: {word}", path.display())),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn sled_is_named_in_the_journal_alone_and_unsafe_in_one_file() {
    for (path, text) in sources() {
        let journal = room(&path) == "journal";
        for (line, text) in code(&text) {
            assert!(journal || !text.contains("sled::"), "{}:{line}", path.display());
            let unsafe_code =
                text.contains("unsafe ") || text.contains("unsafe(") || text.contains("allow(unsafe_code");
            assert!(!unsafe_code || path == Path::new("journal/sync.rs"), "{}:{line}", path.display());
        }
    }
}

#[test]
fn a_way_to_reach_departments_is_named_in_its_own_folder_and_in_the_list_alone() {
    let own = ["InBook", "OverHttp", "BehindHost", "biller::rest", "\"book\"", "\"rest\"", "\"iso8583\""];
    let listing = ["switch", "desk", "config", "control", "server"];
    for (path, text) in sources() {
        let test = path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests"));
        if listing.contains(&room(&path).as_str()) && !test {
            for (line, text) in code(&text) {
                let named = own.iter().find(|name| text.contains(**name));
                assert!(named.is_none(), "{}:{line}: {named:?}", path.display());
            }
        }
    }
}

#[test]
fn no_file_outgrows_one_room() {
    for (path, text) in sources() {
        assert!(text.lines().count() <= 420, "{}: {} lines", path.display(), text.lines().count());
    }
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["todo!(", "unimplemented!(", "FIXME", "XXX", "HACK", "thread::sleep"];
    for (path, text) in sources() {
        for (line, text) in text.lines().enumerate() {
            let mark = marks.iter().find(|mark| text.contains(**mark));
            // The journal waits for its engine's own file lock in steps: there is nothing to be told by.
            let known = path == Path::new("journal/open.rs") && text.contains("thread::sleep");
            assert!(mark.is_none() || known, "{}:{}: {mark:?}", path.display(), line + 1);
        }
    }
}
