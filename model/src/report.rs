//! Reports: what probes send, as rows of the four raw tables.
//!
//! Strings in reports are typed by attackers: any valid UTF-8 of up to [`MAX_TEXT`] bytes. They are data, never markup.

use std::{fmt, net::IpAddr, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The longest user name or password that is kept, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// A text that is not a value of the field's enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be one of {allowed}, not {got:?}")]
pub struct UnknownWord {
    what: &'static str,
    allowed: String,
    got: String,
}

/// Declares an enumeration whose variants have one spelling each: in databases, files, addresses and on pages.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling of this value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord::new($what, &[$($word),+], text)),
                }
            }
        }
    };
}
pub(crate) use words;

impl UnknownWord {
    pub(crate) fn new(what: &'static str, allowed: &[&str], got: &str) -> Self {
        let got = got.chars().take(40).collect();
        Self { what, allowed: allowed.join(", "), got }
    }
}

words! {
    /// The three kinds of reports; each has one raw table and three aggregated ones.
    Kind, "kind" {
        /// Somebody touched a trap.
        Incidents = "incidents",
        /// Somebody tried to log in.
        Passwords = "passwords",
        /// Somebody scanned a port.
        Ports = "ports",
    }
}

words! {
    /// The traps that catch attackers.
    Trap, "trap" {
        /// The FTP minipot.
        Ftp = "minipot_ftp",
        /// The SMTP minipot.
        Smtp = "minipot_smtp",
        /// The Telnet minipot.
        Telnet = "minipot_telnet",
        /// The HTTP minipot.
        Http = "minipot_http",
        /// The firewall's log.
        Fwlogs = "fwlogs",
        /// An SSH honeypot (Honeypot as a Service, Cowrie). Not in the original's schema; added by a migration.
        Haas = "haas",
    }
}

words! {
    /// The actions of attackers.
    Action, "action" {
        /// Opened a connection.
        Connect = "connect",
        /// Tried to log in.
        Login = "login",
        /// Sent a message or command.
        Message = "message",
        /// Broke the protocol.
        Invalid = "invalid",
        /// Scanned a few ports.
        SmallPortScan = "small_port_scan",
        /// Scanned many ports.
        BigPortScan = "big_port_scan",
    }
}

words! {
    /// The transport of a scanned port.
    Protocol, "protocol" {
        /// TCP.
        Tcp = "TCP",
        /// UDP.
        Udp = "UDP",
        /// Anything else.
        Other = "other",
    }
}

/// Two upper-case letters, ISO 3166-1 alpha-2 (and `XK`, as GeoIP databases use it).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CountryCode {
    /// Texts that sources write instead of a country that is not known. These are nothing, `-` (IP2Location), `--`, `ZZ` (DB-IP), `XX` and
    /// `T1` for Tor (Cloudflare). MaxMind's older databases have `A1`, `A2` and `O1` for proxies, satellites and others.
    pub const UNKNOWN: &'static [&'static str] = &["", "-", "--", "ZZ", "XX", "T1", "A1", "A2", "O1"];

    /// Reads a country, in letters of either case; `None` for one of [`CountryCode::UNKNOWN`].
    ///
    /// # Errors
    /// [`BadCountry`] when it is neither.
    pub fn known(text: &str) -> Result<Option<Self>, BadCountry> {
        if Self::UNKNOWN.iter().any(|word| word.eq_ignore_ascii_case(text)) { Ok(None) } else { text.parse().map(Some) }
    }
}

/// Not a country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a country is two letters, like CZ")]
pub struct BadCountry;

impl FromStr for CountryCode {
    type Err = BadCountry;
    fn from_str(text: &str) -> Result<Self, BadCountry> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(BadCountry),
        }
    }
}

/// The secret by which a device's owner is known: 64 characters of `[a-z0-9]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceToken(String);

impl DeviceToken {
    /// The number of characters of every token.
    pub const LENGTH: usize = 64;

