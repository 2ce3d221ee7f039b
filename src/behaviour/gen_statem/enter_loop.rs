//! A process that was started as a closure and goes on as a machine.

use crate::behaviour::gen_statem::machine::{Machine, init_by};
use crate::behaviour::gen_statem::{GenStatem, Init};
use crate::process::adopt;
use crate::process::{Name, RegisterError, ThreadContext};

/// Makes a machine of the process that calls it, which was started as a closure: OTP's `enter_loop`. Its state and its
/// data are there already, so `S::init` does not run; `init` says how it begins, with an enter call if there are such.
/// Its mailbox stays, with all that waits in it.
///
/// It does not return: when the machine ends the process does, with the machine's reason, and with `terminate` by the
/// rules of every [`GenStatem`]. Only in a destructor that runs while the process leaves it returns, at once.
///
/// ```
/// use perennial::gen_statem::{self, Cx, Event, Init, Next};
/// use perennial::prelude::*;
/// use perennial::process;
///
/// struct Switch;
/// impl GenStatem for Switch {
///     type Args = ();
///     type Msg = ReplyTo<bool>;
///     type State = bool;
///     type Timer = ();
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::ok(false, Switch) }
///     fn handle(&mut self, event: Event<Self>, on: &bool, _: &mut Cx<Self>) -> Next<Self> {
///         match event {
///             Event::Message(reply) => Next::next_state(!on).reply(reply, *on),
///             _ => Next::keep_state(),
///         }
///     }
/// }
/// let switch = process::spawn::<ReplyTo<bool>>(|cx| gen_statem::enter_loop(cx, Init::ok(true, Switch)));
/// assert_eq!(switch.call(|reply| reply), Ok(true));
/// assert_eq!(switch.call(|reply| reply), Ok(false));
/// gen_statem::stop(&switch)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn enter_loop<S: GenStatem>(cx: &mut ThreadContext<S::Msg>, init: Init<S>) {
    adopt::go_on_as::<Machine<S>>(cx, init_by(|_| init));
}

/// [`enter_loop`] under a name, which the process takes unless it has it already.
///
/// # Errors
/// See [`RegisterError`]: the process is no machine then, and goes on as it was.
pub fn enter_loop_as<S: GenStatem>(
    cx: &mut ThreadContext<S::Msg>,
    name: &Name<S::Msg>,
    init: Init<S>,
) -> Result<(), RegisterError> {
    match cx.register(name) {
        Err(RegisterError::Taken(pid)) if pid == cx.pid() => {}
        registered => registered?,
    }
    enter_loop(cx, init);
    Ok(())
}
