//! Which faults are made, drawn from the seed: the same seed gives the same faults in the same order.
//!
//! How many of them a run gets through depends on the machine; when each was made is in the report.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fleet::Identity;
use crate::proxy::{Api, Fault as RequestFault};

/// When a killed instance is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    AtOnce,
    After(Duration),
}

impl Again {
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::AtOnce => Duration::ZERO,
            Self::After(delay) => delay,
        }
    }
}

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broker {
    Any(usize),
    GroupCoordinator,
    TransactionCoordinator,
}

/// In which way an instance is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    BothWays,
    ToBrokers,
    FromBrokers,
    Refused,
}

impl Cut {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BothWays => "both ways",
            Self::ToBrokers => "its requests",
            Self::FromBrokers => "the answers to it",
            Self::Refused => "connections refused",
        }
    }
}

/// How an instance leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Term,
    Kill,
}

/// Which right is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// To write a destination's Kafka topic.
    Write,
    /// To write it, and to know that it is there.
    WriteAndDescribe,
    /// To read the ingest.
    ReadIngest,
    /// To be a member of the group and commit its offsets.
    Group,
    /// To use the transactional ids.
    TransactionalIds,
}

impl Right {
    /// Whether the service cannot wait for it.
    pub(super) fn ends_the_process(self) -> bool {
        matches!(self, Self::Group | Self::TransactionalIds)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Write => "right to write a destination taken away, until it is back",
            Self::WriteAndDescribe => "right to see and write a destination taken away, until it is back",
            Self::ReadIngest => "right to read the ingest taken away, until it is back",
            Self::Group => "right to the group taken away, until it is back and the instances are started again",
            Self::TransactionalIds => {
                "right to the transactional ids taken away, until it is back and the instances are started again"
            }
        }
    }
}

/// One fault. Slots, nodes and destinations are taken modulo what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// kill -9 of an instance, at any moment or (`aimed`) at one with an open transaction.
    Kill { slot: usize, aimed: bool, again: Again },
    /// kill -9 of an instance, and of the next process in its place while it starts.
    KillAgain { slot: usize, after: Duration },
    /// kill -9 of all instances at once.
    KillAll { again: Again },
    /// SIGSTOP for longer than all time-outs, SIGCONT.
    Zombie { slot: usize, frozen: Duration },
    /// SIGSTOP shorter than the time-outs, SIGCONT.
    Hiccup { slot: usize, frozen: Duration },
    /// SIGTERM, started again.
    Term { slot: usize },
    /// One more instance for a while.
    JoinLeave { identity: Identity, stay: Duration, leave: Leave },
    /// kill -9 of a broker.
    KillBroker { broker: Broker, down: Duration },
    /// SIGTERM of a broker.
    StopBroker { broker: Broker, down: Duration },
    /// SIGSTOP of a broker.
    FreezeBroker { node: usize, frozen: Duration },
    /// One broker after the other is stopped in order and started again.
    RollingRestart,
    /// kill -9 of an instance and of a broker at once.
    KillBoth { slot: usize, broker: Broker, down: Duration },
    /// The network between an instance and all brokers is cut.
    Cut { slot: usize, cut: Cut, time: Duration },
    /// kill -9 of an instance whose last requests arrive later.
    KillBehindCut { slot: usize, time: Duration },
    /// Everything takes longer on the way.
    Slow { slot: usize, delay: Duration, time: Duration },
    /// All connections of an instance are closed, several times.
    Reset { slot: usize, times: u32 },
    /// One request of an instance's transaction meets this.
    Request { slot: usize, api: Api, fault: RequestFault },
    /// A publisher dies in mid-transaction.
    KillPublisher { again: Duration },
    /// The service may not do something any more, for a while.
    TakeRight { right: Right, destination: usize, time: Duration },
    /// A broker's disk is full.
    FillDisk { node: usize },
    /// A destination's Kafka topic is deleted, and made anew after a while: when no transaction is alive any more that
    /// had outputs in it.
    DeleteDestination { destination: usize, gone: Duration },
    /// A destination's Kafka topic takes only records of so many bytes, for a while.
    LowerLimit { destination: usize, bytes: usize, time: Duration },
}

