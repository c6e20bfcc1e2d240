//! The program: see [`sview::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sview::open_files::raise_limit();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            sview::telemetry::line(&format!("error: no threads: {error}"));
            sview::telemetry::flush();
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(sview::cli::run(std::env::args_os().collect()));
    // A thread that computes or waits for a disk holds up the end of the process no longer.
    runtime.shutdown_background();
    sview::telemetry::flush();
    code
}
