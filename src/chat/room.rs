//! Process: one per room that is in use, pooled. Started by [`Rooms`](super::rooms) under its dynamic supervisor,
//! linked to that alone. Dies when nothing was said in it for a while, and on a crash; it is started again then, and
//! whoever was in it misses nothing.
//!
//! The room keeps no message: what is acknowledged is in the store. It keeps the posts that are on their way there,
//! and answers and publishes when they are committed.
//!
//! A crash, told as steps. 1. The room hands a post to the writer. 2. It is killed. 3. The writer commits; its answer
//! goes nowhere, the sender was told that the room ended. 4. The room starts again and asks the *writer* for the last
//! number; the question waits behind the post of step 1. 5. It publishes that number, and every connection that has
//! not seen the message reads it from the store. So nothing that is committed is missed, and nothing is said twice.
//!
//! Two who want the same room may have it started at the same time, its supervisor being one of them: the one that
//! finds the name taken was not needed, and that is no failure.

use super::account::Account;
use super::backlog::Backlog;
use super::body::{Body, ClientId};
use super::event::{Committed, RoomEvent};
use super::store::{FindRoom, Message, NoSuchRoom, Post, Posted, RoomId};
use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::process::{CallError, Dest, RegisterError, ReplyTo};
use crate::reason::ExitReason;
use crate::service::pub_sub::PubSub;
use crate::service::registry::Registry;
use crate::store::{Store, WriteError, WriterMsg};
use crate::sync::Arc;
use crate::time::Clock;
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a post may take to the disk. Longer than a call waits, so that it is the sender who gives up first.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a room waits before it asks a writer again that did not answer.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// What a sender is told to wait when the room does not even come to look at what it is sent. It cannot be asked how
/// long that will be; 1 s is many turns of a processor that is shared fairly.
const OVERLOADED_RETRY: Duration = Duration::from_secs(1);

/// How many messages are told at once at most. 64: the rest of a commit need not wait for more, and a listener's queue
/// takes several of these.
const UNTOLD_MAX: usize = 64;

/// A room in which nothing was said for so long ends; it is started again when it is needed.
const IDLE: Duration = Duration::from_secs(600);

/// What a room is sent.
pub enum RoomMsg {
    /// Say something; answered when it is committed.
    Post(NewPost, ReplyTo<Result<Posted, PostError>>),
    /// The number of the last message that was committed when the question came.
    Head(ReplyTo<u64>),
    /// Ask the writer again.
    #[doc(hidden)]
    Ask,
    /// Tell what was committed.
    #[doc(hidden)]
    Publish,
}

/// Something that a user wants to say.
#[derive(Clone, Debug)]
pub struct NewPost {
    /// Who.
    pub author: Account,
    /// What.
    pub body: Body,
    /// How the sender's program recognises it.
    pub client_id: Option<ClientId>,
}

/// Why a post is not known to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError {
    /// So many posts of this room are on their way already. Try again after so long.
    Busy(Duration),
    /// The store did not take it, or did not answer. It may be repeated with the same client id.
    Storage,
    /// There is no such room.
    NoSuchRoom,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PostError::Busy(retry) => write!(f, "the room is busy; try again in {retry:?}"),
            PostError::Storage => f.write_str("the message could not be stored"),
            PostError::NoSuchRoom => NoSuchRoom.fmt(f),
        }
    }
}

impl std::error::Error for PostError {}

impl From<CallError> for PostError {
    /// What a call to a room that was not answered comes to.
    fn from(error: CallError) -> Self {
        match error {
            CallError::Overloaded => PostError::Busy(OVERLOADED_RETRY),
            _ => PostError::Storage,
        }
    }
}

impl fmt::Debug for RoomMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RoomMsg::Post(..) => "RoomMsg::Post",
            RoomMsg::Head(_) => "RoomMsg::Head",
            RoomMsg::Ask => "RoomMsg::Ask",
            RoomMsg::Publish => "RoomMsg::Publish",
        })
    }
}

/// Where the processes of rooms are found.
pub(super) type RoomRegistry = Registry<Arc<str>, RoomMsg>;

