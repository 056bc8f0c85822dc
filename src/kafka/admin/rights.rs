//! What the service may do, as the brokers tell it.

/// What the service does with Kafka topics and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads the ingest, and is a member of its group.
    Read,
    /// Writes notifications and dead letters.
    Write,
}

impl Operation {
    /// As `kafka-acls.sh` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
        }
    }
}

/// The operations that are allowed, of those that matter here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    read: bool,
    write: bool,
}

impl Rights {
    /// All of them.
    pub const ALL: Self = Self { read: true, write: true };

    /// Notes one that is allowed.
    pub fn add(&mut self, operation: Operation) {
        match operation {
            Operation::Read => self.read = true,
            Operation::Write => self.write = true,
        }
    }

    /// Whether it is allowed.
    #[must_use]
    pub fn allow(self, operation: Operation) -> bool {
        match operation {
            Operation::Read => self.read,
            Operation::Write => self.write,
        }
    }
}

/// What is known of the right to be a member of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupRights {
    /// The brokers told it.
    Told(Rights),
    /// The group may not even be looked at, so it may not be read either.
    Forbidden,
    /// The brokers did not tell.
    Unknown,
}
