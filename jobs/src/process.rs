//! Processes of a deployment. They announce their life, version and settings to the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::health::{Unfailing, spawn_forever};
use crate::{ProcessInfo, Queues, machine_now};
use apalis_ledger::{host, instance_name};

/// The time between two announcements of a process.
const EVERY: Duration = Duration::from_secs(15);

/// How long the end of a process waits until the ledger has noted it.
const FAREWELL: Duration = Duration::from_secs(2);

/// This process, for [`announce`].
#[must_use]
pub fn this_process(role: &str, version: &str, settings: BTreeMap<String, String>) -> ProcessInfo {
    ProcessInfo {
        name: instance_name(),
        role: role.to_owned(),
        host: host(),
        pid: std::process::id(),
        version: version.to_owned(),
        since: machine_now(),
        settings,
    }
}

/// Announces a process to the ledger every 15 seconds, until `stop` is cancelled; then announces its end. The task ends two seconds later
/// at the latest.
pub fn announce(queues: &Queues, process: ProcessInfo, stop: &CancellationToken) -> JoinHandle<()> {
    let (queues, stopped) = (queues.clone(), stop.clone());
    spawn_forever("process", stop, move || {
        let (queues, process, stop) = (queues.clone(), process.clone(), stopped.clone());
        async move {
            loop {
                if let Err(error) = queues.ledger().announce(&process).await {
                    tracing::debug!(%error, "could not record the heartbeat of the process");
                }
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = stop.cancelled() => break,
                }
            }
            // A process that does not hear of it finds out by the silence.
            let _ = tokio::time::timeout(FAREWELL, queues.ledger().withdraw(&process.name)).await;
            Unfailing::Ok(())
        }
    })
}

/// A setting that is not the same in all processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The name of the setting.
    pub setting: String,
    /// Every value, with the processes that have it, most processes first. `None`: these processes do not know the setting.
    pub values: Vec<(Option<String>, Vec<ProcessInfo>)>,
}

/// Returns the settings on which processes disagree, by name.
#[must_use]
pub fn disagreements(processes: &[ProcessInfo]) -> Vec<Disagreement> {
    let mut names: Vec<&String> = processes.iter().flat_map(|process| process.settings.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let disagreement = |name: &String| {
        let mut values: BTreeMap<Option<&String>, Vec<ProcessInfo>> = BTreeMap::new();
        for process in processes {
            values.entry(process.settings.get(name)).or_default().push(process.clone());
        }
        let mut values: Vec<_> = values.into_iter().map(|(value, of)| (value.cloned(), of)).collect();
        values.sort_by_key(|(_, of)| std::cmp::Reverse(of.len()));
        (values.len() > 1).then(|| Disagreement { setting: name.clone(), values })
    };
    names.into_iter().filter_map(disagreement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_differ_or_are_unknown_somewhere_are_found() {
        let process = |name: &str, settings: &[(&str, &str)]| ProcessInfo {
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..ProcessInfo { name: name.to_owned(), ..this_process("worker", "1.0", BTreeMap::new()) }
        };
        let all = [
            process("a", &[("KEEP", "7"), ("SAME", "x")]),
            process("b", &[("KEEP", "0"), ("SAME", "x"), ("NEW", "y")]),
            process("c", &[("KEEP", "7"), ("SAME", "x")]),
        ];
        let found = disagreements(&all);
        let told: Vec<_> = found
            .iter()
            .map(|d| {
                let values = d.values.iter().map(|(value, of)| {
                    (value.as_deref(), of.iter().map(|process| process.name.as_str()).collect::<Vec<_>>())
                });
                (d.setting.as_str(), values.collect::<Vec<_>>())
            })
            .collect();
        let expected = [
            ("KEEP", vec![(Some("7"), vec!["a", "c"]), (Some("0"), vec!["b"])]),
            ("NEW", vec![(None, vec!["a", "c"]), (Some("y"), vec!["b"])]),
        ];
        assert_eq!(told, expected);
        assert_eq!(disagreements(&all[..1]), []);
    }
}
