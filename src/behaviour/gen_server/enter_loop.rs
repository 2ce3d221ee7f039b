//! A process that was started as a closure and goes on as a server.

use crate::behaviour::gen_server::server::{Server, init_by};
use crate::behaviour::gen_server::{GenServer, Init};
use crate::process::adopt;
use crate::process::{Name, RegisterError, ThreadContext};

/// Makes a server of the process that calls it, which was started as a closure: OTP's `enter_loop`. Its state is there
/// already, so `S::init` does not run; `init` says how it begins. Its mailbox stays, with all that waits in it.
///
/// For what has to be done at the start and is no matter of the server's: a handshake, a wait for something.
///
/// It does not return: when the server ends the process does, with the server's reason, and with `terminate` by the
/// rules of every [`GenServer`]. Only in a destructor that runs while the process leaves it returns, at once.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::process;
///
/// struct Adder(u64);
/// impl GenServer for Adder {
///     type Args = ();
///     type Msg = (u64, ReplyTo<u64>);
///     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Adder(0)) }
///     fn handle(&mut self, (n, reply): Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
///         reply.send(self.0 + n);
///         Next::Loop
///     }
/// }
/// let adder = process::spawn::<(u64, ReplyTo<u64>)>(|cx| {
///     let (base, reply) = cx.receive().message().expect("the first message is the handshake");
///     reply.send(0);
///     gen_server::enter_loop(cx, Init::Ok(Adder(base)));
/// });
/// assert_eq!(adder.call(|reply| (40, reply)), Ok(0));
/// assert_eq!(adder.call(|reply| (2, reply)), Ok(42));
/// gen_server::stop(&adder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn enter_loop<S: GenServer>(cx: &mut ThreadContext<S::Msg>, init: Init<S>) {
    adopt::go_on_as::<Server<S>>(cx, init_by(|_| init));
}

/// [`enter_loop`] under a name, which the process takes unless it has it already.
///
/// # Errors
/// See [`RegisterError`]: the process is no server then, and goes on as it was.
pub fn enter_loop_as<S: GenServer>(
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
