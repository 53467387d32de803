//! How much memory a call holds at most, counted in the allocator, one count a thread; and how much all of them hold.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

/// Bytes held by all threads.
static LIVE: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Bytes held now, and the most there were since the count began. What another thread frees is not seen here.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    LIVE.fetch_add(bytes, Ordering::Relaxed);
    // A thread that ends has no count any more.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now.wrapping_add(bytes);
        held.set((now, most.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a call gives, and the most bytes that it held while it ran.
pub(crate) fn held<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let value = call();
    let (_, most) = HELD.with(Cell::get);
    (value, usize::try_from(most - before).unwrap_or(0))
}

/// Bytes that the process holds.
pub(crate) fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

#[test]
fn what_a_call_holds_is_counted_though_it_is_freed() {
    let (len, most) = held(|| {
        let first = vec![0_u8; 1000];
        drop(vec![0_u8; 500]);
        first.len()
    });
    assert_eq!(len, 1000);
    assert!((1500..1600).contains(&most), "{most}");
}
