//! The dynamic firewall's publisher: the greylist and new reports, as the live feed that clients of the original network read.

mod failure;
mod listed;
pub(crate) mod metrics;
mod paced;
mod serial;
mod work;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use sview_dynfw::{Certificate, PublishError, Publisher};
use tokio_util::sync::CancellationToken;

use self::metrics::METRICS;
use self::serial::HighWater;
use self::work::Work;
use crate::Services;

/// Settings of the publisher: its address, its files and its intervals.
#[derive(Clone, Debug)]
pub struct PublishSettings {
    /// The address that clients connect to.
    pub bind: SocketAddr,
    /// The directory of the keys and of the last serial; made when missing.
    pub directory: PathBuf,
    /// How often the whole list is sent.
    pub list_every: Duration,
    /// How often the database is looked at for another list and for new reports.
    pub look_every: Duration,
    /// The most events in a look.
    pub events: usize,
    /// How long after it happened a report becomes an event: so long probes have time to report it.
    pub delay: TimeDelta,
}

/// A publisher that clients can connect to, before it publishes.
#[derive(Debug)]
pub struct Publishing {
    settings: PublishSettings,
    publisher: Publisher,
    high_water: HighWater,
}

impl Publishing {
    /// Creates the missing files in its directory, and listens.
    ///
    /// # Errors
    /// When keys or serials cannot be read or kept, or the address is not free.
    pub async fn open(settings: PublishSettings) -> anyhow::Result<Self> {
        let directory = &settings.directory;
        std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let certificate = Certificate::load_or_make(directory, "server")?;
        sview_store::restrict(&directory.join("server.key_secret"), 0o600)?;
        let high_water = HighWater::open(directory)?;
        let publisher = Publisher::bind(settings.bind, &certificate).await?;
        tracing::info!("publishing on tcp://{}", publisher.address());
        tracing::info!("clients need {}", settings.key().display());
        Ok(Self { settings, publisher, high_water })
    }

    /// Returns the address that clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.publisher.address()
    }

    /// Publishes until `stop` is cancelled.
    ///
    /// Clients who are away or slow are no failure. After a failure of database or disk, a later look catches up.
    ///
    /// # Errors
    /// Returns an error if the socket breaks. Then nobody receives anything any more, and the caller must start it again.
    pub async fn run(mut self, services: &Services, stop: &CancellationToken) -> anyhow::Result<()> {
        let done = work(services, &self.settings, &self.publisher, &mut self.high_water, stop).await;
        // An earlier failure is the reason to report; a failed close is none.
        let closed = self.publisher.close(Duration::from_secs(1)).await;
        done?;
        Ok(closed?)
    }
}

impl PublishSettings {
    /// The file of the public key, which clients need.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.directory.join("server.key")
    }
}

async fn work(
    services: &Services,
    settings: &PublishSettings,
    publisher: &Publisher,
    high_water: &mut HighWater,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        done = async { Work::begin(services, settings, publisher, high_water).await?.run().await } => done,
        // A socket without clients takes whatever is sent, so that nothing fails is no sign that it works.
        broken = publisher.closed() => Err(broken.into()),
        broken = count_clients(publisher) => Err(broken.into()),
        () = stop.cancelled() => Ok(()),
    }
}

/// Notes every second how many clients there are, whatever the rest waits for, until the socket breaks: operators look when something
/// is wrong.
async fn count_clients(publisher: &Publisher) -> PublishError {
    loop {
        match publisher.clients().await {
            Ok(clients) => METRICS.clients.set(i64::try_from(clients).unwrap_or(i64::MAX)),
            Err(error) => return error,
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Places;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        places: Places,
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_that_breaks_ends_the_publisher() {
        let directory = sview_testing::temporary();
        let data = directory.path().display().to_string();
        let places = Program::parse_from(["sview", "--data-dir", &data]).places;
        let services = Services::open(&places).await.unwrap();
        let settings = PublishSettings {
            bind: ([127, 0, 0, 1], 0).into(),
            directory: directory.path().to_owned(),
            list_every: Duration::from_secs(1),
            look_every: Duration::from_secs(1),
            events: 0,
            delay: TimeDelta::seconds(1),
        };
        let publisher = Publisher::bind(settings.bind, &Certificate::generate()).await.unwrap();
        let mut high_water = HighWater::open(directory.path()).unwrap();
        let stop = CancellationToken::new();
        let broken = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            publisher.close(Duration::ZERO).await.unwrap();
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = work(&services, &settings, &publisher, &mut high_water, &stop) => ended,
            () = broken => unreachable!(),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it goes on, though nobody hears it"),
        };
        let said = format!("{:#}", ended.unwrap_err());
        assert!(said.contains("nothing can be sent"), "{said}");
    }
}
