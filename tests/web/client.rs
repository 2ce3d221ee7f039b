//! A client without a network: what it writes goes to a real connection process, what it is sent comes to the test.

use perennial::process::Kind;
use perennial::time::Clock;
use perennial::web::channel::{Connection, Frame, FrameKind, Transport, UserSocket};
use perennial::{ExitReason, Pid, Runtime};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// How long anything may take before it counts as lost.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What a transport was told.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Text(Value),
    Binary(Vec<u8>),
    Close(u16, String),
    /// The connection process has let go of it.
    Dropped,
}

struct Wire {
    heard: Sender<Heard>,
    is_lagging: Arc<AtomicBool>,
}

impl Transport for Wire {
    fn send(&mut self, frame: &Frame) {
        let heard = match frame.kind() {
            FrameKind::Text => Heard::Text(serde_json::from_slice(frame.bytes()).expect("JSON")),
            FrameKind::Binary => Heard::Binary(frame.bytes().to_vec()),
        };
        let _ = self.heard.send(heard);
    }

    fn is_lagging(&mut self) -> bool {
        self.is_lagging.load(Ordering::SeqCst)
    }

    fn close(&mut self, code: u16, reason: &str) {
        let _ = self.heard.send(Heard::Close(code, reason.to_owned()));
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.heard.send(Heard::Dropped);
    }
}

/// One client.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) is_lagging: Arc<AtomicBool>,
    heard: Receiver<Heard>,
}

impl Client {
    pub(crate) fn connect<A: Send + Sync + 'static>(sockets: &UserSocket<A>, assigns: A) -> Self {
        let (heard, receiver) = mpsc::channel();
        let is_lagging = Arc::new(AtomicBool::new(false));
        let wire = Wire {
            heard,
            is_lagging: is_lagging.clone(),
        };
        let connection = sockets.connect(assigns, wire).expect("a connection");
        Client {
            connection,
            is_lagging,
            heard: receiver,
        }
    }

    /// Writes `[refs, refs, topic, "phx_join", payload]`.
    pub(crate) fn join(&self, refs: &str, topic: &str, payload: Value) {
        self.write(json!([refs, refs, topic, "phx_join", payload]));
    }

    /// Joins and reads the reply.
    pub(crate) fn joined(&self, refs: &str, topic: &str) {
        self.join(refs, topic, json!({}));
        self.hears_reply(refs, refs, topic, "ok", json!({}));
    }

    pub(crate) fn write(&self, frame: Value) {
        self.connection.text(frame.to_string());
    }

    pub(crate) fn next(&self) -> Heard {
        self.heard
            .recv_timeout(DEADLINE)
            .expect("something in time")
    }

    /// What comes next, while something is done again and again to bring it about.
    pub(crate) fn next_while(&self, again: impl Fn()) -> Heard {
        let started = Instant::now();
        loop {
            again();
            if let Ok(heard) = self.heard.recv_timeout(Duration::from_millis(1)) {
                return heard;
            }
            assert!(started.elapsed() < DEADLINE, "something in time");
        }
    }

    pub(crate) fn hears(&self, frame: Value) {
        assert_eq!(self.next(), Heard::Text(frame));
    }

    pub(crate) fn hears_reply(
        &self,
        join_ref: &str,
        msg_ref: &str,
        topic: &str,
        status: &str,
        response: Value,
    ) {
        let payload = json!({ "status": status, "response": response });
        self.hears(json!([join_ref, msg_ref, topic, "phx_reply", payload]));
    }

    /// A heartbeat comes back at once: whatever was written before has been seen, and nothing else was sent.
    pub(crate) fn hears_nothing(&self) {
        self.write(json!([null, "hb", "phoenix", "heartbeat", {}]));
        self.hears(json!([null, "hb", "phoenix", "phx_reply", {"status": "ok", "response": {}}]));
    }
}

/// Runs a test in a runtime of its own, once for each kind of process that channels may be.
pub(crate) fn on_both_kinds(test: impl Fn()) {
    for kind in [Kind::Pooled, Kind::Thread] {
        let runtime = Runtime::builder().workers(2).default_kind(kind);
        let runtime = runtime.build().expect("a runtime");
        let guard = runtime.enter();
        test();
        drop(guard);
        let report = runtime.shutdown(DEADLINE);
        assert_eq!(report.zombies, 0, "{kind:?}: {report:?}");
    }
}

/// A runtime whose time stands still until it is moved.
pub(crate) fn with_manual_clock(test: impl FnOnce(&perennial::time::ManualClock)) {
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().workers(2).clock(clock);
    let runtime = runtime.build().expect("a runtime");
    let guard = runtime.enter();
    test(&hand);
    drop(guard);
    drop(runtime);
}

/// Waits for the end of a process.
pub(crate) fn end_of(pid: Pid) -> ExitReason {
    let mut watch = perennial::process::watch(pid);
    watch.wait(DEADLINE).expect("an end in time").reason
}
