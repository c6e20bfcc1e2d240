//! Errors of the command line about a wrong value. They use the name under which it was given, and never show a secret.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

use super::file::named;

/// Returns an error of the command line. It names a setting as it was given: as a flag, a variable, or a key of the file. It lacks the
/// wrong value if that may be a secret. `--help` hides the values of the same settings.
pub(crate) fn explained(command: &mut Command, args: &[OsString], mut error: clap::Error) -> clap::Error {
    let wrong = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.clone(),
        _ => return error,
    };
    command.build(); // commands below are not before they are called
    if find(command, &wrong, &|arg| arg.is_hide_env_values_set()).is_some() {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    let setting = find(command, &wrong, &|arg| arg.get_env().is_some());
    if let Some(source) = setting.and_then(|arg| source(arg, args)) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(source));
    }
    error
}

/// The argument that errors name so, of a command or of one below it, if it is one of those that are asked for.
fn find<'a>(command: &'a Command, argument: &str, asked: &impl Fn(&Arg) -> bool) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| arg.to_string() == argument && asked(arg));
    own.or_else(|| command.get_subcommands().find_map(|below| find(below, argument, asked)))
}

/// Returns the source of a setting's value, if it is no flag.
fn source(arg: &Arg, args: &[OsString]) -> Option<String> {
    let flag = format!("--{}", arg.get_long()?);
    let is_flag = |given: &OsString| {
        let given = given.to_string_lossy();
        given == flag || given.strip_prefix(&flag).is_some_and(|rest| rest.starts_with('='))
    };
    if args.iter().skip(1).take_while(|given| *given != "--").any(is_flag) {
        return None;
    }
    let variable = arg.get_env()?;
    if std::env::var_os(variable).is_some() {
        return Some(variable.to_string_lossy().into_owned());
    }
    let file = named(args)?;
    Some(format!("{} in {}", arg.get_id(), sview_jobs::sanitise_line(&file.display().to_string(), 300)))
}
