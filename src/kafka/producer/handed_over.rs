//! The call that puts offsets into a transaction, on a thread of its own: outputs are delivered and looked after
//! meanwhile, and a call that never returns holds nobody up.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaResult;
use rdkafka::producer::Producer;

use super::{Client, note_thread_left_behind, remaining};

/// How long one call that hands the offsets over may take: it takes milliseconds, and a second or two while the group's
/// coordinator moves.
const OFFSETS_PATIENCE: Duration = Duration::from_secs(3);

/// How long after its time-out a call is still waited for before it is taken for one that never returns.
const GRACE: Duration = Duration::from_millis(500);

/// Offsets on their way into the transaction.
pub(super) struct HandedOver {
    pub(super) offsets: TopicPartitionList,
    pub(super) group: Arc<ConsumerGroupMetadata>,
    /// Until when a call that failed for the moment is made again.
    pub(super) until: Instant,
    answer: Receiver<KafkaResult<()>>,
    /// When the call is taken for one that never returns.
    hangs_at: Instant,
}

impl HandedOver {
    /// Begins the client's call on a thread of its own, so that outputs are delivered and looked after meanwhile.
    pub(super) fn begin(
        client: &Arc<Client>,
        offsets: TopicPartitionList,
        group: Arc<ConsumerGroupMetadata>,
        until: Instant,
    ) -> Self {
        let (sender, answer) = mpsc::channel();
        let timeout = remaining(until).min(OFFSETS_PATIENCE);
        let call = {
            let (client, offsets, group, sender) =
                (Arc::clone(client), offsets.clone(), Arc::clone(&group), sender.clone());
            move || {
                let result = client.send_offsets_to_transaction(&offsets, &group, timeout);
                // Before the answer: whoever waits for it may rely on being the client's only owner.
                drop(client);
                // Nobody listens any more when it took too long.
                let _ = sender.send(result);
            }
        };
        if thread::Builder::new().name("send-offsets".to_owned()).spawn(call).is_err() {
            // Nobody else listens.
            let _ = sender.send(client.send_offsets_to_transaction(&offsets, &group, timeout));
        }
        let hangs_at = Instant::now() + timeout + GRACE;
        Self { offsets, group, until, answer, hangs_at }
    }

    /// The answer; none when the call was given up some time after its own time-out. librdkafka 2.12 does not keep that
    /// one: when the broker that coordinates the group goes away during the call, it may not return before some other
    /// broker comes or goes.
    ///
    /// The thread is left behind then, together with the client; whatever that still sends is refused, since its
    /// successor has taken over the transactional id.
    pub(super) fn wait(&self) -> Option<KafkaResult<()>> {
        let answered = self.answer.recv_timeout(self.hangs_at.saturating_duration_since(Instant::now())).ok();
        if answered.is_none() {
            note_thread_left_behind();
        }
        answered
    }
}
