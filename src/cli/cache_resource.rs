//! `sview cache-resource NAME PERIOD`: suggests the caching of one resource.

use std::net::IpAddr;
use std::process::ExitCode;

use sview_jobs::{Cause, consider, suggest};
use sview_model::{Parameters, Period, Request, ResourceName};

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, arguments, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Examples:
  sview cache-resource all_incidents_graph 1w
  sview cache-resource selected_attacker_incidents_graph 1m --ip 192.0.2.7
  sview cache-resource logins_of_password_by_usages_list 1y --password 'hunter2' -d

Suggests the computation of one resource, as a page that shows it does. A precached resource is computed together with all \
others of its kind and period. A resource about an attacker needs --ip; one about a password needs --password. Resources \
about a visitor's own devices are computed for that visitor only."))]
pub struct Args {
    /// Name of the resource, as in the API
    #[arg(value_name = "NAME")]
    name: ResourceName,
    /// Period of the values
    #[arg(value_name = "PERIOD", value_parser = arguments::period())]
    period: Period,
    /// Attacker that it is about: an IPv4 or IPv6 address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "password")]
    ip: Option<IpAddr>,
    /// Password that it is about
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
