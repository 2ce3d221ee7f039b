//! The chat as a tree of processes, and a handle to it for sync programs.

use super::account::{Account, Token};
use super::body::{Body, ClientId};
use super::config::Config;
use super::event::RoomEvent;
use super::hasher::{Hasher, HasherMsg};
use super::name::Name;
use super::password::Password;
use super::room::{NewPost, PostError, RoomMsg, RoomRegistry};
use super::rooms::{CreateRoomError, OpenRoomError, Rooms, RoomsArgs, RoomsMsg};
use super::store::{
    CannotRead, HistoryOfRoom, ListRooms, ListRoomsOf, MarkRead, Message, Page, Posted, ReadCursor,
    Room, SCHEMA,
};
use super::users::{SignInError, SignUpError, Unavailable, Users, UsersArgs, UsersMsg};
use crate::behaviour::supervisor::{
    Child, DynamicMsg, DynamicSupervisor, Msg, Strategy, Supervisor,
};
use crate::process::{self, CallError, Dest, Overflow, Recipient, Ref, StartError};
use crate::service::balancer::{Balance, Balancer};
use crate::service::pub_sub::PubSub;
use crate::store::{Database, Health, OpenError, Query, ReaderMsg, Store, WriteError, WriterMsg};
use crate::sync::Arc;
use crate::time::Clock;
use std::fmt;
use std::time::Duration;

/// Restarts of rooms that are allowed, and in what time. One room that crashes at every post does not end all of
/// them, and a storm of crashes is no way to live.
const ROOM_RESTARTS: (usize, Duration) = (1_000, Duration::from_secs(5));

/// Restarts of the store's processes: a restart takes a few milliseconds, and nothing is lost by it.
const STORE_RESTARTS: (usize, Duration) = (100, Duration::from_secs(5));

/// Restarts of everything else.
const RESTARTS: (usize, Duration) = (10, Duration::from_secs(5));

/// How long who signs up or in waits: for the queue of the hashers, a hash, and two writes.
const SIGN_TIMEOUT: Duration = Duration::from_secs(20);

/// The chat: users, rooms and history on a store, as processes. A clone is the same chat.
/// See the [module](crate::chat) for an example.
#[derive(Clone)]
pub struct Chat(Arc<Inner>);

struct Inner {
    config: Config,
    clock: Clock,
    store: Store,
    topics: PubSub<RoomEvent>,
    /// How far somebody has read a room, by [`read_topic`].
    reads: PubSub<u64>,
    registry: RoomRegistry,
    users: process::Name<UsersMsg>,
    rooms: process::Name<RoomsMsg>,
    room_supervisor: process::Name<DynamicMsg>,
    hashers: Vec<process::Name<HasherMsg>>,
}

impl Chat {
    /// Opens the chat's data, without starting anything.
    ///
    /// # Errors
    /// The directory is in use by another process, was written by a newer version, is damaged, or cannot be read.
    pub fn open(config: &Config) -> Result<Chat, OpenError> {
        Chat::open_with(config, crate::store::Config::new(&config.data))
    }

    /// As [`open`](Chat::open), with settings of the store that the chat's configuration does not know.
    ///
    /// # Errors
    /// As [`open`](Chat::open).
    pub fn open_with(config: &Config, store: crate::store::Config) -> Result<Chat, OpenError> {
        let (restarts_max, restarts_period) = STORE_RESTARTS;
        let queue_max = config.limits.store_queue.max_or_all();
        let store = crate::store::Config {
            directory: config.data.clone(),
            commit_wait_max: config.store.commit_wait,
            readers: config.store.readers.max(1) as usize,
            restarts_max,
            restarts_period,
            queue_max,
            batch_max: store.batch_max.min(queue_max),
            ..store
        };
        let clock = store.clock.clone();
        let database = Database::open(store, &SCHEMA)?;
        let hashers = 1..=config.users.hash_threads.max(1);
        Ok(Chat(Arc::new(Inner {
            config: config.clone(),
            clock,
            store: Store::new("chat.store", database),
            topics: PubSub::new("chat.topics"),
            reads: PubSub::new("chat.reads"),
            registry: RoomRegistry::new("chat.rooms"),
            users: process::Name::new("chat.users"),
            rooms: process::Name::new("chat.rooms"),
            room_supervisor: process::Name::new("chat.room_supervisor"),
            hashers: hashers
                .map(|n| process::Name::owned(format!("chat.hasher-{n}")))
                .collect(),
        })))
    }

