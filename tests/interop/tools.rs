//! The tools these tests need, and what happens without them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[path = "../support/optional.rs"]
mod optional;

use optional::not_tested;

/// A Python that has pyiso8583, unless there is none.
pub(crate) fn python() -> Option<OsString> {
    let python = std::env::var_os("BILLSWITCH_PYTHON").unwrap_or_else(|| "python3".into());
    let why = "an interpreter with pyiso8583: pip install -r tests/interop/requirements.txt";
    there(Command::new(&python).args(["-c", "import iso8583.specs"]), why).then_some(python)
}

/// A Python that has pyca/cryptography, unless there is none.
pub(crate) fn python_of_cryptography() -> Option<OsString> {
    let python = std::env::var_os("BILLSWITCH_PYTHON").unwrap_or_else(|| "python3".into());
    let why = "an interpreter with cryptography: pip install -r tests/interop/requirements.txt";
    there(Command::new(&python).args(["-c", "import cryptography"]), why).then_some(python)
}

/// tshark, unless there is none.
pub(crate) fn tshark() -> Option<OsString> {
    there(Command::new("tshark").arg("--version"), "Debian's package of that name").then(|| "tshark".into())
}

/// A file of these tests.
pub(crate) fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "interop", name].iter().collect()
}

/// A file of the recorded morning.
pub(crate) fn morning(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", "morning", name].iter().collect()
}

fn there(probe: &mut Command, what: &str) -> bool {
    let probed = probe.stdin(Stdio::null()).output();
    let fault = match probed {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let tool = probe.get_program().to_string_lossy().into_owned();
    not_tested(&format!("{tool} cannot be used; want {what}: {fault}"));
    false
}
