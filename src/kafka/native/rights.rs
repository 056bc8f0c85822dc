//! What the service may do with Kafka topics and with its group, as the brokers tell it to who may look at them (KIP-430).
//!
//! Only questions: `Metadata` (which must make no Kafka topic) and `DescribeGroups`. Nothing is tried out.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings::{
    self, rd_kafka_AclOperation_t, rd_kafka_AdminOptions_t, rd_kafka_admin_op_t, rd_kafka_error_t, rd_kafka_event_t,
    rd_kafka_queue_t,
};
use rdkafka::client::Client;
use rdkafka::error::{IsError, KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::kafka::admin::rights::{Operation, Rights};

/// How much longer than the client's own time limit its answer is waited for.
const GRACE_MS: i32 = 1_000;

/// The rights on Kafka topics; one that may not be looked at, or is not there, is absent.
pub(in crate::kafka) fn on_kafka_topics<C: ClientContext>(
    client: &Client<C>,
    kafka_topics: &[&str],
    most: Duration,
) -> KafkaResult<BTreeMap<String, Rights>> {
    if kafka_topics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names = kafka_topics.iter().map(|name| CString::new(*name)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let question = Question::new(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, most)?;
    // SAFETY: the pointers are of strings that outlive the call, which copies them; the collection is given back once.
    let event = unsafe {
        let collection = bindings::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        bindings::rd_kafka_DescribeTopics(client.native_ptr(), collection, question.options, question.queue);
        bindings::rd_kafka_TopicCollection_destroy(collection);
        question.answer()?
    };
    // SAFETY: the answer lives until the end of this function, and all that is read belongs to it. An answer that is of
    // another kind gives null, which is looked for.
    let described = unsafe {
        let result = bindings::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
        items(result, bindings::rd_kafka_DescribeTopics_result_topics)
    };
    let rights = described.iter().filter_map(|description| {
        // SAFETY: as above; the operations are as many as the count says, where there are any.
        unsafe {
            let name = CStr::from_ptr(bindings::rd_kafka_TopicDescription_name(*description));
            let mut count = 0;
            let told = bindings::rd_kafka_TopicDescription_authorized_operations(*description, &raw mut count);
            (!is_error(bindings::rd_kafka_TopicDescription_error(*description)))
                .then(|| Some((name.to_str().ok()?.to_owned(), rights(told, count)?)))?
        }
    });
    Ok(rights.collect())
}

/// The rights on a consumer group; `None` when the brokers do not tell.
///
/// # Errors
/// Also when the group may not be looked at.
pub(in crate::kafka) fn on_group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    most: Duration,
) -> KafkaResult<Option<Rights>> {
    let name = CString::new(group)?;
    let mut names = [name.as_ptr()];
    let question = Question::new(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, most)?;
    // SAFETY: one string, which outlives the call.
    let event = unsafe {
        bindings::rd_kafka_DescribeConsumerGroups(
            client.native_ptr(),
            names.as_mut_ptr(),
            names.len(),
            question.options,
            question.queue,
        );
        question.answer()?
    };
    // SAFETY: as for Kafka topics.
    unsafe {
        let result = bindings::rd_kafka_event_DescribeConsumerGroups_result(event.0.as_ptr());
        let described = items(result, bindings::rd_kafka_DescribeConsumerGroups_result_groups);
        let Some(description) = described.first() else { return Ok(None) };
        let error = bindings::rd_kafka_ConsumerGroupDescription_error(*description);
        if is_error(error) {
            return Err(KafkaError::AdminOp(bindings::rd_kafka_error_code(error).into()));
        }
        let mut count = 0;
        let told = bindings::rd_kafka_ConsumerGroupDescription_authorized_operations(*description, &raw mut count);
        Ok(rights(told, count))
    }
}

/// A question that includes what may be done, and the queue for its answer.
struct Question {
    options: *mut rd_kafka_AdminOptions_t,
    queue: *mut rd_kafka_queue_t,
    most_ms: i32,
}

impl Question {
    fn new<C: ClientContext>(client: &Client<C>, operation: rd_kafka_admin_op_t, most: Duration) -> KafkaResult<Self> {
        let most_ms = i32::try_from(most.as_millis()).unwrap_or(i32::MAX - GRACE_MS).min(i32::MAX - GRACE_MS);
        // SAFETY: the client's pointer is valid during the borrow; what is made is given back by `drop`, which is before
        // the client's own end: a question does not leave the functions above.
        unsafe {
            let options = bindings::rd_kafka_AdminOptions_new(client.native_ptr(), operation);
            let queue = bindings::rd_kafka_queue_new(client.native_ptr());
            let question = Self { options, queue, most_ms };
            if options.is_null() || queue.is_null() {
                return Err(KafkaError::AdminOpCreation("no options or no queue for a question".to_owned()));
            }
            let refused = bindings::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
            if !refused.is_null() {
                bindings::rd_kafka_error_destroy(refused);
                return Err(KafkaError::AdminOpCreation("rights cannot be asked for".to_owned()));
            }
            let code = bindings::rd_kafka_AdminOptions_set_request_timeout(options, most_ms, ptr::null_mut(), 0);
            if code.is_error() {
                return Err(KafkaError::AdminOpCreation("the time limit is out of range".to_owned()));
            }
            Ok(question)
        }
    }

    /// # Safety
    /// The question was asked.
    unsafe fn answer(&self) -> KafkaResult<Event> {
        // SAFETY: the queue is there; the event is ours, and given back once.
        let event = unsafe { bindings::rd_kafka_queue_poll(self.queue, self.most_ms + GRACE_MS) };
        let event = NonNull::new(event).map(Event).ok_or(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut))?;
        // SAFETY: the event is there.
        let code = unsafe { bindings::rd_kafka_event_error(event.0.as_ptr()) };
        if code.is_error() { Err(KafkaError::AdminOp(code.into())) } else { Ok(event) }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and used by nobody any more; an answer that comes later finds a queue that is closed.
        unsafe {
            if !self.options.is_null() {
                bindings::rd_kafka_AdminOptions_destroy(self.options);
            }
            if !self.queue.is_null() {
                bindings::rd_kafka_queue_destroy(self.queue);
            }
        }
    }
}

