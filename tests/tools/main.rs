//! The message tools as people run them: the built binary, what it prints and how it exits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails may say so by panicking"
)]

mod compare;
mod decode;
mod doctor;
mod json;
mod key;
mod reader;
mod redact;
mod sim;
mod specs;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A sign-on of onelink.
const SIGN_ON: &str =
    "30383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031";

/// What a run of the binary came to.
struct Ran {
    status: i32,
    out: String,
    err: String,
}

/// Runs it in the root of the sources, with nothing but `input` to read.
fn run(args: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_billswitch"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside the reading of what it prints, since each may wait for the other.
    let feed = std::thread::spawn(move || {
        // It need not read what it is not asked to.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    Ran {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The path of a file of the recorded morning.
fn morning(name: &str) -> String {
    let path: PathBuf = ["fixtures", "morning", name].iter().collect();
    path.display().to_string()
}
