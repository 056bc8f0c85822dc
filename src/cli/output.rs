//! Lines for the user of a command. A closed stream ends nothing: the exit code tells how it went.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write as _};

use crate::config::diagnostic::Colour;

/// A line on standard output: what the command was asked for.
pub fn line(text: impl Display) {
    // See the module: there is nobody to tell.
    let _ = writeln!(io::stdout(), "{text}");
}

/// A line on standard error: why it did not work.
pub fn problem(text: impl Display) {
    // See the module: there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Colours for a terminal, unless the user asked for none (<https://no-color.org>).
#[must_use]
pub fn colour(stream: &impl IsTerminal) -> Colour {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stream.is_terminal() && !refused { Colour::Always } else { Colour::Never }
}

/// `1 error`, `2 errors`.
#[must_use]
pub fn many(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_well() {
        assert_eq!([0, 1, 2].map(|count| many(count, "error")), ["0 errors", "1 error", "2 errors"]);
    }
}
