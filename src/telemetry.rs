//! Logs: events of `tracing`, as text or JSON, on the standard error output; and [`metrics`].
//!
//! Libraries are heard only when something fails: what they warn of is said by this server in its
//! own words, with the object and the cause. RUST_LOG can change that.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat, LogLevel};

pub mod metrics;

/// Why logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// RUST_LOG is not a filter.
    #[error("RUST_LOG: {text:?} is not a filter such as info or streamfront=debug: {cause}")]
    Filter {
        /// The value.
        text: String,
        /// What is wrong with it.
        cause: String,
    },
    /// This process has logs already.
    #[error("logs are set up already")]
    Twice,
}

/// Sets up logs for the whole process.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(log)?)
        .with_writer(std::io::stderr);
    let done = match log.format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    done.map_err(|_| TelemetryError::Twice)
}

fn filter(log: &Log) -> Result<EnvFilter, TelemetryError> {
    let text = match (&log.filter, log.level) {
        (Some(filter), _) => filter.clone(),
        // The store of the disk cache says each write that fails, without end.
        (None, LogLevel::Error) => "error,foyer_storage=off".to_owned(),
        (None, LogLevel::Warn) => "error,foyer_storage=off,streamfront=warn".to_owned(),
        (None, LogLevel::Info) => "error,foyer_storage=off,streamfront=info".to_owned(),
        (None, LogLevel::Debug) => "warn,streamfront=debug".to_owned(),
        (None, LogLevel::Trace) => "debug,streamfront=trace".to_owned(),
    };
    EnvFilter::builder()
        .parse(&text)
        .map_err(|error| TelemetryError::Filter {
            text: text.clone(),
            cause: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter() {
        for level in [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ] {
            let log = Log {
                level,
                ..Log::default()
            };
            assert!(filter(&log).is_ok(), "{level:?}");
        }
    }

    #[test]
    fn rust_log_wins_and_is_checked() {
        let mut log = Log {
            filter: Some("warn,streamfront::http=trace".into()),
            ..Log::default()
        };
        let said = filter(&log).unwrap().to_string();
        assert!(
            said.contains("streamfront::http=trace") && said.contains("warn"),
            "{said}"
        );
        log.filter = Some("streamfront=loud".into());
        let error = filter(&log).unwrap_err().to_string();
        assert!(
            error.starts_with("RUST_LOG: \"streamfront=loud\" is not a filter"),
            "{error}"
        );
    }
}
