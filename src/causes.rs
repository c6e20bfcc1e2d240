//! An error with its causes in one line.

/// Returns the error and all its causes, outermost first. Libraries repeat a cause in the text of the error that it caused; here each
/// appears once.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_that_is_repeated_is_told_once() {
        let limit = anyhow!("limit exceeded").context("error returned from database: limit exceeded");
        let told = limit.context("database: error returned from database: limit exceeded");
        assert_eq!(causes(&told), "database: error returned from database: limit exceeded");
        assert_eq!(causes(&anyhow!("gone").context("first").context("second")), "second: first: gone");
    }
}
