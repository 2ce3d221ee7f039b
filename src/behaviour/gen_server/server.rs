//! The server as the kernel's driver sees it.

use crate::behaviour::gen_server::{Cx, Deferred, GenServer, Info, Init, Next};
use crate::behaviour::served::sealed::{Launch, Launched, Plan};
use crate::behaviour::served::{Served, launch};
use crate::pid::{Pid, RequestId};
use crate::process::behaviour::{Behaviour, Flow, InitEnd, InitFn, StopRequest};
use crate::process::shown::Shown;
use crate::process::{Context, Down, Exit, StartError};
use crate::reason::ExitReason;
use std::any::Any;
use std::fmt;

/// A server's state, and what its last callback left to do.
pub(crate) struct Server<S: GenServer> {
    state: S,
    left: Option<Box<Left<S::Msg>>>,
}

/// What a callback leaves to do; most leave nothing.
enum Left<M> {
    Continue(M),
    Answer(Deferred),
}

impl<S: GenServer> Server<S> {
    #[inline]
    fn follow(&mut self, next: Next<S::Msg>) -> Flow {
        match next {
            Next::Loop => Flow::Loop,
            next => self.turn_aside(next),
        }
    }

    fn turn_aside(&mut self, next: Next<S::Msg>) -> Flow {
        match next {
            Next::Loop => Flow::Loop,
            Next::Timeout(delay) => Flow::Timeout(delay),
            Next::Continue(msg) => {
                self.left = Some(Box::new(Left::Continue(msg)));
                Flow::Continue
            }
            Next::Stop(reason) => Flow::Stop(reason),
            Next::StopReply(reason, answer) => {
                self.left = Some(Box::new(Left::Answer(answer)));
                Flow::Stop(reason)
            }
        }
    }
}

/// `init` of a server as the kernel runs it.
pub(crate) fn init_fn<S: GenServer>(args: S::Args) -> InitFn<Server<S>> {
    init_by(move |cx| S::init(args, cx))
}

/// The beginning of a server whose state is made by `init`.
pub(super) fn init_by<S: GenServer>(
    init: impl FnOnce(&mut Cx<S>) -> Init<S> + Send + 'static,
) -> InitFn<Server<S>> {
    Box::new(move |cx| {
        if S::TRAP_EXIT {
            cx.trap_exit(true);
        }
        let (state, next) = match init(cx) {
            Init::Ok(state) => (state, Next::Loop),
            Init::Timeout(state, delay) => (state, Next::Timeout(delay)),
            Init::Continue(state, msg) => (state, Next::Continue(msg)),
            Init::Ignore => return Err(InitEnd::Ignore),
            Init::Stop(reason) => return Err(InitEnd::Stop(reason)),
        };
        let mut server = Server { state, left: None };
        let flow = server.follow(next);
        Ok((server, flow))
    })
}

impl<S: GenServer> Served for S {
    type Args = S::Args;
    type Msg = S::Msg;
}

impl<S: GenServer> Launch<S::Args, S::Msg> for S {
    fn initial() -> &'static str {
        std::any::type_name::<S>()
    }

    fn launch(plan: Plan<'_>, args: S::Args) -> Result<Launched<S::Msg>, StartError> {
        launch::<Server<S>>(plan, init_fn::<S>(args))
    }
}

impl<S: GenServer> Behaviour for Server<S> {
    type Msg = S::Msg;
    type Cx = Cx<S>;

    const REPORTED: Option<&'static str> = Some("server");

    fn context(context: Context<S::Msg>) -> Cx<S> {
        Cx::new(context)
    }

    #[inline]
    fn message(&mut self, msg: S::Msg, cx: &mut Cx<S>) -> Flow {
        let next = self.state.handle(msg, cx);
        self.follow(next)
    }

    fn exit(&mut self, exit: Exit, cx: &mut Cx<S>) -> Flow {
        // gen_server: an exit of the parent is no message, it is the end.
        if exit.from == cx.parent() {
            return Flow::Stop(exit.reason);
        }
        let next = self.state.handle_info(Info::Exit(exit), cx);
        self.follow(next)
    }

    fn down(&mut self, down: Down, cx: &mut Cx<S>) -> Flow {
        let next = self.state.handle_info(Info::Down(down), cx);
        self.follow(next)
    }

    fn resume(&mut self, value: Box<dyn Any + Send>, _cx: &mut Cx<S>) -> Flow {
        match value.downcast::<StopRequest>() {
            Ok(stop) => Flow::Stop(stop.0),
            Err(_) => Flow::Loop,
        }
    }

    fn answered(&mut self, request: RequestId, cx: &mut Cx<S>) -> Flow {
        let Some(continuation) = cx.continuation(request) else {
            return Flow::Loop;
        };
        let next = continuation.go_on(&mut self.state, cx);
        self.follow(next)
    }

    fn cut(pid: Pid, cx: &mut Cx<S>) {
        cx.cut(pid);
    }

    fn resume_continue(&mut self, cx: &mut Cx<S>) -> Flow {
        let Some(Left::Continue(msg)) = self.left.take().map(|left| *left) else {
            return Flow::Loop;
        };
        let next = self.state.handle_continue(msg, cx);
        self.follow(next)
    }

    fn timeout(&mut self, cx: &mut Cx<S>) -> Flow {
        let next = self.state.handle_info(Info::Timeout, cx);
        self.follow(next)
    }

    fn terminate(&mut self, reason: &ExitReason, cx: &mut Cx<S>) {
        self.state.terminate(reason, cx);
    }

    fn terminated(&mut self) {
        if let Some(Left::Answer(Deferred(answer))) = self.left.take().map(|left| *left) {
            answer();
        }
    }

    fn state(&self) -> Option<&dyn Any> {
        Some(&self.state)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Any> {
        Some(&mut self.state)
    }

    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        self.state.inspect()
    }

    fn inspect_message(message: &S::Msg) -> Option<&dyn fmt::Debug> {
        S::inspect_message(message)
    }

    fn format_status(&self, shown: &mut Shown) {
        self.state.format_status(shown);
    }
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::process::ReplyTo;
    use crate::process::pooled::layout;

    enum Msg {
        _Put([u64; 3]),
        _Get(ReplyTo<u64>),
    }

    struct Small(#[allow(dead_code, reason = "it takes its place")] [u64; 2]);

    impl GenServer for Small {
        type Args = ();
        type Msg = Msg;

        fn init((): (), _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Small([0; 2]))
        }

        fn handle(&mut self, _: Msg, _: &mut Cx<Self>) -> Next<Msg> {
            Next::Loop
        }
    }

    /// What senders write to and what the turn touches with each message must not meet in one line of the cache.
    #[test]
    fn what_is_hot_lies_apart() {
        let [queue, flags, body, _] = layout::<Server<Small>>();
        assert!(flags >= queue + 64, "queue to {queue}, flags at {flags}");
        assert!(body >= queue + 64, "queue to {queue}, body at {body}");
    }

    #[test]
    fn sizes_are_what_the_page_says() {
        assert_eq!(size_of::<Msg>(), 32);
        let [queue, _, body, all] = layout::<Server<Small>>();
        assert_eq!((queue, body, all - body), (72, 208, 120));
    }
}