/// An answer of the library.
struct Event(NonNull<rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it was handed over to us, and is given back once.
        unsafe { bindings::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// The items of an answer; none when it is of another kind.
///
/// # Safety
/// The answer is one of `list`'s or null, and stays for as long as the result is used.
unsafe fn items<'a, R, T>(
    answer: *const R,
    list: unsafe extern "C" fn(*const R, *mut usize) -> *mut *const T,
) -> &'a [*const T] {
    if answer.is_null() {
        return &[];
    }
    let mut count = 0;
    // SAFETY: the caller's promise; the library writes how many there are.
    unsafe {
        let items = list(answer, &raw mut count);
        if items.is_null() { &[] } else { slice::from_raw_parts(items, count) }
    }
}

/// # Safety
/// An error of the library, or null.
unsafe fn is_error(error: *const rd_kafka_error_t) -> bool {
    // SAFETY: it is looked at only where it is there.
    !error.is_null() && unsafe { bindings::rd_kafka_error_code(error) }.is_error()
}

/// # Safety
/// So many operations must be there, unless the pointer is null: then nothing was told.
unsafe fn rights(told: *const rd_kafka_AclOperation_t, count: usize) -> Option<Rights> {
    use rd_kafka_AclOperation_t as Told;
    let first = NonNull::new(told.cast_mut())?;
    let mut rights = Rights::default();
    if count > 0 {
        // SAFETY: the caller's promise.
        for operation in unsafe { slice::from_raw_parts(first.as_ptr(), count) } {
            match operation {
                Told::RD_KAFKA_ACL_OPERATION_READ => rights.add(Operation::Read),
                Told::RD_KAFKA_ACL_OPERATION_WRITE => rights.add(Operation::Write),
                _ => {}
            }
        }
    }
    Some(rights)
}
