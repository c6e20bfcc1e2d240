//! Finding the server of an address that is the master.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use apalis_redis::{Client, RedisError};
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use outage::Outage;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionInfo, ErrorKind, RedisResult, ServerErrorKind};
use tokio::time::{Instant, timeout_at};

use super::address::{RedisAddress, Servers, at, place};
use super::connection::ANSWER;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long servers before a master in the list may still answer after it.
const GRACE: Duration = Duration::from_millis(500);

/// A server that a connection leads to.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) client: Client,
    pub(super) connection: MultiplexedConnection,
    /// Whether the server reported that it is a replica.
    pub(super) replica: bool,
    /// The id of this run of a server; `None` if the user may not ask for it.
    pub(super) id: Option<String>,
}

/// Connects to the master. Where no server is one, but a replica answers, it is that: it can still be read.
pub(super) async fn find_master(address: &RedisAddress) -> RedisResult<Node> {
    match &*address.servers {
        Servers::Listed(servers) => first_master(servers).await,
        Servers::Sentinels { sentinels, name, master } => {
            let (host, port) = named_master(sentinels, name).await?;
            Node::connect(&at(master, &host, port)).await
        }
    }
}

/// Asks all servers at once, and takes the first master in the order of the list.
async fn first_master(servers: &[ConnectionInfo]) -> RedisResult<Node> {
    let is_master = |answer: &RedisResult<Node>| answer.as_ref().is_ok_and(|node| !node.replica);
    let answers = answers_up_to_a_master(servers.iter().map(Node::connect), is_master).await;
    let (mut replica, mut faults) = (None, Vec::new());
    for (server, answer) in servers.iter().zip(answers) {
        match answer {
            Some(Ok(node)) if !node.replica => return Ok(node),
            Some(Ok(node)) => replica = replica.or(Some(node)),
            Some(Err(error)) if servers.len() == 1 || error.kind() == ErrorKind::InvalidClientConfig => {
                return Err(error);
            }
            Some(Err(error)) => faults.push((server, error)),
            None => {}
        }
    }
    replica.ok_or_else(|| nobody("no server can be used", &faults))
}

/// Waits for the answers of all. After a master has answered, those before it have only a moment more. So a host that drops packets does
/// not delay every connection. An answer that was not waited for is `None`.
async fn answers_up_to_a_master<T>(
    asked: impl IntoIterator<Item = impl Future<Output = T>>,
    is_master: impl Fn(&T) -> bool,
) -> Vec<Option<T>> {
    let numbered = asked.into_iter().enumerate().map(|(n, answer)| async move { (n, answer.await) });
    let mut asked: FuturesUnordered<_> = numbered.collect();
    let mut answers: Vec<Option<T>> = (0..asked.len()).map(|_| None).collect();
    let (mut first, mut end) = (answers.len(), None);
    while answers[..first].iter().any(Option::is_none) {
        let next = match end {
            Some(end) => timeout_at(end, asked.next()).await.unwrap_or(None),
            None => asked.next().await,
        };
        let Some((n, answer)) = next else { break };
        if is_master(&answer) {
            first = first.min(n);
            end.get_or_insert_with(|| Instant::now() + GRACE);
        }
        answers[n] = Some(answer);
    }
    answers
}

/// The error of a search that found nobody. Its kind is that of the first fault that is no outage: such a fault stays until a setting or a
/// server is changed.
fn nobody(what: &'static str, faults: &[(&ConnectionInfo, RedisError)]) -> RedisError {
    let lasting = faults.iter().find(|(_, fault)| Outage::of_redis(fault).is_none());
    let kind = lasting.map_or(ErrorKind::Io, |(_, fault)| fault.kind());
    let told: Vec<_> = faults.iter().map(|(server, fault)| format!("{}: {fault}", place(server))).collect();
    (kind, what, told.join("; ")).into()
}

/// Asks all sentinels at once which server is the master. A sentinel that is cut off beside a replaced master still names the old one. Each
/// sentinel knows the number of its last failover, and the highest number decides.
async fn named_master(sentinels: &[ConnectionInfo], name: &str) -> RedisResult<(String, u16)> {
    let answers = join_all(sentinels.iter().map(|sentinel| ask(sentinel, name))).await;
    let (mut named, mut faults) = (Vec::new(), Vec::new());
    for (sentinel, answer) in sentinels.iter().zip(answers) {
        match answer {
            Ok(master) => named.push(master),
            Err(error) => faults.push((sentinel, error)),
        }
    }
    newest(named).ok_or_else(|| nobody("no sentinel names the master", &faults))
}

/// A sentinel's answer about a master.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    /// The number of the failover that made it the master; it grows.
    epoch: u64,
    host: String,
    port: u16,
}

/// The master by the latest failover; between sentinels that know of the same one, the master that most of them name.
fn newest(named: Vec<Named>) -> Option<(String, u16)> {
    let votes = |one: &Named| named.iter().filter(|other| *other == one).count();
    let best = named.iter().rev().max_by_key(|one| (one.epoch, votes(one)))?;
    Some((best.host.clone(), best.port))
}

async fn ask(sentinel: &ConnectionInfo, name: &str) -> RedisResult<Named> {
    let (_, mut connection) = connect(sentinel, CONNECT).await?;
    let told: HashMap<String, String> =
        redis::cmd("SENTINEL").arg("MASTER").arg(name).query_async(&mut connection).await?;
    let number = |field: &str| told.get(field).and_then(|text| text.parse().ok());
    match (told.get("ip"), number("port").map(u16::try_from)) {
        (Some(host), Some(Ok(port))) => {
            Ok(Named { epoch: number("config-epoch").unwrap_or(0), host: host.clone(), port })
        }
        _ => Err((ErrorKind::Io, "the sentinel's answer names no address").into()),
    }
}

