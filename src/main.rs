//! The program: reads its settings, then runs what was asked for.

use std::process::ExitCode;

use observability_api::cli::{self, Invocation, backup, query, upkeep};

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
        Err(unusable) => return unusable.explain(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.explain(),
    }
}
