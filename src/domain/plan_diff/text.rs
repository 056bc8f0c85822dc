//! A difference as text: one line without values for a log, several with them for people.

use std::fmt;

use super::{Change, ChangeKind, FieldChange, PlanDiff, Subject, Takeover};

/// How many changes one line names.
const NAMED: usize = 20;

/// How long a value may be to stand beside the other on one line.
const SHORT: usize = 40;

impl fmt::Display for PlanDiff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if formatter.alternate() { self.lines(formatter) } else { self.line(formatter) }
    }
}

impl fmt::Display for Change {
    /// `destination billing changed (kafkaTopic, key)`, or with `{:#}` several lines with the values.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if formatter.alternate() { self.lines(formatter) } else { self.line(formatter) }
    }
}

impl PlanDiff {
    fn line(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("no difference");
        }
        for (position, change) in self.changes.iter().take(NAMED).enumerate() {
            write!(formatter, "{}{change}", if position == 0 { "" } else { "; " })?;
        }
        match self.changes.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(formatter, "; and {more} more"),
        }
    }

    fn lines(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            write!(formatter, "{change:#}")?;
        }
        if self.old_hash == self.new_hash {
            return write!(formatter, "plan {}: {}", self.new_hash, self.summary());
        }
        write!(formatter, "plan {} -> {}: {}", self.old_hash, self.new_hash, self.summary())?;
        if self.needs_restart() {
            formatter.write_str("; a running service needs a restart")?;
        } else if !self.is_empty() {
            formatter.write_str("; a running service can take it over")?;
        }
        Ok(())
    }

    /// `2 topics added, 1 destination changed`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut counted: Vec<(Subject, ChangeKind, usize)> = Vec::new();
        for change in &self.changes {
            match counted.iter_mut().find(|(subject, kind, _)| (*subject, *kind) == (change.subject, change.kind)) {
                Some((.., count)) => *count += 1,
                None => counted.push((change.subject, change.kind, 1)),
            }
        }
        let told = counted.into_iter().map(|(subject, kind, count)| match subject {
            Subject::Options | Subject::Settings | Subject::Organizations => format!("{} changed", noun(subject)),
            _ => format!("{count} {}{} {}", noun(subject), if count == 1 { "" } else { "s" }, verb(kind)),
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() { "no difference".to_owned() } else { told.join(", ") }
    }
}

impl Change {
    fn line(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(formatter)?;
        if self.kind == ChangeKind::Changed {
            let fields: Vec<String> = self.fields.iter().take(NAMED).map(|field| printable(&field.field)).collect();
            let more = if self.fields.len() > NAMED { ", ..." } else { "" };
            write!(formatter, " ({}{more})", fields.join(", "))?;
        }
        if self.takes_effect == Takeover::Restart { formatter.write_str(", with a restart") } else { Ok(()) }
    }

    fn heading(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = if self.name.is_empty() { "" } else { " " };
        write!(formatter, "{}{blank}{} {}", noun(self.subject), printable(&self.name), verb(self.kind))
    }

    fn lines(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        write!(formatter, "{sign} ")?;
        self.heading(formatter)?;
        writeln!(formatter, "{}", self.note())?;
        for field in &self.fields {
            field.lines(self.kind, formatter)?;
        }
        Ok(())
    }

    /// What somebody who makes the change should know.
    fn note(&self) -> &'static str {
        match (self.subject, self.kind, self.takes_effect) {
            (Subject::Destination, ChangeKind::Added, _) => ": it gets what is processed from then on",
            (Subject::Destination, ChangeKind::Removed, _) => ": its Kafka topic stays as it is",
            (Subject::Settings, ..) => ": they are read at the start of the process",
            (_, _, Takeover::Restart) => ": needs a restart",
            _ => "",
        }
    }
}

impl FieldChange {
    fn lines(&self, kind: ChangeKind, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = printable(&self.field);
        let note = match (kind, self.takes_effect) {
            (ChangeKind::Changed, Takeover::NewGroups) => "    (of no effect where the group has positions)",
            _ => "",
        };
        match (kind, self.old.as_deref(), self.new.as_deref()) {
            (ChangeKind::Added, _, Some(only)) | (ChangeKind::Removed, Some(only), _) => {
                writeln!(formatter, "    {name}: {}", printable(only))
            }
            (_, Some(old), Some(new)) if old.chars().count().max(new.chars().count()) <= SHORT => {
                writeln!(formatter, "    {name}: {} -> {}{note}", shown(old), shown(new))
            }
            (_, old, new) => {
                writeln!(formatter, "    {name}:{note}")?;
                old.map_or(Ok(()), |old| writeln!(formatter, "      - {}", shown(old)))?;
                new.map_or(Ok(()), |new| writeln!(formatter, "      + {}", shown(new)))
            }
        }
    }
}

fn noun(subject: Subject) -> &'static str {
    match subject {
        Subject::Options => "options",
        Subject::Settings => "settings",
        Subject::Ingest => "ingest",
        Subject::Organizations => "organizations",
        Subject::Topic => "topic",
        Subject::Destination => "destination",
    }
}

fn verb(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
    }
}

fn shown(value: &str) -> String {
    if value.is_empty() { "(nothing)".to_owned() } else { printable(value) }
}

/// Line breaks and control characters would tear a line of a log, or move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
