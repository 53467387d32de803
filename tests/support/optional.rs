//! What tests need that a machine may lack: said loudly there, and a failure where all of it was promised.

use std::io::Write;

/// Says past the test harness what is not tested, and for want of what; fails if `CI` or `REQUIRE_INTEROP` is set.
pub(crate) fn not_tested(what: &str) {
    let required = ["CI", "REQUIRE_INTEROP"].into_iter().find(|name| std::env::var_os(name).is_some());
    if let Some(required) = required {
        panic!("{required} is set, and not tested: {what}");
    }
    // Not through `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ =
        writeln!(std::io::stderr(), "\n*** NOT TESTED: {what}. REQUIRE_INTEROP=1 makes this a failure.\n");
}
