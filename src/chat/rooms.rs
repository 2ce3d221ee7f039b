//! Process: one, pooled. Started by the chat's supervisor, linked to it alone; asks the store and the supervisor of
//! the rooms, and waits for neither. Dies only on a crash, and the rooms live on; or with the supervisor of the rooms,
//! and then the rooms have ended too.
//!
//! A room's supervisor starts it again, unless it has ended itself: then there may be messages that were committed and
//! that nobody was told of. So those that somebody listens to are started at once, and tell how far they are.

use super::event::RoomEvent;
use super::name::Name;
use super::room::{Room, RoomArgs, RoomMsg, RoomRegistry};
use super::store::{CreateRoom, FindRoom};
use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::behaviour::supervisor::{Child, DynamicMsg};
use crate::pid::MonitorRef;
use crate::process::{self, Overflow, Ref, ReplyTo};
use crate::service::pub_sub::PubSub;
use crate::store::{ReaderMsg, Store, WriteError, WriterMsg};
use crate::sync::Arc;
use crate::time::Clock;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// How long the start of a room may take: it only takes a place in a table.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// What the rooms are asked.
pub enum RoomsMsg {
    /// Make a room.
    Create(Name, ReplyTo<Result<(), CreateRoomError>>),
    /// The process of a room, which is started if it does not run.
    Open(Arc<str>, ReplyTo<Result<Ref<RoomMsg>, OpenRoomError>>),
    /// Start the rooms that somebody listens to.
    #[doc(hidden)]
    Resume,
}

/// Why a room was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateRoomError {
    /// There is one of this name.
    NameTaken,
    /// The store did not take it, or did not answer.
    Storage,
}

/// Why a room could not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenRoomError {
    /// There is none of this name.
    NoSuchRoom,
    /// The store did not answer.
    Storage,
}

impl fmt::Display for CreateRoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CreateRoomError::NameTaken => "there is a room of this name",
            CreateRoomError::Storage => "the room could not be stored",
        })
    }
}

impl fmt::Display for OpenRoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenRoomError::NoSuchRoom => "there is no such room",
            OpenRoomError::Storage => "the store does not answer",
        })
    }
}

impl std::error::Error for CreateRoomError {}
impl std::error::Error for OpenRoomError {}

impl fmt::Debug for RoomsMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RoomsMsg::Create(..) => "RoomsMsg::Create",
            RoomsMsg::Open(..) => "RoomsMsg::Open",
            RoomsMsg::Resume => "RoomsMsg::Resume",
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct RoomsArgs {
    pub(super) store: Store,
    pub(super) registry: RoomRegistry,
    pub(super) topics: PubSub<RoomEvent>,
    pub(super) supervisor: process::Name<DynamicMsg>,
    pub(super) in_flight_max: usize,
    /// Messages that may wait for one room; 0 for no limit.
    pub(super) mailbox_max: usize,
    pub(super) clock: Clock,
}

/// Makes rooms, and starts their processes when they are needed.
pub(super) struct Rooms {
    args: RoomsArgs,
    /// Rooms that ran when they were to be resumed, by their monitors: each may be about to end with its old
    /// supervisor. One monitor a room.
    doomed: HashMap<MonitorRef, Arc<str>>,
}

impl GenServer for Rooms {
    type Args = RoomsArgs;
    type Msg = RoomsMsg;

    fn init(args: RoomsArgs, _cx: &mut Cx<Self>) -> Init<Self> {
        let rooms = Rooms {
            args,
            doomed: HashMap::new(),
        };
        Init::Continue(rooms, RoomsMsg::Resume)
    }

