//! Settings: flags, then the environment, then a TOML file, then the default; a struct a concern.
//!
//! Every setting is an argument with an environment variable, so that `--help` shows all there are. The file's keys are the
//! variables' names without `SVIEW_`, in lower case.

mod admin;
mod agreed;
mod cache;
mod connections;
mod dynfw;
mod file;
mod greylist;
mod host;
mod https_url;
mod ledger;
mod limit;
mod listen;
mod log;
mod mistake;
mod places;
mod secret;
mod site;
mod variables;
mod web;
mod workers;

pub use admin::{AdminListen, AdminSettings, DEFAULT as ADMIN_DEFAULT, Token};
pub use cache::CacheSettings;
pub use connections::ConnectionSettings;
pub use dynfw::DynfwSettings;
pub use file::with_file;
pub use greylist::GreylistSettings;
pub(crate) use host::is_host;
pub use https_url::HttpsUrl;
pub(crate) use https_url::shown;
pub use ledger::LedgerSettings;
pub use limit::{LimitSettings, TrustedProxies};
pub(crate) use listen::listen_address;
pub use log::{LogFormat, LogSettings};
pub(crate) use mistake::explained;
pub use places::{Connections, DEFAULT_DATA_DIR, Places};
pub use secret::Secret;
pub use site::SiteSettings;
pub(crate) use variables::{nearest, unknown as unknown_variables};
pub use web::WebSettings;
pub use workers::WorkerSettings;
