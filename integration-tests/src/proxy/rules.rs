//! What goes wrong with single requests, and the proof that it did.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::frame::{Api, Frame};

/// What happens to a request that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is only counted.
    None,
    /// It does not arrive, and its connection is closed.
    LoseRequest,
    /// It arrives. When the broker answers, the answer is lost and the connection is closed.
    LoseResponse,
    /// It waits at the proxy, with all that comes behind it on its connection, at most for this long or until
    /// [`Watch::release`]. It arrives even when the client has gone away meanwhile.
    HoldRequest(Duration),
    /// The same with its response.
    HoldResponse(Duration),
    /// The client's connection is closed at once, and the request arrives later: after this time or with
    /// [`Watch::release`]. The client may repeat it on another connection in the meantime.
    Strand(Duration),
}

/// A fault that waits for its requests, or met them.
#[derive(Debug, Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    api: Api,
    fault: Fault,
    once: bool,
    seen: Mutex<Seen>,
    news: Condvar,
    released: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Requests that were met.
    met: usize,
    /// Those to which the fault has happened to the end.
    done: usize,
    /// Error codes of the brokers' answers to them.
    codes: Vec<i16>,
}

impl Watch {
    pub(super) fn new(api: Api, fault: Fault, once: bool) -> Self {
        let (seen, news, released) = (Mutex::default(), Condvar::new(), watch::Sender::new(false));
        Self { inner: Arc::new(Inner { api, fault, once, seen, news, released }) }
    }

    pub(super) fn fault(&self) -> Fault {
        self.inner.fault
    }

    /// How many requests were met so far.
    #[must_use]
    pub fn met(&self) -> usize {
        self.seen().met
    }

    /// Waits until so many requests were met, by now in all.
    ///
    /// # Errors
    /// When they are not in time.
    pub fn wait(&self, requests: usize, within: Duration) -> anyhow::Result<()> {
        self.wait_for("met", within, |seen| seen.met >= requests)
    }

    /// Waits until the fault has happened to so many requests to its end: they are lost, or their answer is, or they
    /// have gone on after they were held.
    ///
    /// # Errors
    /// When it has not in time.
    pub fn wait_done(&self, requests: usize, within: Duration) -> anyhow::Result<()> {
        self.wait_for("done with", within, |seen| seen.done >= requests)
    }

    /// Waits until the brokers have answered so many of the requests, and gives the error codes of their answers in
    /// their order. Only requests about transactions have it where it is looked for.
    ///
    /// # Errors
    /// When they have not in time.
    pub fn wait_answers(&self, requests: usize, within: Duration) -> anyhow::Result<Vec<i16>> {
        self.wait_for("answered", within, |seen| seen.codes.len() >= requests)?;
        Ok(self.seen().codes.clone())
    }

    /// What is held goes on, and no further request is held or lost.
    pub fn release(&self) {
        self.inner.released.send_replace(true);
    }

    fn wait_for(&self, what: &str, within: Duration, holds: impl Fn(&Seen) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let mut seen = self.seen();
        while !holds(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            let (api, fault) = (self.inner.api, self.inner.fault);
            anyhow::ensure!(!left.is_zero(), "not enough of {api:?} was {what} by {fault:?} in {within:?}: {seen:?}");
            seen = self.inner.news.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen());
        self.inner.news.notify_all();
    }

    pub(super) fn note_done(&self) {
        self.note(|seen| seen.done += 1);
    }

    pub(super) fn note_answer(&self, response: &Frame) {
        self.note(|seen| seen.codes.extend(response.error_code()));
    }

    /// Waits until what is held may go on.
    pub(super) async fn held(&self, at_most: Duration) {
        let mut released = self.inner.released.subscribe();
        tokio::select! {
            // The sender is ours: it is not gone before.
            _ = released.wait_for(|released| *released) => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }
}

/// The faults that wait on a link.
#[derive(Debug, Default)]
pub(super) struct Rules {
    waiting: Mutex<Vec<Watch>>,
}

impl Rules {
    pub(super) fn add(&self, watch: Watch) {
        self.waiting().push(watch);
    }

    /// Everything passes again, and what is held goes on.
    pub(super) fn clear(&self) {
        for watch in self.waiting().drain(..) {
            watch.release();
        }
    }

    /// The oldest fault that waits for this request.
    pub(super) fn meet(&self, request: &Frame) -> Option<Watch> {
        let mut waiting = self.waiting();
        waiting.retain(|watch| !*watch.inner.released.borrow());
        // One that was spent stays: what it holds is released when the link is healed.
        let meets = |watch: &&Watch| request.asks_for(watch.inner.api) && !(watch.inner.once && watch.met() > 0);
        let watch = waiting.iter().find(meets)?.clone();
        watch.note(|seen| seen.met += 1);
        Some(watch)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Watch>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
