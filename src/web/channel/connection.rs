//! The process behind one connection, and the handle that its transport holds.
//!
//! Process: one per connection. Started by whoever accepts the connection, linked to none, monitors its channels.
//! Dies when the transport is closed and all its channels have ended; on any exit signal, and then it closes its
//! transport (1012 for an orderly end, 1011 for any other).

use super::codec::{self, Limits};
use super::endpoint;
use super::link::{Broadcast, Link, ToChannel, ToConnection};
use super::message::{Frame, Message, Payload, Status};
use super::socket::{Action, ChannelId, End, Socket};
use super::transport::Transport;
use super::user_socket::Route;
use super::vsn::Vsn;
use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::pid::{MonitorRef, Pid, TimerRef};
use crate::process::{self, Dest, Down, Recipient, Ref, runtime};
use crate::reason::ExitReason;
use crate::service::rate_limit::Bucket;
use crate::sync::Arc;
use crate::web::net::Incoming;
use crate::web::websocket::{self, CloseCode};
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a channel that was told to stop may take: what its callback is at, and `terminate`. Then it is killed.
/// As in Phoenix and for children of supervisors.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before the store is asked again for what a client misses. With
/// [`ATTEMPTS_MAX`](crate::web::cursor::ATTEMPTS_MAX) of them, a store has five seconds to come back.
const FILL_RETRY: Duration = Duration::from_millis(500);

/// After how long a client may say again what was refused as `busy`. The queue before it empties in less.
const BUSY_MS: u32 = 1_000;

/// One client's connection, as its transport knows it. A clone is the same.
///
/// None of its methods blocks or fails: what comes after the end is forgotten.
#[derive(Clone, Debug)]
pub struct Connection(Ref<ToConnection>);

impl Connection {
    pub(super) fn new(process: Ref<ToConnection>) -> Self {
        Connection(process)
    }

    /// The process behind it.
    pub fn pid(&self) -> Pid {
        self.0.pid()
    }

    pub(super) fn process(&self) -> &Ref<ToConnection> {
        &self.0
    }

    /// A text message came.
    pub fn text(&self, text: String) {
        self.tell(ToConnection::Text(text));
    }

    /// A binary message came.
    pub fn binary(&self, bytes: Vec<u8>) {
        self.tell(ToConnection::Binary(bytes));
    }

    /// A message came from the reactor.
    pub(super) fn incoming(&self, message: Incoming) {
        self.tell(ToConnection::Incoming(message));
    }

    /// What waited for the client has been written: see [`Transport::is_lagging`].
    pub fn drained(&self) {
        self.tell(ToConnection::Drained);
    }

    /// The transport is closed: all channels stop.
    pub fn closed(&self) {
        self.tell(ToConnection::Closed);
    }

    /// Closes the transport and stops all channels. 1001 for a logout everywhere, 1012 for a restart of the
    /// service; the official client comes back after any code but 1000.
    pub fn disconnect(&self, code: u16, reason: &str) {
        self.tell(ToConnection::Disconnect(code, reason.to_owned()));
    }

    fn tell(&self, message: ToConnection) {
        let _ = self.0.try_cast(message);
    }
}

/// A transport that does not stay open when the process that used it has crashed.
struct Line {
    transport: Box<dyn Transport>,
    vsn: Vsn,
    is_open: bool,
    /// Equals `true` if something was written since this was last looked at.
    wrote: bool,
}

impl Line {
    fn send(&mut self, frame: &Frame) {
        if !self.is_open {
            return;
        }
        self.wrote = true;
        match self.vsn {
            Vsn::V2 => self.transport.send(frame),
            old => match old.translate(frame) {
                Some(frame) => self.transport.send(&frame),
                None => {
                    log::warn!(target: "perennial::channel", "a client of version 1.0.0 cannot be sent bytes")
                }
            },
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        if std::mem::take(&mut self.is_open) {
            self.transport.close(code, reason);
        }
    }

    /// Looks only after writing: nothing else makes a client lag.
    fn is_lagging(&mut self) -> bool {
        std::mem::take(&mut self.wrote) && self.is_open && self.transport.is_lagging()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Killed, there was no terminate.
        self.close(1011, "");
    }
}

/// A channel that runs.
struct Running {
    link: Arc<Link>,
    to: Recipient<ToChannel>,
    monitor: MonitorRef,
    stop_timer: Option<TimerRef>,
}

/// What a connection process is started with.
pub(super) struct Start<A: Send + Sync + 'static> {
    pub(super) vsn: Vsn,
    /// What the socket is called, if it is called anything.
    pub(super) id: Option<String>,
    pub(super) socket: Socket<Route<A>>,
    pub(super) limits: Limits,
    pub(super) assigns: Arc<A>,
    pub(super) transport: Box<dyn Transport>,
    pub(super) events_max: usize,
    pub(super) frames: Bucket,
}