/// What a room is started with.
#[derive(Clone, Debug)]
pub(super) struct RoomArgs {
    pub(super) name: Arc<str>,
    pub(super) registry: RoomRegistry,
    pub(super) store: Store,
    pub(super) topics: PubSub<RoomEvent>,
    /// Posts on their way at most (R4); 0 for no limit.
    pub(super) in_flight_max: usize,
    pub(super) clock: Clock,
}

/// A room that is in use.
pub(super) struct Room {
    args: RoomArgs,
    /// Known once the writer has answered for the first time.
    id: Option<RoomId>,
    /// The number of the last message that is known to be committed.
    head: u64,
    /// All posts that are not answered.
    backlog: Backlog,
    /// What came before the writer's first answer.
    early: VecDeque<(NewPost, ReplyTo<Result<Posted, PostError>>)>,
    asking: bool,
    /// Committed and not yet told.
    untold: Vec<Message>,
    /// When the writer is to be asked again. A timer says so; one that finds the mailbox full is not heard, and then
    /// it is what fills the mailbox that makes the room look.
    ask_at: Option<Instant>,
}

impl GenServer for Room {
    type Args = RoomArgs;
    type Msg = RoomMsg;

    fn init(args: RoomArgs, cx: &mut Cx<Self>) -> Init<Self> {
        match args.registry.register(args.name.clone(), cx.me()) {
            Ok(()) => {}
            Err(RegisterError::Taken(_)) => return Init::Ignore,
            Err(error) => return Init::Stop(ExitReason::other(error)),
        }
        let room = Room {
            backlog: Backlog::new(args.in_flight_max),
            args,
            id: None,
            head: 0,
            early: VecDeque::new(),
            asking: false,
            untold: Vec::new(),
            ask_at: None,
        };
        Init::Continue(room, RoomMsg::Ask)
    }

    fn handle(&mut self, msg: RoomMsg, cx: &mut Cx<Self>) -> Next<RoomMsg> {
        match msg {
            RoomMsg::Post(post, reply) => self.post(post, reply, cx),
            RoomMsg::Head(reply) => reply.send(self.head),
            RoomMsg::Ask => self.ask(cx),
            RoomMsg::Publish => self.publish(),
        }
        if self.ask_at.is_some_and(|at| at <= self.args.clock.now()) {
            self.ask(cx);
        }
        Next::Timeout(IDLE)
    }

    fn handle_info(&mut self, info: Info, _cx: &mut Cx<Self>) -> Next<RoomMsg> {
        match info {
            Info::Timeout if self.backlog.is_empty() => Next::Stop(ExitReason::Normal),
            _ => Next::Timeout(IDLE),
        }
    }
}

impl Room {
    fn post(
        &mut self,
        post: NewPost,
        reply: ReplyTo<Result<Posted, PostError>>,
        cx: &mut Cx<Self>,
    ) {
        if let Err(wait) = self.backlog.admit(self.args.clock.now()) {
            return reply.send(Err(PostError::Busy(wait)));
        }
        match self.id {
            Some(id) => self.write(id, post, reply, cx),
            None => self.early.push_back((post, reply)),
        }
    }

    fn write(
        &mut self,
        room: RoomId,
        post: NewPost,
        reply: ReplyTo<Result<Posted, PostError>>,
        cx: &mut Cx<Self>,
    ) {
        let client_id: Option<Arc<str>> = post.client_id.map(|id| id.as_str().into());
        let body: Arc<str> = post.body.as_str().into();
        let operation = Post {
            room,
            user: post.author.id,
            client_id: client_id.clone(),
            body: body.clone(),
            at: self.args.clock.unix_ms(),
        };
        let user = post.author.name;
        let writer = self.args.store.writer().clone();
        cx.request_for(
            WRITE_TIMEOUT,
            writer,
            |answer| WriterMsg::write(operation, answer),
            move |room, answer, cx| {
                room.backlog.done(room.args.clock.now());
                match answer {
                    Ok(Ok(posted)) => {
                        let Posted { seq, at, is_new } = posted;
                        reply.send(Ok(posted));
                        if is_new {
                            let message = Message {
                                seq,
                                user,
                                body,
                                at,
                                client_id,
                            };
                            room.is_committed(message, cx);
                        }
                    }
                    Ok(Err(error)) => {
                        reply.send(Err(refusal(&error)));
                    }
                    // The writer has not seen it.
                    Err(CallError::Overloaded) => {
                        let wait = room.backlog.wait(room.args.clock.now());
                        reply.send(Err(PostError::Busy(wait)));
                    }
                    Err(error) => {
                        reply.send(Err(PostError::Storage));
                        room.lost(&error, cx);
                    }
                }
                Next::Timeout(IDLE)
            },
        );
    }

