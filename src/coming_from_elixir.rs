//! The same programs in Elixir and here, side by side, and a dictionary.
//!
//! They are the building blocks of a fault-tolerant program, from one supervisor to a small chat, each in a few lines
//! of Elixir and then in Rust. The Rust ones are run with the tests. Three things look different throughout:
//!
//! - A server's messages are an enum, and one callback takes them all. A variant that is answered ends in a
//!   [`ReplyTo`](crate::ReplyTo), and `server.call(Msg::Get)` makes it: the variant is the request maker.
//! - The state is `self`, changed in place. What a callback returns says what happens next, not what the state is.
//! - A call returns a `Result` where Elixir exits the caller.
//!
//! What else is not as in OTP stands in [`differences`](crate::differences), with its reason.
//!
//! # A supervisor
//!
//! ```elixir
//! defmodule MyApp.Supervisor do
//!   use Supervisor
//!   def start_link(arg), do: Supervisor.start_link(__MODULE__, arg, name: __MODULE__)
//!
//!   @impl true
//!   def init(_arg) do
//!     children = for n <- 1..3, do: Supervisor.child_spec({MyApp.Worker, n}, id: n)
//!     Supervisor.init(children, strategy: :one_for_one)
//!   end
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//! use perennial::{ExitReason, process, supervisor::ChildState};
//! # struct Worker;
//! # impl GenServer for Worker {
//! #     type Args = u32;
//! #     type Msg = ();
//! #     fn init(_: u32, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Worker) }
//! #     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
//! # }
//! static SUPERVISOR: Name<supervisor::Msg> = Name::new("my_app_supervisor");
//!
//! let mut tree = Supervisor::new(Strategy::OneForOne).name(&SUPERVISOR);
//! for n in 1..=3 {
//!     tree = tree.child(Child::server::<Worker>(format!("worker {n}"), n));
//! }
//! tree.start()?;
//!
//! // One of the three is killed. It comes back, and the other two have not noticed.
//! let before = supervisor::which_children(&SUPERVISOR)?;
//! let ChildState::Running(victim) = before[1].state else { panic!("worker 2 runs") };
//! let mut death = process::watch(victim);
//! process::exit(victim, ExitReason::Kill);
//! death.wait(std::time::Duration::from_secs(5)).expect("it dies");
//! let after = supervisor::which_children(&SUPERVISOR)?;
//! assert_eq!((after[0].state, after[2].state), (before[0].state, before[2].state));
//! assert!(matches!(after[1].state, ChildState::Running(successor) if successor != victim));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program starts its tree with [`start`](crate::Supervisor::start), as `main` is a plain thread; `start_link` is for
//! a process that starts another ([`process::run`](fn@crate::process::run) makes one). A supervisor below another is a
//! [`Child::supervisor`](crate::Child::supervisor).
//!
//! # A counter
//!
//! ```elixir
//! defmodule Counter do
//!   use GenServer
//!   def start_link(start), do: GenServer.start_link(__MODULE__, start)
//!   def increment(pid), do: GenServer.cast(pid, :increment)
//!   def get_count(pid), do: GenServer.call(pid, :get_count)
//!
//!   @impl true
//!   def init(start), do: {:ok, start}
//!   @impl true
//!   def handle_cast(:increment, n), do: {:noreply, n + 1}
//!   @impl true
//!   def handle_call(:get_count, _from, n), do: {:reply, n, n}
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//!
//! enum Msg { Increment, GetCount(ReplyTo<i64>) }
//!
//! struct Counter(i64);
//! impl GenServer for Counter {
//!     type Args = i64;
//!     type Msg = Msg;
//!     fn init(start: i64, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Counter(start)) }
//!     fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
//!         match msg {
//!             Msg::Increment => self.0 += 1,
//!             Msg::GetCount(reply) => reply.send(self.0),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! let counter = gen_server::start::<Counter>(41)?;
//! counter.cast(Msg::Increment);
//! assert_eq!(counter.call(Msg::GetCount)?, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Functions like `increment/1` are written where they hide something worth hiding; the enum is the interface already.
//!
//! # A task
//!
//! ```elixir
//! Task.start(fn ->
//!   :timer.sleep(20)
//!   IO.puts("done")
//! end)
//! ```
//! ```
//! use perennial::{Task, process};
//! use std::time::Duration;
//!
//! let task = Task::start(|| {
//!     process::sleep(Duration::from_millis(20));
//!     println!("done");
//! })?;
//! // Nobody has to wait for it. Who wants to, watches it.
//! # let ended =
//! process::watch(task).wait(Duration::from_secs(5));
//! # assert_eq!(ended.unwrap().reason, perennial::ExitReason::Normal);
//! # Ok::<(), process::StartError>(())
//! ```
//!
//! # A load balancer
//!
//! ```elixir
//! defmodule LoadBalancer do
//!   use GenServer
//!   def start_link(workers), do: GenServer.start_link(__MODULE__, workers, name: __MODULE__)
//!   def get_worker, do: GenServer.call(__MODULE__, :get_worker)
//!
//!   @impl true
//!   def init(workers), do: {:ok, workers}
//!   @impl true
//!   def handle_call(:get_worker, _from, [next | rest]), do: {:reply, next, rest ++ [next]}
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//! use perennial::{Balance, Balancer};
//! # struct Worker(u32);
//! # impl GenServer for Worker {
//! #     type Args = u32;
//! #     type Msg = ReplyTo<u32>;
//! #     fn init(n: u32, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Worker(n)) }
//! #     fn handle(&mut self, reply: ReplyTo<u32>, _: &mut Cx<Self>) -> Next<Self::Msg> {
//! #         reply.send(self.0);
//! #         Next::Loop
//! #     }
//! # }
//! let workers = [1, 2, 3].map(|n| gen_server::start::<Worker>(n).unwrap());
//! let balancer = Balancer::new(Balance::RoundRobin, workers);
//! let served: Vec<u32> = (0..4).map(|_| balancer.call(|reply| reply).unwrap()).collect();
//! assert_eq!(served, [1, 2, 3, 1]);
//! ```
//!
//! A [`Balancer`](crate::Balancer) is no process, so it is no bottleneck and cannot die. It passes over workers that
//! are dead, which the list above does not, and takes [names](crate::balancer) of workers that a supervisor
//! restarts.
//!
//! # A state for everybody
//!
//! ```elixir
//! defmodule ReplicatedState do
//!   use GenServer
//!   @name {:global, __MODULE__}
//!   def start_link(state), do: GenServer.start_link(__MODULE__, state, name: @name)
//!   def get_state, do: GenServer.call(@name, :get_state)
//!   def update_state(state), do: GenServer.cast(@name, {:update_state, state})
//!
//!   @impl true
//!   def init(state), do: {:ok, state}
//!   @impl true
//!   def handle_call(:get_state, _from, state), do: {:reply, state, state}
//!   @impl true
//!   def handle_cast({:update_state, new}, _old), do: {:noreply, new}
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//!
//! enum Msg { GetState(ReplyTo<String>), UpdateState(String) }
//!
//! struct ReplicatedState(String);
//! impl GenServer for ReplicatedState {
//!     type Args = String;
//!     type Msg = Msg;
//!     fn init(state: String, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(ReplicatedState(state)) }
//!     fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
//!         match msg {
//!             Msg::GetState(reply) => reply.send(self.0.clone()),
//!             Msg::UpdateState(new) => self.0 = new,
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! static STATE: Name<Msg> = Name::new("replicated_state");
//! gen_server::spec::<ReplicatedState>("old".into()).name(&STATE).start()?;
//! STATE.cast(Msg::UpdateState("new".into()));
//! assert_eq!(STATE.call(Msg::GetState)?, "new");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This is the half of it that lies in one program. Under `:global` the state is still in one process, and is lost with
//! it; `cargo run --example replicated_state` keeps it in three, of which one may die and catches up.
//!
//! # A risky operation
//!
//! ```elixir
//! defmodule RiskyOperation do
//!   def execute(operation) do
//!     Task.Supervisor.async_nolink(MyApp.TaskSupervisor, operation)
//!   end
//! end
//!
//! task = RiskyOperation.execute(fn -> raise "out of luck" end)
//! {:exit, _reason} = Task.yield(task)
//! ```
//! ```
//! use perennial::supervisor::{DynamicMsg, StartChildError};
//! use perennial::{Name, Task, TaskError, TaskSupervisor};
//!
//! static TASKS: Name<DynamicMsg> = Name::new("task_supervisor");
//!
//! fn execute<T: Send + 'static>(
//!     operation: impl FnOnce() -> T + Send + 'static,
//! ) -> Result<Task<T>, StartChildError> {
//!     TaskSupervisor::spawn_nolink(&TASKS, operation)
//! }
//!
//! TaskSupervisor::new().name(&TASKS).start()?;
//! let task = execute(|| -> u32 { panic!("out of luck") })?;
//! assert!(matches!(task.join(), Err(TaskError::Exit(_))));
//! assert_eq!(execute(|| 6 * 7)?.join(), Ok(42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A chat: rooms under a supervisor
//!
//! ```elixir
//! defmodule ChatApp.RoomSupervisor do
//!   use DynamicSupervisor
//!   def start_link(_), do: DynamicSupervisor.start_link(__MODULE__, :ok, name: __MODULE__)
//!   def init(:ok), do: DynamicSupervisor.init(strategy: :one_for_one)
//!
//!   def create_room(name) do
//!     spec = %{id: name, start: {ChatApp.Room, :start_link, [name]}, restart: :transient}
//!     DynamicSupervisor.start_child(__MODULE__, spec)
//!   end
//! end
//!
//! defmodule ChatApp.Room do
//!   use GenServer
//!   def via(name), do: {:via, Registry, {ChatApp.RoomRegistry, name}}
//!   def start_link(name), do: GenServer.start_link(__MODULE__, name, name: via(name))
//!   def add_message(name, text), do: GenServer.cast(via(name), {:add_message, text})
//!   def get_messages(name), do: GenServer.call(via(name), :get_messages)
//!
//!   def init(_name), do: {:ok, []}
//!   def handle_cast({:add_message, text}, texts), do: {:noreply, [text | texts]}
//!   def handle_call(:get_messages, _from, texts), do: {:reply, Enum.reverse(texts), texts}
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//! use perennial::supervisor::{DynamicMsg, StartChildError, dynamic_supervisor};
//! use perennial::{Registry, Via};
//!
//! static ROOM_SUPERVISOR: Name<DynamicMsg> = Name::new("room_supervisor");
//! static ROOMS: Registry<String, RoomMsg> = Registry::new("rooms");
//!
//! fn create_room(name: &str) -> Result<Ref<RoomMsg>, StartChildError> {
//!     let room = Child::server::<Room>(name, ()).via(ROOMS.via(name)).transient();
//!     dynamic_supervisor::start_child(&ROOM_SUPERVISOR, room)
//! }
//!
//! enum RoomMsg { Add(String), Messages(ReplyTo<Vec<String>>) }
//!
//! struct Room(Vec<String>);
//! impl GenServer for Room {
//!     type Args = ();
//!     type Msg = RoomMsg;
//!     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Room(Vec::new())) }
//!     fn handle(&mut self, msg: RoomMsg, _: &mut Cx<Self>) -> Next<RoomMsg> {
//!         match msg {
//!             RoomMsg::Add(text) => self.0.push(text),
//!             RoomMsg::Messages(reply) => reply.send(self.0.clone()),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! DynamicSupervisor::new().name(&ROOM_SUPERVISOR).start()?;
//! create_room("lobby")?;
//! let lobby: Via<String, RoomMsg> = ROOMS.via("lobby");
//! lobby.cast(RoomMsg::Add("hello".into()));
//! assert_eq!(lobby.call(RoomMsg::Messages)?, ["hello"]);
//! // There is one lobby.
//! assert!(matches!(create_room("lobby"), Err(StartChildError::Failed(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A chat: users
//!
//! ```elixir
//! defmodule ChatApp.UserManager do
//!   use GenServer
//!   def start_link(_), do: GenServer.start_link(__MODULE__, %{}, name: __MODULE__)
//!   def register_user(name), do: GenServer.call(__MODULE__, {:register, name})
//!   def get_user(name), do: GenServer.call(__MODULE__, {:get, name})
//!
//!   def init(users), do: {:ok, users}
//!   def handle_call({:register, name}, _from, users) when is_map_key(users, name),
//!     do: {:reply, {:error, :user_exists}, users}
//!   def handle_call({:register, name}, _from, users),
//!     do: {:reply, :ok, Map.put(users, name, %{online: true})}
//!   def handle_call({:get, name}, _from, users), do: {:reply, users[name], users}
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//! use std::collections::{HashMap, hash_map::Entry};
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct User { online: bool }
//! #[derive(Debug, PartialEq)]
//! struct UserExists;
//!
//! enum UsersMsg {
//!     Register(String, ReplyTo<Result<(), UserExists>>),
//!     Get(String, ReplyTo<Option<User>>),
//! }
//!
//! struct Users(HashMap<String, User>);
//! impl GenServer for Users {
//!     type Args = ();
//!     type Msg = UsersMsg;
//!     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Users(HashMap::new())) }
//!     fn handle(&mut self, msg: UsersMsg, _: &mut Cx<Self>) -> Next<UsersMsg> {
//!         match msg {
//!             UsersMsg::Register(name, reply) => reply.send(match self.0.entry(name) {
//!                 Entry::Occupied(_) => Err(UserExists),
//!                 Entry::Vacant(place) => {
//!                     place.insert(User { online: true });
//!                     Ok(())
//!                 }
//!             }),
//!             UsersMsg::Get(name, reply) => reply.send(self.0.get(&name).cloned()),
//!         }
//!         Next::Loop
//!     }
//! }
//!
//! static USERS: Name<UsersMsg> = Name::new("users");
//! gen_server::spec::<Users>(()).name(&USERS).start()?;
//! let register = |name: &str| USERS.call(|reply| UsersMsg::Register(name.into(), reply));
//! assert_eq!(register("anna")?, Ok(()));
//! assert_eq!(register("anna")?, Err(UserExists));
//! let anna = USERS.call(|reply| UsersMsg::Get("anna".into(), reply))?;
//! assert_eq!(anna, Some(User { online: true }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `{:error, :user_exists}` is an answer and stays one: it stands in the type of the reply, inside the `Result` of
//! the call, which says only whether there was an answer.
//!
//! # A chat: the application
//!
//! ```elixir
//! defmodule ChatApp.Application do
//!   use Application
//!
//!   def start(_type, _args) do
//!     children = [
//!       {Registry, keys: :unique, name: ChatApp.RoomRegistry},
//!       ChatApp.RoomSupervisor,
//!       ChatApp.UserManager
//!     ]
//!     Supervisor.start_link(children, strategy: :one_for_one, name: ChatApp.Supervisor)
//!   end
//! end
//! ```
//! ```
//! use perennial::prelude::*;
//! use perennial::{Application, application, supervisor::DynamicMsg};
//! use std::time::Duration;
//! # struct Users;
//! # impl GenServer for Users {
//! #     type Args = ();
//! #     type Msg = ();
//! #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Users) }
//! #     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
//! # }
//! static ROOM_SUPERVISOR: Name<DynamicMsg> = Name::new("room_supervisor");
//! static USERS: Name<()> = Name::new("users");
//!
//! let chat = Application::new("chat_app", || {
//!     Ok(Supervisor::new(Strategy::OneForOne)
//!         .child(DynamicSupervisor::new().name(&ROOM_SUPERVISOR).child("rooms"))
//!         .child(Child::server::<Users>("users", ()).name(&USERS)))
//! });
//! application::load(chat.permanent())?;
//! application::ensure_all_started("chat_app")?;
//! assert_eq!(application::which_applications()?, ["chat_app".into()]);
//!
//! application::halt(Duration::from_secs(10)); // or a signal, with feature `signals`
//! assert!(!application::wait().forced);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Registry`](crate::Registry) is a table with a name and needs no child. `cargo run --example chat_room` is these
//! four in one program; with feature `chat-core` there is a chat that keeps its messages on a disk.
//!
//! # Dictionary
//!
//! ## Processes
//!
//! | Elixir | here |
//! |---|---|
//! | `spawn/1` | [`process::spawn`](crate::process::spawn); [`try_spawn`](crate::process::try_spawn) says why not |
//! | `spawn_link/1`, `spawn_monitor/1` | [`process::spawn_link`](crate::process::spawn_link), [`process::spawn_monitor`](crate::process::spawn_monitor) |
//! | `self()` | [`process::self_pid`](crate::process::self_pid), `cx.pid()`; to be written to, `cx.me()` |
//! | a pid as an address | [`Ref`](crate::Ref); [`Name`](crate::Name) and [`Via`](crate::Via) outlive a restart |
//! | a pid as an identity | [`Pid`](crate::Pid) |
//! | `send/2` | [`cast`](crate::process::Dest::cast), [`try_cast`](crate::process::Dest::try_cast) |
//! | `receive do` | [`receive`](crate::process::ThreadContext::receive), [`receive_match`](crate::process::ThreadContext::receive_match) |
//! | `receive … after` | [`receive_timeout`](crate::process::ThreadContext::receive_timeout) |
//! | `Process.alias/1`, `unalias/1` | [`alias`](crate::process::Context::alias), [`Alias::unalias`](crate::process::Alias::unalias); with a monitor [`monitor_with_alias`](crate::process::Context::monitor_with_alias) |
//! | `Process.link/1`, `unlink/1` | [`process::link`](fn@crate::process::link), [`process::unlink`](crate::process::unlink) |
//! | `Process.monitor/1`, `demonitor/2` | [`process::monitor`](fn@crate::process::monitor), [`demonitor`](crate::process::demonitor), [`demonitor_flush`](crate::process::demonitor_flush); from a plain thread [`process::watch`](fn@crate::process::watch) |
//! | `Process.monitor(p, tag: t)` | [`monitor_with_tag`](crate::process::monitor_with_tag), [`Down::tag`](crate::process::Down::tag) |
//! | `{:DOWN, ref, :process, pid, reason}` | [`Down`](crate::process::Down) |
//! | `{:EXIT, pid, reason}` | [`Exit`](crate::process::Exit) |
//! | `Process.flag(:trap_exit, true)` | [`process::trap_exit`](crate::process::trap_exit); for a server [`TRAP_EXIT`](crate::GenServer::TRAP_EXIT) |
//! | `exit/1` | [`process::exit_self`](crate::process::exit_self), `cx.exit(reason)` |
//! | `Process.exit/2` | [`process::exit`](fn@crate::process::exit) |
//! | `:normal`, `:shutdown`, `{:shutdown, x}`, `:kill`, `:killed`, `:noproc`, any term | [`ExitReason`](crate::ExitReason) |
//! | `raise` | `panic!`: [`ExitReason::Panic`](crate::ExitReason::Panic) |
//! | `Process.register/2`, `whereis/1`, `unregister/1`, `registered/0` | [`process::register`](crate::process::register), [`whereis`](crate::process::whereis), [`unregister`](crate::process::unregister), [`registered`](crate::process::registered) |
//! | `Process.alive?/1`, `Process.list/0`, `Process.info/1` | [`is_alive`](crate::process::is_alive), [`processes`](crate::process::processes), [`info`](fn@crate::process::info) |
//! | `Process.set_label/1`, `:proc_lib.get_label/1` | [`process::set_label`](crate::process::set_label), [`label`](crate::process::label) |
//! | `Process.sleep/1` | [`process::sleep`](crate::process::sleep) |
//! | `Process.put/2`, `get/1`, `delete/1`, `get_keys/0` | [`put`](crate::process::put), [`get`](crate::process::get), [`delete`](crate::process::delete), [`keys`](crate::process::keys) with a [`Key`](crate::process::Key); a field of the state as a rule |
//! | `$ancestors`, `$callers` | [`ancestors`](crate::process::ancestors), [`callers`](crate::process::callers) |
//!
//! ## GenServer
//!
//! | Elixir | here |
//! |---|---|
//! | `use GenServer` | [`impl GenServer`](crate::GenServer) |
//! | `GenServer.start/3`, `start_link/3` | [`gen_server::start`](crate::gen_server::start), [`gen_server::start_link`](crate::gen_server::start_link); with options [`gen_server::spec`](crate::gen_server::spec) |
//! | `:gen_server.start_monitor/3`, `enter_loop/3` | [`start_monitor`](crate::gen_server::Spec::start_monitor), [`enter_loop`](crate::gen_server::enter_loop) |
//! | `name:`, `timeout:`, `{:via, Registry, {r, k}}` | [`name`](crate::gen_server::Spec::name), [`timeout`](crate::gen_server::Spec::timeout), [`via`](crate::gen_server::Spec::via) |
//! | `GenServer.call/3`, `cast/2` | [`call`](crate::process::Dest::call) and [`call_for`](crate::process::Dest::call_for), [`cast`](crate::process::Dest::cast) |
//! | `:gen_server.send_request/2`, `receive_response/2`, `wait_response/2`, `check_response/2` | [`send_request`](crate::process::Dest::send_request) and [`receive`](crate::ReqId::receive), [`wait`](crate::ReqId::wait), [`check`](crate::ReqId::check); in a callback [`Cx::request`](crate::Cx::request) |
//! | `:gen_server.reqids_new/0`, `reqids_add/3` | [`ReqIdCollection`](crate::ReqIdCollection), [`add`](crate::ReqIdCollection::add) |
//! | `from`, `GenServer.reply/2` | [`ReplyTo`](crate::ReplyTo), [`ReplyTo::send`](crate::ReplyTo::send) |
//! | `GenServer.stop/3` | [`gen_server::stop`](crate::gen_server::stop), [`stop_for`](crate::gen_server::stop_for) |
//! | `{:ok, s}`, `{:ok, s, timeout}`, `{:ok, s, {:continue, x}}`, `:ignore`, `{:stop, r}` | [`Init`](crate::Init) |
//! | `{:noreply, s}`, `{:noreply, s, timeout}`, `{:noreply, s, {:continue, x}}`, `{:stop, r, s}` | [`Next`](crate::Next) |
//! | `{:reply, v, s}` | `reply.send(v)`, then any [`Next`](crate::Next) |
//! | `{:stop, r, v, s}` | [`Next::stop_reply`](crate::Next::stop_reply) |
//! | `handle_call`, `handle_cast` | [`handle`](crate::GenServer::handle) |
//! | `handle_info`, `handle_continue`, `terminate` | the same |
//! | `:timeout` | [`Info::Timeout`](crate::Info::Timeout) |
//! | `format_status/1` | [`format_status`](crate::GenServer::format_status), [`inspect`](crate::GenServer::inspect) |
//!
//! ## Agents, state machines, a look inside
//!
//! | Elixir, Erlang | here |
//! |---|---|
//! | `Agent.start/1`, `start_link/1` | [`agent::start`](crate::agent::start), [`agent::start_link`](crate::agent::start_link); as a child [`Child::agent`](crate::Child::agent) |
//! | `Agent.get/2`, `update/2`, `get_and_update/2`, `cast/2`, `stop/1` | [`get`](crate::agent::get), [`update`](crate::agent::update), [`get_and_update`](crate::agent::get_and_update), [`cast`](crate::agent::cast), [`stop`](crate::agent::stop) |
//! | `:gen_statem` | [`impl GenStatem`](crate::GenStatem), [`gen_statem`](crate::gen_statem), which has a table of its own; as a child [`Child::statem`](crate::Child::statem) |
//! | `{:next_state, s, d, actions}`, `:keep_state_and_data`, `{:repeat_state, d}` | [`Next`](crate::gen_statem::Next) |
//! | `:postpone`, `{:next_event, t, c}`, `{:state_timeout, t, c}` | [`postpone`](crate::gen_statem::Next::postpone), [`next_event`](crate::gen_statem::Next::next_event), [`state_timeout`](crate::gen_statem::Next::state_timeout) |
//! | `:state_enter` | [`STATE_ENTER`](crate::GenStatem::STATE_ENTER), [`enter`](crate::GenStatem::enter) |
//! | `:sys.get_state/1`, `replace_state/2`, `get_status/1` | [`get_state`](crate::sys::get_state), [`replace_state`](crate::sys::replace_state), [`get_status`](crate::sys::get_status); by type [`with_state`](crate::sys::with_state) |
//! | `:sys.suspend/1`, `resume/1`, `terminate/2` | [`suspend`](crate::sys::suspend), [`resume`](crate::sys::resume), [`terminate`](crate::sys::terminate) |
//! | `:sys.statistics/2`, `trace/2`, `log/2`, `log_to_file/2`, `install/2`, `no_debug/1` | [`statistics`](crate::sys::statistics), [`trace`](crate::sys::trace), [`log`](fn@crate::sys::log), [`log_to_file`](crate::sys::log_to_file), [`install`](crate::sys::install), [`no_debug`](crate::sys::no_debug) |
//!
//! ## Supervisors and tasks
//!
//! | Elixir | here |
//! |---|---|
//! | `Supervisor.start_link/2` | [`Supervisor::new`](crate::Supervisor::new), [`start`](crate::Supervisor::start), [`start_link`](crate::Supervisor::start_link) |
//! | `Supervisor.stop/3` | [`supervisor::stop`](fn@crate::supervisor::stop), [`stop_for`](crate::supervisor::stop_for); all of it by a deadline [`stop_within`](crate::supervisor::stop_within) |
//! | `strategy:` | [`Strategy`](crate::Strategy) |
//! | `max_restarts:`, `max_seconds:` | [`intensity`](crate::Supervisor::intensity) |
//! | `auto_shutdown:`, `significant:` | [`AutoShutdown`](crate::supervisor::AutoShutdown), [`significant`](crate::supervisor::ServerChild::significant) |
//! | a child spec, `{Module, arg}` | [`Child::server`](crate::Child::server); [`Child::with`](crate::Child::with) makes its argument at each start |
//! | `restart:`, `shutdown:` | [`Restart`](crate::supervisor::Restart), [`Shutdown`](crate::supervisor::Shutdown) |
//! | `type: :supervisor` | [`Child::supervisor`](crate::Child::supervisor) |
//! | `start_child/2`, `terminate_child/2`, `restart_child/2`, `delete_child/2` | the same, in [`supervisor`](crate::supervisor) |
//! | `which_children/1`, `count_children/1`, `:supervisor.get_childspec/2` | the same; asking nobody [`snapshot`](crate::supervisor::snapshot), [`tree`](fn@crate::supervisor::tree) |
//! | `DynamicSupervisor`, `max_children:` | [`DynamicSupervisor`](crate::DynamicSupervisor), [`dynamic_supervisor`](crate::supervisor::dynamic_supervisor) |
//! | `PartitionSupervisor`, `{:via, PartitionSupervisor, {name, key}}` | [`PartitionSupervisor`](crate::PartitionSupervisor), [`Partitions::key`](crate::Partitions::key) |
//! | `Plug.Cowboy.Drainer` | [`Drainer`](crate::supervisor::Drainer) and its [`Gate`](crate::supervisor::Gate) |
//! | `Task.start/1`, `start_link/1` | [`Task::start`](crate::Task::start), [`Task::start_link`](crate::Task::start_link) |
//! | `Task.async/1`, `await/2` | [`Task::spawn`](crate::Task::spawn), [`Task::join`](crate::Task::join) |
//! | `Task.yield/2`, `shutdown/2`, `ignore/1`, `completed/1` | [`yield_for`](crate::Task::yield_for), [`shutdown`](crate::Task::shutdown), [`ignore`](crate::Task::ignore), [`completed`](crate::Task::completed) |
//! | `Task.await_many/2`, `yield_many/2` | [`Task::join_many`](crate::Task::join_many), [`Task::yield_many`](crate::Task::yield_many) |
//! | `Task.async_stream/3` | [`task::stream`](fn@crate::task::stream) |
//! | `max_concurrency:`, `ordered: false`, `timeout:`, `on_timeout:`, `zip_input_on_exit:` | [`max_concurrency`](crate::task::StreamSpec::max_concurrency), [`unordered`](crate::task::StreamSpec::unordered), [`timeout`](crate::task::StreamSpec::timeout), [`on_timeout`](crate::task::StreamSpec::on_timeout), [`zip_input_on_exit`](crate::task::StreamSpec::zip_input_on_exit) |
//! | `Task.Supervisor.async_stream/4`, `async_stream_nolink/4` | [`TaskSupervisor::stream`](crate::TaskSupervisor::stream), [`stream_nolink`](crate::TaskSupervisor::stream_nolink) |
//! | `Task.Supervisor.async/2`, `async_nolink/2`, `start_child/2` | [`TaskSupervisor::spawn`](crate::TaskSupervisor::spawn), [`spawn_nolink`](crate::TaskSupervisor::spawn_nolink), [`start_child`](crate::TaskSupervisor::start_child) |
//!
//! ## Services
//!
//! | Elixir | here |
//! |---|---|
//! | `Registry`, `keys: :unique` | [`Registry`](crate::Registry) |
//! | `Registry`, `keys: :duplicate`, `dispatch/3` | [`DuplicateRegistry`](crate::DuplicateRegistry), [`dispatch`](crate::DuplicateRegistry::dispatch) |
//! | `Registry.register/3`, `lookup/2`, `update_value/3`, `keys/2`, `values/3`, `count/1`, `select/2` | the same |
//! | `Registry.match/3`, `count_match/3`, `unregister_match/3` | [`match_value`](crate::Registry::match_value), [`match_values`](crate::DuplicateRegistry::match_values), [`count_match`](crate::DuplicateRegistry::count_match), [`unregister_match`](crate::Registry::unregister_match) |
//! | `partitions:`, `listeners:` | [`partitions`](crate::Registry::partitions), [`add_listener`](crate::Registry::add_listener) |
//! | `Registry.lock/3`, `put_meta/3`, `meta/2` | [`lock`](crate::Registry::lock), [`put_meta`](crate::Registry::put_meta), [`meta`](crate::Registry::meta) |
//! | `:pg.start_link/1` | [`pg::Scope::new`](crate::pg::Scope::new) |
//! | `:pg.join/3`, `leave/3`, `get_members/2`, `get_local_members/2`, `which_groups/1`, `monitor/2`, `monitor_scope/1`, `demonitor/2` | the same, in [`pg::Scope`](crate::pg::Scope) |
//! | `Phoenix.PubSub.subscribe/2`, `broadcast/3`, `broadcast_from/4`, `local_broadcast/3` | the same, in [`PubSub`](crate::PubSub) |
//! | `Phoenix.Presence`, `track/3`, `list/1` | [`presence`](crate::presence), [`track`](crate::presence::track), [`list`](crate::presence::list) |
//! | `Process.send_after/3`, `cancel_timer/1`, `read_timer/1` | [`process::send_after`](crate::process::send_after), [`cancel_timer`](crate::process::cancel_timer), [`read_timer`](crate::process::read_timer) |
//! | `:timer.send_interval/2`, `exit_after/3`, `kill_after/2` | [`process::send_interval`](crate::process::send_interval), [`exit_after`](crate::process::exit_after), [`kill_after`](crate::process::kill_after) |
//! | `:telemetry.attach/4`, `execute/3` | [`process::attach`](crate::process::attach), [`Telemetry`](crate::telemetry::Telemetry) |
//! | `Application.ensure_all_started/1`, `stop/1` | [`ensure_all_started`](crate::application::ensure_all_started), [`stop`](crate::application::stop) |
//! | `Application.get_env/3`, `put_env/3` | [`Env`](crate::application::Env) |
//! | `prep_stop/1`, `stop/1` | [`prep_stop`](crate::Application::prep_stop), [`stopped`](crate::Application::stopped) |
//! | `start_phases:`, `config_change/3` | [`start_phase`](crate::Application::start_phase), [`on_config_change`](crate::Application::on_config_change) |
//! | `extra_applications:` | [`needs`](crate::Application::needs), [`needs_if_loaded`](crate::Application::needs_if_loaded) |
//! | `System.stop/0`, `System.trap_signal/3` | [`application::halt`](crate::application::halt), and `perennial::signals` with feature `signals` |
//! | a rate limiter, a worker pool | [`RateLimit`](crate::RateLimit), [`Balancer`](crate::Balancer) |
//! | `Logger.info/1` and its kin | the `log` crate, to whatever logger the program has |
//! | `:logger.add_handler/3`, `remove_handler/1`, a report | [`logger::add_handler`](crate::logger::add_handler), [`remove_handler`](crate::logger::remove_handler), [`logger::report`](crate::logger::report) |
//! | `Phoenix.Channel`, `Phoenix.Socket` | `perennial::web::channel`, with feature `web` |
//! | `Ecto.Repo` | `perennial::store`, with feature `store` |
//! | Concuerror, PULSE | [`Runtime::builder().deterministic(seed)`](crate::process::Builder::deterministic), [`Deterministic`](crate::scheduler::Deterministic) |
//! | `:observer` | [`supervisor::tree`](fn@crate::supervisor::tree), [`sys`](crate::sys), [`process::info`](fn@crate::process::info), [`Runtime::counts`](crate::Runtime::counts), [`scheduler_stats`](crate::Runtime::scheduler_stats), events |
