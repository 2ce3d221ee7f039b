//! The process behind one topic of one client.
//!
//! Process: one per client and topic. Started by the connection, linked to none, monitors its connection.
//! Dies when the connection dies, on leave, on a second join of its topic, on its own stop, or on a crash.

use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::pid::{MonitorRef, Pid, RequestId, TimerRef};
use crate::process::runtime;
use crate::process::{CallError, Dest, ProcessId, Recipient, ReplyTo};
use crate::reason::ExitReason;
use crate::sync::Arc;
use crate::web::channel::callback::{Channel, Join};
use crate::web::channel::codec;
use crate::web::channel::endpoint;
use crate::web::channel::event::{ChannelHandledIn, ChannelJoined};
use crate::web::channel::link::{Broadcast, Fill, Link, Reply, ToChannel, ToConnection};
use crate::web::channel::message::{Payload, Status, WireRef};
use crate::web::channel::socket::Stop;
use std::fmt;
use std::time::{Duration, Instant};

/// A channel as a generic server.
pub(in crate::web::channel) struct Server<C: Channel> {
    link: Arc<Link>,
    assigns: Arc<C::Assigns>,
    stage: Stage,
    /// Nothing before `join` and after a refusal.
    channel: Option<C>,
    monitor: MonitorRef,
}

/// How far the client's join has come.
#[derive(Debug)]
enum Stage {
    /// The join has to be answered under this `ref`.
    Joining(WireRef, Instant),
    Joined,
    Refused,
}

/// What a channel process is started with.
pub(in crate::web::channel) struct Start<C: Channel> {
    pub(in crate::web::channel) args: C::Args,
    pub(in crate::web::channel) link: Arc<Link>,
    pub(in crate::web::channel) assigns: Arc<C::Assigns>,
    pub(in crate::web::channel) msg_ref: WireRef,
    pub(in crate::web::channel) payload: Payload,
}

/// What a channel process is sent.
pub(in crate::web::channel) enum Msg<C: Channel> {
    Join(C::Args, Payload),
    Wire(ToChannel),
    App(C::Msg),
}

impl<C: Channel> GenServer for Server<C> {
    type Args = Start<C>;
    type Msg = Msg<C>;

    fn init(start: Start<C>, cx: &mut Cx<Self>) -> Init<Self> {
        let monitor = cx.monitor(start.link.connection.pid());
        let server = Server {
            link: start.link,
            assigns: start.assigns,
            stage: Stage::Joining(start.msg_ref, cx.now()),
            channel: None,
            monitor,
        };
        // The connection waits for this init: the join itself comes after it.
        Init::Continue(server, Msg::Join(start.args, start.payload))
    }

    fn handle(&mut self, msg: Msg<C>, cx: &mut Cx<Self>) -> Next<Msg<C>> {
        match msg {
            Msg::Join(args, payload) => self.join(args, payload, cx),
            Msg::Wire(ToChannel::In(message)) => {
                let link = self.link.clone();
                let _handled = InFlight(&link);
                let reply = Reply::new(self.link.clone(), message.msg_ref);
                let (event, payload) = (message.event, message.payload);
                let since = listens_in().then(|| cx.now());
                let next = self.call_back(cx, |channel, cx| {
                    channel.handle_in(&event, payload, reply, cx)
                });
                if let Some(since) = since {
                    self.tell_handled(event, cx.now().saturating_duration_since(since));
                }
                next
            }
            Msg::Wire(ToChannel::Fill(after)) => {
                let fill = Fill::new(self.link.clone());
                self.call_back(cx, |channel, cx| channel.fill(after, fill, cx))
            }
            Msg::Wire(ToChannel::Stop(why)) => Next::Stop(ExitReason::shutdown_with(why)),
            Msg::App(msg) => self.call_back(cx, |channel, cx| channel.handle(msg, cx)),
        }
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<Msg<C>> {
        match info {
            Info::Down(down) if down.monitor == self.monitor => {
                Next::Stop(ExitReason::shutdown_with(Stop::Closed))
            }
            info => self.call_back(cx, |channel, cx| channel.handle_info(info, cx)),
        }
    }

    fn terminate(&mut self, reason: &ExitReason, cx: &mut Cx<Self>) {
        self.call_back(cx, |channel, cx| {
            channel.terminate(reason, cx);
            Next::Loop
        });
    }
}

impl<C: Channel> Server<C> {
    fn tell_handled(&self, event: Box<str>, duration: Duration) {
        runtime::current().telemetry.emit(|| ChannelHandledIn {
            duration,
            topic: self.link.topic.clone(),
            event,
        });
    }

