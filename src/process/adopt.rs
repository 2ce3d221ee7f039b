//! A closure that goes on as a behaviour, in the same process: OTP's `enter_loop`.

use crate::process::behaviour::{Behaviour, Body, InitFn};
use crate::process::context::Context;
use crate::process::core::flag;
use crate::process::death::End;
use crate::process::receive::ThreadContext;
use crate::process::{current, exit, unwind};
use crate::sync::thread;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a behaviour in the process of a closure until that ends, and then leaves the closure with its reason. Returns
/// only if the thread unwinds already.
///
/// The state is dropped as the closure's own values are: while the process leaves.
pub(crate) fn go_on_as<B: Behaviour>(cx: &mut ThreadContext<B::Msg>, init: InitFn<B>) {
    current::checkpoint();
    if thread::panicking() {
        return;
    }
    let me = cx.process();
    if B::SYSTEM {
        me.core().set(flag::SYSTEM);
    }
    let context = B::context(Context::new(cx.me().clone()));
    let mut body = Box::new(Body::new(context, init, None));
    let ran = catch_unwind(AssertUnwindSafe(|| -> Result<Infallible, End> {
        body.prepare(&me)?;
        loop {
            if body.goes_on() {
                body.go_on(&me)?;
            } else if let Some(entry) = cx.next_entry() {
                body.handle(&me, me.core(), entry)?;
            }
        }
    }));
    let end = match ran {
        Ok(Err(end)) => end,
        Err(payload) => body.crashed(me.core(), payload),
    };
    if end.is_own() {
        exit::raise(&me, end.reason);
    } else {
        // What made it end is still there, and is met again by whoever catches this.
        unwind::by_signal(end.reason);
    }
}
