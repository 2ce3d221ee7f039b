//! Everything that is not as in OTP, on purpose, with its reason.
//!
//! Who knows Erlang or Elixir may count on the same words, the same rules and the same order of events. This is the
//! list of exceptions: what OTP does, what is done here, and why. What is not on it and differs is a bug. Processes and
//! calls are on this page, servers, state machines, supervisors and tasks on that of the [`behaviours`], the rest on
//! that of the [`services`].
//!
//! What it says of OTP holds for Erlang/OTP 25 and Elixir 1.14, unless a version is named.
//!
//! # Processes
//!
//! ## There are two kinds
//!
//! On the BEAM a process is a process. Here a *pooled* one is event driven: a few workers run all of them, one
//! message after another, so it is small and its callbacks are not to block. A *thread process* has an OS thread of
//! its own: it may block, and it alone can pick one message among many
//! ([`receive_match`](crate::process::ThreadContext::receive_match)). Pids, links, monitors, exit signals, names and
//! supervision make no difference between them. A library cannot suspend a Rust function in the middle without a
//! stack of its own, and a million stacks are too many.
//!
//! ```
//! use perennial::process::{self, Kind};
//! # use perennial::prelude::*;
//! # struct Idle;
//! # impl GenServer for Idle {
//! #     type Args = ();
//! #     type Msg = ();
//! #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Idle) }
//! #     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
//! # }
//! let small = gen_server::spec::<Idle>(()).pooled().start()?;
//! let blocks = gen_server::spec::<Idle>(()).thread().start()?;
//! assert_eq!(process::info(&small).unwrap().kind, Kind::Pooled);
//! assert_eq!(process::info(&blocks).unwrap().kind, Kind::Thread);
//! # Ok::<(), perennial::process::StartError>(())
//! ```
//!
//! ## Nobody is interrupted in the middle of a computation
//!
//! The BEAM counts reductions and may take a process off its core, or end it, between any two calls. Here code runs
//! until it returns or calls the library. A pooled process hands its worker on after 256 messages at most; while one
//! callback lasts, its worker is taken, and after 100 ms a [`LongTurn`](crate::scheduler::LongTurn) event says so. An
//! exit signal ends a process at its next receive, call, sleep or other operation, or at a
//! [`checkpoint`](crate::process::checkpoint), which is there for long computations.
//!
//! ```
//! use perennial::{ExitReason, process};
//! let busy = process::spawn::<()>(|cx| loop { cx.checkpoint() });
//! let mut death = process::watch(&busy);
//! process::exit(&busy, ExitReason::other("enough"));
//! let down = death.wait(std::time::Duration::from_secs(5)).unwrap();
//! assert_eq!(down.reason, ExitReason::other("enough"));
//! ```
//!
//! ## A kill has a grace
//!
//! `exit(pid, kill)` ends a process on the BEAM within microseconds, whatever it does. No thread can be ended safely
//! from outside. A killed process that waits in the library ends at once; one that runs has 100 ms
//! ([`kill_grace`](crate::process::Builder::kill_grace)) to come to its next operation or to the end of its
//! callback. After that its identity is *cut*: links, monitors and callers are told `Killed`, its name and its keys
//! are free, and its code runs on as a *zombie*, which ends at its next operation. So `Killed` alone does not mean
//! that the code runs no more. Who needs to know that, because the code holds a file or a port, waits for it
//! ([`wait_quiesced`](crate::process::wait_quiesced)); the successor of an
//! [`exclusive`](crate::supervisor::ServerChild::exclusive) child does so by itself.
//!
//! ```
//! use perennial::{ExitReason, Runtime, process};
//! use std::sync::mpsc::channel;
//! use std::time::Duration;
//! const SOON: Duration = Duration::from_secs(5);
//!
//! let runtime = Runtime::builder().kill_grace(Duration::from_millis(5)).build()?;
//! let _entered = runtime.enter();
//! let (runs, running) = channel();
//! let (release, released) = channel::<()>();
//! // It waits outside the library, where no signal reaches it.
//! let stubborn = process::spawn::<()>(move |_| { runs.send(()).unwrap(); released.recv().unwrap(); });
//! running.recv()?;
//! let mut death = process::watch(&stubborn);
//! process::exit(&stubborn, ExitReason::Kill);
//! assert_eq!(death.wait(SOON).unwrap().reason, ExitReason::Killed);
//! assert_eq!(runtime.counts().zombies, 1); // dead for everybody, and its code is still there
//! release.send(())?;
//! assert!(process::wait_quiesced(stubborn.pid(), SOON));
//! assert_eq!(runtime.counts().zombies, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## Exits unwind
//!
//! An exit signal ends a BEAM process without another line of its code. Here every exit unwinds the stack, so that
//! destructors give back what only they know of: locks, files, memory. No panic message is printed for it. Code that
//! catches the unwind has not escaped: it meets the exit again at its next operation. While the stack unwinds, sends
//! and casts work, and what would have to wait fails at once with `Exiting`, because a second unwind would abort the
//! program.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::{ExitReason, process::{self, CallError}};
//! use std::sync::mpsc::{Sender, channel};
//! static ECHO: Name<ReplyTo<()>> = Name::new("echo");
//!
//! struct Goodbye(Sender<Result<(), CallError>>);
//! impl Drop for Goodbye {
//!     fn drop(&mut self) {
//!         let _ = self.0.send(ECHO.call(|reply| reply));
//!     }
//! }
//!
//! let echo = process::spawn::<ReplyTo<()>>(|cx| while let Some(reply) = cx.receive().message() { reply.send(()) });
//! process::register(&ECHO, &echo)?;
//! let (said, hear) = channel();
//! let ended = process::run::<(), _>(|cx| {
//!     let _goodbye = Goodbye(said);
//!     cx.exit(ExitReason::Shutdown);
//! });
//! assert_eq!(ended, Err(ExitReason::Shutdown));
//! assert_eq!(hear.recv()?, Err(CallError::Exiting));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A process takes messages of one type
//!
//! A BEAM mailbox takes any term, and what no clause matches is found at run time, or stays for ever. Here a
//! [`Ref<M>`](crate::Ref) and a [`Name<M>`](crate::Name) have the type of the messages, an enum as a rule, and a
//! wrong one does not compile. Two types under one text are found at run time. Who sends one event to processes of
//! different types takes [`Recipient`](crate::process::Recipient)s.
//!
//! ```compile_fail
//! let printer = perennial::process::spawn::<String>(|cx| drop(cx.receive()));
//! perennial::process::Dest::cast(&printer, 7);
//! ```
//! ```
//! use perennial::prelude::*;
//! use perennial::process::{self, TryCastError};
//! static PRINTER: Name<String> = Name::new("printer");
//! static MISTAKE: Name<u32> = Name::new("printer");
//! let printer = process::spawn::<String>(|cx| drop(cx.receive()));
//! process::register(&PRINTER, &printer)?;
//! assert_eq!(MISTAKE.try_cast(7), Err(TryCastError::WrongMessageType(7)));
//! PRINTER.cast("a page".to_owned());
//! # Ok::<(), perennial::process::RegisterError>(())
//! ```
//!
//! ## Messages are moved, and memory is shared
//!
//! The BEAM copies a message into the heap of its receiver. Here it is moved, which costs the same for any size, and
//! the compiler sees to it that the sender has it no more. An [`Arc`](std::sync::Arc) inside is shared; so is a lock
//! inside of that, and who shares a lock between processes shares its fate too. There are no collector's pauses, and
//! no limit to the memory of one process.
//!
//! ## What ends the whole program
//!
//! A BEAM process can be given a `max_heap_size`, and then a runaway recursion ends it alone. Here a stack overflow, an
//! `abort`, memory that runs out, and a panic inside a destructor while another panic unwinds end the program. A
//! program that is compiled with `panic = "abort"` is refused, because there each panic would.
//!
//! ## A plain thread is no process
//!
//! All Elixir code runs in some process. A Rust program has threads that the library did not start, `main` first. They
//! may start servers, send, cast and call, and [`watch`](fn@crate::process::watch) instead of monitoring; a link needs
//! two processes. [`process::run`](fn@crate::process::run) makes a thread a process for as long as a closure runs.
//!
//! ```
//! use perennial::{Task, process::{self, StartError}};
//! assert_eq!(process::self_pid(), None);
//! assert_eq!(Task::spawn(|| 6 * 7).unwrap_err(), StartError::NotAProcess);
//! let answer = process::run::<(), _>(|_| Task::spawn(|| 6 * 7).unwrap().join());
//! assert_eq!(answer.unwrap(), Ok(42));
//! ```
//!
//! ## No send fails
//!
//! `send` to a name that nobody has raises in Elixir, `GenServer.cast` swallows it. Here neither raises, as a name
//! whose process is being restarted is nobody's for a moment. What reaches nobody is a
//! [`DeadLetter`](crate::process::DeadLetter) event; [`try_cast`](crate::process::Dest::try_cast) gives the message
//! back with the reason. In the same manner [`link`](fn@crate::process::link) to a process that is gone returns an
//! error where `Process.link` raises it.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::process::TryCastError;
//! static NOBODY: Name<u32> = Name::new("nobody");
//! NOBODY.cast(7);
//! assert_eq!(NOBODY.try_cast(7), Err(TryCastError::NoProc(7)));
//! ```
//!
//! ## Mailboxes may have a bound, and no message is urgent
//!
//! A BEAM mailbox grows until memory ends, and so does ours unless it is given a
//! [bound](crate::gen_server::Spec::mailbox) and a rule for what comes too much. Signals do not count and are never
//! refused. There is one queue, in order; OTP 28 has priority messages, and only a kill overtakes here, because
//! order is worth more than an urgent word.
//!
//! ## Aliases, tags and the dictionary have types
//!
//! An alias is a reference in Erlang, to which anything can be sent; the tag of a monitor, and keys and values of the
//! process dictionary, are any terms. Here an [`Alias`](crate::process::Alias) gives out
//! [`Recipient`](crate::process::Recipient)s of one type, and turns what they are sent into messages of the process
//! that made it. A [tag](crate::process::monitor_with_tag) is any value, and is asked for by its type. A
//! [`Key`](crate::process::Key) of the dictionary has the type of its value, so that no two parts of a program take
//! each other's. An alias that is dropped is taken back: none is forgotten. Nobody else sees the dictionary of a
//! process, and nothing of the library is in it: [`ancestors`](crate::process::ancestors) and
//! [`callers`](crate::process::callers) are functions, and their lists cannot be spoiled.
//!
//! ```
//! use perennial::process::{self, Key};
//! static REQUEST: Key<u64> = Key::new("request");
//! static ELSEWHERE: Key<String> = Key::new("request");
//! process::run::<(), _>(|_| {
//!     process::put(&REQUEST, 7).unwrap();
//!     assert_eq!(process::get(&REQUEST), Ok(Some(7)));
//!     assert_eq!(process::get(&ELSEWHERE), Ok(None)); // of another type, so another key
//! }).unwrap();
//! ```
//!
//! # Calls
//!
//! ## A call returns a `Result`
//!
//! `GenServer.call` exits the caller when there is no answer, and who wants to go on catches the exit. Here the
//! answer is a `Result`, and [`CallError`](crate::process::CallError) says why there is none; `?` and `unwrap` are
//! what a caller does who cannot go on. Exits are not errors to be caught in Rust.
//!
//! ```
//! use perennial::{prelude::*, process::CallError};
//! static NOBODY: Name<ReplyTo<u32>> = Name::new("nobody");
//! assert_eq!(NOBODY.call(|reply| reply), Err(CallError::NoProc));
//! ```
//!
//! ## An answer goes to a slot, once
//!
//! OTP sends the answer to the caller's mailbox, under an alias that is switched off when the caller gives up; a
//! second answer that was quick enough stays there as a stray message. Here a call is a monitor on the addressed
//! process and a slot for one answer. The mailbox never sees it, so no late or second answer can be taken for
//! something else, and a long queue makes no call slow. [`ReplyTo::send`](crate::ReplyTo::send) takes the `ReplyTo`,
//! so a second answer does not compile; [`is_expired`](crate::ReplyTo::is_expired) says that nobody waits any more.
//!
//! ```compile_fail
//! fn answer(reply: perennial::ReplyTo<u32>) {
//!     reply.send(1);
//!     reply.send(2);
//! }
//! ```
//!
//! ## A request that is dropped has failed
//!
//! A server that forgets a `from` leaves its caller waiting for the timeout. Here a [`ReplyTo`](crate::ReplyTo) that is
//! dropped unanswered fails the call with `NoReply` at once. If the server dies, the call fails with its exit reason,
//! wherever the `ReplyTo` is by then.
//!
//! ```
//! use perennial::{prelude::*, process::{self, CallError}};
//! let careless = process::spawn::<ReplyTo<u32>>(|cx| while let Some(reply) = cx.receive().message() { drop(reply) });
//! assert_eq!(careless.call(|reply| reply), Err(CallError::NoReply));
//! ```
//!
//! ## Deadlines travel with nested calls
//!
//! In OTP each call has a timeout of its own: a server goes on asking a second one after its own caller has given
//! up, and is deaf meanwhile. Here what a callback calls is due with the request that it handles, if that is sooner:
//! an answer that nobody can use is not waited for.
//!
//! ```
//! use perennial::{prelude::*, process::{self, CallError}};
//! use std::sync::mpsc::{Sender, channel};
//! use std::time::Duration;
//! static SILENT: Name<ReplyTo<()>> = Name::new("silent");
//!
//! /// Asks the silent one at each request, for as long as it takes.
//! struct Asks(Sender<Result<(), CallError>>);
//! impl GenServer for Asks {
//!     type Args = Sender<Result<(), CallError>>;
//!     type Msg = ReplyTo<()>;
//!     fn init(told: Self::Args, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Asks(told)) }
//!     fn handle(&mut self, _reply: ReplyTo<()>, _: &mut Cx<Self>) -> Next<ReplyTo<()>> {
//!         let answer = SILENT.call_for(Duration::MAX, |reply| reply);
//!         self.0.send(answer).unwrap();
//!         Next::Loop
//!     }
//! }
//!
//! let silent = process::spawn(|cx| {
//!     let mut kept = Vec::new();
//!     while let Some(reply) = cx.receive().message() { kept.push(reply) }
//! });
//! process::register(&SILENT, &silent)?;
//! let (told, hear) = channel();
//! let asks = gen_server::start::<Asks>(told)?;
//! assert!(asks.call_for(Duration::from_millis(20), |reply| reply).is_err());
//! assert_eq!(hear.recv()?, Err(CallError::Timeout));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Only calls are: a [request that is sent](crate::process::Dest::send_request) inherits no deadline. Its answer may be
//! waited for in a later callback, on behalf of somebody else. It is meant until its [`ReqId`](crate::ReqId) is
//! dropped. In OTP an identifier that is forgotten changes nothing, and the answer comes to the mailbox all the same.
//!
//! ## A deadlock is found
//!
//! Two servers that call each other wait for the timeout of one of them in OTP. Here a caller that has waited for 10 ms
//! follows who waits for whom; if that leads back to it, and still does 10 ms later, one call of the circle fails
//! with the path. What is done about it is a [policy](crate::process::DeadlockPolicy).
//!
//! ```
//! use perennial::{prelude::*, process::CallError};
//!
//! /// Asks another one, and passes on what went wrong.
//! struct Asks(&'static Name<Question>);
//! type Question = ReplyTo<Option<CallError>>;
//! impl GenServer for Asks {
//!     type Args = &'static Name<Question>;
//!     type Msg = Question;
//!     fn init(other: Self::Args, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Asks(other)) }
//!     fn handle(&mut self, reply: Question, _: &mut Cx<Self>) -> Next<Question> {
//!         reply.send(self.0.call(|reply| reply).unwrap_or_else(Some));
//!         Next::Loop
//!     }
//! }
//!
//! static LEFT: Name<Question> = Name::new("left");
//! static RIGHT: Name<Question> = Name::new("right");
//! gen_server::spec::<Asks>(&RIGHT).name(&LEFT).start()?;
//! gen_server::spec::<Asks>(&LEFT).name(&RIGHT).start()?;
//! let wrong = LEFT.call(|reply| reply)?;
//! assert!(matches!(wrong, Some(CallError::Deadlock(path)) if path.len() == 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A pooled caller lends its stack or its worker
//!
//! A BEAM process that waits costs nothing. A pooled process that calls inside a callback keeps its worker: if the
//! callee is what this worker would run next, it runs at once *on top of the caller's stack* (eight deep at most,
//! one turn each), else a spare worker stands in. While the callee runs there, the caller's own timeout and a kill
//! of it wait for the callee's turn to end. So does the `init` of a child that a supervisor starts for it, where the
//! caller set no deadline. With 64 workers waiting
//! ([`spare_max`](crate::process::Builder::spare_max)) the next call fails at once with `PoolExhausted`. A pooled
//! server does better to [request](crate::Cx::request), which never waits; one that calls much is better off with a
//! thread.
//!
//! # Small things
//!
//! | matter | OTP | here |
//! |---|---|---|
//! | pids | wrap around after a long time | are [never given again](crate::Pid) |
//! | `DOWN` of a monitored name | the name and the node in place of the pid | the pid, and the name beside it; [`Pid::INIT`](crate::Pid::INIT) if nobody had it |
//! | reasons | any term; `{error, stacktrace}` after a raise | [`ExitReason`](crate::ExitReason); a panic has its message and its place |
//! | an interval of 0 | floods its receiver | [counts as 1 ms](crate::process::send_interval) |
//! | end of the node | `init:stop/0` | [`Runtime::shutdown`](crate::Runtime::shutdown), which says what did not end |
//!
//! # What is not there
//!
//! | OTP | why not |
//! |---|---|
//! | the I/O protocol of group leaders | what a process prints goes where the program's output goes |
//! | atoms | enums; a name is a text that is freed |
//! | `hibernate`, garbage collection of one process | an idle pooled process is small already |
//! | code change, `:sys.change_code`, releases | a Rust program is replaced as a whole |
//! | ports, NIFs, drivers | Rust calls what it wants, on a thread process if that blocks |
//! | match specifications | closures |
//! | distribution, `:global`, `Node` | one runtime is one node; pids and reasons have room for more |

pub mod behaviours;

pub mod services;
