//! The allocator of the program, and how long it keeps memory that was freed.
//!
//! Freed memory stays for a second, so that the next query finds it: after ten milliseconds, as it is by default, a query of
//! some megabytes spends a fifth of its time on getting its memory back from the system. A server that is near its limit has
//! no memory to keep: there it goes back at once.

use std::ffi::c_long;
use std::time::Duration;

use observability_api::budget::freed;
use observability_api::metrics;

/// In the place of the system's, for the engine too: planning a statement is thousands of small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2, in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// The variable that sets it from outside. It wins.
const PURGE_DELAY_VARIABLE: &str = "MIMALLOC_PURGE_DELAY";
/// How long freed memory stays.
const KEPT: c_long = 1_000;
/// The same while the server has more than half of its limit.
const KEPT_NEAR_THE_LIMIT: c_long = 10;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Lets freed memory stay with the program.
#[allow(unsafe_code)]
pub fn keep_freed_memory() {
    // SAFETY: it stores a number, before there are other threads.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT) }
}

/// Gives freed memory back sooner while the program has more than half of `limit`, in bytes.
pub fn stay_within(limit: u64) {
    if std::env::var_os(PURGE_DELAY_VARIABLE).is_some() {
        return;
    }
    freed::give_back_with(give_back);
    let watch = move || {
        let mut is_near = false;
        loop {
            std::thread::sleep(LOOK);
            let Some(resident) = metrics::resident_bytes() else { return };
            // A little hysteresis: what was given back must not change the answer.
            let near = resident > if is_near { limit / 8 * 3 } else { limit / 2 };
            if near != is_near {
                is_near = near;
                freed::set_near_limit(near);
                keep_for(if near { KEPT_NEAR_THE_LIMIT } else { KEPT });
            }
        }
    };
    // A system without a thread to give has other worries; freed memory then stays for a second, however much there is.
    let _ = std::thread::Builder::new().name("freed memory".into()).spawn(watch);
}

#[allow(unsafe_code)]
fn keep_for(milliseconds: c_long) {
    // SAFETY: it stores a number, which other threads read whole.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, milliseconds) }
}

/// What this thread has freed.
#[allow(unsafe_code)]
fn give_back() {
    // SAFETY: it may be called at any time, by any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
