//! Calls of the client library that its Rust wrapper does not offer: the one place with `unsafe`.
//!
//! ```text
//! fetched records of a partition --forwarded--> RecordQueue --many at a time--> Record, Record, ...
//! rebalances, errors, statistics, log ------------------------------------> the client's own queue, one at a time
//! ```
//!
//! **Why.** The wrapper's poll hands over one record a call, and the client library reads the clock several times for
//! each; it gives many of them in one call as well, but not from a queue that brings rebalances too: it would answer those
//! by itself. So records come by a queue of their own, and what concerns the group by the client's, as before.
//!
//! **Promises.** Each function says why its calls are sound. Whatever points into the client borrows from it.
#![allow(unsafe_code, reason = "calls into the C library; nowhere else, and by measurement")]

pub(super) mod rights;

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings::{self, rd_kafka_headers_t, rd_kafka_message_t, rd_kafka_queue_t, rd_kafka_t};
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{IsError, KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

use crate::domain::source::{SourceHeader, SourceRecord};

/// Sends what is queued without waiting for more, and waits until nothing is queued or in flight any more: until every
/// output was acknowledged, or has failed and its report was served. False when that takes longer.
///
/// The wrapper's own flush never waits in here: it polls for delivery reports, in slices of 100 ms. With
/// `delivery.report.only.error` there are none for what was acknowledged, and nothing to serve; the client wakes the one
/// that waits.
pub(super) fn wait_until_delivered<C: ClientContext>(client: &Client<C>, most: Duration) -> bool {
    let most = i32::try_from(most.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer is the client's, which lives at least as long as this borrow. The call may be made from any
    // thread, at any time; it calls nothing back, since delivery reports are events here.
    let answer = unsafe { bindings::rd_kafka_flush(client.native_ptr(), most) };
    answer == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// Rings when something has come, and remembers it until somebody listens.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ringing.notify_one();
    }

    /// Waits until it rings, at the most so long; at once when it has rung since the last wait.
    fn wait(&self, most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ringing.wait_timeout_while(rung, most, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

/// A consumer whose records come many at a time.
pub(super) struct BatchConsumer<C: ConsumerContext + 'static> {
    // Before the client: fields are dropped in this order.
    records: RecordQueue,
    client: BaseConsumer<C>,
    bell: Arc<Bell>,
}

impl<C: ConsumerContext> BatchConsumer<C> {
    pub(super) fn new(mut client: BaseConsumer<C>) -> KafkaResult<Self> {
        let bell = Arc::new(Bell::default());
        let ring = Arc::clone(&bell);
        client.set_nonempty_callback(move || ring.ring());
        let records = RecordQueue::new(client.client(), Arc::clone(&bell))?;
        Ok(Self { records, client, bell })
    }

    /// The client itself: for everything but its records.
    pub(super) fn client(&self) -> &BaseConsumer<C> {
        &self.client
    }

    /// Has the records of a partition come by here; to be called before it is read, each time that it is assigned.
    pub(super) fn take_over(&self, kafka_topic: &str, partition: i32) -> KafkaResult<()> {
        self.records.take_over(self.client.client(), kafka_topic, partition)
    }

    /// Calls back one thing that the client has to say; what it gives is of a partition that was not taken over.
    pub(super) fn serve_one(&self) -> Option<KafkaResult<Record<'_>>> {
        self.client.poll(Duration::ZERO).map(|polled| polled.map(Record::lent))
    }

    /// Takes the records that are there, at the most so many.
    ///
    /// # Errors
    /// What a partition reports; the records that came before it are taken.
    pub(super) fn take<'c>(&'c self, most: usize, records: &mut Vec<Record<'c>>) -> KafkaResult<()> {
        self.records.take(most, records)
    }

    /// Waits until there may be something to take.
    pub(super) fn wait(&self, most: Duration) {
        self.bell.wait(most);
    }
}

/// A queue of the client library for the records of all partitions that are read.
struct RecordQueue {
    queue: NonNull<rd_kafka_queue_t>,
    /// Kept for the queue, which holds a pointer to it.
    _bell: Arc<Bell>,
    /// What was taken and is not handed on yet; empty between two calls.
    taken: RefCell<Vec<*mut rd_kafka_message_t>>,
    /// Errors that came behind others.
    errors: RefCell<Vec<KafkaError>>,
}

// SAFETY: the library's queues may be used from any thread; the rest is ours alone and holds no pointers between two calls.
unsafe impl Send for RecordQueue {}

impl RecordQueue {
    /// Must be dropped before the client.
    fn new<C: ClientContext>(client: &Client<C>, bell: Arc<Bell>) -> KafkaResult<Self> {
        // SAFETY: the client's pointer is valid during the borrow.
        let queue = NonNull::new(unsafe { bindings::rd_kafka_queue_new(client.native_ptr()) })
            .ok_or_else(|| KafkaError::ClientCreation("no queue for records".to_owned()))?;
        // SAFETY: the bell lives in its `Arc` until `drop` has told the queue to forget it.
        unsafe {
            bindings::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), Arc::as_ptr(&bell) as *mut c_void)
        };
        Ok(Self { queue, _bell: bell, taken: RefCell::default(), errors: RefCell::default() })
    }

    fn take_over<C: ClientContext>(&self, client: &Client<C>, kafka_topic: &str, partition: i32) -> KafkaResult<()> {
        let name = CString::new(kafka_topic)?;
        // SAFETY: pointers of a living client and of a string that outlives the call.
        let own = unsafe { bindings::rd_kafka_queue_get_partition(client.native_ptr(), name.as_ptr(), partition) };
        let own = NonNull::new(own).ok_or_else(|| KafkaError::Subscription("no queue of the partition".to_owned()))?;
        // SAFETY: both queues are there. The first is a counted reference that was made for us, given back afterwards; the
        // client keeps its own to the second.
        unsafe {
            bindings::rd_kafka_queue_forward(own.as_ptr(), self.queue.as_ptr());
            bindings::rd_kafka_queue_destroy(own.as_ptr());
        }
        Ok(())
    }

    fn take<'c>(&'c self, most: usize, records: &mut Vec<Record<'c>>) -> KafkaResult<()> {
        if let Some(error) = self.errors.borrow_mut().pop() {
            return Err(error);
        }
        let mut taken = self.taken.borrow_mut();
        taken.reserve(most);
        // SAFETY: the queue is there, and the vector has room for so many pointers.
        let count = unsafe { bindings::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, taken.as_mut_ptr(), most) };
        // Negative for an error without records: what it is comes as a record of its own.
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the library has written so many, at the most as many as it was allowed.
        unsafe { taken.set_len(count) };
        let mut errors = self.errors.borrow_mut();
        for message in taken.drain(..).filter_map(NonNull::new) {
            let record = Record { message, lent: None, client: PhantomData };
            match record.error() {
                None => records.push(record),
                Some(error) => errors.push(error),
            }
        }
        // Last in, first out.
        errors.reverse();
        errors.pop().map_or(Ok(()), Err)
    }
}

