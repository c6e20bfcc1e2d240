//! Times, spans and sizes as text for people.

use chrono::{DateTime, TimeDelta, Utc};

/// A moment in UTC, to the second.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A span in its two greatest units: `2 d 3 h`, `5 min`, `12 s`.
pub(super) fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    let (sign, seconds) = (if seconds < 0 { "-" } else { "" }, seconds.abs());
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(units.len() - 1);
    let (great, small) = (units[first], units.get(first + 1));
    let mut words = format!("{sign}{} {}", seconds / great.0, great.1);
    if let Some((unit, name)) = small.filter(|(unit, _)| seconds % great.0 / unit > 0) {
        words += &format!(" {} {name}", seconds % great.0 / unit);
    }
    words
}

/// A number of bytes: `512 B`, `1.5 KiB`.
pub(super) fn bytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // for people
    let size = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", size / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", size / 1_048_576.0),
        _ => format!("{:.1} GiB", size / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_are_short_words() {
        let words = |seconds| span(TimeDelta::seconds(seconds));
        assert_eq!([words(0), words(59), words(60), words(3725)], ["0 s", "59 s", "1 min", "1 h 2 min"]);
        assert_eq!([words(86_400), words(90_000), words(-61)], ["1 d", "1 d 1 h", "-1 min 1 s"]);
        assert_eq!(
            [bytes(0), bytes(1536), bytes(5 << 20), bytes(3 << 40)],
            ["0 B", "1.5 KiB", "5.0 MiB", "3072.0 GiB"]
        );
    }
}
