//! Addresses of Redis: one server, several servers, or sentinels.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use apalis_redis::IntoConnectionInfo as _;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{ConnectionAddr, ConnectionInfo};

use crate::{Error, Result};

/// The forms of an address.
const FORMS: &str = "write redis://HOST:PORT/DB for a server, redis://HOST1:PORT,HOST2:PORT/DB for several of which one is the \
                     master, or redis+sentinel://HOST1:PORT,HOST2:PORT/NAME/DB for the master that sentinels name; begin with \
                     rediss for TLS, and put USER:PASSWORD@ before the first host";

/// The port of a sentinel whose address has none.
const SENTINEL_PORT: u16 = 26379;

/// The address of Redis, read with [`str::parse`] from one of these forms.
///
/// - `redis://HOST:PORT/DB`: one server, or a name or proxy that leads to the present master. `redis+unix://PATH` is a socket.
/// - `redis://HOST1:PORT,HOST2:PORT/DB`: several servers. The first that is a master is used.
/// - `redis+sentinel://HOST1:PORT,HOST2:PORT/NAME/DB`: the master that these sentinels know by that name.
///
/// `USER:PASSWORD@` before the first host is for the servers. Sentinels have their own, in `?sentinel_username=…` and
/// `sentinel_password=…`. With `rediss` and `rediss+sentinel` every connection is made over TLS.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) servers: Arc<Servers>,
}

/// The servers of an address.
pub(super) enum Servers {
    /// Servers, at least one; one of them is the master.
    Listed(Vec<ConnectionInfo>),
    /// Sentinels that name the master.
    Sentinels {
        /// The addresses of the sentinels, at least one.
        sentinels: Vec<ConnectionInfo>,
        /// The master's name.
        name: String,
        /// How to connect to the master; its host and port are to be put in.
        master: Box<ConnectionInfo>,
    },
}

impl fmt::Display for RedisAddress {
    /// Shows hosts and ports, never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = |all: &[ConnectionInfo]| all.iter().map(place).collect::<Vec<_>>().join(", ");
        match &*self.servers {
            Servers::Listed(servers) => f.write_str(&hosts(servers)),
            Servers::Sentinels { sentinels, name, .. } => write!(f, "{name} (sentinels {})", hosts(sentinels)),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

impl FromStr for RedisAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let servers = parse(text).map_err(|fault| Error::Address(format!("{fault}: {FORMS}")))?;
        Ok(Self { servers: Arc::new(servers) })
    }
}

fn parse(text: &str) -> Result<Servers, String> {
    let (scheme, rest) = text.split_once("://").ok_or("this is no address of Redis")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > 1 && hosts.iter().any(|host| host.is_empty()) {
        return Err("a host is missing beside a comma".to_owned());
    }
    match scheme.strip_suffix("+sentinel") {
        Some(scheme @ ("redis" | "rediss" | "valkey" | "valkeys")) => parse_sentinels(scheme, &user, &hosts, tail),
        Some(_) => Err(format!("{scheme} is no scheme of sentinels")),
        None if hosts.len() == 1 => Ok(Servers::Listed(vec![info(text)?])),
        None => {
            let server = |host| info(&format!("{scheme}://{user}{host}{tail}"));
            Ok(Servers::Listed(hosts.into_iter().map(server).collect::<Result<_, _>>()?))
        }
    }
}

fn parse_sentinels(scheme: &str, user: &str, hosts: &[&str], tail: &str) -> Result<Servers, String> {
    let (tail, fragment) =
        tail.split_once('#').map_or((tail, String::new()), |(tail, rest)| (tail, format!("#{rest}")));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut path = path.trim_start_matches('/').split('/');
    let name =
        path.next().filter(|name| !name.is_empty()).ok_or("the name of the master is missing after the sentinels")?;
    if name.contains('@') {
        return Err("the name of the master has no @; in a password write / as %2F, ? as %3F and # as %23".to_owned());
    }
    let db = path.next().unwrap_or_default();
    if path.next().is_some() {
        return Err("only a number may follow the name of the master".to_owned());
    }
    let (mut sentinel_user, mut sentinel_password, mut protocol) = ("", "", String::new());
    for (option, value) in
        query.split('&').filter(|part| !part.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")))
    {
        match option {
            "sentinel_username" => sentinel_user = value,
            "sentinel_password" => sentinel_password = value,
            "protocol" => protocol = format!("?protocol={value}"),
            // The unknown option is not repeated: it may be the rest of a password that has an unescaped `&`.
            _ => {
                return Err("sentinel_username, sentinel_password and protocol are the options of sentinels; in a \
                            password write & as %26"
                    .to_owned());
            }
        }
    }
    if sentinel_password.is_empty() && !sentinel_user.is_empty() {
        return Err("sentinel_username needs sentinel_password".to_owned());
    }
    let sentinel_user =
        if sentinel_password.is_empty() { String::new() } else { format!("{sentinel_user}:{sentinel_password}@") };
    let sentinel = |host: &&str| {
        let has_port = host.rsplit_once(']').map_or(*host, |(_, port)| port).contains(':');
        let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
        info(&format!("{scheme}://{sentinel_user}{host}{port}/{fragment}"))
    };
    Ok(Servers::Sentinels {
        sentinels: hosts.iter().map(sentinel).collect::<Result<_, _>>()?,
        name: name.to_owned(),
        master: Box::new(info(&format!("{scheme}://{user}master/{db}{protocol}{fragment}"))?),
    })
}

/// Returns how to connect to a server. The other end of a connection may be silently gone: a host without power, or a network that drops
/// packets. Such a connection breaks after some seconds, not after the quarter of an hour that TCP would take.
fn info(url: &str) -> Result<ConnectionInfo, String> {
    let keepalive = TcpKeepalive::new().with_time(std::time::Duration::from_secs(5));
    let keepalive = keepalive.with_interval(std::time::Duration::from_secs(2));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(std::time::Duration::from_secs(8));
    // The library's errors repeat no part of the address that may hold a password.
    Ok(url.into_connection_info().map_err(|error| error.to_string())?.set_tcp_settings(tcp))
}

/// Returns a server's location, for people: its host and port, or its socket.
pub(super) fn place(info: &ConnectionInfo) -> String {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        address => address.to_string(),
    }
}