    fn join(&mut self, args: C::Args, payload: Payload, cx: &mut Cx<Self>) -> Next<Msg<C>> {
        let mut cx = ChannelCx {
            link: &self.link,
            assigns: &self.assigns,
            stage: &mut self.stage,
            cx,
        };
        match C::join(args, payload, &mut cx) {
            Join::Ok(channel, reply) => {
                cx.accept(reply, None);
                self.channel = Some(channel);
            }
            Join::Sequenced(channel, reply, seen) => {
                cx.accept(reply, Some(seen));
                self.channel = Some(channel);
            }
            Join::Pending(channel) => self.channel = Some(channel),
            Join::Refused(reason) => return follow(cx.refuse(reason)),
        }
        Next::Loop
    }

    fn call_back(
        &mut self,
        cx: &mut Cx<Self>,
        run: impl FnOnce(&mut C, &mut ChannelCx<'_, C>) -> Next<C::Msg>,
    ) -> Next<Msg<C>> {
        let Some(channel) = &mut self.channel else {
            return Next::Loop;
        };
        let mut cx = ChannelCx {
            link: &self.link,
            assigns: &self.assigns,
            stage: &mut self.stage,
            cx,
        };
        follow(run(channel, &mut cx))
    }
}

/// Whether anybody wants to know how long events take: else no clock is read for them.
fn listens_in() -> bool {
    runtime::current().telemetry.listens::<ChannelHandledIn>()
}

fn follow<C: Channel>(next: Next<C::Msg>) -> Next<Msg<C>> {
    match next {
        Next::Loop => Next::Loop,
        Next::Timeout(delay) => Next::Timeout(delay),
        Next::Continue(msg) => Next::Continue(Msg::App(msg)),
        Next::Stop(reason) => Next::Stop(reason),
        Next::StopReply(reason, answer) => Next::StopReply(reason, answer),
    }
}

/// An event counts as in flight until its callback is over, however that ends.
struct InFlight<'a>(&'a Link);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A channel seen from inside, while one of its callbacks runs.
pub struct ChannelCx<'a, C: Channel> {
    link: &'a Arc<Link>,
    assigns: &'a Arc<C::Assigns>,
    stage: &'a mut Stage,
    cx: &'a mut Cx<Server<C>>,
}

