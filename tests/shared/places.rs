//! The services of a deployment in the test's own process.

use clap::Parser as _;
use sview::Services;
use sview::config::Places;
use sview_testing::Deployment;

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    places: Places,
}

/// Opens what a process of the deployment opens under a frozen clock, with some more flags.
pub(crate) async fn services(deployment: &Deployment, now: &str, more: &[&str]) -> Services {
    let directory = deployment.data_dir.display().to_string();
    let mut args = vec!["sview", "--data-dir", &directory, "--now", now];
    args.extend(["--database-url", &deployment.database_url, "--redis-prefix", &deployment.prefix]);
    args.extend(deployment.redis_url.iter().flat_map(|url| ["--redis-url", url]));
    args.extend(more);
    Services::open(&Settings::parse_from(args).places).await.unwrap()
}
