//! What the demo prints: numbered steps, a live block, and colours on a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a line of figures comes where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Standard output with the little typography that the demo needs.
pub(super) struct Screen {
    terminal: bool,
    colours: bool,
    steps: u32,
    /// Lines of the live block that stand at the end of the screen.
    live: usize,
    last_plain: String,
    plain_at: Option<Instant>,
}

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// Headings.
    Bold,
    /// What explains.
    Dim,
    /// What went well.
    Good,
    /// What did not.
    Bad,
}

impl Look {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "31",
        }
    }
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, colours, steps: 0, live: 0, last_plain: String::new(), plain_at: None }
    }

    /// Text in a look, plain where there are no colours.
    pub(super) fn styled(&self, look: Look, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", look.code()) } else { text.to_owned() }
    }

    /// The first line.
    pub(super) fn title(&mut self, text: &str) {
        let text = self.styled(Look::Bold, text);
        self.line(&text);
    }

    /// Bytes as they are, on a line of their own.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.line(&String::from_utf8_lossy(bytes));
    }

    /// How long something took, and what it gave.
    pub(super) fn done(&mut self, started: Instant, what: &str) {
        let mark = self.styled(Look::Good, "done");
        let seconds = started.elapsed().as_secs_f64();
        let what = if what.is_empty() { String::new() } else { format!(": {what}") };
        self.line(&format!("   {mark} in {seconds:.1} s{what}"));
    }

    /// The next numbered step.
    pub(super) fn step(&mut self, title: &str) {
        self.steps += 1;
        let title = self.styled(Look::Bold, &format!("{}  {title}", self.steps));
        self.line("");
        self.line(&title);
    }

    /// A remark under a step.
    pub(super) fn note(&mut self, text: &str) {
        for line in text.lines() {
            let line = self.styled(Look::Dim, line);
            self.line(&format!("   {line}"));
        }
    }

    /// Text under a step as it is.
    pub(super) fn body(&mut self, text: &str) {
        for line in text.lines() {
            self.line(&format!("   {line}"));
        }
    }

    /// One line of the final check.
    pub(super) fn verdict(&mut self, good: bool, text: &str) {
        let mark = if good { self.styled(Look::Good, "ok   ") } else { self.styled(Look::Bad, "WRONG") };
        self.line(&format!("   {mark} {text}"));
    }

    /// An error that ends the demo.
    pub(super) fn failure(&mut self, text: &str) {
        let title = self.styled(Look::Bad, "The demo failed");
        self.line("");
        self.line(&title);
        self.body(text);
    }

    /// Shows the live block: in place of the one before on a terminal, else as one line every two seconds, if something
    /// changed; the last state always.
    pub(super) fn live(&mut self, block: &[String], plain: &str, last: bool) {
        if !self.terminal {
            let due = last || self.plain_at.is_none_or(|at| at.elapsed() >= PLAIN_EVERY);
            if due && plain != self.last_plain {
                plain.clone_into(&mut self.last_plain);
                self.plain_at = Some(Instant::now());
                self.line(&format!("   {plain}"));
            }
            return;
        }
        let mut text = String::new();
        if self.live > 0 {
            let _ = write!(text, "\x1b[{}A", self.live);
        }
        text.push_str("\x1b[J");
        for line in block {
            let _ = writeln!(text, "   {line}");
        }
        self.live = block.len();
        print(&text);
    }

    /// Lets the live block stand; what follows goes below it.
    pub(super) fn settle(&mut self) {
        self.live = 0;
    }

    fn line(&mut self, text: &str) {
        self.settle();
        print(&format!("{text}\n"));
    }
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's wish, no error.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A number with separators: `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_separated() {
        let texts = [0, 999, 1_000, 123_456, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