    /// R1: only what the writer has answered for comes here.
    ///
    /// It is told behind what waits in the mailbox, which is where the answers are that came with the same commit: so
    /// each listener is told once of all that could be told at once. If this room dies before, its successor
    /// publishes how far it is.
    fn is_committed(&mut self, message: Message, cx: &mut Cx<Self>) {
        assert!(
            message.seq > self.head,
            "R2: the writer answers in the order of the numbers"
        );
        // What another writer committed for one that is gone leaves a gap; it is told by the number.
        let follows = message.seq == self.head + 1;
        self.head = message.seq;
        if !follows {
            self.publish();
        }
        self.untold.push(message);
        let is_due = match self.untold.len() {
            1 => cx.me().try_cast(RoomMsg::Publish).is_err(),
            len => len >= UNTOLD_MAX,
        };
        if is_due {
            self.publish();
        }
    }

    fn publish(&mut self) {
        if !self.untold.is_empty() {
            let event = RoomEvent::Messages(Committed::new(std::mem::take(&mut self.untold)));
            self.args.topics.broadcast(&self.args.name, event);
        }
    }

    /// The writer did not answer, so nobody here knows what it has committed. It will know itself.
    fn lost(&mut self, error: &CallError, cx: &mut Cx<Self>) {
        if !self.asking {
            log::warn!(target: "perennial::chat", "{:?} lost an answer of the writer: {error}", self.args.name);
            self.ask_again(cx);
        }
    }

    fn ask_again(&mut self, cx: &mut Cx<Self>) {
        self.asking = true;
        self.ask_at = Some(self.args.clock.now() + ASK_AGAIN);
        cx.send_after(ASK_AGAIN, RoomMsg::Ask);
    }

    /// Asks the writer for the last number: the question waits behind all that it was given earlier.
    fn ask(&mut self, cx: &mut Cx<Self>) {
        self.asking = true;
        self.ask_at = None;
        let find = FindRoom {
            name: self.args.name.clone(),
        };
        let writer = self.args.store.writer().clone();
        cx.request_for(
            WRITE_TIMEOUT,
            writer,
            |answer| WriterMsg::write(find, answer),
            |room, answer, cx| match answer {
                Ok(Ok(Some(found))) => {
                    room.asking = false;
                    room.found(found.id, found.seq, cx);
                    Next::Timeout(IDLE)
                }
                Ok(Ok(None)) => {
                    room.refuse_early(PostError::NoSuchRoom);
                    Next::Stop(ExitReason::Normal)
                }
                Ok(Err(_)) | Err(_) => {
                    room.refuse_early(PostError::Storage);
                    room.ask_again(cx);
                    Next::Timeout(IDLE)
                }
            },
        );
    }

    fn refuse_early(&mut self, error: PostError) {
        for (_, reply) in std::mem::take(&mut self.early) {
            self.backlog.done(self.args.clock.now());
            reply.send(Err(error));
        }
    }

    fn found(&mut self, id: RoomId, seq: u64, cx: &mut Cx<Self>) {
        self.id = Some(id);
        self.head = self.head.max(seq);
        self.args
            .topics
            .broadcast(&self.args.name, RoomEvent::Sync(self.head));
        for (post, reply) in std::mem::take(&mut self.early) {
            self.write(id, post, reply, cx);
        }
    }
}

fn refusal(error: &WriteError<NoSuchRoom>) -> PostError {
    match error {
        WriteError::Refused(NoSuchRoom) => PostError::NoSuchRoom,
        WriteError::Store(_) => PostError::Storage,
    }
}