    fn handle(&mut self, msg: RoomsMsg, cx: &mut Cx<Self>) -> Next<RoomsMsg> {
        match msg {
            RoomsMsg::Create(name, reply) => self.create(&name, reply, cx),
            RoomsMsg::Open(name, reply) => self.open(name, reply, cx),
            RoomsMsg::Resume => self.resume(cx),
        }
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<RoomsMsg> {
        // One that had nothing to do has ended in order.
        if let Info::Down(down) = info
            && let Some(name) = self.doomed.remove(&down.monitor)
            && !down.reason.is_clean()
        {
            self.resume_one(name, cx);
        }
        Next::Loop
    }
}

impl Rooms {
    fn create(&self, name: &Name, reply: ReplyTo<Result<(), CreateRoomError>>, cx: &mut Cx<Self>) {
        let create = CreateRoom {
            name: name.as_str().into(),
            at: self.args.clock.unix_ms(),
        };
        let writer = self.args.store.writer().clone();
        cx.request(
            writer,
            |answer| WriterMsg::write(create, answer),
            |_, answer, _| {
                reply.send(match answer {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(WriteError::Refused(_))) => Err(CreateRoomError::NameTaken),
                    Ok(Err(WriteError::Store(_))) | Err(_) => Err(CreateRoomError::Storage),
                });
                Next::Loop
            },
        );
    }

    fn open(
        &self,
        name: Arc<str>,
        reply: ReplyTo<Result<Ref<RoomMsg>, OpenRoomError>>,
        cx: &mut Cx<Self>,
    ) {
        if let Some(room) = self.args.registry.whereis(&name) {
            return reply.send(Ok(room));
        }
        let find = FindRoom { name: name.clone() };
        let reader = self.args.store.reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(find, answer),
            move |rooms, answer, cx| {
                match answer {
                    Ok(Ok(Some(_))) => rooms.start(name, reply, cx),
                    Ok(Ok(None)) => reply.send(Err(OpenRoomError::NoSuchRoom)),
                    Ok(Err(_)) | Err(_) => reply.send(Err(OpenRoomError::Storage)),
                }
                Next::Loop
            },
        );
    }

    fn resume(&mut self, cx: &mut Cx<Self>) {
        for name in self.args.topics.subscribed() {
            self.resume_one(name, cx);
        }
    }

    fn resume_one(&mut self, name: Arc<str>, cx: &mut Cx<Self>) {
        match self.args.registry.whereis(&name) {
            // It may be about to end with its old supervisor: then this is for its successor.
            Some(room) => {
                self.doomed.insert(cx.monitor(&room), name);
            }
            // What is no room ends by itself.
            None => self.launch(&name, |_| (), cx),
        }
    }

    fn start(
        &self,
        name: Arc<str>,
        reply: ReplyTo<Result<Ref<RoomMsg>, OpenRoomError>>,
        cx: &mut Cx<Self>,
    ) {
        let wanted = name.clone();
        let started = move |rooms: &mut Rooms| {
            // Whoever has the name now is the room, this start or one that came first.
            let room = rooms.args.registry.whereis(&wanted);
            reply.send(room.ok_or(OpenRoomError::Storage));
        };
        self.launch(&name, started, cx);
    }

    /// Has the room's process started, and goes on when that is done or has failed.
    fn launch(
        &self,
        name: &Arc<str>,
        then: impl FnOnce(&mut Rooms) + Send + 'static,
        cx: &mut Cx<Self>,
    ) {
        let args = RoomArgs {
            name: name.clone(),
            registry: self.args.registry.clone(),
            store: self.args.store.clone(),
            topics: self.args.topics.clone(),
            in_flight_max: self.args.in_flight_max,
            clock: self.args.clock.clone(),
        };
        let room = Child::server::<Room>("room", args)
            .label(format!("room {name}"))
            .transient()
            .pooled();
        let room = match self.args.mailbox_max {
            0 => room,
            max => room.mailbox(max, Overflow::Reject),
        };
        cx.request_for(
            START_TIMEOUT,
            self.args.supervisor.clone(),
            |started| DynamicMsg::start(room, started),
            move |rooms, _started, _| {
                then(rooms);
                Next::Loop
            },
        );
    }
}
