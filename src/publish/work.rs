//! The publisher's work, one step after the other: the list, its changes, and events.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sview_dynfw::{Delta, Event, PublishError, Publisher, Saved, Serials};

use super::PublishSettings;
use super::failure::{self, Failure};
use super::listed::Listed;
use super::metrics::METRICS;
use super::paced::Paced;
use super::serial::HighWater;
use crate::Services;
use sview_model::vocabulary::event_name;

/// After so many deltas at once the list follows, for those who lost some nevertheless and wait for it.
const MANY: usize = 1000;

/// The time that clients of an earlier run have to connect again, before they hear that they have missed something.
const SETTLING: Duration = Duration::from_secs(3);

/// An address for documentation: added and taken back where there is no other.
const NOBODYS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// A publisher at work.
pub(super) struct Work<'a> {
    services: &'a Services,
    settings: &'a PublishSettings,
    paced: Paced<'a>,
    high_water: &'a mut HighWater,
    /// The serials of what is published.
    serials: Serials,
    /// The list that should be published.
    listed: Listed,
    /// Up to when reports have become events.
    told: DateTime<Utc>,
}

impl<'a> Work<'a> {
    /// Begins with the present list. Serials leap, because nobody knows which deltas of an earlier run were heard. A client of that run
    /// finds more missing than it waits for, and asks for the list again.
    pub(super) async fn begin(
        services: &'a Services,
        settings: &'a PublishSettings,
        publisher: &'a Publisher,
        high_water: &'a mut HighWater,
    ) -> anyhow::Result<Self> {
        let now = services.jobs.clock.now();
        let (version, serial) = high_water.leap(seconds(now))?;
        let told = now - settings.delay;
        // Until the database answers, there is nothing to say.
        let listed = loop {
            match read(services).await {
                Ok(listed) => break listed,
                Err(error) => tracing::warn!(%error, "could not read the greylist"),
            }
            tokio::time::sleep(failure::AFTER).await;
        };
        let addresses = Some(listed.at(services.jobs.clock.now()));
        let serials = Serials::resume(Some(Saved { version, serial, addresses }), seconds(now));
        let paced = Paced::new(publisher);
        Ok(Self { services, settings, paced, high_water, serials, listed, told })
    }

    /// Publishes; ends when the socket breaks.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        self.send_list().await?;
        tokio::time::sleep(SETTLING).await;
        while let Err(failure) = self.nudge().await {
            failure.pass("could not send a change to clients of an earlier run; trying again").await?;
        }
        let mut lists = tokio::time::interval(self.settings.list_every);
        let mut looks = tokio::time::interval(self.settings.look_every);
        for interval in [&mut lists, &mut looks] {
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                biased; // by chance, looks that fail and are waited for would hold up the list for half a minute
                _ = lists.tick() => self.send_list().await?,
                _ = looks.tick() => if let Err(failure) = self.look().await {
                    failure.pass("a look for news failed; the next one makes up for it").await?;
                },
            }
        }
    }

    /// Sends a change and takes it back: a client of an earlier run sees by its serial that something was missed.
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
        let standing = self.services.reports.greylist().standing().await?;
        if standing.map(|standing| standing.generation) != self.listed.generation() {
            self.listed = read(self.services).await?;
        }
        let now = self.now();
        if self.listed.is_due(now) {
            let wanted = self.listed.at(now);
            if wanted != *self.serials.addresses() {
                self.change(&wanted).await?;
            }
            self.listed.published(now);
        }
        self.tell_events().await
    }

    /// Sends what changes the list into another. Serials are kept before they are sent, so that none is ever used twice.
    async fn change(&mut self, wanted: &BTreeSet<IpAddr>) -> Result<(), Failure> {
        let mut next = self.serials.clone();
        let deltas: Vec<Delta> = next.change(wanted, seconds(self.now()));
        self.high_water.keep(next.version(), next.serial()).map_err(Failure::Passing)?;
        self.serials = next;
        for delta in &deltas {
            self.paced.delta(*delta).await?;
        }
        self.measure();
        if deltas.len() >= MANY {
            self.send_list().await?;
        }
        Ok(())
    }

    async fn send_list(&mut self) -> Result<(), PublishError> {
        self.paced.list(&self.serials.list(seconds(self.now()))).await?;
        self.measure();
        Ok(())
    }

    fn measure(&self) {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        METRICS.addresses.set(whole(self.serials.addresses().len() as u64));
        METRICS.serial.set(whole(self.serials.serial()));
    }

    /// Sends the reports since the last time, at most so many; the rest is left out.
    async fn tell_events(&mut self) -> Result<(), Failure> {
        let until = self.now() - self.settings.delay;
        // After a clock was set back, events begin again instead of waiting for it to catch up.
        self.told = self.told.min(until + TimeDelta::minutes(1));
        if until <= self.told || self.settings.events == 0 {
            return Ok(());
        }
        let deeds = self.services.reports.greylist().deeds(self.told, until, self.settings.events).await?;
        self.told = until;
        let rules = &self.services.jobs.greylist.settings.rules;
        for deed in deeds.into_iter().filter(|deed| rules.never(deed.ip).is_none()) {
            let Ok(name) = event_name(deed.trap, deed.action).parse() else { continue };
            self.paced.event(Event { name, ip: deed.ip, ts: seconds(deed.time) }).await?;
        }
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        self.services.jobs.clock.now()
    }
}

async fn read(services: &Services) -> sview_store::Result<Listed> {
    let (standing, expiries) = services.reports.greylist().expiries().await?;
    Ok(Listed::new(standing.map(|standing| standing.generation), expiries))
}

fn seconds(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or(0)
}
