//! What the end of a worker's process means to whoever waits for the result.

use std::process::ExitStatus;

use crate::batch::ReadError;

/// What the end of a process means to the client; `None` when it could not get the memory that it needed.
pub fn meaning(status: ExitStatus, last_words: &str) -> Option<ReadError> {
    if last_words.contains("memory allocation of") {
        return None;
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
        let ended = |signal, said| meaning(ExitStatus::from_raw(signal), said);
        assert_eq!(ended(6, "memory allocation of 17 bytes failed"), None);
        assert!(matches!(ended(6, "thread 'sql' has overflowed its stack"), Some(ReadError::Invalid(_))));
        assert!(matches!(ended(11, ""), Some(ReadError::Invalid(_))));
        assert!(matches!(ended(9, ""), Some(ReadError::Unavailable(_))));
    }
}