    /// The 64 characters. Their holder reads the device's data: log and show [`DeviceToken::hash`] instead.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first ten hex digits of the token's SHA-256. Operators and logs identify devices by them.
    #[must_use]
    pub fn hash(&self) -> String {
        crate::token_check(std::slice::from_ref(self))
    }

    /// The first six characters, by which owners recognise their devices on pages of their own. For everybody else there is
    /// [`DeviceToken::hash`].
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..6]
    }
}

impl fmt::Debug for DeviceToken {
    /// Shows the hash, never the secret: debug output ends in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceToken(#{})", self.hash())
    }
}

/// Not a device token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a device token is 64 characters, each a lower-case letter or a digit")]
pub struct BadDeviceToken;

impl FromStr for DeviceToken {
    type Err = BadDeviceToken;
    fn from_str(text: &str) -> Result<Self, BadDeviceToken> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for DeviceToken {
    type Error = BadDeviceToken;
    fn try_from(text: String) -> Result<Self, BadDeviceToken> {
        let good = text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if good { Ok(Self(text)) } else { Err(BadDeviceToken) }
    }
}

impl From<DeviceToken> for String {
    fn from(token: DeviceToken) -> Self {
        token.0
    }
}

/// A row of `identity`: a probe, by serial number and token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Serial number, at most 16 characters; empty when it is not known.
    pub sn: String,
    /// The probe's secret.
    pub device_token: DeviceToken,
}

/// A row of `incidents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The time of the incident.
    pub time: DateTime<Utc>,
    /// How many alike this row stands for, at least 1.
    pub raw_count: i64,
    /// The probe that saw it; a token not known yet makes an identity with this serial number.
    pub identity: Identity,
    /// The trap that caught it.
    pub trap: Trap,
    /// The attacker's action.
    pub action: Action,
    /// The attacker's address.
    pub ip: IpAddr,
    /// The country where the address is registered, when known.
    pub country: Option<CountryCode>,
}

/// A row of `passwords`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    /// The time of the attempt.
    pub time: DateTime<Utc>,
    /// How many alike this row stands for, at least 1.
    pub raw_count: i64,
    /// The user name that was tried. Hostile text.
    pub username: String,
    /// The password that was tried. Hostile text.
    pub password: String,
}

/// A row of `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The time of the scan.
    pub time: DateTime<Utc>,
    /// How many alike this row stands for, at least 1.
    pub raw_count: i64,
    /// The scanned port, 0 to 65535.
    pub port: u16,
    /// Its transport.
    pub protocol: Protocol,
}

/// A session of a honeypot that is open, with data from the line of its connection. Later lines do not repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Its name in the honeypot's log.
    pub id: String,
    /// The trap that caught it.
    pub trap: Trap,
    /// The attacker's address.
    pub ip: IpAddr,
}

impl OpenSession {
    /// The longest name of a session that is known, in bytes. Honeypots use 12; a log may hold anything.
    pub const MAX_ID: usize = 64;
    /// How many sessions that are open at a file's end are carried on to the next files: those opened last.
    pub const MOST: usize = 10_000;
}

/// Reports to be stored together, in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Probes to be made known (their serial numbers); those of incidents need not be repeated here.
    pub identities: Vec<Identity>,
    /// Incidents.
    pub incidents: Vec<Incident>,
    /// Log-in attempts.
    pub passwords: Vec<Password>,
    /// Port scans.
    pub ports: Vec<Port>,
}

impl Batch {
    /// The number of rows of all kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.identities.len() + self.incidents.len() + self.passwords.len() + self.ports.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves the rows of another batch to the end of this one.
    pub fn append(&mut self, other: &mut Self) {
        self.identities.append(&mut other.identities);
        self.incidents.append(&mut other.incidents);
        self.passwords.append(&mut other.passwords);
        self.ports.append(&mut other.ports);
    }
}
