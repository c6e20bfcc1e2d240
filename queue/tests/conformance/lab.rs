//! A ledger of its own for every test.
#![allow(dead_code)] // each suite that includes this file uses some of it

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apalis_ledger::{Ledger, LedgerSettings, NewJob, QueueName, RedisLedger, SqliteLedger, Take, Taken};

use crate::server::Server;

/// The queues of every ledger here, most urgent first.
pub(crate) const QUEUES: [QueueName; 3] = [URGENT, QUICK, SLOW];
pub(crate) const URGENT: QueueName = QueueName::new("urgent");
pub(crate) const QUICK: QueueName = QueueName::new("quick");
pub(crate) const SLOW: QueueName = QueueName::new("slow");

/// A test's ledger and its server or file.
pub(crate) struct Lab {
    pub(crate) server: Option<Server>,
    pub(crate) settings: LedgerSettings,
    pub(crate) queues: Arc<dyn Ledger>,
    directory: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn sqlite(settings: LedgerSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger =
            SqliteLedger::open(&directory.path().join("jobs.sqlite"), &QUEUES, settings.clone()).await.unwrap();
        Self { server: None, settings, queues: Arc::new(ledger), directory }
    }

    pub(crate) async fn redis(settings: LedgerSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path().to_owned());
        let ledger = RedisLedger::new(&server.url(), "test", &QUEUES, settings.clone()).unwrap();
        Self { server: Some(server), settings, queues: Arc::new(ledger), directory }
    }

    /// The ledger's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("jobs.sqlite")
    }

    /// The same ledger as another process sees it.
    pub(crate) async fn another(&self) -> Arc<dyn Ledger> {
        match &self.server {
            Some(server) => Arc::new(RedisLedger::new(&server.url(), "test", &QUEUES, self.settings.clone()).unwrap()),
            None => Arc::new(SqliteLedger::open(&self.file(), &QUEUES, self.settings.clone()).await.unwrap()),
        }
    }

    /// Sets the ledger's clock off the real one.
    pub(crate) fn shift(&self, span: i64) {
        self.settings.clock.set_millis(span);
    }

    /// Takes a job that must be there.
    pub(crate) async fn take(&self, queues: &[QueueName]) -> Taken {
        match self.queues.take(queues, "w", Duration::from_secs(20)).await.unwrap() {
            Take::Job(taken) => *taken,
            Take::Nothing { next_in } => panic!("nothing to take; the next is in {next_in:?}"),
        }
    }

    /// Whether nothing is there to take.
    pub(crate) async fn nothing(&self, queues: &[QueueName]) -> bool {
        matches!(self.queues.take(queues, "w", Duration::from_secs(20)).await.unwrap(), Take::Nothing { .. })
    }
}

/// Makes a test of each body over both ledgers.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($lab:ident: Lab $(, $settings:expr)?) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;
            async fn body(#[allow(unused_mut)] mut $lab: $crate::lab::Lab) $body
            fn settings() -> apalis_ledger::LedgerSettings {
                #[allow(unused_mut, unused_assignments)]
                let mut settings = apalis_ledger::LedgerSettings::default();
                $(settings = $settings;)?
                settings
            }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::lab::Lab::sqlite(settings()).await).await;
            }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                body($crate::lab::Lab::redis(settings()).await).await;
            }
        })+
    };
}
pub(crate) use both;

/// A job as producers push it.
pub(crate) fn new_job(queue: QueueName, key: &str) -> NewJob {
    NewJob {
        id: None,
        name: "probe".into(),
        queue,
        key: key.into(),
        payload: "{}".into(),
        words: format!("probe {key}"),
        cause: "test".into(),
        max_attempts: 3,
        delay: Duration::ZERO,
        room: u64::MAX,
        on_demand: false,
    }
}