impl Drop for RecordQueue {
    fn drop(&mut self) {
        // SAFETY: the queue is there until the second call. The library rings with the queue's lock held, which the first
        // one takes too: afterwards nobody has the bell's address.
        unsafe {
            bindings::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            bindings::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Called by the library's threads when a queue is no longer empty.
unsafe extern "C" fn ring(_client: *mut rd_kafka_t, bell: *mut c_void) {
    // SAFETY: the pointer that was given with this function, to a bell that outlives the queue.
    unsafe { &*bell.cast::<Bell>() }.ring();
}

/// A record that the client has lent: its bytes stand in what was fetched, and are given back with it.
#[derive(Debug)]
pub struct Record<'c> {
    message: NonNull<rd_kafka_message_t>,
    /// Who gives it back, when that is not to be done here.
    lent: Option<BorrowedMessage<'c>>,
    client: PhantomData<&'c ()>,
}

impl<'c> Record<'c> {
    /// One that came by the wrapper's own poll. Its headers are read here all the same: the wrapper panics on a name that
    /// is no text.
    pub(super) fn lent(message: BorrowedMessage<'c>) -> Self {
        let pointer = NonNull::new(message.ptr()).expect("a message of the wrapper is one");
        Self { message: pointer, lent: Some(message), client: PhantomData }
    }

    fn message(&self) -> &rd_kafka_message_t {
        // SAFETY: it is given back when this value is dropped, and nobody writes to it.
        unsafe { self.message.as_ref() }
    }

    /// What stands in its place.
    fn error(&self) -> Option<KafkaError> {
        let message = self.message();
        match message.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => Some(KafkaError::PartitionEOF(message.partition)),
            code => Some(KafkaError::MessageConsumption(RDKafkaErrorCode::from(code))),
        }
    }

    /// The Kafka topic.
    #[must_use]
    pub fn kafka_topic(&self) -> &str {
        // SAFETY: a record that is no error has a Kafka topic, which it holds on to; its name is a string that stays.
        let name = unsafe { CStr::from_ptr(bindings::rd_kafka_topic_name(self.message().rkt)) };
        name.to_str().expect("Kafka allows letters, digits, '.', '_' and '-' in a Kafka topic's name")
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.message().partition
    }

    /// The offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.message().offset
    }

