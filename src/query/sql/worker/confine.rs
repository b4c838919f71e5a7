//! What a worker process cannot do, whatever a query makes of it.

use std::io;

use super::{Allowance, STACK_BYTES};

/// Memory that may be reserved beyond what may be used: in all, and for each thread its stack and what the allocator
/// takes at a time.
#[cfg(target_os = "linux")]
const RESERVED_BYTES: (u64, u64) = (256 << 20, STACK_BYTES as u64 + (64 << 20));
/// Threads that there are beside those that compute: one reads, one writes, one plans.
#[cfg(target_os = "linux")]
const OTHER_THREADS: u64 = 3;
/// What the C library calls a resource.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Resource = libc::__rlimit_resource_t;
#[cfg(all(target_os = "linux", not(target_env = "gnu")))]
type Resource = libc::c_int;
/// How far the worker steps back for the server and others when the processors are busy.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// From here on the process opens no file and no socket, leaves no core, and has no more than its memory at a time
/// (the server looks more closely, and more often); it ends with the server, and before the server where the machine's
/// memory runs out.
#[cfg(target_os = "linux")]
pub fn confine(allowance: Allowance) -> io::Result<()> {
    // Not allowed in some containers, and not needed.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    set_limit(libc::RLIMIT_CORE, 0)?;
    set_limit(libc::RLIMIT_FSIZE, 0)?;
    let reserved = (allowance.threads as u64 + OTHER_THREADS).saturating_mul(RESERVED_BYTES.1);
    let reserved = reserved.saturating_add(RESERVED_BYTES.0);
    set_limit(libc::RLIMIT_DATA, (allowance.memory as u64).saturating_add(reserved))?;
    // What is open stays open.
    set_limit(libc::RLIMIT_NOFILE, 0)?;
    end_with_parent()?;
    step_back();
    Ok(())
}

/// Elsewhere the worker ends with its input, and the query's own limits have to do.
#[cfg(not(target_os = "linux"))]
pub fn confine(_: Allowance) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn set_limit(resource: Resource, most: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: it reads the limit, which lives until it returns.
    if unsafe { libc::setrlimit(resource, &raw const limit) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn end_with_parent() -> io::Result<()> {
    // SAFETY: it sets a number.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn step_back() {
    // SAFETY: it sets a number. An error means that the process has stepped back further already.
    unsafe { libc::nice(NICENESS) };
}