    /// The chat's tree, in start order: store, hashers, users, rooms. Whoever comes later needs what came before,
    /// and is started again with it.
    pub fn supervisor(&self) -> Supervisor {
        let (restarts, period) = RESTARTS;
        let Inner {
            config,
            clock,
            store,
            topics,
            registry,
            ..
        } = &*self.0;
        let hashers = self.clone();
        let users = UsersArgs {
            store: store.clone(),
            hashers: self.hashers(),
            sessions: config.sessions.clone(),
            clock: clock.clone(),
        };
        let rooms = RoomsArgs {
            store: store.clone(),
            registry: registry.clone(),
            topics: topics.clone(),
            supervisor: self.0.room_supervisor.clone(),
            in_flight_max: config.limits.posts_in_flight.max().unwrap_or(0) as usize,
            mailbox_max: config.limits.room_mailbox.max().unwrap_or(0) as usize,
            clock: clock.clone(),
        };
        let (room_restarts, room_period) = ROOM_RESTARTS;
        let room_supervisor = DynamicSupervisor::new()
            .intensity(room_restarts, room_period)
            .name(&self.0.room_supervisor)
            .label("rooms");
        Supervisor::new(Strategy::RestForOne)
            .label("chat")
            .intensity(restarts, period)
            .child(store.child())
            .child(Child::supervisor("hashers", move || {
                hashers.hasher_supervisor()
            }))
            .child(
                Child::server::<Users>("users", users)
                    .name(&self.0.users)
                    .pooled(),
            )
            .child(room_supervisor.child("room_supervisor"))
            .child(
                Child::server::<Rooms>("rooms", rooms)
                    .name(&self.0.rooms)
                    .pooled(),
            )
    }

    fn hasher_supervisor(&self) -> Supervisor {
        let queue_max = self.0.config.users.hash_queue.max(1) as usize;
        let hasher = |name: &process::Name<HasherMsg>| {
            Child::server::<Hasher>(name.as_str(), ())
                .name(name)
                .thread()
                .mailbox(queue_max, Overflow::Reject)
        };
        let supervisor = Supervisor::new(Strategy::OneForOne).label("hashers");
        self.0
            .hashers
            .iter()
            .map(hasher)
            .fold(supervisor, Supervisor::child)
    }

    fn hashers(&self) -> Balancer<process::Name<HasherMsg>> {
        Balancer::new(Balance::LeastLoaded, self.0.hashers.clone())
    }

    /// Starts the tree on its own.
    ///
    /// # Errors
    /// See [`Supervisor::start`].
    pub fn start(&self) -> Result<Ref<Msg>, StartError> {
        self.supervisor().start()
    }

    /// Whether messages are taken now.
    pub fn health(&self) -> Health {
        self.0.store.health()
    }

    /// How the chat was configured.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Makes a user, who is not signed in by that.
    ///
    /// # Errors
    /// See [`SignUpError`].
    pub fn sign_up(&self, name: Name, password: Password) -> Result<(), SignUpError> {
        let answer = self.0.users.call_for(SIGN_TIMEOUT, |reply| {
            UsersMsg::SignUp(name, password, reply)
        });
        answer.unwrap_or(Err(SignUpError::Unavailable))
    }

