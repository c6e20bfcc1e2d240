//! `sview help`: the help of a command, or the settings that all commands share.
//!
//! A setting is an argument of every command. Its help is shown here alone, so that `sview COMMAND --help` teaches the command.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};
use serde::Serialize;

use super::{Cli, output};
use crate::config::nearest;

/// The topic that lists settings instead of explaining a command.
const SETTINGS: &str = "settings";

/// Stands at the end of the help of every command.
const POINTER: &str =
    "`sview help settings` lists the settings that all commands share, like --data-dir and --database-url.";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
JSON, of settings only: [{flag, variable, key, value, default, group, help}], where key is the name in the file of --config, and
default is null where there is none, and where it would show a secret.

Examples:
  sview help ingest               how reports are read
  sview help rollup verify        how aggregates are checked
  sview help settings             all settings, in groups
  sview help settings greylist    the settings that have to do with the greylist
  sview help settings --json      all settings, for programs")]
pub struct Args {
    /// A command, like ingest or rollup verify; or settings, and words to look for in them
    #[arg(value_name = "TOPIC")]
    topic: Vec<String>,
    /// Print the settings as JSON
    #[arg(long)]
    json: bool,
}

/// Hides the settings in the help of every command, and says there where they are.
pub(super) fn without_settings(command: Command) -> Command {
    fn tidy(command: Command, depth: usize) -> Command {
        let below = command.has_subcommands();
        let help = command.get_after_help().map(|help| format!("{help}\n\n"));
        let command = command.mut_subcommands(|below| tidy(below, depth + 1));
        // The root's own text says where settings come from, and a command with commands below it is explained by those.
        if depth == 0 || below { command } else { command.after_help(help.unwrap_or_default() + POINTER) }
    }
    tidy(command.mut_args(|arg| if is_setting(&arg) { arg.hide(true) } else { arg }), 0)
}

/// Whether every command has this argument, with a variable and a key in the file.
fn is_setting(arg: &Arg) -> bool {
    arg.is_global_set() && arg.get_env().is_some()
}

/// Returns the topic that the command line asks help for, if it is `sview help`. No setting is looked at, so none can be wrong.
pub(super) fn asked(args: &[OsString]) -> Option<Args> {
    let mut command = Cli::command().mut_args(|arg| if is_setting(&arg) { arg.env(None::<&str>) } else { arg });
    let matches = command.try_get_matches_from_mut(args).ok()?;
    match Cli::from_arg_matches(&matches).ok()?.command {
        super::Command::Help(args) => Some(args),
        _ => None,
    }
}

/// Prints the help of what `args` name. `command` is the whole command line, with the defaults of the file of settings.
pub(super) fn run(command: &mut Command, args: &Args) -> anyhow::Result<ExitCode> {
    command.build();
    if let Some((SETTINGS, words)) = args.topic.split_first().map(|(first, words)| (first.as_str(), words)) {
        return settings(command, words, args.json);
    }
    ensure!(!args.json, "--json is for settings: sview help settings --json");
    let mut at = &*command;
    for name in &args.topic {
        let known: Vec<_> = at.get_subcommands().map(|below| below.get_name().to_owned()).collect();
        let above = at.get_bin_name().unwrap_or("sview").to_owned();
        let Some(below) = at.find_subcommand(name) else {
            let shown = sview_jobs::sanitise_line(name, 60);
            let known = known.iter().map(String::as_str).chain((above == "sview").then_some(SETTINGS));
            match nearest(name, known) {
                Some(nearest) => bail!("{above} has no command {shown}; is {nearest} meant?"),
                None => bail!("{above} has no command {shown}; `{above} --help` lists the commands"),
            }
        };
        at = below;
    }
    let asked = ["sview"].into_iter().chain(args.topic.iter().map(String::as_str)).chain(["--help"]);
    let Err(help) = command.try_get_matches_from_mut(asked) else { bail!("there is no help") };
    output::line(help.render().ansi().to_string().trim_end());
    Ok(ExitCode::SUCCESS)
}

/// A setting, for programs.
#[derive(Serialize)]
struct Setting {
    flag: String,
    variable: String,
    key: String,
    value: String,
    default: Option<String>,
    group: String,
    help: String,
}

impl Setting {
    fn of(arg: &Arg) -> Self {
        let text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let secret = arg.is_hide_env_values_set();
        Self {
            flag: format!("--{}", arg.get_long().unwrap_or_default()),
            variable: arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            key: arg.get_id().to_string(),
            value: arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect(),
            default: (!defaults.is_empty() && !secret).then(|| defaults.join(",")),
            group: arg.get_help_heading().unwrap_or_default().to_owned(),
            help: text(arg.get_long_help().or(arg.get_help())),
        }
    }

    /// Whether a word stands anywhere in it, whatever its case.
    fn mentions(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        [&self.flag, &self.variable, &self.group, &self.help].iter().any(|text| text.to_lowercase().contains(&word))
    }
}

fn settings(command: &Command, words: &[String], json: bool) -> anyhow::Result<ExitCode> {
    let found = |arg: &&Arg| is_setting(arg) && words.iter().all(|word| Setting::of(arg).mentions(word));
    let args: Vec<_> = command.get_arguments().filter(found).cloned().collect();
    if args.is_empty() {
        let words = sview_jobs::sanitise_line(&words.join(" "), 60);
        bail!("no setting mentions {words}; `sview help settings` lists them all");
    }
    if json {
        output::json(&args.iter().map(Setting::of).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let about = "Settings are taken from flags, then the environment, then the file of --config, then defaults.\n\
                 A key of the file is the variable's name in lower case without SVIEW_: data_dir = \"/var/lib/sview\".";
    let mut page = Command::new("settings")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .max_term_width(super::WIDTH)
        .help_template("{about}\n\n{all-args}")
        .about(about)
        .args(args.into_iter().map(|arg| arg.hide(false).global(false)));
    output::line(page.render_long_help().ansi().to_string().trim_end());
    Ok(ExitCode::SUCCESS)
}
