//! `sview cache-resource NAME PERIOD`: suggests the caching of one resource.

use std::net::IpAddr;
use std::process::ExitCode;

use sview_jobs::{Cause, consider, suggest};
use sview_model::{Parameters, Period, Request, ResourceName};

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, arguments, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Suggests one resource, as a page does that shows it. A precached one is computed together with all others of its kind and period.
One about an attacker or a password is computed for whoever asks, so it takes --ip or --password. What is about a visitor's
devices is only ever computed for that visitor.

Examples:
  sview cache-resource all_incidents_graph 1w
  sview cache-resource selected_attacker_incidents_graph 1m --ip 192.0.2.7
  sview cache-resource logins_of_password_by_usages_list 1y --password 'hunter2' -d"))]
pub struct Args {
    /// Which resource; its name is that of the API
    #[arg(value_name = "NAME")]
    name: ResourceName,
    /// At which period
    #[arg(value_name = "PERIOD", value_parser = arguments::period())]
    period: Period,
    /// About which attacker: an IPv4 or IPv6 address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "password")]
    ip: Option<IpAddr>,
    /// About which password
    #[arg(long, value_name = "TEXT")]
    password: Option<String>,
    #[command(flatten)]
    how: Suggesting,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let parameters = match (args.ip, &args.password) {
        (Some(ip), _) => Parameters::Ip(ip),
        (None, Some(password)) => Parameters::Password(password.clone()),
        (None, None) => Parameters::None,
    };
    let request = Request::new(args.name, args.period, parameters)?;
    let services = store::existing(settings).await?;
    let cause = Cause::Command("cache-resource");
    let suggestion = if args.how.dry_run {
        consider(&services.jobs, &request, &cause).await?
    } else {
        suggest(&services.jobs, &request, &cause).await?
    };
    suggestions::show(&[suggestion], args.how, true)
}
