//! How a command ends when it does not succeed.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Settings that cannot be used. Nothing has been started.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The command line or the environment, or a request for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The file that was named cannot be read.
    #[error("cannot read the settings file {path}: {error}; check the path given to --config")]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file has an unknown name or a value that is not accepted.
    #[error("in the settings file {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Where, and what is accepted there.
        error: Box<toml::de::Error>,
    },
    /// A setting that another one needs is missing.
    #[error("{given} is set but {missing} is not: HTTPS needs the certificate and its key; set both or neither")]
    HalfOfTls {
        /// The setting that is there.
        given: &'static str,
        /// The setting that is not.
        missing: &'static str,
    },
    /// Sizes that contradict each other.
    #[error(transparent)]
    Memory(#[from] crate::config::MemoryError),
    /// Certificate and key do not serve.
    #[error(transparent)]
    Tls(#[from] crate::config::TlsError),
}

impl Unusable {
    /// Tells the user, and gives the exit code: 2, or 0 when the user asked for help.
    pub fn explain(&self) -> ExitCode {
        match self {
            Self::CommandLine(error) => {
                // Nothing is left to be done when the terminal is gone.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            other => {
                say(other);
                ExitCode::from(2)
            }
        }
    }
}

/// A command that started and did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    #[source]
    error: Box<dyn Error + Send + Sync>,
    /// The log, which the terminal shows too, has it already.
    logged: bool,
}

impl Failure {
    /// An error that ended the command and is still to be told.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: error.into(), logged: false }
    }

    /// Writes the error to the log, which is running.
    pub(super) fn logged(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        tracing::error!("{}", with_causes(error.as_ref()));
        Self { error, logged: true }
    }

    /// Tells the user unless the log has, and gives the exit code 1.
    pub fn explain(&self) -> ExitCode {
        if !self.logged {
            say(self.error.as_ref());
        }
        ExitCode::FAILURE
    }
}

fn say(error: &dyn Error) {
    super::progress::say(format_args!("error: {}", with_causes(error)));
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many messages hold their cause already.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
