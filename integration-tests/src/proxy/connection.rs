//! One connection of a client to one node.
//!
//! ```text
//!  client --> requests --queue--> requests --> broker      a frame in a queue waits for its gate, its delay
//!  client <-- responses <-queue-- responses <-- broker     and what its fault holds
//!  '--- client half ---'          '-- broker half --'
//! ```
//!
//! The halves end on their own: what a client said before it went away still arrives, and what the broker answers to
//! that is still noted.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::frame::Frame;
use super::gate::{Direction, Passage};
use super::rules::{Fault, Rules, Watch};

/// Frames that wait in one direction before the sender has to wait.
const QUEUE: usize = 256;

struct Queued {
    frame: Frame,
    came: Instant,
    watch: Option<Watch>,
}

/// What both directions of a connection know.
struct Connection {
    passage: Passage,
    rules: Arc<Rules>,
    /// Requests whose answers matter, by their numbers.
    asked: Mutex<BTreeMap<i32, Watch>>,
    /// Set when a fault closes the client's half, or both.
    broken: watch::Sender<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Broken {
    No,
    Client,
    Both,
}

/// Serves a connection until both of its halves have ended.
pub(super) async fn serve(client: TcpStream, broker: TcpStream, passage: Passage, rules: Arc<Rules>) {
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let (ask, asked) = mpsc::channel(QUEUE);
    let (answer, answered) = mpsc::channel(QUEUE);
    let connection = Connection { passage, rules, asked: Mutex::default(), broken: watch::Sender::new(Broken::No) };
    let client_half = async {
        tokio::select! {
            _ = async { tokio::join!(connection.take_requests(from_client, ask), connection.hand_responses(answered, to_client)) } => {}
            () = connection.closed(Broken::Client) => {}
        }
    };
    let broker_half = async {
        tokio::select! {
            _ = async { tokio::join!(connection.hand_requests(asked, to_broker), connection.take_responses(from_broker, answer)) } => {}
            () = connection.closed(Broken::Both) => {}
        }
    };
    tokio::join!(client_half, broker_half);
}

/// The peer is gone: what comes next on this way is the end.
type Gone = io::Result<()>;

impl Connection {
    /// Waits until a fault or the link closes what breaks at this.
    async fn closed(&self, at: Broken) {
        let mut broken = self.broken.subscribe();
        tokio::select! {
            () = self.passage.clone().closed() => {}
            // The sender is ours: it is not gone before.
            _ = broken.wait_for(|broken| *broken >= at) => {}
        }
    }

    fn close(&self, what: Broken) {
        self.broken.send_replace(what);
    }

    async fn take_requests(&self, mut client: OwnedReadHalf, queue: mpsc::Sender<Queued>) -> Gone {
        while let Some(frame) = Frame::read(&mut client).await? {
            let watch = self.rules.meet(&frame);
            if let Some(watch) = &watch {
                match watch.fault() {
                    Fault::LoseRequest => {
                        self.close(Broken::Both);
                        watch.note_done();
                        return Ok(());
                    }
                    Fault::Strand(_) => self.close(Broken::Client),
                    Fault::None | Fault::LoseResponse | Fault::HoldRequest(_) | Fault::HoldResponse(_) => {}
                }
            }
            if queue.send(Queued { frame, came: Instant::now(), watch }).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn hand_requests(&self, mut queue: mpsc::Receiver<Queued>, mut broker: OwnedWriteHalf) -> Gone {
        use tokio::io::AsyncWriteExt;
        let mut passage = self.passage.clone();
        while let Some(Queued { frame, came, watch }) = queue.recv().await {
            if let Some(watch) = watch {
                if let Some(number) = frame.request_number() {
                    self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(number, watch.clone());
                }
                if let Fault::HoldRequest(at_most) | Fault::Strand(at_most) = watch.fault() {
                    watch.held(at_most).await;
                    passage.open(Direction::ToBroker, came).await;
                    broker.write_all(frame.bytes()).await?;
                    watch.note_done();
                    continue;
                }
            }
            passage.open(Direction::ToBroker, came).await;
            broker.write_all(frame.bytes()).await?;
        }
        broker.shutdown().await
    }

    async fn take_responses(&self, mut broker: OwnedReadHalf, queue: mpsc::Sender<Queued>) -> Gone {
        while let Some(frame) = Frame::read(&mut broker).await? {
            let number = frame.response_number();
            let watch =
                number.and_then(|number| self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&number));
            if let Some(watch) = &watch {
                watch.note_answer(&frame);
                if watch.fault() == Fault::LoseResponse {
                    self.close(Broken::Both);
                    watch.note_done();
                    return Ok(());
                }
            }
            // The client may be gone: the rest is read all the same, for what is to be noted.
            let _ = queue.send(Queued { frame, came: Instant::now(), watch }).await;
        }
        Ok(())
    }

    async fn hand_responses(&self, mut queue: mpsc::Receiver<Queued>, mut client: OwnedWriteHalf) -> Gone {
        use tokio::io::AsyncWriteExt;
        let mut passage = self.passage.clone();
        while let Some(Queued { frame, came, watch }) = queue.recv().await {
            let held = match watch.as_ref().map(|watch| (watch, watch.fault())) {
                Some((watch, Fault::HoldResponse(at_most))) => {
                    watch.held(at_most).await;
                    Some(watch)
                }
                Some((watch, Fault::None)) => Some(watch),
                _ => None,
            };
            passage.open(Direction::FromBroker, came).await;
            client.write_all(frame.bytes()).await?;
            if let Some(watch) = held {
                watch.note_done();
            }
        }
        client.shutdown().await
    }
}
