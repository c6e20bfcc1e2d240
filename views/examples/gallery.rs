//! Writes every page with made-up data to a folder, to be looked at in a browser:
//!
//! ```sh
//! cargo run -p sview-views --example gallery -- /tmp/gallery
//! python3 -m http.server -d /tmp/gallery -b 127.0.0.1 8000
//! ```
//!
//! A second argument is a period (`1w`). Nothing is random: the same arguments give the same pages.

use std::{error::Error, fs, path::Path};

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use sview_model::{Data, MultiSeries, Parameters, Period, Point, Ranking, Request, Row, Shape};
use sview_views::pages::{self, ATTACKER, DEVICES, Devices, ErrorPage, PAGES, PASSWORD};
use sview_views::{PageContext, Ready, Refresh, Site, Slot, assets, chart};

const COUNTRIES: &str = "CN US RU BR IN VN ID DE TW KR NL FR GB TR UA IR EG MX AR TH PK IT PL RO BG CZ SG HK JP ES CA AU ZA NG SE \
    FI BD MY PH KZ CO CL PE VE GR HU RS BY LT LV SK SI IL SA AE KE DZ MA TN KW QA LB GE MD IS MT CY FJ";
const PASSWORDS: [&str; 18] = [
    "123456",
    "admin",
    "password",
    "root",
    "\"><img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "1234",
    "a\nb",
    "user\u{202e}drowssap",
    "xc3511",
    "vizxv",
    "888888",
    " with spaces ",
    "žluťoučký kůň",
    "密码",
    "support",
    "7ujMko0admin",
    "anko",
];
const ATTACKERS: [&str; 6] =
    ["192.0.2.17", "198.51.100.3", "203.0.113.250", "2001:db8:85a3::8a2e:370:7334", "192.0.2.200", "2001:db8::1"];

/// Numbers that look like traffic: a daily wave, some noise, a peak.
fn wave(i: usize, size: u64) -> u64 {
    let noise = (i * 2_654_435_761) % 97;
    let daily = (i as f64 * std::f64::consts::TAU / 8.0).sin() * 0.25 + 1.0;
    let peak = if i % 41 == 33 { 2.3 } else { 1.0 };
    (size as f64 * daily * peak * (0.7 + noise as f64 / 160.0)) as u64
}

fn names(column: &str) -> Vec<String> {
    match column {
        "country" => COUNTRIES.split(' ').map(str::to_owned).collect(),
        "source" => {
            ["minipot_telnet", "fwlogs", "minipot_smtp", "minipot_ftp", "minipot_http", "haas"].map(String::from).into()
        }
        "action" => {
            ["login", "connect", "small_port_scan", "message", "invalid", "big_port_scan"].map(String::from).into()
        }
        "ip" => ATTACKERS.map(String::from).into(),
        "port" => [23, 22, 445, 3389, 80, 8080, 5060, 1433].iter().map(|p| format!("TCP/{p}")).collect(),
        _ => PASSWORDS.iter().map(|p| (*p).to_owned()).chain(["x".repeat(500)]).collect(),
    }
}

fn data(request: &Request, now: DateTime<Utc>) -> Data {
    let resource = request.resource();
    let ends: Vec<_> = request.period().windows(now, resource.lagged).ends().collect();
    match resource.shape {
        Shape::Series => {
            Data::Series(ends.iter().enumerate().map(|(i, end)| Point { end: *end, count: wave(i, 41_300) }).collect())
        }
        Shape::MultiSeries { by, limit } => {
            let labels: Vec<_> = names(by.columns()[0]).into_iter().take(limit).collect();
            let sizes: Vec<u64> = (0..labels.len()).map(|s| 21_000 / (s as u64 + 1)).collect();
            let counts = |i: usize| sizes.iter().enumerate().map(|(s, size)| wave(i + s * 3, *size)).collect();
            Data::MultiSeries(MultiSeries {
                points: ends.iter().enumerate().map(|(i, e)| (*e, counts(i))).collect(),
                labels,
                others: by.sums_others().then(|| (0..ends.len()).map(|i| wave(i + 5, 9_000)).collect()),
            })
        }
        Shape::Ranking { by, limit, unknown } => {
            let columns = by.columns().to_vec();
            let row = |i: usize| Row {
                labels: columns
                    .iter()
                    .enumerate()
                    .map(|(c, column)| {
                        (!(unknown && i == 4)).then(|| names(column)[(i * (c + 1) + c) % names(column).len()].clone())
                    })
                    .collect(),
                count: 2_345_678 / (i as u64 * i as u64 + 1),
            };
            Data::Ranking(Ranking {
                rows: (0..limit).map(row).collect(),
                columns: columns.clone(),
                whole: Some(4_000_000),
            })
        }
        Shape::Map { .. } => Data::Map(
            COUNTRIES
                .split(' ')
                .enumerate()
                .map(|(i, c)| (c.to_owned(), 2_345_678 / (i as u64 * i as u64 + 1)))
                .collect(),
        ),
    }
}

