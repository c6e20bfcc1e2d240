//! Aggregates a database by hand, without queues, until nothing is left to do: `aggregate DATABASE_URL NOW`.
#![allow(clippy::print_stdout)]

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision};
use sview_store::{Reports, Settings, Step};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, now] = args.as_slice() else { return Err("usage: aggregate DATABASE_URL NOW".into()) };
    let now: DateTime<Utc> = now.parse()?;
    let reports = Reports::open(url, Settings::default())?;
    reports.migrate().await?;
    println!("begun");
    for precision in Precision::AGGREGATED {
        for kind in Kind::ALL {
            while let Step::Built { span, rows } = reports.rollup().aggregate(*kind, *precision, now).await? {
                println!("{kind} {precision} {span}: {rows} rows");
            }
        }
    }
    Ok(())
}
