//! Settings of the greylist.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use sview_model::Networks;
use sview_model::greylist::{LICENSE, Rules};
use sview_views::pages::GREYLIST;

/// Settings of the greylist. Those of all processes of a deployment should be the same.
#[derive(Clone, Debug, Args)]
pub struct GreylistSettings {
    /// Networks that are never put on the greylist, like 192.0.2.0/24,2001:db8::/32; private and reserved ones never are
    #[arg(
        long,
        env = "SVIEW_GREYLIST_ALLOW",
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORKS",
        help_heading = "Greylist"
    )]
    pub greylist_allow: Networks,
    /// Whether documentation and benchmarking addresses may be on the greylist; for simulated reports only
    #[arg(long, env = "SVIEW_GREYLIST_NOBODYS", global = true, default_value_t = false, action = ArgAction::Set, value_name = "BOOL", help_heading = "Greylist")]
    pub greylist_nobodys: bool,
    /// Whether well-known resolvers, root name servers and time servers are kept off the greylist, because anybody can forge their
    /// address. --greylist-allow keeps off more
    #[arg(long, env = "SVIEW_GREYLIST_WELL_KNOWN", global = true, default_value_t = true, action = ArgAction::Set, value_name = "BOOL", help_heading = "Greylist")]
    pub greylist_well_known: bool,
    /// Terms of use, for the file LICENSE.txt beside the greylist's files; may have several lines
    #[arg(
        long,
        env = "SVIEW_GREYLIST_TERMS",
        global = true,
        default_value = "Data may be used under CC BY-SA 4.0. There is no warranty: an address may be shared, or change its holder.",
        value_name = "TEXT",
        help_heading = "Greylist"
    )]
    pub greylist_terms: String,
    /// Directory for the greylist's files, for other programs  [default: none; pages serve the files anyway]
    #[arg(long, env = "SVIEW_GREYLIST_DIR", global = true, value_name = "DIR", help_heading = "Greylist")]
    pub greylist_dir: Option<PathBuf>,
    /// Days that daily greylists are kept in the database (0: for good)
    #[arg(
        long,
        env = "SVIEW_GREYLIST_KEEP_DAYS",
        global = true,
        default_value_t = 0,
        value_name = "DAYS",
        help_heading = "Greylist"
    )]
    pub greylist_keep_days: u32,
    /// Scheme and host of the site, where the settings name them: the lists name the address of their terms.
    #[arg(skip)]
    pub site: Option<String>,
}

impl GreylistSettings {
    /// Returns the rules that decide which addresses are listed.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            allow: self.greylist_allow.clone(),
            nobodys: self.greylist_nobodys,
            well_known: !self.greylist_well_known,
        }
    }

    /// The address of the terms of use, or its path where the site's address is not set.
    #[must_use]
    pub fn license(&self) -> String {
        format!("{}{GREYLIST}{LICENSE}", self.site.as_deref().unwrap_or_default())
    }

    /// The same settings, as jobs take them.
    #[must_use]
    pub fn for_jobs(&self) -> sview_jobs::GreylistSettings {
        sview_jobs::GreylistSettings {
            rules: self.rules(),
            terms: self.greylist_terms.clone(),
            license: self.license(),
            directory: self.greylist_dir.clone(),
            keep_days: self.greylist_keep_days,
        }
    }
}
