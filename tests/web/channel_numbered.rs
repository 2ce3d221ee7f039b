//! A numbered topic from end to end: a room that loses broadcasts and is killed, channels that crash, a store that
//! fails, readers that do not read. Every reader sees every message once and in order.

use crate::client::{Client, DEADLINE, Heard, on_both_kinds, with_manual_clock};
use perennial::prelude::*;
use perennial::process::{self, Recipient};
use perennial::web::channel::{
    Broadcast, Channel, ChannelCx, Fill, Frame, Join, Payload, Reply, UserSocket, codec,
};
use perennial::{ExitReason, Pid};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

pub(crate) const TOPIC: &str = "room:1";

/// What outlives the room: how many messages there are, and how long they are.
#[derive(Default)]
pub(crate) struct Store {
    max: AtomicU64,
    is_broken: AtomicBool,
    body_len: usize,
}

impl Store {
    fn message(&self, seq: u64) -> Frame {
        let payload = json!({"seq": seq, "body": "x".repeat(self.body_len)});
        codec::broadcast(TOPIC, "new_msg", &payload.into()).expect("a frame")
    }

    fn max(&self) -> u64 {
        self.max.load(Ordering::SeqCst)
    }

    /// Three at a time.
    fn after(&self, seq: u64) -> Option<Vec<(u64, Frame)>> {
        if self.is_broken.load(Ordering::SeqCst) {
            return None;
        }
        let last = self.max().min(seq + 3);
        Some(
            (seq + 1..=last)
                .map(|seq| (seq, self.message(seq)))
                .collect(),
        )
    }
}

enum RoomMsg {
    Subscribe(Recipient<Broadcast>, ReplyTo<Pid>),
    Post(ReplyTo<u64>),
    Sync,
}

static ROOM: Name<RoomMsg> = Name::new("room");

struct Room {
    store: Arc<Store>,
    readers: Vec<Recipient<Broadcast>>,
}

impl Room {
    fn tell(&mut self, broadcast: &Broadcast) {
        self.readers
            .retain(|reader| reader.try_cast(broadcast.clone()).is_ok());
    }
}

impl GenServer for Room {
    type Args = Arc<Store>;
    type Msg = RoomMsg;

    fn init(store: Arc<Store>, _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Room {
            store,
            readers: Vec::new(),
        })
    }

    fn handle(&mut self, msg: RoomMsg, cx: &mut Cx<Self>) -> Next<RoomMsg> {
        match msg {
            RoomMsg::Subscribe(reader, reply) => {
                reader.cast(Broadcast::Sync(self.store.max()));
                self.readers.push(reader);
                reply.send(cx.pid());
            }
            RoomMsg::Post(reply) => {
                let seq = self.store.max.fetch_add(1, Ordering::SeqCst) + 1;
                // Every seventh is lost, every fifth comes twice, every third together with the one before it.
                let first = seq - u64::from(seq.is_multiple_of(3));
                for _ in 0..usize::from(!seq.is_multiple_of(7)) + usize::from(seq.is_multiple_of(5))
                {
                    let frames = (first..=seq).map(|seq| self.store.message(seq)).collect();
                    self.tell(&Broadcast::Sequenced(first, frames));
                }
                reply.send(seq);
            }
            RoomMsg::Sync => self.tell(&Broadcast::Sync(self.store.max())),
        }
        Next::Loop
    }
}

#[derive(Clone)]
struct Args {
    store: Arc<Store>,
    joined: Sender<Pid>,
}

struct RoomChannel(Args);

enum RoomChannelMsg {
    Subscribe,
}

impl RoomChannel {
    /// The room may be on its way back: then again in a moment.
    fn subscribe(cx: &mut ChannelCx<'_, Self>) {
        let lane = cx.fastlane();
        cx.request(
            &ROOM,
            |reply| RoomMsg::Subscribe(lane, reply),
            |_, subscribed, cx| {
                match subscribed {
                    // The one that answered: another may have the name by now.
                    Ok(room) => drop(cx.monitor(room)),
                    Err(_) => {
                        cx.send_after(Duration::from_millis(1), RoomChannelMsg::Subscribe);
                    }
                }
                Next::Loop
            },
        );
    }
}

impl Channel for RoomChannel {
    type Assigns = ();
    type Args = Args;
    type Msg = RoomChannelMsg;

