//! Makes every sync of the store's a real one. The only `unsafe` of the crate.
//!
//! sled ends a flush in `sync_file_range(2)`, which writes pages out but neither the file's size and block
//! map nor the disk's own cache: after a power cut acknowledged records are gone. This file defines a
//! function of that name, so the linker binds sled's call here, and it does `fdatasync(2)` instead. Whether
//! the linker did so is not taken on trust: calls are counted, and a store whose first flush does not raise
//! the count is not opened.
#![allow(
    unsafe_code,
    reason = "the symbol sled calls can only be replaced, and fdatasync called, through C's ABI"
)]

use std::ffi::{c_int, c_uint};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Syncs that reached the disk since the process began.
static DONE: AtomicU64 = AtomicU64::new(0);
/// Set for good by the first sync that failed: its pages are marked clean, so a second one would report
/// success for data that is not there.
static FAILED: AtomicBool = AtomicBool::new(false);

/// How many syncs have succeeded in this process, whichever store they were for.
pub(super) fn done() -> u64 {
    DONE.load(Ordering::Acquire)
}

/// Whether a sync has failed. Nothing written in this process since can be believed durable.
pub(super) fn failed() -> bool {
    FAILED.load(Ordering::Acquire)
}

/// Stands in for the C library's function: the whole file's data and size, not the range's, are made durable.
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(fd: c_int, _offset: i64, _bytes: i64, _flags: c_uint) -> c_int {
    if failed() {
        // SAFETY: the C library's errno is a plain integer of this thread's, always valid to write.
        unsafe { *libc::__errno_location() = libc::EIO };
        return -1;
    }
    // SAFETY: takes a descriptor by value and touches no memory of ours; a bad descriptor is an error, not
    // UB.
    let answer = unsafe { libc::fdatasync(fd) };
    if answer == 0 {
        DONE.fetch_add(1, Ordering::AcqRel);
    } else {
        FAILED.store(true, Ordering::Release);
    }
    answer
}
