//! The command line: what a person types, and how the program ends.
//!
//! It ends with 0 when it has done what was asked (a server: stopped by SIGTERM or Ctrl-C, and
//! drained), with 1 and one line on the standard error output when it could not, and with 2 when
//! the command itself was wrong.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// The exit code of a command that is wrong.
const USAGE: u8 = 2;

mod bench;
mod control;
mod demo;
mod diagnose;
mod distribution;
mod purge;
mod samples;
mod serve;
mod sessions;
mod sign;
mod signals;
mod workspace;

/// Turns a bucket of media files into an RTMP streaming distribution.
#[derive(Debug, Parser)]
#[command(
    name = "streamfront",
    version,
    max_term_width = 100,
    after_help = "Try it with nothing at all:  streamfront demo\n\
                  Serve a directory:           streamfront serve --bucket ./media\n\
                  Serve an S3 bucket:          streamfront serve --bucket s3://media\n\
                  Make a distribution:         streamfront distribution create --bucket media\n\
                  Find out what is wrong:      streamfront diagnose rtmp://HOST/cfx/st/NAME"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Args>),
    Demo(demo::Args),
    Bench(Box<bench::Args>),
    Distribution(Box<distribution::Args>),
    Diagnose(Box<diagnose::Args>),
    Purge(purge::Args),
    Sign(Box<sign::Args>),
    Sessions(sessions::Args),
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Demo(args) => demo::run(args),
        Command::Bench(args) => bench::run(&args),
        Command::Distribution(args) => distribution::run(*args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Purge(args) => purge::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Sessions(args) => sessions::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<clap::Error>() => {
            // What only the command itself can see to be wrong.
            error.downcast_ref().map_or(ExitCode::from(USAGE), usage)
        }
        Err(error) => {
            // With nobody to read it there is nothing left to do.
            let _ = writeln!(std::io::stderr(), "{}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// A command line that is wrong in a way that clap cannot see.
fn wrong_argument(why: impl std::fmt::Display) -> anyhow::Error {
    clap::Error::raw(ErrorKind::ValueValidation, why).into()
}

/// Help and version as they are; what is wrong with a command on one line.
fn usage(error: &clap::Error) -> ExitCode {
    let help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if help || !error.use_stderr() {
        error.exit();
    }
    let _ = writeln!(std::io::stderr(), "{}", usage_line(error));
    ExitCode::from(USAGE)
}

/// What clap says first; the rest is the usage, which `--help` tells.
fn usage_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let line = words.join(" ");
    let what = line.strip_prefix("error: ").unwrap_or(&line);
    format!("streamfront: {what} (see --help)")
}

/// The error and its causes on one line; causes that repeat what was said are left out.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::from("streamfront");
    for cause in error.chain() {
        let text = cause.to_string().replace(['\n', '\r'], " ");
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_commands_are_usage_errors() {
        for (args, kind) in [
            (&["streamfront", "--version"][..], ErrorKind::DisplayVersion),
            (
                &["streamfront"],
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ),
            (&["streamfront", "sarve"], ErrorKind::InvalidSubcommand),
            (
                &["streamfront", "serve", "--rtmp", "1935"],
                ErrorKind::ValueValidation,
            ),
            (
                &["streamfront", "serve", "--buckt", "x"],
                ErrorKind::UnknownArgument,
            ),
            (
                &["streamfront", "serve", "--drain-limit", "5"],
                ErrorKind::ValueValidation,
            ),
        ] {
            assert_eq!(
                Cli::try_parse_from(args).unwrap_err().kind(),
                kind,
                "{args:?}"
            );
        }
    }

    #[test]
    fn a_wrong_command_is_told_in_one_line() {
        let line = |args: &[&str]| usage_line(&Cli::try_parse_from(args).unwrap_err());
        assert_eq!(
            line(&["streamfront", "serve", "--rtmp", "1935"]),
            "streamfront: invalid value '1935' for '--rtmp <ADDR:PORT>': invalid socket address \
             syntax (see --help)"
        );
        let unknown = line(&["streamfront", "serve", "--buckt", "x"]);
        assert!(
            unknown.contains("unexpected argument '--buckt'"),
            "{unknown}"
        );
        assert!(!unknown.contains('\n'), "{unknown}");
    }

    #[test]
    fn an_error_is_one_line_that_says_each_cause_once() {
        let error = anyhow!("port taken").context("cannot listen\non 1935: port taken");
        assert_eq!(
            one_line(&error),
            "streamfront: cannot listen on 1935: port taken"
        );
        let error = anyhow!("port taken").context("cannot listen");
        assert_eq!(one_line(&error), "streamfront: cannot listen: port taken");
    }
}
