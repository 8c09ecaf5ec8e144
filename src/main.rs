//! The `sightline` program: passes its arguments to [`sightline::cli`].

use std::process::ExitCode;

use sightline::platform::TELEMETRY_OFF;

fn main() -> ExitCode {
    let (name, value) = TELEMETRY_OFF;
    #[expect(unsafe_code, reason = "a library reads the variable when it is loaded")]
    // SAFETY: no other thread runs yet that could read the environment meanwhile.
    unsafe {
        std::env::set_var(name, value);
    }
    sightline::cli::main(std::env::args_os())
}
