//! What the end of a worker's process means to whoever waits for the result.

use std::process::ExitStatus;

use crate::batch::ReadError;
use crate::query::sql::errors::{LESS_THAN_THE_MACHINE_HAS, is_want_of_memory};

/// SIGKILL, as all Unix systems number it.
const KILL: i32 = 9;
/// SIGSEGV.
const SEGMENT_VIOLATION: i32 = 11;

/// What the end of a process means to the client; `None` when it could not get the memory that it needed.
/// `machine_ran_out` says that the system has ended a process for want of memory since this one started.
pub fn meaning(status: ExitStatus, last_words: &str, machine_ran_out: bool) -> Option<ReadError> {
    // The allocator does not notice that the system refuses it a piece of what it has reserved: touching that is a fault, and
    // a silent one, where a stack that overflows says so.
    if is_want_of_memory(last_words) || is_signal(status, SEGMENT_VIOLATION) && last_words.trim().is_empty() {
        return None;
    }
    if machine_ran_out && is_signal(status, KILL) {
        let reason = format!("the machine has no more, and the system ended it: {LESS_THAN_THE_MACHINE_HAS}");
        return Some(ReadError::OutOfMemory(reason));
    }
    if last_words.contains("overflowed its stack") {
        return Some(ReadError::Invalid("the query is nested too deeply: ask in parts".to_owned()));
    }
    Some(match fault(status) {
        true => ReadError::Invalid("the query cannot be run, write it in another way: it broke down".to_owned()),
        false => lost(&status.to_string()),
    })
}

/// Whether a process ended by its own fault, and not because somebody ended it.
#[cfg(unix)]
fn fault(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    // SIGILL, SIGABRT, SIGBUS, SIGFPE and SIGSEGV.
    status.signal().is_some_and(|signal| [4, 6, 7, 8, 11].contains(&signal))
}

/// Whether a process was ended by a signal.
#[cfg(unix)]
fn is_signal(status: ExitStatus, signal: i32) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(signal)
}

#[cfg(not(unix))]
fn is_signal(_: ExitStatus, _: i32) -> bool {
    false
}

#[cfg(not(unix))]
fn fault(_: ExitStatus) -> bool {
    false
}

/// It is not known why, or somebody else ended it: the query may well succeed the next time.
pub fn lost(how: &str) -> ReadError {
    ReadError::Unavailable(format!("the process that ran the query is gone ({how}): try again in a second"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_query_at_fault_is_told_so_and_another_one_may_come_back() {
        let ended = |signal, said| meaning(ExitStatus::from_raw(signal), said, false);
        assert_eq!(ended(6, "memory allocation of 17 bytes failed"), None);
        assert!(matches!(ended(6, "thread 'sql' has overflowed its stack"), Some(ReadError::Invalid(_))));
        assert_eq!(ended(11, ""), None);
        assert!(matches!(ended(4, ""), Some(ReadError::Invalid(_))));
        assert!(matches!(ended(9, ""), Some(ReadError::Unavailable(_))));
    }

    #[test]
    fn a_query_that_the_machine_had_no_memory_for_is_told_to_take_less() {
        let ended = meaning(ExitStatus::from_raw(9), "", true);
        assert!(matches!(&ended, Some(ReadError::OutOfMemory(text)) if text.contains("LIMIT")), "{ended:?}");
        assert!(matches!(meaning(ExitStatus::from_raw(15), "", true), Some(ReadError::Unavailable(_))));
    }
}
