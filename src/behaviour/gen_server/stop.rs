//! Stopping a server from outside, in order.

use crate::process::behaviour::StopRequest;
use crate::process::call::{Pending, Watched};
use crate::process::core::{Process, Signal};
use crate::process::{CallError, ProcessId, current, runtime, wait};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::time::Duration;

/// Stops a server with `Normal` and waits until it has ended.
///
/// A server is named by whatever leads to one: its pid, its `Ref`, its name, its `Via`. Any other process can be stopped
/// as well, as by OTP's `proc_lib:stop`: a closure on a thread of its own ends in the receive that meets the request.
/// One that never receives does not hear of it: [`stop_for`] gives up.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process;
/// let waits = process::spawn::<()>(|cx| while cx.receive().message().is_some() {});
/// assert_eq!(gen_server::stop(&waits), Ok(()));
/// assert!(!waits.is_alive());
/// ```
///
/// # Errors
/// `NoProc` if it is not there, `CallingSelf` from inside, `Exited` if it ended for another reason.
pub fn stop(server: impl Into<ProcessId>) -> Result<(), CallError> {
    stop_for(server, ExitReason::Normal, Duration::MAX)
}

/// Stops a server with a reason, after everything that waits in its mailbox and after `terminate`, and waits
/// until it has ended, so long at most ([`Duration::MAX`] is for ever).
///
/// # Errors
/// As [`stop`]; `Timeout` if it has not ended by then. It ends later.
///
/// ```
/// use perennial::{ExitReason, prelude::*, process::CallError};
/// use std::time::Duration;
/// # struct Printer;
/// # impl GenServer for Printer {
/// #     type Args = ();
/// #     type Msg = String;
/// #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Printer) }
/// #     fn handle(&mut self, _: String, _: &mut Cx<Self>) -> Next<String> { Next::Loop }
/// # }
/// let printer = gen_server::start::<Printer>(())?;
/// gen_server::stop_for(&printer, ExitReason::Shutdown, Duration::from_secs(5))?;
/// assert_eq!(gen_server::stop(&printer), Err(CallError::NoProc));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn stop_for(
    server: impl Into<ProcessId>,
    reason: ExitReason,
    timeout: Duration,
) -> Result<(), CallError> {
    current::checkpoint();
    let shared = runtime::current();
    let (pid, _, process) = server.into().resolve(&shared);
    // One that has ended may be found for another moment.
    let alive = |process: &Arc<dyn Process>| process.core().relations.lock().ended().is_none();
    let Some(process) = process.filter(alive) else {
        return Err(CallError::NoProc);
    };
    if pid == current::pid() {
        return Err(CallError::CallingSelf);
    }
    if current::leaving() {
        return Err(CallError::Exiting);
    }
    let deadline = shared.clock.now().checked_add(timeout);
    // Nobody answers it: it fails with the reason of the end, which is what is waited for.
    let pending = Arc::new(Pending::<()>::new(process.clone(), deadline));
    // Watched before it is told, so that this hears of the end in its turn: after those who watched before.
    let watched = Watched::new(pending.clone());
    process.push_signal(Signal::Resume(Box::new(StopRequest(reason.clone()))));
    process.wake();
    let ended = wait::for_result(&pending, deadline).unwrap_or_else(Err);
    drop(watched);
    match ended {
        Err(CallError::Exited(ended)) if ended == reason => Ok(()),
        Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}
