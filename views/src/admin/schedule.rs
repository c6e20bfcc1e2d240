//! The page of the schedule.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::spans::{exact, seen};
use super::table::{Column, table};

/// Something that is done by the clock.
#[derive(Clone, Debug)]
pub struct ProducerRow {
    /// The name of the periodic job.
    pub name: &'static str,
    /// The times of its ticks, as a cron expression with seconds.
    pub cron: String,
    /// A summary of its work.
    pub what: &'static str,
    /// The last tick that was acted on, UTC.
    pub last: Option<DateTime<Utc>>,
    /// The time of the next tick.
    pub next: Option<DateTime<Utc>>,
    /// The actions that apply to it.
    pub asks: Vec<Ask>,
}

/// Renders the schedule.
#[must_use]
pub fn schedule(context: &AdminContext, rows: &[ProducerRow]) -> Markup {
    let tick = |at: Option<DateTime<Utc>>, none: &'static str| {
        html! { @match at { Some(at) => { (seen(at, context.now)) p.remark { (exact(at)) } }, None => { (none) } } }
    };
    let columns = [
        Column::subject("Producer"),
        Column::new("When"),
        Column::new("Last tick"),
        Column::new("Next tick"),
        Column::acts(),
    ];
    let cells = |row: &ProducerRow| {
        [
            html! { b { (row.name) } p.remark { (row.what) } },
            html! { @if let Some(words) = described(&row.cron) { (words) p.remark { code { (row.cron) } } } @else { code { (row.cron) } } },
            tick(row.last, "none yet"),
            tick(row.next, "none"),
            buttons(context, &row.asks),
        ]
    };
    let content = html! {
        section.card.list {
            (table(columns, rows.iter().map(cells)))
        }
    };
    let lead = html! {
        "What is done by the clock, in UTC. Any number of schedulers may run: of each tick one acts, and a tick that was missed is made up by \
         the next. The fields of an expression are second, minute, hour, day of the month, month and day of the week: cron's, with \
         seconds in front; " code { "*" } " is every one."
    };
    page(context, &Frame { title: "Schedule", nav: "/schedule", lead: Some(lead), live: true }, &content)
}

/// Describes the ticks of a cron expression with seconds, if it is about minutes of every hour: `every hour at :07:30`.
fn described(cron: &str) -> Option<String> {
    let [second, minutes, "*", "*", "*", "*"] = cron.split(' ').collect::<Vec<_>>()[..] else { return None };
    let second: u8 = second.parse().ok()?;
    if minutes == "*" {
        return Some(if second == 0 { "every minute".to_owned() } else { format!("every minute at second {second}") });
    }
    let at: Option<Vec<String>> =
        minutes.split(',').map(|minute| Some(format!(":{:02}:{second:02}", minute.parse::<u8>().ok()?))).collect();
    Some(format!("every hour at {}", at?.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_in_words_or_not_at_all() {
        let told = |cron| described(cron);
        assert_eq!(told("0 * * * * *").as_deref(), Some("every minute"));
        assert_eq!(told("15 * * * * *").as_deref(), Some("every minute at second 15"));
        assert_eq!(told("30 4,19 * * * *").as_deref(), Some("every hour at :04:30, :19:30"));
        for other in ["0 0 3 * * *", "0 */5 * * * *", "* * * * * *", "0 1-5 * * * *", "", "0 * * * *"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
