//! The transactional runtime: tasks that gather records, process them and commit the result with its offsets.
//!
//! ```text
//! supervisor -- one thread each --> task
//!
//!              +------------------------------------------------------------+
//!              v                                                            |
//!  group --> gather --> process (transaction open) --> deliver --> commit --+--> next batch
//!              ^             |                            |           |
//!              |             +--------- abort <-----------+           | outcome unknown
//!              |                          |                           v
//!              +---- rest (consumer polled, partitions paused) <-- rebuild the producer, read what was committed
//! ```
//!
//! **Promises.** An output is visible to `read_committed` readers if and only if its source offset is committed. The
//! consumer is never polled while a transaction is open. A record that was taken from the consumer stays in the task's
//! backlog until its offset is committed or its partition is gone, so that a replay needs neither seek nor fetch.
//! **Retries** are endless, paced, and visible in log, metrics and status: a broker that is away is waited for.
//! **Fails** only with a [`FatalError`]: what no waiting can mend.

pub mod backlog;
pub mod errors;
pub mod io;
pub mod lag;
pub mod ledger;
pub mod limits;
pub mod pace;
pub mod position_notes;
pub mod reload;
pub mod stop;
pub mod supervisor;
pub mod task;
pub mod trial;
pub mod versioned;

pub use errors::FatalError;
pub use stop::StopSignal;
