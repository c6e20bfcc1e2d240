//! The live feed: messages of the dynamic firewall's publisher, kept as a list, shown on a page and passed on to viewers.
//!
//! A task of its own hears the publisher ([`sview_dynfw::Subscriber`]) and updates the `Feed`. The `Feed` keeps the list, the latest
//! events, and the `BroadcastHub` of viewers. Nothing waits for a viewer: each has a bounded queue, and a viewer that does not keep up is
//! dropped. All input is parsed strictly. Its text is escaped where it is shown, like any other.

mod certificate;
mod countries;
mod feed;
mod hub;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod page;
mod rate_limiter;
mod search;
mod server;
pub(crate) mod socket;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::extract::FromRef;
use sview_dynfw::{Certificate, Counters, Listener, News, Subscriber, SubscriberSettings};
use sview_feed::GeoIp;
use sview_jobs::{Unfailing, spawn_forever};
use sview_model::Clock;
use sview_store::restrict;
use sview_views::Site;
use sview_views::pages::DYNFW;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::feed::Feed;
pub use self::server::serve;
use crate::config::{DynfwSettings, TrustedProxies};
use crate::http::routes::Routes;
use crate::private;

/// The live feed of this process. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    feed: Arc<Mutex<Feed>>,
    written: Arc<search::Written>,
    counters: Arc<Counters>,
    clock: Clock,
    stop: CancellationToken,
}

impl Live {
    /// Begins to hear the publisher that the settings name; `None` where they name none. The own key pair is kept in `data_dir`.
    pub async fn start(
        settings: &DynfwSettings,
        data_dir: &Path,
        clock: Clock,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<(Self, JoinHandle<()>)>> {
        let Some(server) = settings.dynfw_server.as_deref() else { return Ok(None) };
        private::data_dir(data_dir)?;
        let key = certificate::of_server(settings, data_dir).await?;
        let own = Certificate::load_or_make(data_dir, "dynfw_client")?;
        restrict(&data_dir.join("dynfw_client.key_secret"), 0o600)?;
        let subscription =
            SubscriberSettings::new(server, settings.dynfw_port, key, own).context("SVIEW_DYNFW_SERVER")?;
        let geoip = settings.dynfw_geoip_db.as_deref().map(GeoIp::open).transpose().context("SVIEW_DYNFW_GEOIP_DB")?;
        let live = Self {
            feed: Arc::new(Mutex::new(Feed::new(settings, geoip))),
            written: Arc::default(),
            counters: Arc::default(),
            clock,
            stop: stop.clone(),
        };
        metrics::measure(&live);
        let ticking = live.clone();
        spawn_forever("live ticks", stop, move || ticking.clone().ticks());
        let hearing = live.clone();
        let task = spawn_forever("live subscriber", stop, move || {
            let subscriber =
                Subscriber::new(subscription.clone(), FeedListener(hearing.clone()), Arc::clone(&hearing.counters));
            let stop = hearing.stop.clone();
            async move {
                Box::pin(subscriber.run(stop)).await;
                Unfailing::Ok(())
            }
        });
        Ok(Some((live, task)))
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives viewers the messages that were held back for going too fast, until the process stops.
    async fn ticks(self) -> Unfailing {
        let mut every = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            tokio::select! {
                _ = every.tick() => self.feed().tick(),
                () = self.stop.cancelled() => return Ok(()),
            }
        }
    }
}

/// Passes on the subscriber's messages.
struct FeedListener(Live);

impl Listener for FeedListener {
    fn heard(&mut self, news: News<'_>) {
        let now = self.0.clock.now();
        self.0.feed().heard(news, now);
    }

    fn wants_list(&self) -> bool {
        self.0.feed().wants_list()
    }
}

/// The state that the handlers need. `live` is `None` where no publisher is named.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) live: Option<Live>,
    pub(crate) site: Arc<Site>,
    pub(crate) proxies: Arc<TrustedProxies>,
    pub(crate) clock: Clock,
}

/// The page of the live feed.
pub(crate) fn people<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().get(DYNFW, page::show)
}

/// Its addresses for programs.
pub(crate) fn programs<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().get("/dynfw/state.json", page::state).get("/ws", socket::open)
}
