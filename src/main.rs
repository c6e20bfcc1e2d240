//! The program: see [`sview::cli`].

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Computations take and give back tens of megabytes from changing threads, which the C library's allocator keeps in an arena a
/// thread; this one gives them back to the system.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    sview::cli::run(std::env::args_os().collect()).await
}
