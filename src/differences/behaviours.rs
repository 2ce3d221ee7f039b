//! What GenServer, state machines, `sys`, supervisors and tasks do otherwise than in OTP, and why.
//!
//! # GenServer
//!
//! ## One `handle`
//!
//! `handle_call` and `handle_cast` are one callback: the message says what is asked, and its
//! [`ReplyTo`](crate::ReplyTo), if it has one, that an answer is due. `{:reply, v, s}` is `reply.send(v)` and
//! `Next::Loop`; keeping the `ReplyTo` is `{:noreply, s}`. [`handle_info`](crate::GenServer::handle_info) gets only
//! what the kernel sends, because nothing else can arrive.
//!
//! ## No bad return values
//!
//! `{:bad_return_value, v}`, `{:nocatch, v}`, calls to callbacks that are missing and malformed options do not
//! exist: they do not compile.
//!
//! ## An answer before the end is an answer before `terminate`
//!
//! `{:stop, reason, reply, state}` answers after `terminate`; a plain answer and then `{:stop, reason, state}`
//! answers before it. Both are here too, and look alike: [`Next::stop_reply`](crate::Next::stop_reply) is the first,
//! `reply.send` before `Next::Stop` the second. A server whose caller counts on its cleaning up wants the first. A
//! [state machine](crate::gen_statem::Next::stop) has only the second, as OTP's `stop_and_reply`.
//!
//! ```
//! use perennial::{ExitReason, prelude::*};
//! use std::sync::atomic::{AtomicBool, Ordering};
//! static CLEAN: AtomicBool = AtomicBool::new(false);
//!
//! struct Guest;
//! impl GenServer for Guest {
//!     type Args = ();
//!     type Msg = ReplyTo<&'static str>;
//!     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Guest) }
//!     fn handle(&mut self, reply: Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> {
//!         Next::stop_reply(ExitReason::Normal, reply, "goodbye")
//!     }
//!     fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
//!         CLEAN.store(true, Ordering::Release);
//!     }
//! }
//! let guest = gen_server::start::<Guest>(())?;
//! assert_eq!(guest.call(|reply| reply)?, "goodbye");
//! assert!(CLEAN.load(Ordering::Acquire));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## After a panic `terminate` sees the state as the panic left it
//!
//! An Elixir callback works on a copy, so `terminate` gets the state from before the callback that raised. A Rust
//! callback has `&mut self`: what it changed before it panicked is changed. A `terminate` that saves the state must
//! not do so after a [`Panic`](crate::ExitReason::Panic), or it saves half a change.
//!
//! ```
//! use perennial::{ExitReason, prelude::*};
//! use std::sync::mpsc::{Sender, channel};
//! struct Ledger { sum: u32, told: Sender<u32> }
//! impl GenServer for Ledger {
//!     type Args = Sender<u32>;
//!     type Msg = u32;
//!     fn init(told: Sender<u32>, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Ledger { sum: 1, told }) }
//!     fn handle(&mut self, n: u32, _: &mut Cx<Self>) -> Next<u32> {
//!         self.sum += n;
//!         panic!("the other half of the booking");
//!     }
//!     fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) { self.told.send(self.sum).unwrap() }
//! }
//! let (told, hear) = channel();
//! gen_server::start::<Ledger>(told)?.cast(41);
//! assert_eq!(hear.recv()?, 42); // 1 in Elixir
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A pooled server's `init` runs on the thread of its starter
//!
//! As the process that it is, with its own pid, links and name; only thread-locals and the thread's name are the
//! starter's. A start then needs no wake-up, and the starter would have waited anyway. With a
//! [timeout](crate::gen_server::Spec::timeout), or on a [thread](crate::gen_server::Spec::thread) of its own, it
//! does not.
//!
//! ## A closure that becomes a server keeps its thread
//!
//! `:gen_server.enter_loop` turns any process into a server that was started for it. Here
//! [`gen_server::enter_loop`](crate::gen_server::enter_loop) takes the [context](crate::process::ThreadContext) of a
//! closure that receives, and those run on threads of their own: a pooled server has callbacks from the beginning, and
//! no stack from which it could turn into something else.
//!
//! # State machines
//!
//! ## A call waits for five seconds
//!
//! `:gen_statem.call/2` waits for ever, `GenServer.call/2` for five seconds. Here there is one
//! [`call`](crate::process::Dest::call), because an address does not tell what is behind it, and it waits for five
//! seconds. A machine that postpones is asked with [`call_for`](crate::process::Dest::call_for), and
//! [`Duration::MAX`](std::time::Duration::MAX) is for ever.
//!
//! ## What a machine holds has a bound
//!
//! Postponed events leave the mailbox, and OTP keeps them until memory ends. Here a machine that holds more than
//! [`EVENTS_MAX`](crate::GenStatem::EVENTS_MAX) events, a million unless it says otherwise, ends with
//! [`TooManyEvents`](crate::gen_statem::TooManyEvents): one that does not leave the state in which it postpones takes
//! itself along, and not the program.
//!
//! ## Answers to its requests are messages
//!
//! In OTP an answer is an `info` event that is held against a collection of requests. A server here gives it to a
//! closure. A machine may be in any state by then, so its [`request`](crate::gen_statem::Cx::request) makes a message
//! of its own of the answer, which its state decides about and which it may postpone like any other.
//!
//! ## After a panic in `enter` `terminate` sees the new state
//!
//! OTP gives `terminate` the state from before. Here it is the one that was being entered: the data are as the panic
//! left them, on the way into that state, and what is left over from the old one was cleaned up before.
//!
//! ```
//! use perennial::gen_statem::{Cx, Enter, Event, Init, Next};
//! use perennial::{ExitReason, prelude::*};
//! use std::sync::mpsc::{Sender, channel};
//!
//! struct Door(Sender<&'static str>);
//! impl GenStatem for Door {
//!     type Args = Sender<&'static str>;
//!     type Msg = ();
//!     type State = &'static str;
//!     type Timer = ();
//!     const STATE_ENTER: bool = true;
//!     fn init(told: Self::Args, _: &mut Cx<Self>) -> Init<Self> { Init::ok("locked", Door(told)) }
//!     fn handle(&mut self, _: Event<Self>, _: &Self::State, _: &mut Cx<Self>) -> Next<Self> {
//!         Next::next_state("open")
//!     }
//!     fn enter(&mut self, _: &Self::State, state: &Self::State, _: &mut Cx<Self>) -> Enter<Self> {
//!         assert_ne!(*state, "open", "it jams");
//!         Enter::keep_state()
//!     }
//!     fn terminate(&mut self, _: &ExitReason, state: &Self::State, _: &mut Cx<Self>) {
//!         self.0.send(state).unwrap();
//!     }
//! }
//! let (told, hear) = channel();
//! gen_statem::start::<Door>(told)?.cast(());
//! assert_eq!(hear.recv()?, "open"); // locked in OTP
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A look into a process
//!
//! ## A look leaves a timeout that is pending alone
//!
//! In OTP a system message wakes a server, and the timeout that its last callback asked for begins anew: one that is
//! looked at every second never finds out that nobody uses it. Here it goes on as if nobody had looked.
//!
//! ```
//! use perennial::{ExitReason, Info, Runtime, prelude::*, process, sys};
//! use std::time::Duration;
//! struct Session;
//! impl GenServer for Session {
//!     type Args = ();
//!     type Msg = ();
//!     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Timeout(Session, Duration::from_secs(60)) }
//!     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
//!     fn handle_info(&mut self, _: Info, _: &mut Cx<Self>) -> Next<()> { Next::Stop(ExitReason::Normal) }
//! }
//! let runtime = Runtime::builder().deterministic(7).build()?;
//! let (hand, _entered) = (runtime.deterministic().unwrap(), runtime.enter());
//! let session = gen_server::start::<Session>(())?;
//! hand.advance(Duration::from_secs(59));
//! sys::get_status(&session)?;
//! hand.advance(Duration::from_secs(1)); // another 59 in OTP
//! assert!(!process::is_alive(&session));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A process that runs a closure says so
//!
//! Whoever asks one with `:sys` waits for the timeout, because no code of it looks for system messages. Here it is
//! known what runs callbacks, and the others answer [`NotSupported`](crate::sys::SysError::NotSupported) at once.
//!
//! ```
//! use perennial::{process, sys::{self, SysError}};
//! let closure = process::spawn::<()>(|cx| drop(cx.receive()));
//! assert_eq!(sys::get_state(&closure), Err(SysError::NotSupported));
//! ```
//!
//! ## A server shows what it says it shows
//!
//! Every Erlang term can be printed; not every Rust value can, and a secret had better not be. What
//! [`get_state`](crate::sys::get_state), traces and reports show of a state and of messages is what
//! [`inspect`](crate::GenServer::inspect) and [`inspect_message`](crate::GenServer::inspect_message) hand out, and
//! unless defined that is nothing. Who knows the type of the state sees all of it
//! ([`with_state`](crate::sys::with_state)). What is shown is cut where it gets long.
//!
//! ## A `format_status` that panics hides everything
//!
//! OTP has a word in place of the state then, and shows the last message, the reason and the log as they are. Here
//! all of them are hidden: it may have been the message whose secret was to go.
//!
//! # Supervisors
//!
//! ## Restarts are counted by an exact clock
//!
//! OTP cuts its clock to whole seconds, so that a period of one second may be nearly two: of two crashes 1.5 s apart
//! both may count, or one, as it happens. Here a period is what it says, to the nanosecond; a restart exactly one
//! period ago still counts.
//!
//! ```
//! use perennial::{prelude::*, Runtime, process, time::Clock};
//! use std::time::Duration;
//! # struct Fragile;
//! # impl GenServer for Fragile {
//! #     type Args = ();
//! #     type Msg = ();
//! #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Fragile) }
//! #     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { panic!("again") }
//! # }
//! static FRAGILE: Name<()> = Name::new("fragile");
//! let (clock, hand) = Clock::manual();
//! let runtime = Runtime::builder().clock(clock).build()?;
//! let _entered = runtime.enter();
//! let tree = Supervisor::new(Strategy::OneForOne)
//!     .intensity(1, Duration::from_secs(1))
//!     .child(Child::server::<Fragile>("fragile", ()).name(&FRAGILE))
//!     .start()?;
//! for _ in 0..5 {
//!     let mut death = process::watch(&FRAGILE);
//!     FRAGILE.cast(());
//!     death.wait(Duration::MAX).unwrap();
//!     supervisor::which_children(&tree)?;
//!     hand.advance(Duration::from_millis(1001));
//! }
//! assert!(process::is_alive(&tree));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## The default is three in five seconds
//!
//! Elixir's `max_restarts` and `max_seconds`; Erlang's own default is one in five.
//!
//! ## A supervisor never waits
//!
//! An OTP supervisor is deaf while a child's `init` runs: told to stop, it does so when that is over. Here starting,
//! stopping and waiting are states. Requests that come meanwhile wait in order, as in OTP, but the order to stop comes
//! before whatever is under way.
//!
//! ```
//! use perennial::{prelude::*, process, supervisor::dynamic_supervisor};
//! use std::sync::mpsc::{Sender, channel};
//! # struct Slow;
//! impl GenServer for Slow {
//!     // ...
//! #   type Args = Sender<()>;
//! #   type Msg = ();
//!     fn init(begun: Sender<()>, _: &mut Cx<Self>) -> Init<Self> {
//!         begun.send(()).unwrap();
//!         process::sleep(std::time::Duration::MAX);
//!         Init::Ok(Slow)
//!     }
//! #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
//! }
//! let tree = DynamicSupervisor::new().start()?;
//! let (begun, begins) = channel();
//! let starter = std::thread::spawn({
//!     let tree = tree.clone();
//!     move || dynamic_supervisor::start_child(&tree, Child::server::<Slow>("slow", begun).thread())
//! });
//! begins.recv()?;
//! supervisor::stop(&tree)?; // at once, though that init would last for ever
//! assert!(starter.join().unwrap().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## More than OTP has
//!
//! A child may [wait before it is restarted](crate::supervisor::ServerChild::backoff), have a [limit of its
//! own](crate::supervisor::ServerChild::intensity) beside its supervisor's, say [which
//! reasons](crate::supervisor::ServerChild::restart_if) are worth a restart, and [wait for the last code of its
//! predecessor](crate::supervisor::ServerChild::exclusive). Children may [start in
//! parallel](crate::Supervisor::parallel), and a [`Drainer`](crate::supervisor::Drainer) among them has work come to
//! its end before the rest stops, as `Plug.Cowboy.Drainer` does with requests. A whole tree may be stopped [by a
//! deadline](crate::supervisor::stop_within). None of it is on unless asked for.
//!
//! `which_children` asks the supervisor in OTP, and waits while that starts a child; so does ours.
//! [`snapshot`](crate::supervisor::snapshot) and [`tree`](fn@crate::supervisor::tree) ask nobody: each supervisor
//! keeps a board on which others read, so a start that hangs is seen and not waited for. What happens to children is
//! an [event](crate::supervisor::SupervisorEvent) with a type, for [processes](fn@crate::supervisor::subscribe) and
//! [threads](crate::supervisor::events), and not only a report in the log.
//!
//! # Tasks
//!
//! [`Task::join`](crate::Task::join) is `Task.await` and returns a `Result`, where that exits. It takes the task, so
//! awaiting twice does not compile. A plain thread may own a task that is
//! [not linked](crate::TaskSupervisor::spawn_nolink). A task has a thread of its own unless it is started
//! [`pooled`](crate::task::Spec::pooled), because tasks are what blocking work is given to.
//!
//! ## A stream does not run ahead of its reader
//!
//! `Task.async_stream` has so many tasks running at any time, and keeps the results whose turn has not come. Behind
//! one slow item it runs through all the others, however many those are. Here the input is read `max_concurrency`
//! items ahead of the results that were given, and no further: what waits has a bound, and who wants no wait takes the
//! results [as they come](crate::task::StreamSpec::unordered).
//!
//! ```
//! use perennial::{process, task};
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//! static BEGUN: AtomicU32 = AtomicU32::new(0);
//! process::run::<(), _>(|_| {
//!     let slow_at_first = |n: u32| {
//!         BEGUN.fetch_add(1, Ordering::Relaxed);
//!         if n == 1 { process::sleep(Duration::from_millis(20)) }
//!         n
//!     };
//!     let mut numbers = task::stream(1..=50, slow_at_first).max_concurrency(2).build().unwrap();
//!     assert_eq!(numbers.next(), Some(Ok(1)));
//!     assert!(BEGUN.load(Ordering::Relaxed) <= 3); // 50 in Elixir
//! }).unwrap();
//! ```
//!
//! ## Nothing of a stream is left when its reader ends
//!
//! The tasks of `async_stream_nolink` run on when their reader has ended, for results that nobody can have. Here they
//! are killed: [not linked](crate::TaskSupervisor::stream_nolink) means that the crash of a task is none of the reader,
//! and it still works for nobody else.
//!
//! A stream whose tasks are linked makes no real links. A task that crashes ends its reader, and a reader that ends
//! takes the tasks along, as if there were links; but [`process::info`](fn@crate::process::info) lists none, and a
//! reader that traps exits finds the crash as an item and nothing in its mailbox, where a link to each of a thousand
//! items would leave a thousand exits.
//!
//! A plain thread that reads an unlinked stream cannot exit. With
//! [`OnItemTimeout::Exit`](crate::task::OnItemTimeout::Exit) an item that takes too long is the last one there.
