//! Memory that was freed and that the allocator keeps for the thread that freed it.
//!
//! It is there when the thread needs it again, which makes queries faster; but only that thread can give it back, and one that
//! has nothing to do does not. Who has freed much therefore says when that is over: always after work that is rare, and while
//! the program is near its limit after any.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A thread gives back no more often than this.
const EVERY: Duration = Duration::from_millis(100);

/// Gives back what this thread has freed; there is one allocator.
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();
static NEAR_LIMIT: AtomicBool = AtomicBool::new(false);

thread_local! {
    static GAVE_BACK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Says how a thread gives back what it has freed.
pub fn give_back_with(give_back: fn()) {
    // A program has one allocator, and says so once.
    let _ = GIVE_BACK.set(give_back);
}

/// Whether the program has so much memory that none should be kept.
pub fn set_near_limit(is_near: bool) {
    NEAR_LIMIT.store(is_near, Ordering::Relaxed);
}

/// This thread has freed much and needs it no more.
pub fn give_back() {
    if let Some(give_back) = GIVE_BACK.get() {
        give_back();
    }
}

/// This thread has done something, and may have nothing to do for a while.
pub fn give_back_near_limit() {
    if !NEAR_LIMIT.load(Ordering::Relaxed) {
        return;
    }
    let now = Instant::now();
    if GAVE_BACK.get().is_none_or(|last| now - last >= EVERY) {
        GAVE_BACK.set(Some(now));
        give_back();
    }
}