/// The same way of connecting, to another server.
pub(super) fn at(info: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let address = match info.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    info.clone().set_addr(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<RedisAddress>().map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, expected) in [
            ("redis://cache", "cache:6379"),
            ("rediss://user:p%40ss@cache:7000/3", "cache:7000"),
            ("redis+unix:///run/redis.sock", "/run/redis.sock"),
            ("redis://:a,b@one:1,two/3", "one:1, two:6379"),
            ("rediss://[::1]:1,[::2]:2", "[::1]:1, [::2]:2"),
            ("redis+sentinel://one,two:5/main", "main (sentinels one:26379, two:5)"),
            ("rediss+sentinel://u:p@[::1]/main/2?sentinel_password=s", "main (sentinels [::1]:26379)"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn credentials_and_database_go_to_the_right_servers() {
        let several: RedisAddress = "redis://u:p@one:1,two:2/3".parse().unwrap();
        let Servers::Listed(servers) = &*several.servers else { panic!("{several}") };
        for server in servers {
            let settings = server.redis_settings();
            assert_eq!((settings.username(), settings.password(), settings.db()), (Some("u"), Some("p"), 3));
        }
        let address = "rediss+sentinel://u:p@one/main/4?sentinel_username=s&sentinel_password=t%21".parse();
        let address: RedisAddress = address.unwrap();
        let Servers::Sentinels { sentinels, name, master } = &*address.servers else { panic!("{address}") };
        let (sentinel, settings) = (sentinels[0].redis_settings(), master.redis_settings());
        assert_eq!((sentinel.username(), sentinel.password(), sentinel.db()), (Some("s"), Some("t!"), 0));
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("u"), Some("p"), 4));
        assert_eq!(name, "main");
        let found = at(master, "10.0.0.1", 5);
        assert!(
            matches!(found.addr(), ConnectionAddr::TcpTls { host, port: 5, insecure: false, .. } if host == "10.0.0.1")
        );
    }

    #[test]
    fn a_malformed_address_is_told_with_the_forms_and_without_its_password() {
        for (text, fault) in [
            ("", "this is no address of Redis"),
            ("cache:6379", "this is no address of Redis"),
            ("http://:hunter2@cache", "did not parse"),
            ("http+sentinel://:hunter2@cache/main", "http+sentinel is no scheme of sentinels"),
            ("redis://:hunter2@one,,two", "a host is missing"),
            ("redis://:hunter2@one:port,two", "did not parse"),
            ("redis://:hunter2@one,two/first", "Invalid database number"),
            ("redis+sentinel://:hunter2@one,two", "the name of the master is missing"),
            ("redis+sentinel://:hunter2@one/main/first", "Invalid database number"),
            ("redis+sentinel://:hunter2@one/main/1/2", "only a number"),
            ("redis+sentinel://:x@one/main?db=1", "sentinel_username, sentinel_password and protocol are the options"),
            (
                "redis+sentinel://one/main?sentinel_password=ab&cdhunter2",
                "sentinel_password and protocol are the options",
            ),
            ("redis+sentinel://user:12/hunter2@one", "the name of the master has no @"),
            ("redis+sentinel://user:12/hunter2@one/main", "the name of the master has no @"),
            ("redis+sentinel://one/main?sentinel_username=u", "sentinel_username needs sentinel_password"),
            (
                "redis+sentinel://one/main?sentinel_username=u&sentinel_password=",
                "sentinel_username needs sentinel_password",
            ),
        ] {
            let told = shown(text);
            assert!(told.contains(fault) && told.contains(FORMS) && !told.contains("hunter2"), "{text}: {told}");
        }
    }
}
