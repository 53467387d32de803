//! Exit codes of the daemon beside 0, and the end that must come whatever becomes of its log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The journal failed while serving.
pub const JOURNAL_FAILED: i32 = 70;

/// The store is damaged: found by the check of its keys, which goes on while a large one is already served. The same as for what is
/// found before, for another start would find it too.
pub const STORE_REFUSED: i32 = 1;

/// How long saying why may take: a log that nobody reads takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Says why, and ends the process: what is on disk is known again only when the store is opened anew. The end comes also if
/// saying why panics or hangs.
pub(super) fn journal_failed(say: impl FnOnce()) -> ! {
    end(JOURNAL_FAILED, say)
}

/// The same, if the store is not what was written: it must not be served from again.
pub(super) fn store_refused(say: impl FnOnce()) -> ! {
    end(STORE_REFUSED, say)
}

fn end(status: i32, say: impl FnOnce()) -> ! {
    let end = move || std::process::exit(status);
    let hurry = move || {
        std::thread::park_timeout(LAST_WORDS);
        end();
    };
    // Without a thread for it the end waits for the log.
    let _ = std::thread::Builder::new().name("ending".to_owned()).spawn(hurry);
    let _ = catch_unwind(AssertUnwindSafe(say));
    end()
}
