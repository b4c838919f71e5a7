//! The program: reads its settings, then runs what was asked for.

use std::process::ExitCode;

use observability_api::cli::{self, Invocation, backup, export, import, query, upkeep};

/// In the place of the system's, for the engine too: planning a statement is thousands of small allocations.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(Invocation::Serve(settings)) => cli::serve(settings),
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