impl Fault {
    /// The name in the report.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill -9 of an instance",
            Self::KillAgain { .. } => "kill -9 of an instance, and again while it starts",
            Self::KillAll { .. } => "kill -9 of all instances",
            Self::Zombie { .. } => "instance frozen for longer than all time-outs",
            Self::Hiccup { .. } => "instance frozen for a moment",
            Self::Term { .. } => "SIGTERM of an instance",
            Self::JoinLeave { .. } => "instance joins and leaves",
            Self::KillBroker { broker: Broker::Any(_), .. } => "kill -9 of a broker",
            Self::KillBroker { broker: Broker::GroupCoordinator, .. } => "kill -9 of the group coordinator",
            Self::KillBroker { broker: Broker::TransactionCoordinator, .. } => "kill -9 of a transaction coordinator",
            Self::StopBroker { .. } => "broker stopped in order",
            Self::FreezeBroker { .. } => "broker frozen",
            Self::RollingRestart => "rolling restart of all brokers",
            Self::KillBoth { .. } => "kill -9 of an instance and a broker at once",
            Self::Cut { .. } => "network of an instance cut",
            Self::KillBehindCut { .. } => "kill -9 of an instance, its last requests arrive late",
            Self::Slow { .. } => "network of an instance slow",
            Self::Reset { .. } => "connections of an instance reset",
            Self::Request { .. } => "network: a request of a transaction is lost or late",
            Self::KillPublisher { .. } => "publisher killed in mid-transaction",
            Self::TakeRight { right, .. } => right.name(),
            Self::FillDisk { .. } => "disk of a broker full",
            Self::DeleteDestination { .. } => "destination's Kafka topic deleted, until it is made anew",
            Self::LowerLimit { .. } => "destination takes only small records, until it takes all again",
        }
    }
}

/// A fault and how long it is quiet before it.
pub(super) struct Step {
    pub(super) quiet: Duration,
    pub(super) fault: Fault,
}

/// Faults without end.
pub(super) struct Plan {
    random: ChaCha8Rng,
    only: Option<String>,
}

