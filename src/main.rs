//! The program: reads its settings, then runs what was asked for.

use std::process::ExitCode;

use observability_api::cli::{self, Invocation, backup, export, import, query, upkeep};

/// In the place of the system's, for the engine too: planning a statement is thousands of small allocations.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Freed memory stays with the program for a second, so that the next question finds it: after ten milliseconds, as it is
/// by default, a question of some megabytes spends a fifth of its time on getting its memory back from the system.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc 2; MIMALLOC_PURGE_DELAY in the environment wins.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    const MILLISECONDS: std::ffi::c_long = 1_000;
    // SAFETY: it stores a number, before there are other threads.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, MILLISECONDS) }
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    keep_freed_memory();
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(Invocation::Serve(settings)) => cli::serve(settings),
        Ok(Invocation::SqlWorker(allowance)) => cli::run_sql_worker(allowance),
        Ok(Invocation::Query(arguments, settings)) => cli::run(&settings.log.clone(), query::run(arguments, settings)),
        Ok(Invocation::Backup(arguments, settings)) => {
            cli::run(&settings.log.clone(), backup::backup(arguments, settings))
        }
        Ok(Invocation::Restore(arguments, settings)) => {
            cli::run(&settings.log.clone(), backup::restore(arguments, settings))
        }
        Ok(Invocation::Upkeep(work, settings)) => cli::run(&settings.log.clone(), upkeep::run(work, settings)),
        Ok(Invocation::Export(arguments, settings)) => {
            cli::run(&settings.log.clone(), export::run(arguments, settings))
        }
        Ok(Invocation::Import(arguments, settings)) => {
            cli::run(&settings.log.clone(), import::run(arguments, settings))
        }
        Ok(Invocation::ImportTimescale(arguments, settings)) => {
            cli::run(&settings.log.clone(), import::timescaledb::run(arguments, settings))
        }
        Err(unusable) => return unusable.explain(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.explain(),
    }
}
