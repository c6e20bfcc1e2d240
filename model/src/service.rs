//! Services that are well known by their ports. We chose those that are scanned often. Names and numbers are facts of IANA's registry of
//! service names and port numbers. Products without a name there have the one in common use.

use crate::Protocol;

use Protocol::{Tcp, Udp};

/// Port, transports, name; sorted by port.
#[rustfmt::skip]
const SERVICES: [(u16, &[Protocol], &str); 78] = [
    (7, &[Tcp, Udp], "Echo"), (13, &[Tcp, Udp], "Daytime"), (17, &[Tcp, Udp], "Quote of the day"), (19, &[Tcp, Udp], "Chargen"),
    (20, &[Tcp], "FTP data"), (21, &[Tcp], "FTP"), (22, &[Tcp], "SSH"), (23, &[Tcp], "Telnet"), (25, &[Tcp], "SMTP"),
    (37, &[Tcp, Udp], "Time"), (43, &[Tcp], "Whois"), (53, &[Tcp, Udp], "DNS"), (67, &[Udp], "DHCP"), (69, &[Udp], "TFTP"),
    (79, &[Tcp], "Finger"), (80, &[Tcp], "HTTP"), (88, &[Tcp, Udp], "Kerberos"), (110, &[Tcp], "POP3"), (111, &[Tcp, Udp], "Portmapper"),
    (119, &[Tcp], "NNTP"), (123, &[Udp], "NTP"), (135, &[Tcp], "MS RPC"), (137, &[Udp], "NetBIOS names"), (138, &[Udp], "NetBIOS datagrams"),
    (139, &[Tcp], "NetBIOS sessions"), (143, &[Tcp], "IMAP"), (161, &[Udp], "SNMP"), (179, &[Tcp], "BGP"), (389, &[Tcp, Udp], "LDAP"),
    (443, &[Tcp], "HTTPS"), (443, &[Udp], "HTTP/3"), (445, &[Tcp], "SMB"), (465, &[Tcp], "SMTP over TLS"), (500, &[Udp], "IKE"),
    (502, &[Tcp], "Modbus"), (513, &[Tcp], "rlogin"), (514, &[Udp], "Syslog"), (515, &[Tcp], "LPD"), (520, &[Udp], "RIP"),
    (548, &[Tcp], "AFP"), (554, &[Tcp], "RTSP"), (587, &[Tcp], "Mail submission"), (623, &[Udp], "IPMI"), (631, &[Tcp], "IPP"),
    (636, &[Tcp], "LDAP over TLS"), (873, &[Tcp], "rsync"), (993, &[Tcp], "IMAP over TLS"), (995, &[Tcp], "POP3 over TLS"),
    (1080, &[Tcp], "SOCKS"), (1194, &[Udp], "OpenVPN"), (1433, &[Tcp], "MS SQL Server"), (1434, &[Udp], "MS SQL Monitor"),
    (1521, &[Tcp], "Oracle database"), (1701, &[Udp], "L2TP"), (1723, &[Tcp], "PPTP"), (1883, &[Tcp], "MQTT"), (1900, &[Udp], "SSDP"),
    (2049, &[Tcp], "NFS"), (2375, &[Tcp], "Docker"), (3128, &[Tcp], "HTTP proxy"), (3306, &[Tcp], "MySQL"), (3389, &[Tcp], "RDP"),
    (4500, &[Udp], "IPsec NAT"), (5060, &[Tcp, Udp], "SIP"), (5353, &[Udp], "mDNS"), (5432, &[Tcp], "PostgreSQL"),
    (5555, &[Tcp], "Android debug bridge"), (5683, &[Udp], "CoAP"), (5900, &[Tcp], "VNC"), (6379, &[Tcp], "Redis"),
    (7547, &[Tcp], "CWMP"), (8080, &[Tcp], "HTTP alternate"), (8291, &[Tcp], "MikroTik Winbox"), (8443, &[Tcp], "HTTPS alternate"),
    (9200, &[Tcp], "Elasticsearch"), (11211, &[Tcp, Udp], "memcached"), (27017, &[Tcp], "MongoDB"), (51820, &[Udp], "WireGuard"),
];

/// The service that is usually at a port, from its label in rankings: `SSH` for `TCP/22`. `None` for ports without a well-known one.
#[must_use]
pub fn service(label: &str) -> Option<&'static str> {
    let (protocol, port) = label.split_once('/')?;
    let (protocol, port): (Protocol, u16) = (protocol.parse().ok()?, port.parse().ok()?);
    let found = SERVICES.iter().find(|(number, protocols, _)| *number == port && protocols.contains(&protocol));
    found.map(|(_, _, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_their_services() {
        for (label, name) in [
            ("TCP/22", Some("SSH")),
            ("TCP/23", Some("Telnet")),
            ("UDP/53", Some("DNS")),
            ("TCP/443", Some("HTTPS")),
            ("UDP/443", Some("HTTP/3")),
            ("UDP/22", None),
            ("other/22", None),
            ("TCP/65535", None),
            ("TCP/70000", None),
            ("<script>", None),
        ] {
            assert_eq!(service(label), name, "{label}");
        }
        assert!(SERVICES.is_sorted_by_key(|(port, ..)| port));
    }
}
