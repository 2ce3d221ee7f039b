//! What clients are told when the parts behind them fail.

use crate::faults::{WRITER, eventually, hold_writer, is_alive, kill, labelled, lock_store, room};
use crate::http_client::{get, post};
use crate::server::Server;
use crate::socket_client::{Socket, topic};
use perennial::chat::RoomsMsg;
use perennial::process;
use serde_json::{Value, json};
use std::time::Duration;

/// Who starts the rooms of a chat.
static ROOMS: process::Name<RoomsMsg> = process::Name::new("chat.rooms");

/// Joins a room that has asked the writer for its last number and has the answer: this post was committed by it.
/// Without it the first thing that a writer which is held has to do may be that question, and no post.
#[track_caller]
fn join_awake(sockets: &mut [&mut Socket], room: &str) {
    for socket in sockets.iter_mut() {
        socket.join(room, &json!({}));
    }
    sockets[0].posted(room, &json!({"body": "awake"}));
    for socket in sockets {
        assert_eq!(socket.message(room)["body"], "awake");
    }
}

/// Waits until the writer that is held has something to do.
#[track_caller]
fn writer_has_post(server: &Server) {
    eventually("the post is on its way", || {
        server.inside(|| {
            let writer = WRITER.whereis().unwrap();
            process::info(writer.pid()).is_some_and(|info| info.message_queue_len > 0)
        })
    });
}

#[test]
fn a_store_that_takes_nothing_is_told_and_comes_back_without_a_gap() {
    let server = Server::with_store(
        |_| (),
        |store| {
            store.busy_timeout = Duration::from_millis(1);
            store.retry_after = Duration::from_millis(1);
        },
    );
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "1"}));
    let locked = lock_store(&server);
    for _ in 0..3 {
        let refusal = socket.refused("lobby", &json!({"body": "2", "client_id": "c"}));
        assert_eq!(refusal, json!({"reason": "storage"}));
    }
    server.send(get("/health")).refused(503, "storage");
    let create = post("/api/rooms", &json!({"name": "attic"})).bearer(&ada.token);
    server.send(create.clone()).refused(503, "storage");
    // What is there can be read.
    let page = get("/api/rooms/lobby/messages").bearer(&ada.token);
    assert_eq!(server.send(page).ok(200)["messages"][0]["body"], "1");
    let mut other = server.socket(&ada);
    assert_eq!(other.join("lobby", &json!({}))["seq"], 1);
    drop(locked);
    eventually("the store is back", || {
        server.send(get("/health")).status == 200
    });
    server.send(create).ok(201);
    let posted = socket.posted("lobby", &json!({"body": "2", "client_id": "c"}));
    assert_eq!(posted["seq"], 2);
    for socket in [&mut socket, &mut other] {
        let last = loop {
            let message = socket.message("lobby");
            if message["seq"] == 2 {
                break message;
            }
        };
        assert_eq!(last["body"], "2");
        socket.nothing_more();
    }
}

// A writer that is killed while the disk keeps it busy still held its lease, and the server called itself healthy.
#[test]
fn health_is_bad_while_there_is_no_writer() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "1"}));
    let held = hold_writer(&server);
    let writer = server.inside(|| WRITER.whereis()).unwrap().pid();
    kill(&server, writer);
    eventually("the writer is taken for dead", || {
        !is_alive(&server, writer)
    });
    server.send(get("/health")).refused(503, "storage");
    let refusal = socket.refused("lobby", &json!({"body": "2"}));
    assert_eq!(refusal, json!({"reason": "storage"}));
    let create = post("/api/rooms", &json!({"name": "attic"})).bearer(&ada.token);
    server.send(create).refused(503, "storage");
    drop(held);
    eventually("there is a writer", || {
        server.send(get("/health")).status == 200
    });
    assert_eq!(socket.posted("lobby", &json!({"body": "2"}))["seq"], 2);
}

// R5: the writer has committed, and nobody was left to say so.
#[test]
fn a_message_whose_room_was_killed_on_the_way_is_heard_by_all() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let (mut socket, mut other) = (server.socket(&ada), server.socket(&ada));
    join_awake(&mut [&mut socket, &mut other], "lobby");
    let post = json!({"body": "1", "client_id": "c"});
    let held = hold_writer(&server);
    let msg_ref = socket.push(&Value::Null, &topic("lobby"), "new_msg", &post);
    let pid = room(&server, "lobby").unwrap();
    writer_has_post(&server);
    kill(&server, pid);
    let answer = socket.reply_to(&msg_ref);
    assert_eq!(answer.reply(), ("error", &json!({"reason": "storage"})));
    drop(held);
    // Nobody says anything more in this room.
    assert_eq!(other.message("lobby")["body"], "1");
    assert_eq!(socket.message("lobby")["body"], "1");
    // R6: who was not told asks again, and is.
    assert_eq!(socket.posted("lobby", &post)["seq"], 2);
    socket.nothing_more();
    other.nothing_more();
}

