//! What an application writes: one [`Channel`] for each kind of topic.
//! How it dies stands on the page of the module above, where users read it.

mod server;

pub use server::ChannelCx;

pub(super) use server::{Msg, Server, Start};

use crate::behaviour::gen_server::{Info, Next};
use crate::reason::ExitReason;
use crate::web::channel::link::{Fill, Reply};
use crate::web::channel::message::Payload;

/// The server's half of one topic of one client: a process of its own. [How it dies](crate::web::channel#how-it-dies).
///
/// ```
/// use perennial::gen_server::Next;
/// use perennial::web::channel::{Channel, ChannelCx, Join, Payload, Reply};
/// use serde_json::json;
///
/// struct Echo { count: u64 }
///
/// impl Channel for Echo {
///     type Assigns = String;
///     type Args = ();
///     type Msg = ();
///
///     fn join((): (), _payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
///         if cx.assigns() == "mallory" {
///             return Join::Refused(Payload::reason("unauthorized"));
///         }
///         Join::Ok(Echo { count: 0 }, Payload::empty())
///     }
///
///     fn handle_in(&mut self, event: &str, payload: Payload, reply: Reply, _cx: &mut ChannelCx<'_, Self>) -> Next<()> {
///         self.count += 1;
///         match event {
///             "echo" => reply.ok(payload),
///             "count" => reply.ok(json!({ "count": self.count })),
///             _ => reply.error(Payload::reason("unknown event")),
///         }
///         Next::Loop
///     }
/// }
/// ```
pub trait Channel: Sized + Send + 'static {
    /// What the connection knows of its client, such as the user who signed in.
    type Assigns: Send + Sync + 'static;

    /// What every channel of one pattern gets, such as where the rooms are found.
    type Args: Clone + Send + Sync + 'static;

    /// What other processes send to it.
    type Msg: Send + 'static;

    /// The client asks to join. The channel's process runs already, the client waits for the answer.
    ///
    /// Nothing of the connection waits for this, but other callbacks of this channel do. A channel that has to
    /// ask others first answers [`Join::Pending`].
    fn join(args: Self::Args, payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self>;

    /// An event of the client. `reply` may be answered now, later, from another process, or dropped.
    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<Self::Msg>;

    /// A message of another process. Logged and forgotten unless defined.
    fn handle(&mut self, msg: Self::Msg, cx: &mut ChannelCx<'_, Self>) -> Next<Self::Msg> {
        let _ = msg;
        log::warn!(target: "perennial::channel", "{:?} got a message and has no handle", cx.topic());
        Next::Loop
    }

    /// What is no message of its own: the end of a process that it monitors, an idle timeout. Logged and
    /// forgotten unless defined.
    fn handle_info(&mut self, info: Info, cx: &mut ChannelCx<'_, Self>) -> Next<Self::Msg> {
        log::warn!(target: "perennial::channel", "{:?} got {info:?} and has no handle_info", cx.topic());
        Next::Loop
    }

    /// A client of a sequenced topic misses what comes after a number: read it from the store, in order and
    /// without a gap, and hand it in. Unless defined it is never handed in, and the client joins again after a
    /// while: a channel that says [`Join::Sequenced`] defines it.
    fn fill(&mut self, after: u64, fill: Fill, cx: &mut ChannelCx<'_, Self>) -> Next<Self::Msg> {
        let _ = (after, fill, cx);
        Next::Loop
    }

    /// Cleans up. Runs when the client left, joined again or is gone, and after a stop or crash of its own; never
    /// after a kill. What it pushes comes before the answer to a leave.
    fn terminate(&mut self, reason: &ExitReason, cx: &mut ChannelCx<'_, Self>) {
        let _ = (reason, cx);
    }
}

/// What a channel says to a client that asks to join.
#[derive(Debug)]
pub enum Join<C> {
    /// Come in; the payload is the reply.
    Ok(C, Payload),
    /// Come in. The broadcasts of this topic are numbered, and after this reply the client knows everything up to
    /// the number: it will see every later one, once and in order.
    Sequenced(C, Payload, u64),
    /// Wait: [`ChannelCx::accept`] or [`ChannelCx::refuse`] will follow.
    Pending(C),
    /// No, and this is why.
    Refused(Payload),
}
