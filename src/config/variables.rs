//! Environment variables that look like settings and are none.

use clap::Command;

/// The beginning of every setting's variable.
const PREFIX: &str = "SVIEW_";

/// A setting is likely meant where this share of its letters is the same at least.
const ALIKE: f64 = 0.7;

/// Warnings about variables that begin like settings and are none, a sentence each. Values are not shown.
pub(crate) fn unknown(command: &Command, names: impl Iterator<Item = String>) -> Vec<String> {
    let known: Vec<String> = variables(command);
    let mut names: Vec<String> = names.filter(|name| name.starts_with(PREFIX) && !known.contains(name)).collect();
    // Kubernetes describes a service of the name `sview` so.
    if names.iter().any(|name| name == "SVIEW_SERVICE_HOST") {
        names.retain(|name| {
            !name.starts_with("SVIEW_SERVICE_") && name != "SVIEW_PORT" && !name.starts_with("SVIEW_PORT_")
        });
    }
    names.sort();
    let warning = |name: &String| {
        let shown = sview_jobs::sanitise_line(name, 60);
        match nearest(&name[PREFIX.len()..], known.iter().map(|other| &other[PREFIX.len()..])) {
            Some(nearest) => format!("{shown} is no setting and has no effect; is {PREFIX}{nearest} meant?"),
            None => format!("{shown} is no setting and has no effect; `sview help settings` lists them all"),
        }
    };
    names.iter().map(warning).collect()
}

/// The name that is likely meant by one that is unknown.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |other: &'a str| (strsim::normalized_damerau_levenshtein(name, other), other);
    let (likeness, nearest) = known.map(likeness).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= ALIKE).then_some(nearest)
}

/// The variables of all settings.
fn variables(command: &Command) -> Vec<String> {
    command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::{AdminSettings, Places, WebSettings};

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        places: Places,
        #[command(flatten)]
        web: WebSettings,
        #[command(flatten)]
        admin: AdminSettings,
    }

    #[test]
    fn a_mistyped_variable_is_told_with_the_nearest_one() {
        let told = |names: &[&str]| unknown(&Program::command(), names.iter().map(|name| (*name).to_owned()));
        assert!(told(&["SVIEW_LISTEN", "HOME", "SVIEWS_LISTEN", "SVIEW_ADMIN_TOKEN"]).is_empty());
        for (wrong, right) in [
            ("SVIEW_LISTNE", "SVIEW_LISTEN"),
            ("SVIEW_DATABASE_UR", "SVIEW_DATABASE_URL"),
            ("SVIEW_DATADIR", "SVIEW_DATA_DIR"),
            ("SVIEW_KEEP_REPORT_DAYS", "SVIEW_KEEP_REPORTS_DAYS"),
        ] {
            assert_eq!(told(&[wrong]), [format!("{wrong} is no setting and has no effect; is {right} meant?")]);
        }
        assert!(told(&["SVIEW_COLOUR_OF_THE_SKY"])[0].ends_with("`sview help settings` lists them all"));
        assert!(told(&["SVIEW_SERVICE_HOST", "SVIEW_PORT", "SVIEW_PORT_80_TCP"]).is_empty());
        assert_eq!(told(&["SVIEW_B\u{1b}[m", "SVIEW_A"]).len(), 2);
        assert!(!told(&["SVIEW_B\u{1b}[m"])[0].contains('\u{1b}'));
    }
}
