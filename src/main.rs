//! The program: see [`sview::cli`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    sview::cli::run(std::env::args_os().collect()).await
}
