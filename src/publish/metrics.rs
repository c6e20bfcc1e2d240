//! The operators' metrics of the publisher. In a process that publishes nothing everything is 0.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use sview_dynfw::Topic;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTopic {
    topic: &'static str,
}

/// The publisher's notes about its work.
#[derive(Default)]
pub(super) struct Metrics {
    messages: Family<OfTopic, Counter>,
    /// Clients that are connected.
    pub(super) clients: Gauge,
    /// Addresses on the list as it is published.
    pub(super) addresses: Gauge,
    /// The serial of the last delta.
    pub(super) serial: Gauge,
    /// The time when the whole list was sent last, in seconds since 1970.
    pub(super) listed: Gauge<f64, AtomicU64>,
    /// Looks for news that failed.
    pub(super) failed: Counter,
}

/// Those of this process.
pub(super) static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let metrics = Metrics::default();
    for topic in Topic::ALL {
        drop(metrics.messages.get_or_create(&OfTopic { topic: topic.as_str() }));
    }
    metrics
});

impl Metrics {
    /// Notes that a message was sent.
    pub(super) fn sent(&self, topic: Topic) {
        self.messages.get_or_create(&OfTopic { topic: topic.as_str() }).inc();
    }
}

/// Adds these metrics to a registry.
pub(crate) fn register(registry: &mut Registry) {
    let metrics = &*METRICS;
    let help = "Messages that were published, by topic, whoever hears them";
    registry.register("sview_publisher_messages", help, metrics.messages.clone());
    registry.register("sview_publisher_clients", "Clients of the publisher", metrics.clients.clone());
    registry.register("sview_publisher_addresses", "Addresses on the published list", metrics.addresses.clone());
    registry.register(
        "sview_publisher_serial",
        "Serial of the last change of the published list",
        metrics.serial.clone(),
    );
    let help = "When the whole list was published last, in seconds since 1970; 0 before";
    registry.register_with_unit("sview_publisher_last_list", help, Unit::Seconds, metrics.listed.clone());
    let help = "Looks for another list and for reports that failed, and were made up for later";
    registry.register("sview_publisher_failed_looks", help, metrics.failed.clone());
}