fn slots(requests: Vec<Request>, now: DateTime<Utc>) -> Vec<(Request, Slot)> {
    let ready = |(i, request): (usize, Request)| {
        let finish = request.period().span(now).finish;
        let slot = Slot::Ready(Ready {
            data: data(&request, now),
            finish,
            complete_to: if i == 2 { finish - TimeDelta::minutes(15) } else { finish },
            computed_at: now - TimeDelta::minutes(3),
            reported: None,
            due: now,
            version: i.to_string(),
            refresh: if i == 1 { Refresh::UnderWay } else { Refresh::None },
        });
        (request, slot)
    };
    requests.into_iter().enumerate().map(ready).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("say into which folder")?;
    let folder = Path::new(&folder);
    let period: Period = arguments.next().unwrap_or_else(|| "1w".to_owned()).parse()?;
    let now = Utc.with_ymd_and_hms(2026, 3, 15, 12, 34, 56).single().ok_or("no such time")?;
    let site = Site {
        licence: "The data may be used under the terms of CC BY-NC-SA 4.0.".to_owned(),
        formats: Some("/opendata/".to_owned()),
        data_links: true,
        ..Site::default()
    };
    let context = PageContext { site: &site, period, now };
    let write = |path: &str, text: &str| -> Result<(), Box<dyn Error>> {
        let path = folder.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().ok_or("a file has a folder")?)?;
        Ok(fs::write(path, text)?)
    };
    for asset in assets::assets() {
        write(&asset.path, std::str::from_utf8(asset.bytes)?)?;
    }

    for page in &PAGES {
        let slots = slots(page.requests(period, &Parameters::None), now);
        for (request, slot) in &slots {
            if let Slot::Ready(ready) = slot {
                write(
                    &format!("svg/{}.svg", request.resource()),
                    &chart::standalone_svg(request, &ready.data, ready.reported.as_ref()),
                )?;
            }
        }
        write(&format!("{}index.html", page.path), &pages::statistics(&context, page, &slots).into_string())?;
    }

    let ip = "2001:db8:85a3::8a2e:370:7334".parse()?;
    let about = slots(ATTACKER.requests(period, &Parameters::Ip(ip)), now);
    write("attacker.html", &pages::attacker(&context, ip, &about, &pages::Greylisted::NotMade).into_string())?;
    let password = PASSWORDS[4];
    let about = slots(PASSWORD.requests(period, &Parameters::Password(password.to_owned())), now);
    write("password.html", &pages::password(&context, password, &about).into_string())?;

    let tokens = ["a1b2c3d4".repeat(8).parse()?, "z9y8x7w6".repeat(8).parse()?];
    let mine = slots(DEVICES.requests(period, &Parameters::Devices(tokens.to_vec())), now);
    let shown = Devices { tokens: &tokens, message: Some("The device was added.") };
    write("devices/index.html", &pages::devices(&context, &shown, &mine).into_string())?;
    let none = Devices { tokens: &[], message: None };
    write("no-devices.html", &pages::devices(&context, &none, &[]).into_string())?;
    write("confirm.html", &pages::confirm_device(&context, &tokens[0]).into_string())?;
    write("404.html", &pages::error(&context, &ErrorPage::not_found()).into_string())?;

    let requests = PAGES[1].requests(period, &Parameters::None);
    let states = requests.into_iter().enumerate().map(|(i, request)| match i % 3 {
        0 => (request, Slot::Pending),
        1 => (request, Slot::Failed("The database does not answer. It is tried again in a minute.".to_owned())),
        _ => {
            let data = Data::empty(&request.resource());
            let ready = Ready {
                data,
                finish: now,
                complete_to: now,
                computed_at: now,
                reported: None,
                refresh: Refresh::None,
                due: now,
                version: String::new(),
            };
            (request, Slot::Ready(ready))
        }
    });
    write("states.html", &pages::statistics(&context, &PAGES[1], &states.collect::<Vec<_>>()).into_string())
}