    /// The key; `None` is Kafka's null.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        let message = self.message();
        // SAFETY: see `bytes`; the key is as long as the message says.
        unsafe { bytes(message.key, message.key_len) }
    }

    /// The value; `None` is Kafka's null.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        let message = self.message();
        // SAFETY: see `bytes`; the value is as long as the message says.
        unsafe { bytes(message.payload, message.len) }
    }

    /// Milliseconds since 1970-01-01 UTC, where the record has a time.
    #[must_use]
    pub fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = bindings::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: reads the message, writes what kind of time it is.
        let time = unsafe { bindings::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        let is_known = kind != bindings::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (is_known && time != -1).then_some(time)
    }

    /// The headers whose names are UTF-8, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let mut headers: *mut rd_kafka_headers_t = ptr::null_mut();
        // SAFETY: the first call reads them out of what was fetched, and later ones find them there; they stay with the
        // message. Nothing else reads this record meanwhile: it belongs to one thread.
        let found = unsafe { bindings::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) };
        let count = if found.is_error() || headers.is_null() {
            0
        } else {
            // SAFETY: they are there.
            unsafe { bindings::rd_kafka_header_cnt(headers) }
        };
        (0..count).filter_map(move |index| {
            let (mut name, mut value, mut length): (*const c_char, *const c_void, usize) =
                (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers belong to the message, which this iterator borrows; all three are written to.
            let found = unsafe {
                bindings::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut length)
            };
            if found.is_error() || name.is_null() {
                return None;
            }
            // SAFETY: a string with an end, and a value of this length, in what the message holds.
            let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value, length)) };
            Some((name.to_str().ok()?, value))
        })
    }

    /// The record as the pipeline reads it.
    pub fn with_source<R>(&self, read: impl FnOnce(&SourceRecord<'_>) -> R) -> R {
        read(&SourceRecord {
            kafka_topic: self.kafka_topic(),
            partition: self.partition(),
            offset: self.offset(),
            timestamp_ms: self.timestamp_ms(),
            key: self.key(),
            value: self.value(),
            headers: self.headers().map(|(name, value)| SourceHeader { name, value }).collect(),
        })
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.lent.is_none() {
            // SAFETY: it was handed over to us by the queue, and is given back once.
            unsafe { bindings::rd_kafka_message_destroy(self.message.as_ptr()) };
        }
    }
}

/// The bytes at an address of the library; none at null, which is Kafka's null.
///
/// # Safety
/// So many bytes must be there, and stay for as long as the result is used.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    NonNull::new(start.cast_mut().cast::<u8>()).map(|start| unsafe { slice::from_raw_parts(start.as_ptr(), length) })
}