/// The connection as a generic server: it acts on what the pure [`Socket`] decides.
pub(super) struct Server<A: Send + Sync + 'static> {
    socket: Socket<Route<A>>,
    limits: Limits,
    assigns: Arc<A>,
    line: Line,
    running: Vec<Running>,
    /// Decided and not done: all but writes, which are done at once.
    actions: VecDeque<Action<Route<A>>>,
    is_paused: bool,
    events_max: usize,
    frames: Bucket,
}

impl<A: Send + Sync + 'static> GenServer for Server<A> {
    type Args = Start<A>;
    type Msg = ToConnection;
    /// So that a client learns why it is disconnected.
    const TRAP_EXIT: bool = true;

    fn init(start: Start<A>, cx: &mut Cx<Self>) -> Init<Self> {
        if let Some(id) = &start.id {
            let convert = |it: endpoint::Disconnect| ToConnection::Disconnect(it.code, it.reason);
            endpoint::follow(id, cx.me().recipient(convert));
        }
        Init::Ok(Server {
            socket: start.socket,
            limits: start.limits,
            assigns: start.assigns,
            line: Line {
                transport: start.transport,
                vsn: start.vsn,
                is_open: true,
                wrote: false,
            },
            running: Vec::with_capacity(1),
            actions: VecDeque::with_capacity(1),
            is_paused: false,
            events_max: start.events_max,
            frames: start.frames,
        })
    }

    fn handle(&mut self, msg: ToConnection, cx: &mut Cx<Self>) -> Next<ToConnection> {
        match msg {
            ToConnection::Broadcast(channel, broadcast) => self.broadcast(channel, broadcast),
            ToConnection::Incoming(message) => match message.message() {
                websocket::Message::Text(text) => self.text(text),
                websocket::Message::Binary(bytes) => self.binary(bytes),
            },
            ToConnection::Text(text) => self.text(&text),
            ToConnection::Binary(bytes) => self.binary(&bytes),
            ToConnection::Write(channel, frame) => {
                self.decide(|socket, act| socket.write(channel, frame, act));
            }
            ToConnection::Joined(channel, reply, seen) => {
                self.decide(|socket, act| socket.joined(channel, reply, seen, act));
            }
            ToConnection::Refused(channel, reply) => {
                self.decide(|socket, act| socket.refused(channel, reply, act));
            }
            ToConnection::Page(channel, Some(frames)) => {
                self.decide(|socket, act| socket.page(channel, frames, act));
            }
            ToConnection::Page(channel, None) => {
                self.decide(|socket, act| socket.page_failed(channel, act));
            }
            ToConnection::RetryFill(channel) => {
                self.decide(|socket, act| socket.retry_fill(channel, act));
            }
            ToConnection::Drained => {
                self.is_paused = false;
                self.decide(|socket, act| socket.resume(act));
            }
            ToConnection::Closed => {
                self.line.is_open = false;
                self.decide(Socket::close);
            }
            ToConnection::Disconnect(code, reason) => self.close(code, &reason),
            ToConnection::StopDue(channel) => self.kill(channel),
            ToConnection::Sync(reply) => reply.send(()),
        }
        self.settle(cx)
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<ToConnection> {
        match info {
            Info::Down(down) => self.down(&down),
            Info::Exit(exit) => return Next::Stop(exit.reason),
            Info::Timeout => {}
        }
        self.settle(cx)
    }

    fn terminate(&mut self, reason: &ExitReason, _cx: &mut Cx<Self>) {
        // RFC 6455 §7.4.1 and its registry: 1012, the service restarts; 1011, an unexpected condition.
        let code = if reason.is_clean() { 1012 } else { 1011 };
        self.line.close(code, "");
    }
}

