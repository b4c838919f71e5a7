//! The program: reads its settings, then runs what was asked for.

use std::process::ExitCode;

use observability_api::cli::{self, Invocation};

fn main() -> ExitCode {
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(Invocation::Serve(settings)) => cli::serve(settings),
        Ok(Invocation::Query(arguments, settings)) => cli::query(arguments, settings),
        Ok(Invocation::Export(arguments, settings)) => cli::export(arguments, settings),
        Ok(Invocation::Import(arguments, settings)) => cli::import(arguments, settings),
        Ok(Invocation::ImportTimescale(arguments, settings)) => cli::import_timescale(arguments, settings),
        Err(unusable) => return unusable.explain(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.explain(),
    }
}
