//! The program: reads its settings, then runs what was asked for.

#[cfg(target_os = "linux")]
mod allocator;

use std::process::ExitCode;

use observability_api::cli::{self, Invocation, backup, export, import, query, upkeep};

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    allocator::keep_freed_memory();
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(Invocation::Serve(settings)) => {
            #[cfg(target_os = "linux")]
            allocator::stay_within(settings.store.memory_limit_bytes);
            cli::serve(settings)
        }
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
