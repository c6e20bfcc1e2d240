//! The dynamic firewall's publisher: the greylist and what is reported, as the live feed that clients of the original network read.

mod event;
pub(crate) mod metrics;
mod serial;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sview_dynfw::{Certificate, Delta, Event, PublishError, Publisher, Saved, Serials, Topic};
use tokio_util::sync::CancellationToken;

pub use self::event::name as event_name;
use self::metrics::METRICS;
use self::serial::HighWater;
use crate::Services;

/// What is published, where, and how often.
#[derive(Clone, Debug)]
pub struct PublishSettings {
    /// Where clients connect.
    pub bind: SocketAddr,
    /// Where the keys are, and the serial that was reached; made when missing.
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

/// So many messages are sent at once, then the socket has a moment to pass them on: what it takes in one go is 64 messages for a client,
/// whatever may wait for it later, and the rest is lost. A thousand a second also leave a client that is held up a second to catch up.
const BURST: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// After so many deltas at once the list follows, for those who lost some nevertheless and wait for it.
const MANY: usize = 1000;

/// How long clients of an earlier run have to connect again, before they are told that they have missed something.
const SETTLING: Duration = Duration::from_secs(3);

/// An address for documentation: added and taken back where there is no other.
const NOBODYS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// After a look that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Publishes until told to stop.
///
/// Clients who are away or slow are no failure, and a database or a disk that fails is made up for by a later look.
///
/// # Errors
/// When keys or serials cannot be read or kept at the start, the address is not free, or the socket breaks: then nobody is told
/// anything any more, and whoever started this process is to start it again.
pub async fn publish(services: &Services, settings: &PublishSettings, stop: &CancellationToken) -> anyhow::Result<()> {
    std::fs::create_dir_all(&settings.directory).with_context(|| settings.directory.display().to_string())?;
    let certificate = Certificate::load_or_make(&settings.directory, "server")?;
    let mut high_water = HighWater::open(&settings.directory)?;
    let publisher = Publisher::bind(settings.bind, &certificate).await?;
    tracing::info!("publishing on tcp://{}", publisher.address());
    tracing::info!("clients need {}", settings.directory.join("server.key").display());
    let done = work(services, settings, &publisher, &mut high_water, stop).await;
    // What failed before is the reason; that it cannot be closed either is none.
    let closed = publisher.close(Duration::from_secs(1)).await;
    done?;
    Ok(closed?)
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
        () = stop.cancelled() => Ok(()),
    }
}

/// Why something was not done.
enum Failure {
    /// The database does not answer, or the disk keeps no serial: it is tried again, and nothing is lost.
    Passing(anyhow::Error),
    /// The socket is broken.
    Broken(PublishError),
}

impl From<sview_store::Error> for Failure {
    fn from(error: sview_store::Error) -> Self {
        Self::Passing(error.into())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Broken(error)
    }
}

struct Work<'a> {
    services: &'a Services,
    settings: &'a PublishSettings,
    publisher: &'a Publisher,
    high_water: &'a mut HighWater,
    serials: Serials,
    /// The generation of the list that is published, and when each of its addresses leaves it.
    generation: Option<u64>,
    expiries: Vec<(IpAddr, DateTime<Utc>)>,
    /// When the published list is to be held against those: at once, or when the next address leaves.
    due: DateTime<Utc>,
    /// Up to when reports have become events.
    told: DateTime<Utc>,
}

impl<'a> Work<'a> {
    /// Begins with the list that there is. Serials leap, for nobody knows which deltas of an earlier run were heard: whoever followed
    /// that run finds more missing than it waits for, and asks for the list again.
    async fn begin(
        services: &'a Services,
        settings: &'a PublishSettings,
        publisher: &'a Publisher,
        high_water: &'a mut HighWater,
    ) -> anyhow::Result<Self> {
        let now = services.jobs.clock.now();
        let (version, serial) = high_water.leap(seconds(now))?;
        let told = now - settings.delay;
        let serials = Serials::resume(Some(Saved { version, serial, addresses: Some(BTreeSet::new()) }), seconds(now));
        let mut work = Self {
            services,
            settings,
            publisher,
            high_water,
            serials,
            generation: None,
            expiries: Vec::new(),
            due: now,
            told,
        };
        // Until the database answers, there is nothing to say.
        while let Err(error) = work.read().await {
            tracing::warn!(%error, "the greylist cannot be read");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
        let wanted = work.wanted();
        work.serials = Serials::resume(Some(Saved { version, serial, addresses: Some(wanted) }), seconds(now));
        Ok(work)
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        self.send_list().await?;
        tokio::time::sleep(SETTLING).await;
        while let Err(failure) = self.nudge().await {
            passing(failure, "clients of an earlier run could not be told of a change; it is tried again").await?;
        }
        let mut lists = tokio::time::interval(self.settings.list_every);
        let mut looks = tokio::time::interval(self.settings.look_every);
        for interval in [&mut lists, &mut looks] {
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = lists.tick() => self.send_list().await?,
                _ = looks.tick() => if let Err(failure) = self.look().await {
                    passing(failure, "a look for news failed; the next one makes up for it").await?;
                },
            }
        }
    }

