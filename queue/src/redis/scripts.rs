//! The scripts in `lua/`, each with the prelude before it.

use redis::Script;

macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        /// Every script of the ledger, by the name of its file.
        pub(super) struct Scripts { $(pub(super) $name: Script),+ }

        impl Scripts {
            pub(super) fn new() -> Self {
                const PRELUDE: &str = include_str!("../../lua/prelude.lua");
                Self {
                    $($name: Script::new(&format!(
                        "{PRELUDE}\n{}",
                        include_str!(concat!("../../lua/", stringify!($name), ".lua"))
                    ))),+
                }
            }
        }
    };
}

scripts!(
    push,
    take,
    renew,
    finish,
    rescue,
    reconcile,
    standing,
    counts,
    cancel,
    retry,
    reschedule,
    delete,
    vacuum,
    claim_tick,
    beat,
    workers,
    announce,
    processes,
    note_action
);
