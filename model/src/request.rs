//! A request for a resource: name, period and parameters, parsed once; and the key under which its value is cached.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::report::MAX_TEXT;
use crate::{DeviceToken, Period, ResourceName, Subject, long_text};

/// How many hex digits of a hash are shown.
const SHOWN: usize = 10;

/// The parameters of a resource besides the period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameters {
    /// No parameter.
    #[default]
    None,
    /// The address of one attacker.
    Ip(IpAddr),
    /// One password. Hostile text. A [`Request`] names one of more than [`long_text::LONG`] bytes by its [shown](long_text::shown) form.
    Password(String),
    /// The session's devices, in the order in which they were added.
    Devices(Vec<DeviceToken>),
}

impl Parameters {
    fn subject(&self) -> Subject {
        match self {
            Self::None => Subject::Everything,
            Self::Ip(_) => Subject::Attacker,
            Self::Password(_) => Subject::Password,
            Self::Devices(_) => Subject::Devices,
        }
    }
}

/// Parameters that do not fit the resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The resource needs another parameter, or none.
    #[error("{resource} takes {takes}")]
    Parameters {
        /// The requested resource.
        resource: ResourceName,
        /// The parameters that it takes, for people.
        takes: &'static str,
    },
    /// Longer than any password that is kept.
    #[error("a password has at most {MAX_TEXT} bytes")]
    TooLong,
}

/// A resource at a period, with the parameters that it takes: the unit of caching.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Request {
    resource: ResourceName,
    period: Period,
    #[serde(default)]
    parameters: Parameters,
}

/// A request as it comes off the wire, before its parts are held against each other.
#[derive(Deserialize)]
struct Unchecked {
    resource: ResourceName,
    period: Period,
    #[serde(default)]
    parameters: Parameters,
}

impl TryFrom<Unchecked> for Request {
    type Error = BadRequest;
    fn try_from(raw: Unchecked) -> Result<Self, BadRequest> {
        Self::new(raw.resource, raw.period, raw.parameters)
    }
}

impl Request {
    /// A request; refused when the parameters are not those that the resource takes.
    pub fn new(resource: ResourceName, period: Period, mut parameters: Parameters) -> Result<Self, BadRequest> {
        if parameters.subject() != resource.subject {
            let takes = match resource.subject {
                Subject::Everything => "no parameter besides the period",
                Subject::Attacker => "an address (ip)",
                Subject::Password => "a password (password)",
                Subject::Devices => "the device tokens of the session",
            };
            return Err(BadRequest::Parameters { resource, takes });
        }
        match &mut parameters {
            Parameters::Password(password) if password.len() > MAX_TEXT => return Err(BadRequest::TooLong),
            // Requests wait in queues: they stay small whatever visitors type.
            Parameters::Password(password) if password.len() > long_text::LONG => {
                *password = long_text::shown(&long_text::held(password)).into_owned();
            }
            // An IPv4-mapped IPv6 address is the same attacker.
            Parameters::Ip(ip) => *ip = ip.to_canonical(),
            _ => {}
        }
        Ok(Self { resource, period, parameters })
    }

    /// A request for a resource that takes no parameter; `None` for the others.
    #[must_use]
    pub fn plain(resource: ResourceName, period: Period) -> Option<Self> {
        Self::new(resource, period, Parameters::None).ok()
    }

    /// Every request that is refreshed without being asked for: the precached resources in all periods.
    pub fn precached() -> impl Iterator<Item = Self> {
        Period::ALL.iter().flat_map(|p| ResourceName::precached().filter_map(|r| Self::plain(r, *p)))
    }

    /// Returns the requested resource.
    #[must_use]
    pub fn resource(&self) -> ResourceName {
        self.resource
    }

    /// Returns the requested period.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// With which parameters.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Under which key its value is cached.
    #[must_use]
    pub fn key(&self) -> CacheKey {
        let (name, period) = (self.resource.name, self.period);
        CacheKey(match &self.parameters {
            Parameters::None => format!("{name}:{period}"),
            Parameters::Ip(ip) => format!("{name}:{period}:{ip}"),
            Parameters::Password(password) => format!("{name}:{period}:{}", hex(&Sha256::digest(password.as_bytes()))),
            Parameters::Devices(tokens) => format!("{name}:{period}:{}", hex(&digest_of_tokens(tokens))),
        })
    }
}

impl Parameters {
    /// The first ten hex digits of their SHA-256, by which logs and operators name them; `None` where there are none. That of
    /// passwords and devices is in the [shown](shown_key) cache key as well.
    #[must_use]
    pub fn hash(&self) -> Option<String> {
        let digest = match self {
            Self::None => return None,
            Self::Ip(ip) => hex(&Sha256::digest(ip.to_string().as_bytes())),
            Self::Password(password) => hex(&Sha256::digest(password.as_bytes())),
            Self::Devices(tokens) => hex(&digest_of_tokens(tokens)),
        };
        Some(digest[..SHOWN].to_owned())
    }
}

impl fmt::Display for Request {
    /// Writes the request for people and logs. Visitors' parameters are private, so they are named by their [hash](Parameters::hash).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource, self.period)?;
        let hash = self.parameters.hash().unwrap_or_default();
        match &self.parameters {
            Parameters::None => Ok(()),
            Parameters::Ip(_) => write!(f, " of attacker #{hash}"),
            Parameters::Password(_) => write!(f, " of password #{hash}"),
            Parameters::Devices(tokens) => write!(f, " of {} device(s) #{hash}", tokens.len()),
        }
    }
}

/// The key of a cached value: ASCII, bounded in length, and never shared by two distinct requests.
///
/// Parameters of free form are there as their SHA-256, so nothing that an attacker or a visitor types can be a separator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(String);

impl CacheKey {
    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value depends on a parameter, so that there may be any number of such keys.
    #[must_use]
    pub fn has_parameter(&self) -> bool {
        // Names and periods hold no colon.
        self.0.split(':').nth(2).is_some()
    }
}

/// A cache key, or a job's unique key, as operators see it: of a hash of devices or a password only the first ten digits.
#[must_use]
pub fn shown_key(key: &str) -> String {
    let is_digest = |part: &str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts: Vec<&str> = key.split(':').map(|part| if is_digest(part) { &part[..SHOWN] } else { part }).collect();
    parts.join(":")
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 over the tokens joined in order. They are all of one length, so no two lists join to the same text.
fn digest_of_tokens(tokens: &[DeviceToken]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for token in tokens {
        hash.update(token.as_str());
    }
    hash.finalize().into()
}

/// Returns the right value of the API's `token` parameter: the first ten hex digits of the SHA-256 of the tokens joined in order.
#[must_use]
pub fn token_check(tokens: &[DeviceToken]) -> String {
    hex(&digest_of_tokens(tokens))[..SHOWN].to_owned()
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