    /// Sends a change and takes it back: whoever followed an earlier run sees by its serial that something was missed.
    async fn nudge(&mut self) -> Result<(), Failure> {
        let wanted = self.serials.addresses().clone();
        let mut other = wanted.clone();
        if other.pop_first().is_none() {
            other.insert(NOBODYS);
        }
        self.change(&other).await?;
        self.change(&wanted).await
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let standing = self.services.reports.greylist_standing().await?;
        if standing.map(|standing| standing.generation) != self.generation {
            self.read().await?;
        }
        let now = self.services.jobs.clock.now();
        if self.due <= now {
            let wanted = self.wanted();
            if wanted != *self.serials.addresses() {
                self.change(&wanted).await?;
            }
            let next = self.expiries.iter().map(|(_, expires)| *expires).filter(|expires| *expires > now).min();
            self.due = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
        }
        METRICS.clients.set(i64::try_from(self.publisher.clients().await?).unwrap_or(i64::MAX));
        self.tell_events().await
    }

    async fn read(&mut self) -> sview_store::Result<()> {
        let (standing, expiries) = self.services.reports.greylist_expiries().await?;
        self.generation = standing.map(|standing| standing.generation);
        self.expiries = expiries;
        self.due = DateTime::<Utc>::MIN_UTC;
        Ok(())
    }

    /// What is listed now: an address that stopped leaves the list when its time is over, and not only when it is made anew.
    fn wanted(&self) -> BTreeSet<IpAddr> {
        let now = self.services.jobs.clock.now();
        self.expiries.iter().filter(|(_, expires)| *expires > now).map(|(ip, _)| *ip).collect()
    }

    /// Sends what changes the list into another. Serials are kept before they are sent, so that none is ever used twice.
    async fn change(&mut self, wanted: &BTreeSet<IpAddr>) -> Result<(), Failure> {
        let mut next = self.serials.clone();
        let deltas: Vec<Delta> = next.change(wanted, seconds(self.services.jobs.clock.now()));
        self.high_water.keep(next.version(), next.serial()).map_err(Failure::Passing)?;
        self.serials = next;
        for burst in deltas.chunks(BURST) {
            for delta in burst {
                self.publisher.delta(*delta).await?;
                METRICS.sent(Topic::Delta);
            }
            if burst.len() == BURST {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.measure();
        if deltas.len() >= MANY {
            self.send_list().await?;
        }
        Ok(())
    }

    async fn send_list(&mut self) -> Result<(), PublishError> {
        let list = self.serials.list(seconds(self.services.jobs.clock.now()));
        self.publisher.list(list.version, list.serial, &list.addresses, list.ts).await?;
        METRICS.sent(Topic::List);
        METRICS.listed.set(list.ts as f64);
        self.measure();
        Ok(())
    }

    fn measure(&self) {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        METRICS.addresses.set(whole(self.serials.addresses().len() as u64));
        METRICS.serial.set(whole(self.serials.serial()));
    }

    /// Sends what was reported since the last time, at most so much; the rest of it is left out.
    async fn tell_events(&mut self) -> Result<(), Failure> {
        let until = self.services.jobs.clock.now() - self.settings.delay;
        // Where the clock was set back, events begin anew instead of waiting for it to catch up.
        self.told = self.told.min(until + TimeDelta::minutes(1));
        if until <= self.told || self.settings.events == 0 {
            return Ok(());
        }
        let deeds = self.services.reports.deeds(self.told, until, self.settings.events).await?;
        self.told = until;
        let rules = &self.services.jobs.greylist.settings.rules;
        for (sent, deed) in deeds.into_iter().filter(|deed| rules.never(deed.ip).is_none()).enumerate() {
            let Ok(name) = event_name(deed.trap, deed.action).parse() else { continue };
            if sent > 0 && sent % BURST == 0 {
                tokio::time::sleep(PAUSE).await;
            }
            self.publisher.event(Event { name, ip: deed.ip, ts: seconds(deed.time) }).await?;
            METRICS.sent(Topic::Event);
        }
        Ok(())
    }
}

/// Waits a moment after what passes; gives back what does not.
async fn passing(failure: Failure, what: &'static str) -> Result<(), PublishError> {
    match failure {
        Failure::Passing(error) => {
            METRICS.failed.inc();
            tracing::warn!(error = format!("{error:#}"), "{what}");
            tokio::time::sleep(AFTER_FAILURE).await;
            Ok(())
        }
        Failure::Broken(error) => Err(error),
    }
}

fn seconds(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_that_breaks_ends_the_publisher() {
        let directory = sview_testing::temporary();
        let data = directory.path().display().to_string();
        let places = Cli::parse_from(["sview", "migrate", "--data-dir", &data]).settings.places;
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
