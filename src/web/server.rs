//! Process: one for each reactor, on a thread of its own, because it waits for the system. Started by the supervisor
//! that [`Server::child`] makes, linked to it alone, monitors nobody. Dies when it is told to stop, after it has
//! drained its connections; and by a panic of its own or a failing poll, with its connections. Never by a panic of
//! the application's callbacks.

use super::net::{Listener, Reactor, Remote, Service, Turn};
use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::behaviour::supervisor::{Child, Msg, Shutdown, Strategy, Supervisor};
use crate::process::runtime;
use crate::process::{self, Ref, StartError};
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// A web server as part of a supervision tree: a listener, the service behind it, and reactors between the two.
///
/// A reactor that dies takes its connections with it; the clients come back to its successor, as the listener and
/// whoever waits in its backlog outlive it. Stopped in order, it takes no more connections, closes WebSockets with
/// 1012, lets requests that came be answered, and cuts off what is not done when its time is up.
///
/// See the [module](crate::web) for an example.
#[derive(Clone)]
pub struct Server {
    listener: Listener,
    service: Arc<dyn Service>,
    reactors: usize,
    drain: Duration,
}

/// How long clients and requests have when the server stops, unless told otherwise: a browser answers a Close at once,
/// and a program that is told to stop has ten seconds as a rule.
const DRAIN: Duration = Duration::from_secs(5);

/// What a reactor has beyond its drain to end.
const GRACE: Duration = Duration::from_secs(1);

impl Server {
    /// A server with one reactor, which is enough for some twenty thousand connections.
    pub fn new(listener: Listener, service: impl Service) -> Self {
        Server {
            listener,
            service: Arc::new(service),
            reactors: 1,
            drain: DRAIN,
        }
    }

    /// How many reactors share the connections, at least one; each has a thread.
    #[must_use]
    pub fn reactors(mut self, reactors: usize) -> Self {
        self.reactors = reactors.max(1);
        self
    }

    /// How long connections have to end when the server stops.
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// The listener.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// The server as part of a tree: a supervisor with its reactors.
    pub fn child(&self, id: impl Into<Arc<str>>) -> Child {
        let server = self.clone();
        Child::supervisor(id, move || server.supervisor())
    }

    /// Starts the server outside of any tree.
    ///
    /// # Errors
    /// See [`Supervisor::start`].
    pub fn start(&self) -> Result<Ref<Msg>, StartError> {
        self.supervisor().start()
    }

    fn supervisor(&self) -> Supervisor {
        let supervisor = Supervisor::new(Strategy::OneForOne).label("web server");
        (0..self.reactors).fold(supervisor, |supervisor, at| {
            let id = format!("reactor {at}");
            // Exclusive: two reactors on one listener work, but the first must not answer when it is taken for dead.
            let child = Child::server::<Reacting>(id.as_str(), self.clone())
                .label(id.as_str())
                .thread()
                .exclusive()
                .shutdown(Shutdown::Timeout(self.drain + GRACE));
            supervisor.child(child)
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("reactors", &self.reactors)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}

/// What a reactor process is sent: nothing. Its connections have a queue of their own, which wakes it once a batch.
enum Nothing {}

/// A reactor as a generic server: between two messages it waits for sockets.
struct Reacting {
    reactor: Reactor,
    remote: Remote,
    drain: Duration,
}

impl GenServer for Reacting {
    type Args = Server;
    type Msg = Nothing;
    const TRAP_EXIT: bool = true;

    fn init(server: Server, _cx: &mut Cx<Self>) -> Init<Self> {
        let runtime = runtime::current();
        let (clock, telemetry) = (runtime.clock.clone(), runtime.telemetry.clone());
        match Reactor::new(&server.listener, server.service, clock, telemetry) {
            Ok(reactor) => {
                let remote = reactor.remote();
                let reacting = Reacting {
                    reactor,
                    remote,
                    drain: server.drain,
                };
                Init::Timeout(reacting, Duration::ZERO)
            }
            Err(error) => Init::Stop(ExitReason::other(error.to_string())),
        }
    }

    fn handle(&mut self, msg: Nothing, _cx: &mut Cx<Self>) -> Next<Nothing> {
        match msg {}
    }

    fn handle_info(&mut self, info: Info, _cx: &mut Cx<Self>) -> Next<Nothing> {
        // Nothing waits in the mailbox: a turn. An exit of somebody else means nothing to it.
        if let Info::Timeout = info
            && let Err(error) = self.turn()
        {
            return Next::Stop(ExitReason::other(error.to_string()));
        }
        Next::Timeout(Duration::ZERO)
    }

    fn terminate(&mut self, reason: &ExitReason, cx: &mut Cx<Self>) {
        // After a crash nobody knows what the reactor is in the middle of.
        if reason.is_clean() {
            self.drain(cx);
        }
    }
}

impl Reacting {
    fn turn(&mut self) -> std::io::Result<()> {
        let remote = self.remote.clone();
        let mut waited = Ok(());
        process::wait_outside(move || remote.wake(), || waited = self.reactor.wait(None));
        waited?;
        self.reactor.work();
        Ok(())
    }

    fn drain(&mut self, cx: &Cx<Self>) {
        /// How long a kill may go unnoticed while draining, when nothing else happens.
        const LOOK: Duration = Duration::from_millis(50);
        self.remote.shutdown(self.drain);
        while self.reactor.work() == Turn::Next {
            if self.reactor.wait(Some(LOOK)).is_err() {
                return;
            }
            cx.checkpoint();
        }
    }
}
