//! The metrics of the reports that this process stores, for Prometheus.

use std::sync::LazyLock;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use sview_model::{Batch, Kind};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    kind: &'static str,
}

static ROWS: LazyLock<Family<Of, Counter>> = LazyLock::new(|| {
    let rows = Family::<Of, Counter>::default();
    for kind in Kind::ALL {
        drop(rows.get_or_create(&Of { kind: kind.as_str() }));
    }
    rows
});

/// Adds these metrics to a registry.
pub fn register(registry: &mut Registry) {
    registry.register("sview_ingest_rows", "Rows of reports that this process stored, by kind", ROWS.clone());
}

/// How many rows of reports this process stored.
#[must_use]
pub fn rows() -> u64 {
    Kind::ALL.iter().map(|kind| ROWS.get_or_create(&Of { kind: kind.as_str() }).get()).sum()
}

/// Notes that the reports of a batch were committed.
pub(crate) fn stored(batch: &Batch) {
    for (kind, rows) in [
        (Kind::Incidents, batch.incidents.len()),
        (Kind::Passwords, batch.passwords.len()),
        (Kind::Ports, batch.ports.len()),
    ] {
        ROWS.get_or_create(&Of { kind: kind.as_str() }).inc_by(rows as u64);
    }
}
