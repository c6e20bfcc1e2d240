//! The operators' metrics of the live feed. Where none is configured everything is 0.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use sview_dynfw::{Fault, Topic, Why};

use super::Live;

/// The live feed of this process.
static LIVE: OnceLock<Live> = OnceLock::new();

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTopic {
    topic: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    result: &'static str,
}

/// The state at one look.
#[derive(Default)]
struct Seen {
    connected: Gauge,
    heard: Gauge<f64, AtomicU64>,
    addresses: Gauge,
    messages: Family<OfTopic, Counter>,
    dropped: Family<OfReason, Counter>,
    asked: Family<OfReason, Counter>,
    connections: Family<OfResult, Counter>,
    viewers: Gauge,
    lagged: Counter,
    held_back: Counter,
}

/// Names the feed that is measured; the first one stays.
pub(super) fn measure(live: &Live) {
    let _ = LIVE.set(live.clone());
}

/// Adds the present values.
pub(crate) fn register(registry: &mut Registry) {
    let seen = Seen::default();
    for topic in Topic::ALL {
        drop(seen.messages.get_or_create(&OfTopic { topic: topic.as_str() }));
    }
    for reason in Fault::KINDS {
        drop(seen.dropped.get_or_create(&OfReason { reason }));
    }
    for why in Why::ALL {
        drop(seen.asked.get_or_create(&OfReason { reason: why.as_str() }));
    }
    for result in ["made", "failed"] {
        drop(seen.connections.get_or_create(&OfResult { result }));
    }
    if let Some(live) = LIVE.get() {
        seen.look(live);
    }
    registry.register("sview_dynfw_connected", "Whether the publisher of the live feed is connected", seen.connected);
    let help = "When anything was heard from the publisher last, in seconds since 1970; 0 before";
    registry.register_with_unit("sview_dynfw_last_heard", help, Unit::Seconds, seen.heard);
    registry.register("sview_dynfw_addresses", "Addresses on the list of the dynamic firewall", seen.addresses);
    registry.register("sview_dynfw_messages", "Messages that were taken, by topic", seen.messages);
    registry.register("sview_dynfw_dropped", "Messages that were dropped, by what is wrong with them", seen.dropped);
    registry.register("sview_dynfw_list_asked", "How often the list was asked for again, by reason", seen.asked);
    registry.register(
        "sview_dynfw_connections",
        "Connections to the publisher, made and failed or lost",
        seen.connections,
    );
    registry.register("sview_dynfw_viewers", "Viewers of the live feed", seen.viewers);
    registry.register("sview_dynfw_viewers_dropped", "Viewers who were dropped for being too slow", seen.lagged);
    let help = "Messages that viewers were not told since they came too fast";
    registry.register("sview_dynfw_held_back", help, seen.held_back);
}

impl Seen {
    fn look(&self, live: &Live) {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        for topic in Topic::ALL {
            self.messages.get_or_create(&OfTopic { topic: topic.as_str() }).inc_by(live.counters.messages(topic));
        }
        for (reason, count) in live.counters.faults() {
            self.dropped.get_or_create(&OfReason { reason }).inc_by(count);
        }
        for (result, count) in [("made", live.counters.connected()), ("failed", live.counters.failed())] {
            self.connections.get_or_create(&OfResult { result }).inc_by(count);
        }
        let feed = live.feed();
        for why in Why::ALL {
            self.asked.get_or_create(&OfReason { reason: why.as_str() }).inc_by(feed.follower.asked_again(why));
        }
        self.connected.set(feed.connected.into());
        self.heard.set(feed.heard_at.map_or(0.0, |at| at.timestamp_millis() as f64 / 1000.0));
        self.addresses.set(feed.follower.list().map_or(0, |list| whole(list.addresses.len())));
        self.viewers.set(whole(feed.hub.viewers()));
        self.lagged.inc_by(feed.hub.lagged);
        self.held_back.inc_by(feed.held_back);
    }
}