    /// Opens a session: its token, and whose it is.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub fn sign_in(&self, name: Name, password: Password) -> Result<(Token, Account), SignInError> {
        let answer = self.0.users.call_for(SIGN_TIMEOUT, |reply| {
            UsersMsg::SignIn(name, password, reply)
        });
        answer.unwrap_or(Err(SignInError::Unavailable))
    }

    /// Ends a session; answers whether there was one.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn sign_out(&self, token: Token) -> Result<bool, Unavailable> {
        self.0
            .users
            .call(|reply| UsersMsg::SignOut(token, reply))
            .unwrap_or(Err(Unavailable))
    }

    /// Whose session it is; `None` if it is none, or over.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn authenticate(&self, token: Token) -> Result<Option<Account>, Unavailable> {
        self.0
            .users
            .call(|reply| UsersMsg::Authenticate(token, reply))
            .unwrap_or(Err(Unavailable))
    }

    /// Makes a room.
    ///
    /// # Errors
    /// See [`CreateRoomError`].
    pub fn create_room(&self, name: Name) -> Result<(), CreateRoomError> {
        let answer = self.0.rooms.call(|reply| RoomsMsg::Create(name, reply));
        answer.unwrap_or(Err(CreateRoomError::Storage))
    }

    /// Rooms by name: those after a name, so many at most.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn list_rooms(
        &self,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Result<Vec<Room>, Unavailable> {
        self.read(ListRooms { after, limit })
    }

    /// Rooms by name, each with how far somebody has read it: those after a name, so many at most.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn list_rooms_of(
        &self,
        account: &Account,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Result<Vec<(Room, ReadCursor)>, Unavailable> {
        let user = account.id;
        self.read(ListRoomsOf { user, after, limit })
    }

    /// Notes that somebody has read a room up to a message; it is committed when this returns. A cursor never goes
    /// back: the answer says where it is. The user's clients in the room are told.
    ///
    /// # Errors
    /// See [`MarkReadError`].
    pub fn mark_read(
        &self,
        account: &Account,
        room: &Name,
        seq: u64,
    ) -> Result<ReadCursor, MarkReadError> {
        let mark = MarkRead {
            room: room.as_str().into(),
            user: account.id,
            seq,
        };
        let writer = self.0.store.writer();
        match writer.call(|reply| WriterMsg::write(mark, reply)) {
            Ok(Ok(cursor)) => {
                self.tell_read(account, room.as_str(), cursor.read_seq);
                Ok(cursor)
            }
            Ok(Err(WriteError::Refused(refused))) => Err(MarkReadError::Refused(refused)),
            Ok(Err(WriteError::Store(_))) | Err(_) => Err(MarkReadError::Storage),
        }
    }

    /// Tells how far somebody has read a room.
    pub(super) fn tell_read(&self, account: &Account, room: &str, read_seq: u64) {
        self.0.reads.broadcast(&read_topic(account, room), read_seq);
    }

    /// Sends how far somebody has read a room to a process, until that ends. Of two numbers the larger one holds.
    pub fn subscribe_read(&self, account: &Account, room: &str, recipient: Recipient<u64>) {
        self.0
            .reads
            .subscribe(&read_topic(account, room), recipient);
    }

    /// Says something in a room; it is committed when this returns.
    ///
    /// # Errors
    /// See [`PostError`]. After `Storage` the message may or may not be there: repeat it with the same client id,
    /// and it is there once.
    pub fn post(
        &self,
        author: &Account,
        room: &Name,
        body: Body,
        client_id: Option<ClientId>,
    ) -> Result<Posted, PostError> {
        let room = self.open_room(room).map_err(|error| match error {
            OpenRoomError::NoSuchRoom => PostError::NoSuchRoom,
            OpenRoomError::Storage => PostError::Storage,
        })?;
        let post = NewPost {
            author: author.clone(),
            body,
            client_id,
        };
        let answer = room.call(|reply| RoomMsg::Post(post, reply));
        answer.unwrap_or_else(|error| Err(error.into()))
    }

    /// The process of a room, which is started if it does not run. One incarnation: ask again for each use.
    ///
    /// # Errors
    /// See [`OpenRoomError`].
    pub fn open_room(&self, room: &Name) -> Result<Ref<RoomMsg>, OpenRoomError> {
        if let Some(room) = self.running_room(room.as_str()) {
            return Ok(room);
        }
        let name: Arc<str> = room.as_str().into();
        let answer = self.0.rooms.call(|reply| RoomsMsg::Open(name, reply));
        answer.unwrap_or(Err(OpenRoomError::Storage))
    }

    /// A page of a room's messages, oldest first; `None` if there is no such room.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn history(
        &self,
        room: &Name,
        page: Page,
        limit: usize,
    ) -> Result<Option<Vec<Message>>, Unavailable> {
        self.read(HistoryOfRoom {
            name: room.as_str().into(),
            page,
            limit,
        })
    }

    /// Sends what happens in a room to a process, until that ends: every message once it is committed, in order.
    /// A gap in the numbers, or a `Sync` above what was seen, says that something is to be read from the history.
    pub fn subscribe(&self, room: &Name, recipient: Recipient<RoomEvent>) {
        self.0.topics.subscribe(room.as_str(), recipient);
    }

    /// Where rooms tell what happens in them, by their names.
    pub fn topics(&self) -> &PubSub<RoomEvent> {
        &self.0.topics
    }

    /// The process of a room, if it runs; [`open_room`](Chat::open_room) starts one that does not.
    pub fn running_room(&self, name: &str) -> Option<Ref<RoomMsg>> {
        self.0.registry.whereis(name)
    }

    /// Who signs users up, in and out.
    pub fn users(&self) -> &process::Name<UsersMsg> {
        &self.0.users
    }

    /// Who makes rooms and starts their processes.
    pub fn rooms(&self) -> &process::Name<RoomsMsg> {
        &self.0.rooms
    }

    /// Where the chat reads the time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Where everything is kept.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    fn read<Q: Query>(&self, query: Q) -> Result<Q::Output, Unavailable> {
        let answer: Result<_, CallError> = self
            .0
            .store
            .reader()
            .call(|reply| ReaderMsg::read(query, reply));
        match answer {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => Err(Unavailable),
        }
    }
}

/// Names have no slash.
fn read_topic(account: &Account, room: &str) -> String {
    format!("{}/{room}", account.name)
}

/// Why a read cursor was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkReadError {
    /// There is no such room, or no such message.
    Refused(CannotRead),
    /// The store did not take it, or did not answer.
    Storage,
}

impl fmt::Display for MarkReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MarkReadError::Refused(refused) => refused.fmt(f),
            MarkReadError::Storage => f.write_str("the read cursor could not be stored"),
        }
    }
}

impl std::error::Error for MarkReadError {}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