// Rooms are not restarted with their supervisor, but by the first that wants in: nobody wants in whose client is
// already there.
#[test]
fn a_message_on_its_way_when_all_rooms_end_is_heard_by_all() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    join_awake(&mut [&mut socket], "lobby");
    let held = hold_writer(&server);
    let post = json!({"body": "1", "client_id": "c"});
    let msg_ref = socket.push(&Value::Null, &topic("lobby"), "new_msg", &post);
    writer_has_post(&server);
    let [supervisor] = labelled(&server, "rooms")[..] else {
        panic!("one supervisor of rooms");
    };
    kill(&server, supervisor);
    assert_eq!(socket.reply_to(&msg_ref).reply().0, "error");
    drop(held);
    assert_eq!(socket.message("lobby")["body"], "1");
}

// Each room that ended was looked for again by all who had been asked to look, and each of these looks asked once more
// for all the others: twice as many with every room.
#[test]
fn rooms_that_end_one_by_one_are_each_looked_after_once() {
    let names: Vec<String> = (0..8).map(|n| format!("room-{n}")).collect();
    let server = Server::start();
    let ada = server.user("ada");
    let mut socket = server.socket(&ada);
    for name in &names {
        server.room(name);
        socket.join(name, &json!({}));
    }
    let keeper = || server.inside(|| ROOMS.whereis()).map(|keeper| keeper.pid());
    let first = keeper().unwrap();
    kill(&server, first);
    let watched = || {
        let keeper = keeper().filter(|pid| *pid != first)?;
        server.inside(|| process::info(keeper).map(|info| info.monitors))
    };
    eventually("all rooms are looked after", || {
        watched().is_some_and(|pids| pids.len() == names.len())
    });
    for name in &names {
        let pid = room(&server, name).unwrap();
        kill(&server, pid);
        eventually("the room is back", || {
            room(&server, name).is_some_and(|now| now != pid)
        });
    }
    // Who was started again here need not be looked after any more.
    eventually("no room is looked after twice", || {
        watched().is_some_and(|pids| pids.len() <= names.len())
    });
    for name in &names {
        assert_eq!(socket.posted(name, &json!({"body": "1"}))["seq"], 1);
    }
}

#[test]
fn a_killed_channel_says_so_and_can_be_joined_again() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    let join = socket.ask_to_join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "1"}));
    socket.message("lobby");
    let [channel] = labelled(&server, "room:lobby")[..] else {
        panic!("one channel");
    };
    // R3: what it was asked is answered by this one word.
    let held = hold_writer(&server);
    socket.push(
        &Value::Null,
        &topic("lobby"),
        "new_msg",
        &json!({"body": "2"}),
    );
    writer_has_post(&server);
    kill(&server, channel);
    let error = socket.wait_for(|frame| frame.event == "phx_error");
    assert_eq!(
        (&error.join_ref, &error.msg_ref),
        (&join.join_ref, &join.join_ref)
    );
    drop(held);
    eventually("the post is committed", || {
        let page = get("/api/rooms/lobby/messages").bearer(&ada.token);
        server.send(page).ok(200)["messages"]
            .as_array()
            .unwrap()
            .len()
            == 2
    });
    socket.nothing_more();
    let back = socket.join("lobby", &json!({"after": 1}));
    assert_eq!(
        (&back["seq"], &back["messages"][0]["body"]),
        (&json!(2), &json!("2"))
    );
    assert_eq!(socket.posted("lobby", &json!({"body": "3"}))["seq"], 3);
    assert_eq!(socket.message("lobby")["seq"], 3);
}

#[test]
fn a_killed_connection_closes_its_socket_so_that_the_client_comes_back() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    let [connection] = labelled(&server, "connection")[..] else {
        panic!("one connection");
    };
    kill(&server, connection);
    assert_eq!(socket.close_code(), Some(1011));
    eventually("its channel has ended", || {
        labelled(&server, "room:lobby").is_empty()
    });
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
}

#[test]
fn a_killed_reactor_takes_its_connections_along_and_the_next_takes_new_ones() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.posted("lobby", &json!({"body": "1"}));
    let [reactor] = labelled(&server, "reactor 0")[..] else {
        panic!("one reactor");
    };
    kill(&server, reactor);
    while socket.read().is_ok() {}
    let mut socket = server.socket(&ada);
    assert_eq!(socket.join("lobby", &json!({}))["seq"], 1);
    assert_eq!(socket.posted("lobby", &json!({"body": "2"}))["seq"], 2);
    eventually("the old connection has ended", || {
        labelled(&server, "connection").len() == 1
    });
}

// The top was starting presence and the web server again when the chat ended as well.
#[test]
fn a_chat_that_ends_while_what_follows_it_is_started_again_comes_back() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut sockets: Vec<Socket> = (0..8).map(|_| server.socket(&ada)).collect();
    for socket in &mut sockets {
        socket.join("lobby", &json!({}));
    }
    let presence = server.inside(|| process::whereis("chat.presence")).unwrap();
    let [chat] = labelled(&server, "chat")[..] else {
        panic!("one supervisor of the chat");
    };
    kill(&server, presence);
    eventually("the web server is told to stop", || {
        server.inside(|| process::whereis("chat.presence")) != Some(presence)
    });
    kill(&server, chat);
    // The web server that runs until then ends before there is a new chat, and answers while it does.
    eventually(
        "there is a new chat",
        || matches!(labelled(&server, "chat")[..], [now] if now != chat),
    );
    eventually("it is back", || {
        let answer = get("/health").try_send(server.addr());
        answer.is_some_and(|answer| answer.status == 200)
    });
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    assert_eq!(socket.posted("lobby", &json!({"body": "1"}))["seq"], 1);
}