impl<C: Channel> ChannelCx<'_, C> {
    /// The topic that was joined.
    pub fn topic(&self) -> &str {
        &self.link.topic
    }

    /// What the connection knows of its client.
    pub fn assigns(&self) -> &C::Assigns {
        self.assigns
    }

    /// The pid of this channel.
    pub fn pid(&self) -> Pid {
        self.cx.pid()
    }

    /// Sends an event to this client.
    ///
    /// # Panics
    /// Before the client has joined; if the payload is neither an object nor bytes; if it is bytes and the topic,
    /// the event or the client's ref has over 255.
    pub fn push(&mut self, event: &str, payload: impl Into<Payload>) {
        self.must_be_joined("push", event);
        let frame = codec::push(
            &self.link.join_ref,
            &self.link.topic,
            event,
            &payload.into(),
        );
        self.link.write(self.must_fit("push", event, frame));
    }

    /// Lets a client in whose join is [`Pending`](Join::Pending): `seen` as in [`Join::Sequenced`]. Once the join
    /// is decided this does nothing.
    pub fn accept(&mut self, reply: impl Into<Payload>, seen: Option<u64>) {
        let Stage::Joining(msg_ref, since) = &*self.stage else {
            return;
        };
        self.tell_joined(*since, true);
        let frame = self.link.reply(msg_ref, &Status::OK, &reply.into());
        let joined = ToConnection::Joined(self.link.channel, frame, seen);
        let _ = self.link.connection.try_cast(joined);
        *self.stage = Stage::Joined;
    }

    fn tell_joined(&self, since: Instant, accepted: bool) {
        runtime::current().telemetry.emit(|| ChannelJoined {
            duration: self.cx.now().saturating_duration_since(since),
            topic: self.link.topic.clone(),
            accepted,
        });
    }

    /// Refuses a client whose join is [`Pending`](Join::Pending). The answer is what the callback is to return: a
    /// channel without a client ends.
    #[must_use = "return it from the callback"]
    pub fn refuse(&mut self, reason: impl Into<Payload>) -> Next<C::Msg> {
        if let Stage::Joining(msg_ref, since) = &*self.stage {
            self.tell_joined(*since, false);
            let frame = self.link.reply(msg_ref, &Status::ERROR, &reason.into());
            let refused = ToConnection::Refused(self.link.channel, frame);
            let _ = self.link.connection.try_cast(refused);
            *self.stage = Stage::Refused;
        }
        Next::Stop(ExitReason::Normal)
    }

    /// Follows the topic that was joined: the client is told what is [broadcast](endpoint::broadcast) on it, from now
    /// on and for as long as this channel lives, by the fast lane. In Phoenix every channel does so by itself; here
    /// one whose topic is served by a process of its own, as a room with numbered messages is, has no need to.
    pub fn subscribe(&self) {
        endpoint::subscribe(self.topic(), self.fastlane().owned_by(self.pid()));
    }

    /// Sends an event to every client that [follows](ChannelCx::subscribe) this topic, this one included.
    ///
    /// # Panics
    /// As [`push`](ChannelCx::push).
    pub fn broadcast(&mut self, event: &str, payload: impl Into<Payload>) {
        self.must_be_joined("broadcast", event);
        let told = endpoint::broadcast(self.topic(), event, payload);
        self.must_fit("broadcast", event, told);
    }

    /// [`broadcast`](ChannelCx::broadcast) to all but this client.
    ///
    /// # Panics
    /// As [`push`](ChannelCx::push).
    pub fn broadcast_from(&mut self, event: &str, payload: impl Into<Payload>) {
        self.must_be_joined("broadcast_from", event);
        let told = endpoint::broadcast_from(self.pid(), self.topic(), event, payload);
        self.must_fit("broadcast_from", event, told);
    }

    fn must_be_joined(&self, call: &str, event: &str) {
        assert!(
            matches!(self.stage, Stage::Joined),
            "ChannelCx::{call}({event:?}) on {:?} before the client has joined: {call} after accept, or put it into the reply",
            self.link.topic
        );
    }

    fn must_fit<T>(&self, call: &str, event: &str, made: Result<T, codec::EncodeError>) -> T {
        made.unwrap_or_else(|error| {
            panic!(
                "ChannelCx::{call}({event:?}) on {:?}: {error}",
                self.link.topic
            )
        })
    }

    /// The fast lane: where a topic sends what is for this client, past this channel and straight to its
    /// connection. It is to be subscribed for as long as this channel lives.
    pub fn fastlane(&self) -> Recipient<Broadcast> {
        self.link.fastlane()
    }

    /// Where other processes send messages to this channel.
    pub fn recipient<T: Send + 'static>(
        &self,
        convert: impl Fn(T) -> C::Msg + Send + Sync + 'static,
    ) -> Recipient<T> {
        self.cx
            .me()
            .recipient(move |value| Msg::App(convert(value)))
    }

    /// Sends a message to this channel itself after `delay`.
    pub fn send_after(&self, delay: Duration, msg: C::Msg) -> TimerRef {
        self.cx.send_after(delay, Msg::App(msg))
    }

    /// Watches a process: [`Channel::handle_info`] hears of its end.
    pub fn monitor(&self, what: impl Into<ProcessId>) -> MonitorRef {
        self.cx.monitor(what)
    }

    /// Takes a monitor back; `true` if it was there and has not fired.
    pub fn demonitor(&self, monitor: MonitorRef) -> bool {
        self.cx.demonitor(monitor)
    }

    /// Asks another process and goes on: `then` runs in this channel when the answer is there, or when it is sure
    /// that none will come.
    pub fn request<D: Dest, T: Send + 'static>(
        &mut self,
        to: D,
        make: impl FnOnce(ReplyTo<T>) -> D::Msg,
        then: impl FnOnce(&mut C, Result<T, CallError>, &mut ChannelCx<'_, C>) -> Next<C::Msg>
        + Send
        + 'static,
    ) -> RequestId {
        self.cx.request(to, make, move |server, answer, cx| {
            server.call_back(cx, |channel, cx| then(channel, answer, cx))
        })
    }
}

impl<C: Channel> fmt::Debug for ChannelCx<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelCx({:?}, {:?})", self.link.topic, self.stage)
    }
}
