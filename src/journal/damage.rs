//! sled panics on much of what a damaged store can hold. Here a panic of its becomes an error value.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use super::error::JournalError;

/// Does `work` inside the store's engine. A panic there is damage near leg `sequence`, found while doing
/// `what`.
pub(super) fn guarded<T>(
    what: &'static str,
    sequence: Option<u64>,
    work: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    // Unwind safety: what a panic may have left half-done is the engine's own, and after one the store is
    // given up.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(JournalError::Damaged { what, sequence }))
}

/// From now on a panic inside sled is logged by its place alone, because its message may print stored
/// records; and one on sled's own I/O threads ends the process, because the flush that waits for that thread
/// would wait for ever.
pub(super) fn watch_engine_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let Some(place) = info.location().filter(|place| is_engine(place.file())) else {
                return previous(info);
            };
            let (file, line) = (place.file(), place.line());
            if std::thread::current().name().is_some_and(|name| name.starts_with("sled-")) {
                tracing::error!(file, line, "an I/O thread of the store panicked: ending the process");
                std::process::abort();
            }
            tracing::error!(file, line, "the store's engine panicked: taken as damage");
        }));
    });
}

/// Whether a source file is sled's: `…/sled-0.34.7/src/…` from a registry, `…/sled/src/…` when vendored.
fn is_engine(file: &str) -> bool {
    Path::new(file).components().any(|part| {
        let part = part.as_os_str().as_encoded_bytes();
        part == b"sled" || part.starts_with(b"sled-")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_damage_near_the_leg() {
        let outcome: Result<(), _> =
            guarded("reading a block", Some(7), || std::panic::resume_unwind(Box::new(())));
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("reading a block near leg 7"), "{text}");
    }

    #[test]
    fn only_sources_of_the_engine_are_taken_for_it() {
        let table = [
            ("/elsewhere/registry/src/index-1949/sled-0.34.7/src/node.rs", true),
            ("vendor/sled/src/tree.rs", true),
            ("src/journal/store.rs", false),
            ("/home/sledge/src/main.rs", false),
        ];
        for (file, want) in table {
            assert_eq!(is_engine(file), want, "{file}");
        }
    }
}
