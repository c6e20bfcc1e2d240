//! Numbers as text, for people on pages and terminals.

/// Returns the digits in groups of three: `34,774`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number of things: `1 row`, `34,774 addresses`. `thing` is an English word, or words, in the singular.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    let number_of = grouped(number);
    if number == 1 {
        return format!("{number_of} {thing}");
    }
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number_of} {stem}ies"),
        _ if thing.ends_with(['s', 'x']) || thing.ends_with("sh") || thing.ends_with("ch") => {
            format!("{number_of} {thing}es")
        }
        _ => format!("{number_of} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (100_000, "100,000")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn one_thing_is_singular_and_all_else_plural() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "job")), ["0 jobs", "1 job", "2 jobs"]);
        let many = |thing| counted(1000, thing);
        assert_eq!(many("address"), "1,000 addresses");
        assert_eq!(many("cached value"), "1,000 cached values");
        assert_eq!([many("hash"), many("country"), many("day")], ["1,000 hashes", "1,000 countries", "1,000 days"]);
    }
}