impl<A: Send + Sync + 'static> Server<A> {
    /// Lets something happen to the socket. Its writes are done at once, the rest by [`settle`](Server::settle).
    fn decide(
        &mut self,
        happen: impl FnOnce(&mut Socket<Route<A>>, &mut dyn FnMut(Action<Route<A>>)),
    ) {
        let (line, actions) = (&mut self.line, &mut self.actions);
        happen(&mut self.socket, &mut |action| match action {
            Action::Write(frame) => line.send(&frame),
            action => actions.push_back(action),
        });
    }

    /// Does what was decided, and what follows from that.
    fn settle(&mut self, cx: &mut Cx<Self>) -> Next<ToConnection> {
        while let Some(action) = self.actions.pop_front() {
            self.perform(action, cx);
        }
        self.pause_if_lagging();
        if !self.line.is_open && self.running.is_empty() {
            return Next::Stop(ExitReason::Normal);
        }
        Next::Loop
    }

    fn perform(&mut self, action: Action<Route<A>>, cx: &mut Cx<Self>) {
        match action {
            Action::Write(frame) => self.line.send(&frame),
            Action::Join {
                channel,
                handler,
                message,
            } => self.start(channel, &handler, message, cx),
            Action::Deliver { channel, message } => self.deliver(channel, message),
            Action::Stop { channel, why } => {
                if let Some(running) = self.running(channel) {
                    running.to.cast(ToChannel::Stop(why));
                    let due = ToConnection::StopDue(channel);
                    running.stop_timer = Some(cx.send_after(STOP_TIMEOUT, due));
                }
            }
            Action::Fill { channel, after } => {
                if let Some(running) = self.running(channel) {
                    running.to.cast(ToChannel::Fill(after));
                }
            }
            Action::RetryFill { channel } => {
                cx.send_after(FILL_RETRY, ToConnection::RetryFill(channel));
            }
        }
    }

    fn running(&mut self, channel: ChannelId) -> Option<&mut Running> {
        let mut running = self.running.iter_mut();
        running.find(|running| running.link.channel == channel)
    }

    // ## From the transport

    fn text(&mut self, text: &str) {
        self.receive(self.line.vsn.decode_text(text, &self.limits));
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.receive(self.line.vsn.decode_binary(bytes, &self.limits));
    }

    fn receive(&mut self, decoded: Result<Message, codec::DecodeError>) {
        match decoded {
            Ok(_) if self.is_flooded() => self.close(CloseCode::TOO_MANY.get(), "too many frames"),
            Ok(message) => self.decide(|socket, act| socket.receive(message, act)),
            Err(error) => {
                log::debug!(target: "perennial::channel", "closing a connection: {error}");
                self.close(error.close_code(), "");
            }
        }
    }

    fn is_flooded(&mut self) -> bool {
        !self.frames.is_off() && self.frames.take(runtime::current().clock.now()).is_err()
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.line.close(code, reason);
        self.decide(Socket::close);
    }

    // ## Channels

    fn start(&mut self, channel: ChannelId, route: &Route<A>, join: Message, cx: &mut Cx<Self>) {
        let topic = join.topic.into();
        let link = Link::new(cx.me().clone(), channel, topic, join.join_ref);
        let link = Arc::new(link);
        let msg_ref = join.msg_ref.clone();
        let assigns = self.assigns.clone();
        match route.start(link.clone(), assigns, join.msg_ref, join.payload) {
            Ok((to, monitor)) => self.running.push(Running {
                link,
                to,
                monitor,
                stop_timer: None,
            }),
            Err(error) => {
                log::warn!(target: "perennial::channel", "no channel for {:?}: {error}", link.topic);
                let reply = link.reply(&msg_ref, &Status::ERROR, &busy());
                self.decide(|socket, act| {
                    socket.refused(channel, reply, act);
                    socket.down(channel, End::Stopped, act);
                });
            }
        }
    }

    fn deliver(&mut self, channel: ChannelId, message: Message) {
        let events_max = self.events_max;
        let Some(running) = self.running(channel) else {
            return;
        };
        if running.link.admit(events_max) {
            return running.to.cast(ToChannel::In(message));
        }
        let reply = running
            .link
            .reply(&message.msg_ref, &Status::ERROR, &busy());
        self.line.send(&reply);
    }

    fn down(&mut self, down: &Down) {
        let mut running = self.running.iter();
        let Some(at) = running.position(|running| running.monitor == down.monitor) else {
            return;
        };
        let ended = self.running.swap_remove(at);
        if let Some(timer) = ended.stop_timer {
            process::cancel_timer(timer);
        }
        let end = if down.reason.is_clean() {
            End::Stopped
        } else {
            End::Crashed
        };
        self.decide(|socket, act| socket.down(ended.link.channel, end, act));
    }

    /// A channel did not stop in time.
    fn kill(&mut self, channel: ChannelId) {
        if let Some(running) = self.running(channel) {
            process::exit(running.to.pid(), ExitReason::Kill);
        }
    }

    // ## From topics

    fn broadcast(&mut self, channel: ChannelId, broadcast: Broadcast) {
        match broadcast {
            Broadcast::Event(frame) => {
                self.decide(|socket, act| socket.broadcast(channel, None, frame, act));
            }
            // What is told at once may be more than may wait: a client that has too much already gets the rest from
            // the store.
            Broadcast::Sequenced(first, frames) => {
                for (seq, frame) in (first..).zip(frames.iter()) {
                    let frame = frame.clone();
                    self.decide(|socket, act| socket.broadcast(channel, Some(seq), frame, act));
                    self.pause_if_lagging();
                }
            }
            Broadcast::Sync(max) => self.decide(|socket, act| socket.sync(channel, max, act)),
        }
    }

    fn pause_if_lagging(&mut self) {
        if self.line.is_lagging() && !self.is_paused {
            self.is_paused = true;
            self.socket.pause();
        }
    }
}

fn busy() -> Payload {
    json!({"reason": "busy", "retry_after_ms": BUSY_MS}).into()
}