    fn join(args: Args, payload: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        let _ = args.joined.send(cx.pid());
        let after = payload
            .value()
            .and_then(|payload| payload["after"].as_u64());
        RoomChannel::subscribe(cx);
        let seen = after.unwrap_or_default();
        Join::Sequenced(RoomChannel(args), json!({ "seq": seen }).into(), seen)
    }

    fn handle_in(
        &mut self,
        event: &str,
        _payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<RoomChannelMsg> {
        assert_eq!(event, "new_msg", "a crash, if the client wants one");
        cx.request(&ROOM, RoomMsg::Post, |_, seq, _| {
            match seq {
                Ok(seq) => reply.ok(json!({ "seq": seq })),
                Err(_) => reply.error(Payload::reason("storage")),
            }
            Next::Loop
        });
        Next::Loop
    }

    fn handle(
        &mut self,
        msg: RoomChannelMsg,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<RoomChannelMsg> {
        let RoomChannelMsg::Subscribe = msg;
        RoomChannel::subscribe(cx);
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, cx: &mut ChannelCx<'_, Self>) -> Next<RoomChannelMsg> {
        assert!(matches!(info, Info::Down(_)));
        RoomChannel::subscribe(cx);
        Next::Loop
    }

    fn fill(
        &mut self,
        after: u64,
        fill: Fill,
        _cx: &mut ChannelCx<'_, Self>,
    ) -> Next<RoomChannelMsg> {
        let store = self.0.store.clone();
        // As a reader of the store would: on a thread of its own.
        process::spawn::<()>(move |_| {
            if let Some(page) = store.after(after) {
                fill.page(page);
            }
        });
        Next::Loop
    }
}

pub(crate) struct House {
    store: Arc<Store>,
    pub(crate) sockets: UserSocket<()>,
    channels: mpsc::Receiver<Pid>,
}

fn house() -> House {
    house_with(0)
}

/// A room with its store, for messages with a body of so many bytes.
pub(crate) fn house_with(body_len: usize) -> House {
    let store = Arc::new(Store {
        body_len,
        ..Store::default()
    });
    let (joined, channels) = mpsc::channel();
    let args = Args {
        store: store.clone(),
        joined,
    };
    start_room(&store);
    House {
        store,
        sockets: UserSocket::new().channel::<RoomChannel>("room:*", args),
        channels,
    }
}

/// The room says what exists.
pub(crate) fn sync() {
    ROOM.cast(RoomMsg::Sync);
}

fn start_room(store: &Arc<Store>) -> Ref<RoomMsg> {
    let spec = gen_server::spec::<Room>(store.clone());
    spec.name(&ROOM).start().expect("a room")
}

pub(crate) fn post() -> u64 {
    ROOM.call(RoomMsg::Post).expect("a number")
}

/// What a reader knows, and how it comes back.
struct Reader {
    client: Client,
    seen: u64,
    joins: u32,
}

impl Reader {
    fn join(client: Client) -> Self {
        let mut reader = Reader {
            client,
            seen: 0,
            joins: 0,
        };
        reader.rejoin();
        reader
    }

    fn rejoin(&mut self) {
        self.joins += 1;
        let refs = format!("j{}", self.joins);
        self.client
            .join(&refs, TOPIC, json!({ "after": self.seen }));
    }

    /// Reads until everything up to `last` was seen.
    fn read_to(&mut self, last: u64) {
        while self.seen < last {
            let heard = self.client.next();
            self.hear(heard);
        }
    }

    fn hear(&mut self, heard: Heard) {
        let Heard::Text(frame) = heard else {
            panic!("{heard:?}")
        };
        match frame[3].as_str() {
            Some("new_msg") => {
                assert_eq!(frame[4]["seq"], json!(self.seen + 1), "once and in order");
                self.seen += 1;
            }
            Some("phx_reply") => assert_eq!(frame[4]["status"], json!("ok"), "{frame}"),
            Some("phx_error") => self.rejoin(),
            _ => panic!("{frame}"),
        }
    }
}

#[test]
fn readers_see_every_message_once_in_order_whatever_is_lost() {
    on_both_kinds(|| {
        let house = house();
        let mut readers: Vec<Reader> = (0..4)
            .map(|_| Reader::join(Client::connect(&house.sockets, ())))
            .collect();
        for round in 0..40 {
            for _ in 0..10 {
                post();
            }
            match round % 4 {
                0 => {
                    // The room dies with whatever it was about to say.
                    let room = process::whereis(ROOM.as_str()).expect("a room");
                    let mut gone = process::watch(room);
                    process::exit(room, ExitReason::Kill);
                    gone.wait(DEADLINE).expect("an end");
                    start_room(&house.store);
                }
                1 => {
                    if let Ok(channel) = house.channels.try_recv() {
                        process::exit(channel, ExitReason::other("chaos"));
                    }
                }
                2 => readers[round % 3]
                    .client
                    .is_lagging
                    .store(true, Ordering::SeqCst),
                _ => {
                    for reader in &readers {
                        reader.client.is_lagging.store(false, Ordering::SeqCst);
                        reader.client.connection.drained();
                    }
                }
            }
        }
        let last = house.store.max();
        assert_eq!(last, 400);
        sync();
        for reader in &mut readers {
            reader.read_to(last);
            reader.client.connection.closed();
        }
    });
}

#[test]
fn reader_that_does_not_read_is_sent_nothing_until_it_does() {
    on_both_kinds(|| {
        let house = house();
        let mut slow = Reader::join(Client::connect(&house.sockets, ()));
        let mut quick = Reader::join(Client::connect(&house.sockets, ()));
        slow.client.is_lagging.store(true, Ordering::SeqCst);
        for _ in 0..300 {
            post();
        }
        sync();
        quick.read_to(300);
        // A reply or two, a message that came before the lag was noticed, one page that was under way.
        slow.client
            .write(json!([null, "hb", "phoenix", "heartbeat", {}]));
        let beat = json!([null, "hb", "phoenix", "phx_reply", {"status": "ok", "response": {}}]);
        loop {
            match slow.client.next() {
                Heard::Text(frame) if frame == beat => break,
                heard => slow.hear(heard),
            }
        }
        assert!(
            slow.seen < 10,
            "{} messages were sent to a client that lags",
            slow.seen
        );
        slow.client.is_lagging.store(false, Ordering::SeqCst);
        slow.client.connection.drained();
        slow.read_to(300);
        for reader in [slow, quick] {
            reader.client.connection.closed();
        }
    });
}

#[test]
fn broken_store_is_asked_again_and_then_the_client_joins_again() {
    with_manual_clock(|hand| {
        let house = house();
        for _ in 0..5 {
            post();
        }
        house.store.is_broken.store(true, Ordering::SeqCst);
        let mut reader = Reader::join(Client::connect(&house.sockets, ()));
        let joined = reader.client.next();
        reader.hear(joined);
        let lost = reader
            .client
            .next_while(|| hand.advance(Duration::from_millis(500)));
        let error: Value = json!(["j1", "j1", TOPIC, "phx_error", {}]);
        assert_eq!(lost, Heard::Text(error));
        house.store.is_broken.store(false, Ordering::SeqCst);
        reader.rejoin();
        reader.read_to(5);
        // A store that comes back in time loses nobody.
        house.store.is_broken.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            post();
        }
        sync();
        reader.client.write(json!([
            format!("j{}", reader.joins),
            "p",
            TOPIC,
            "new_msg",
            {}
        ]));
        while reader.seen < 10 {
            let heard = reader.client.next_while(|| {
                house.store.is_broken.store(false, Ordering::SeqCst);
                hand.advance(Duration::from_millis(500));
            });
            reader.hear(heard);
        }
        assert_eq!(reader.joins, 2);
        reader.client.connection.closed();
    });
}

#[test]
fn sender_sees_its_own_message_once() {
    let house = house();
    let mut sender = Reader::join(Client::connect(&house.sockets, ()));
    let joined = sender.client.next();
    sender.hear(joined);
    for n in 1..=6_u64 {
        sender
            .client
            .write(json!(["j1", n.to_string(), TOPIC, "new_msg", {"body": "hi"}]));
        let (mut replied, mut seen) = (false, false);
        while !(replied && seen) {
            match sender.client.next() {
                Heard::Text(frame) if frame[3] == json!("phx_reply") => {
                    assert_eq!(frame[1], json!(n.to_string()));
                    assert_eq!(frame[4]["response"], json!({ "seq": n }));
                    replied = true;
                }
                heard => {
                    sender.hear(heard);
                    seen = true;
                }
            }
        }
        assert_eq!(sender.seen, n);
    }
    sender.client.connection.closed();
}