impl Plan {
    pub(super) fn new(seed: u64, only: Option<String>) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), only }
    }

    /// The next step; `None` when no fault has the wanted name.
    pub(super) fn next(&mut self) -> Option<Step> {
        for _ in 0..10_000 {
            let step = Step { quiet: self.millis(300, 2_000), fault: self.draw() };
            if self.only.as_deref().is_none_or(|only| only.split(',').any(|part| step.fault.name().contains(part))) {
                return Some(step);
            }
        }
        None
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.random.random_range(from..=to))
    }

    fn slot(&mut self) -> usize {
        self.random.random_range(0..12)
    }

    fn again(&mut self) -> Again {
        if self.random.random_range(0..3) > 0 { Again::AtOnce } else { Again::After(self.millis(200, 4_000)) }
    }

    fn broker(&mut self) -> Broker {
        match self.random.random_range(0..3) {
            0 => Broker::Any(self.random.random_range(0..3)),
            1 => Broker::GroupCoordinator,
            _ => Broker::TransactionCoordinator,
        }
    }

    fn draw(&mut self) -> Fault {
        let slot = self.slot();
        match self.random.random_range(0..109) {
            0..32 => Fault::Kill { slot, aimed: true, again: self.again() },
            32..45 => Fault::Kill { slot, aimed: false, again: self.again() },
            45..49 => Fault::KillAgain { slot, after: self.millis(50, 2_500) },
            49..55 => Fault::KillAll { again: self.again() },
            55..59 => Fault::Zombie { slot, frozen: self.millis(8_000, 12_000) },
            59..61 => Fault::Hiccup { slot, frozen: self.millis(500, 5_500) },
            61..66 => Fault::Term { slot },
            66..70 => {
                let identity = [Identity::Random, Identity::Stable][self.random.random_range(0..2)];
                let leave = [Leave::Term, Leave::Kill][self.random.random_range(0..2)];
                Fault::JoinLeave { identity, stay: self.millis(500, 6_000), leave }
            }
            70..75 => Fault::KillBroker { broker: self.broker(), down: self.millis(0, 6_000) },
            75..77 => Fault::StopBroker { broker: self.broker(), down: self.millis(0, 4_000) },
            77..79 => Fault::FreezeBroker { node: self.random.random_range(0..3), frozen: self.millis(1_000, 6_000) },
            79..80 => Fault::RollingRestart,
            80..84 => Fault::KillBoth { slot, broker: self.broker(), down: self.millis(0, 3_000) },
            84..86 => Fault::KillPublisher { again: self.millis(0, 3_000) },
            86..91 => {
                let cut =
                    [Cut::BothWays, Cut::ToBrokers, Cut::FromBrokers, Cut::Refused][self.random.random_range(0..4)];
                Fault::Cut { slot, cut, time: self.millis(500, 10_000) }
            }
            91..92 => Fault::Slow { slot, delay: self.millis(20, 250), time: self.millis(2_000, 6_000) },
            92..94 => Fault::Reset { slot, times: self.random.random_range(1..8) },
            94..98 => self.request(slot),
            98..100 => Fault::KillBehindCut { slot, time: self.millis(100, 9_000) },
            operators => self.operator(operators),
        }
    }

    /// What operators do.
    fn operator(&mut self, which: u32) -> Fault {
        let destination = self.random.random_range(0..4);
        match which {
            100..104 => {
                let rights =
                    [Right::Write, Right::WriteAndDescribe, Right::ReadIngest, Right::Group, Right::TransactionalIds];
                let right = rights[self.random.random_range(0..rights.len())];
                Fault::TakeRight { right, destination, time: self.millis(1_000, 8_000) }
            }
            104..105 => Fault::FillDisk { node: self.random.random_range(0..3) },
            105..107 => Fault::DeleteDestination { destination, gone: self.millis(7_000, 12_000) },
            _ => {
                let bytes = [300, 1_200][self.random.random_range(0..2)];
                Fault::LowerLimit { destination, bytes, time: self.millis(2_000, 6_000) }
            }
        }
    }

    fn request(&mut self, slot: usize) -> Fault {
        let apis = [Api::AddPartitionsToTxn, Api::Produce, Api::AddOffsetsToTxn, Api::TxnOffsetCommit, Api::CommitTxn];
        // The commit is what matters most.
        let api = apis[self.random.random_range(0..8).min(apis.len() - 1)];
        // Shorter and longer than all time-outs.
        let time = if self.random.random() { self.millis(100, 2_000) } else { self.millis(7_000, 9_000) };
        let fault = match self.random.random_range(0..5) {
            0 => RequestFault::LoseRequest,
            1 => RequestFault::LoseResponse,
            2 => RequestFault::HoldRequest(time),
            3 => RequestFault::HoldResponse(time),
            _ => RequestFault::Strand(time),
        };
        Fault::Request { slot, api, fault }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_every_kind_comes_up() {
        let draw = |seed| {
            let mut plan = Plan::new(seed, None);
            let mut steps = (0..1_000).map(|_| plan.next().expect("any fault will do"));
            steps.by_ref().map(|step| (step.quiet, step.fault)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let kinds: BTreeSet<_> = draw(1).iter().map(|(_, fault)| fault.name()).collect();
        assert_eq!(kinds.len(), 28, "{kinds:?}");
    }

    #[test]
    fn a_name_that_nothing_has_ends_the_search() {
        assert!(Plan::new(1, Some("earthquake".to_owned())).next().is_none());
        let mut plan = Plan::new(1, Some("SIGTERM".to_owned()));
        assert!(matches!(plan.next().map(|step| step.fault), Some(Fault::Term { .. })));
    }
}
