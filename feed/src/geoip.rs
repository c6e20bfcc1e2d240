//! Countries of addresses, from a database in MaxMind's format, of MaxMind, DB-IP, IPinfo, IPLocate and others.

use std::{fmt, net::IpAddr, path::Path};

use maxminddb::{LookupResult, PathElement, Reader, WithinOptions};
use sview_model::{Batch, CountryCode};

use crate::FeedError;

/// The places of the country's code in a record, the best first.
const PLACES: [&[PathElement<'static>]; 4] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")], // MaxMind, DB-IP, IP2Location
    &[PathElement::Key("country_code")],                          // IPinfo Lite, IPLocate
    &[PathElement::Key("country")],                               // IPinfo; others have the name there
    &[PathElement::Key("registered_country"), PathElement::Key("iso_code")], // MaxMind, where the location is not known
];

/// How many records may be without a country at the beginning of a database of countries.
const SAMPLE: usize = 10_000;

/// A GeoIP database, held in memory.
pub struct GeoIp(Reader<Vec<u8>>);

impl fmt::Debug for GeoIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeoIp({})", self.0.metadata().database_type)
    }
}

impl GeoIp {
    /// Opens a database.
    ///
    /// # Errors
    /// [`FeedError::GeoIp`] when it cannot be read, is not in MaxMind's format, or its first 10,000 records have no countries.
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let wrong = |reason: String| FeedError::GeoIp { path: path.to_owned(), reason };
        let reader = Reader::open_readfile(path).map_err(|e| wrong(e.to_string()))?;
        let mut records = reader.networks(WithinOptions::default()).map_err(|e| wrong(e.to_string()))?.take(SAMPLE);
        if records.any(|record| record.is_ok_and(|found| countries(&found).next().is_some())) {
            return Ok(Self(reader));
        }
        let kind = reader.metadata().database_type.escape_debug();
        Err(wrong(format!("it is of the kind {kind} and has no countries; a country or city database is needed")))
    }

    /// The country of an address: where it is, else where it is registered. `None` when the database does not say, or says one of
    /// [`CountryCode::UNKNOWN`].
    #[must_use]
    pub fn country(&self, ip: IpAddr) -> Option<CountryCode> {
        // An IPv6 address in a database of IPv4 is an error to the database; here it is one more unknown address.
        let found = self.0.lookup(ip.to_canonical()).ok()?;
        countries(&found).flatten().next()
    }

    /// Fills the country of every incident that has none.
    pub fn fill(&self, batch: &mut Batch) {
        for incident in batch.incidents.iter_mut().filter(|i| i.country.is_none()) {
            incident.country = self.country(incident.ip);
        }
    }
}

/// Returns the countries of a record, one for each of the [`PLACES`] that it has: `None` for one that is not known.
fn countries(found: &LookupResult<'_, Vec<u8>>) -> impl Iterator<Item = Option<CountryCode>> {
    PLACES.iter().filter_map(|place| CountryCode::known(found.decode_path::<&str>(place).ok()??).ok())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sview_testing::mmdb::{Writer, map, text};
    use tempfile::NamedTempFile;

    use super::*;

    fn place(key: &str, code: &str) -> Vec<u8> {
        map(&[(key, map(&[("iso_code", text(code))]))])
    }

    fn database(kind: &str) -> NamedTempFile {
        let mut writer = Writer::new();
        writer.network([192, 0, 2, 0], 24, &place("country", "CZ"));
        writer.network([198, 51, 100, 0], 24, &place("registered_country", "DE"));
        writer.network([203, 0, 113, 0], 24, &place("continent", "EU"));
        writer.finish(kind)
    }

    /// A database of one network, 192.0.2.0/24.
    fn of_record(kind: &str, record: &[u8]) -> NamedTempFile {
        let mut writer = Writer::new();
        writer.network([192, 0, 2, 0], 24, record);
        writer.finish(kind)
    }

    #[test]
    fn knows_where_an_address_is_or_is_registered() {
        let file = database("GeoLite2-Country");
        let geoip = GeoIp::open(file.path()).unwrap();
        let country = |ip: &str| geoip.country(ip.parse().unwrap()).map(|c| c.to_string());
        assert_eq!(country("192.0.2.77").as_deref(), Some("CZ"));
        assert_eq!(country("::ffff:192.0.2.77").as_deref(), Some("CZ"));
        assert_eq!(country("198.51.100.1").as_deref(), Some("DE"));
        assert_eq!(country("203.0.113.1"), None, "a record without a country");
        assert_eq!(country("192.0.3.1"), None, "no record");
        assert_eq!(country("2001:db8::1"), None, "not a database of IPv6");
    }

    #[test]
    fn reads_the_records_of_other_makers() {
        let country = |record: &[u8]| {
            let file = of_record("any", record);
            GeoIp::open(file.path()).unwrap().country([192, 0, 2, 1].into()).map(|c| c.to_string())
        };
        assert_eq!(country(&map(&[("country", text("CZ"))])).as_deref(), Some("CZ"));
        assert_eq!(country(&map(&[("country", text("Czechia")), ("country_code", text("CZ"))])).as_deref(), Some("CZ"));
        // IPinfo's Country + ASN, IPLocate, ip-location-db.
        let asn = map(&[("asn", text("AS64496")), ("country", text("DE")), ("country_name", text("Germany"))]);
        assert_eq!(country(&asn).as_deref(), Some("DE"));
        let locate =
            map(&[("continent_code", text("EU")), ("country_code", text("CZ")), ("country_name", text("Czechia"))]);
        assert_eq!(country(&locate).as_deref(), Some("CZ"));
        for unknown in ["ZZ", "XX", "T1", "-", "zz"] {
            assert_eq!(country(&place("country", unknown)), None, "{unknown}");
            assert_eq!(country(&map(&[("country_code", text(unknown))])), None, "{unknown}");
        }
        let both = map(&[
            ("country", map(&[("iso_code", text("ZZ"))])),
            ("registered_country", map(&[("iso_code", text("DE"))])),
        ]);
        assert_eq!(country(&both).as_deref(), Some("DE"));
    }

    #[test]
    fn fills_only_what_is_missing() {
        let file = database("GeoLite2-City");
        let line = |country: &str| {
            let token = "a".repeat(64);
            format!("2026-03-15T12:34:56Z,{token},fwlogs,small_port_scan,192.0.2.1,{country}\n")
        };
        let csv = format!("time,device_token,trap,action,ip,country\n{}{}", line(""), line("US"));
        let options = crate::Options {
            now: "2026-03-15T12:34:56Z".parse().unwrap(),
            geoip: Some(GeoIp::open(file.path()).unwrap().into()),
            ending: crate::Ending::File,
        };
        let mut reader = crate::Reader::open(std::io::Cursor::new(csv), crate::Format::Csv, options).unwrap();
        let batch = reader.next_batch(10).unwrap().unwrap().batch;
        let countries: Vec<_> = batch.incidents.iter().map(|i| i.country.unwrap().to_string()).collect();
        assert_eq!(countries, ["CZ", "US"]);
    }

    #[test]
    fn refuses_what_is_no_database_of_countries() {
        let said = |path: &Path| GeoIp::open(path).unwrap_err().to_string();
        assert!(said(Path::new("/nonexistent.mmdb")).contains("/nonexistent.mmdb"));
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(b"time,port,protocol\n").unwrap();
        assert!(said(file.path()).contains("GeoIP"));
        let asn = of_record("GeoLite2-ASN", &map(&[("as_name", text("Example"))]));
        assert!(said(asn.path()).contains("a country or city database is needed"));
    }
}
