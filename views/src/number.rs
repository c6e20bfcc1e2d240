//! Numbers as people read them.

pub use sview_model::grouped;

/// The number in a few characters, for axes and legends: `950`, `1.2 k`, `35 M`. Rounded to two or three digits.
#[must_use]
pub fn short(number: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1_000_000_000_000_000_000, "E"),
        (1_000_000_000_000_000, "P"),
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let Some((size, unit)) = UNITS.iter().find(|(size, _)| number >= *size) else { return number.to_string() };
    let tenths = u128::from(number) * 10 / u128::from(*size);
    match (tenths / 10, tenths % 10) {
        (whole, rest) if whole < 100 && rest > 0 => format!("{whole}.{rest} {unit}"),
        (whole, _) => format!("{whole} {unit}"),
    }
}

/// Writes tenths of a percent: `12.3 %`. A smaller share that is not zero is `<0.1 %`.
#[must_use]
pub fn percent(count: u64, permille: u64) -> String {
    if permille == 0 && count > 0 { "<0.1 %".to_owned() } else { format!("{}.{} %", permille / 10, permille % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_one_decimal() {
        let cases = [(0, 0, "0.0 %"), (1, 0, "<0.1 %"), (5, 1, "0.1 %"), (9, 123, "12.3 %"), (9, 1000, "100.0 %")];
        for (count, permille, text) in cases {
            assert_eq!(percent(count, permille), text);
        }
    }

    #[test]
    fn short_numbers_are_short() {
        let cases = [(0, "0"), (950, "950"), (1000, "1 k"), (1250, "1.2 k"), (35_000_000, "35 M"), (250_999, "250 k")];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
        assert_eq!(short(u64::MAX), "18.4 E");
    }
}
