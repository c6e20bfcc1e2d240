//! Measures how long the greylist takes to be made and to be kept: `cargo run -p sview-store --example greylist -- DATABASE_URL NOW`. The
//! new list replaces the one in the database.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // an example, for people

use std::time::Instant;

use sview_model::greylist::Rules;
use sview_store::{Reports, Settings};

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (url, now) = (&args[0], args[1].parse().unwrap());
    let reports = Reports::open(url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    for _ in 0..3 {
        let begun = Instant::now();
        let entries = reports.greylist().weigh(&Rules::default(), now).await.unwrap();
        let made = begun.elapsed();
        reports.greylist().keep(now, made, &entries).await.unwrap();
        let (listed, kept) = (entries.len(), begun.elapsed() - made);
        let begun = Instant::now();
        let read = reports.greylist().listed().await.unwrap().entries.len();
        assert_eq!(read, listed);
        println!("{listed} listed: made in {made:.2?}, kept in {kept:.2?}, read in {:.2?}", begun.elapsed());
    }
}