async fn connect(server: &ConnectionInfo, answer: Duration) -> RedisResult<(Client, MultiplexedConnection)> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(answer))
        // Room for the commands of many workers at once: they must not time out in a queue of the client.
        .set_pipeline_buffer_size(512);
    let client = Client::open(server.clone())?;
    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    Ok((client, connection))
}

impl Node {
    async fn connect(server: &ConnectionInfo) -> RedisResult<Self> {
        let (client, mut connection) = connect(server, ANSWER).await?;
        let info = Info::ask(&mut connection).await?;
        if let Some(why) = info.unusable() {
            return Err((ErrorKind::InvalidClientConfig, why).into());
        }
        let (replica, id) = (info.is_replica(), info.field("run_id").map(str::to_owned));
        Ok(Self { client, connection, replica, id })
    }

    /// Whether it is a replica now.
    pub(super) async fn is_replica(&self) -> RedisResult<bool> {
        Ok(Info::ask(&mut self.connection.clone()).await?.is_replica())
    }

    /// Returns the server's location, for people.
    pub(super) fn place(&self) -> String {
        place(self.client.get_connection_info())
    }
}

/// A server's answer to INFO; empty if its user may not ask, and before proxies that do not know the command.
struct Info(String);

impl Info {
    async fn ask(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        match redis::cmd("INFO").query_async(connection).await {
            Ok(text) => Ok(Self(text)),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(Self(String::new())),
            Err(error) if is_unknown_command(&error) => Ok(Self(String::new())),
            Err(error) => Err(error),
        }
    }

    /// Returns why the server can hold no ledger. That stays until the setting or the server is changed.
    fn unusable(&self) -> Option<&'static str> {
        if self.field("cluster_enabled") == Some("1") {
            return Some("Redis Cluster is not supported: use one server, or sentinels by redis+sentinel://…");
        }
        // Valkey 8 names the field anew.
        let modes = ["redis_mode", "server_mode"].map(|name| self.field(name));
        modes.contains(&Some("sentinel")).then_some("this is a sentinel: write redis+sentinel://HOST:PORT/NAME")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    fn is_replica(&self) -> bool {
        self.field("role") == Some("slave")
    }
}

/// Whether a server or proxy does not know a command. Some versions of Envoy answer `unsupported command`, without the code `ERR`.
fn is_unknown_command(error: &RedisError) -> bool {
    let errors = error.clone().into_server_errors().unwrap_or_default();
    errors.iter().any(|(_, error)| match error.code() {
        "ERR" => error.details().is_some_and(|details| details.starts_with("unknown command")),
        code => code.eq_ignore_ascii_case("unsupported"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_does_not_know_info_is_no_fault() {
        let unknown = |answer: &str| {
            let value = redis::parse_redis_value(format!("-{answer}\r\n").as_bytes()).unwrap();
            is_unknown_command(&value.extract_error().unwrap_err())
        };
        assert!(unknown("ERR unknown command 'INFO', with args beginning with: "));
        assert!(unknown("unsupported command 'INFO'"));
        assert!(!unknown("NOAUTH Authentication required."));
        assert!(!unknown("ERR max number of clients reached"));
    }

    #[test]
    fn sentinels_and_clusters_of_redis_and_valkey_are_unusable() {
        let unusable = |text: &str| Info(text.to_owned()).unusable();
        for sentinel in ["redis_mode:sentinel\r\nrole:master\r\n", "server_name:valkey\r\nserver_mode:sentinel\r\n"] {
            assert!(unusable(sentinel).is_some_and(|why| why.contains("redis+sentinel://")), "{sentinel}");
        }
        assert!(unusable("server_mode:cluster\r\ncluster_enabled:1\r\n").is_some_and(|why| why.contains("Cluster")));
        for text in ["", "redis_mode:standalone\r\ncluster_enabled:0\r\n", "server_mode:standalone\r\n"] {
            assert_eq!(unusable(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_master_of_the_list_is_used_and_no_silent_host_waited_for() {
        // When each server answers, and whether it is a master. The clock stands still but for these times.
        async fn answers(servers: &[(u64, bool)]) -> (Vec<Option<bool>>, u64) {
            let begun = Instant::now();
            let server = |&(after, master): &(u64, bool)| async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                master
            };
            let answers = answers_up_to_a_master(servers.iter().map(server), |master| *master).await;
            (answers, u64::try_from(begun.elapsed().as_millis()).unwrap())
        }
        assert_eq!(answers(&[(3_000, false), (10, true)]).await, (vec![None, Some(true)], 510));
        assert_eq!(answers(&[(40, true), (10, true)]).await, (vec![Some(true), Some(true)], 40));
        assert_eq!(answers(&[(10, true), (3_000, false)]).await, (vec![Some(true), None], 10));
        assert_eq!(answers(&[(3_000, false), (400, true), (10, true)]).await.0, [None, Some(true), Some(true)]);
        // Without a master, all are waited for.
        assert_eq!(answers(&[(3_000, false), (10, false)]).await, (vec![Some(false); 2], 3_000));
        assert_eq!(answers(&[]).await, (vec![], 0));
    }

    #[test]
    fn the_latest_failover_decides_and_then_the_majority() {
        let named = |epoch, host: &str| Named { epoch, host: host.to_owned(), port: 6379 };
        let of = |all: &[Named]| newest(all.to_vec()).map(|(host, _)| host);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[named(3, "old"), named(3, "old"), named(4, "new")]).as_deref(), Some("new"));
        assert_eq!(of(&[named(3, "a"), named(3, "b"), named(3, "b")]).as_deref(), Some("b"));
        assert_eq!(of(&[named(3, "first"), named(3, "second")]).as_deref(), Some("first"));
    }
}
