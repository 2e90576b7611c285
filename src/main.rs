//! The `streamfront` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    streamfront::cli::main()
}
