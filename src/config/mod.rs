//! Settings: flags, then the environment, then a TOML file, then the default; a struct a concern.
//!
//! Every setting is an argument with an environment variable, so that `--help` shows all there are. The file's keys are the
//! variables' names without `SVIEW_`, in lower case.

mod admin;
mod cache;
mod connections;
mod dynfw;
mod file;
mod greylist;
mod https_url;
mod ledger;
mod limit;
mod log;
mod places;
mod secret;
mod web;
mod workers;

pub use admin::{AdminListen, AdminSettings, DEFAULT as ADMIN_DEFAULT, Token};
pub use cache::CacheSettings;
pub use connections::ConnectionSettings;
pub use dynfw::DynfwSettings;
pub use file::with_file;
pub use greylist::GreylistSettings;
pub use https_url::HttpsUrl;
pub(crate) use https_url::shown;
pub use ledger::LedgerSettings;
pub use limit::{LimitSettings, TrustedProxies};
pub use log::{LogFormat, LogSettings};
pub use places::{Connections, Places};
pub use secret::Secret;
pub(crate) use secret::without_secrets;
pub use web::WebSettings;
pub use workers::WorkerSettings;
