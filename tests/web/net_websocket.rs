//! WebSockets over sockets.

use crate::support::{
    Client, PATIENCE, Server, Told, UPGRADE, closed, echo, eventually, masked, next_told, opened,
    recorded,
};
use perennial::web::http::{Request, Response, Status};
use perennial::web::net::{
    Closed, ClosedBy, Config, Connection, Incoming, Responder, SendError, Sink,
};
use perennial::web::websocket::{CloseCode, Frame, Handshake, Message};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tungstenite::protocol::Message as ClientMessage;

#[test]
fn message_comes_back_from_an_echo() {
    let server = Server::start(Config::default(), echo);
    let mut client = server.socket();
    client.text("안녕");
    client.expect_text("안녕");
    client.frame(0x82, b"\x00\xff");
    let frame = client.receive();
    assert_eq!(
        (frame.opcode, frame.payload.as_slice()),
        (0x2, &b"\x00\xff"[..])
    );
}

#[test]
fn other_client_library_agrees() {
    let server = Server::start(Config::default(), echo);
    let addr = server.listener.local_addr();
    let stream = std::net::TcpStream::connect(addr).expect("connecting");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let url = format!("ws://{addr}/socket");
    let (mut socket, _) = tungstenite::client(url, stream).expect("a handshake");
    for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let text = "x".repeat(len);
        socket
            .send(ClientMessage::text(text.as_str()))
            .expect("sent");
        assert_eq!(socket.read().expect("an echo"), ClientMessage::text(text));
    }
    socket
        .send(ClientMessage::Ping(b"are you there".to_vec().into()))
        .expect("sent");
    let pong = ClientMessage::Pong(b"are you there".to_vec().into());
    assert_eq!(socket.read().expect("a pong"), pong);
    socket.close(None).expect("closing");
    loop {
        match socket.read() {
            Ok(ClientMessage::Close(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(tungstenite::Error::ConnectionClosed) => break,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn refused_handshake_leaves_the_connection_usable() {
    let server = Server::start(Config::default(), echo);
    let mut client = server.client();
    let answer = client.get("/socket");
    assert_eq!(answer.status, 400);
    client.write(UPGRADE.replace("Version: 13", "Version: 8"));
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.header("sec-websocket-version")),
        (426, Some("13"))
    );
    client.write(UPGRADE);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
}

#[test]
fn frames_right_behind_the_request_are_not_lost() {
    let server = Server::start(Config::default(), echo);
    let mut client = server.client();
    let mut bytes = UPGRADE.as_bytes().to_vec();
    bytes.extend(masked(0x81, b"early"));
    bytes.extend(masked(0x81, b"bird"));
    client.write(bytes);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client.expect_text("early");
    client.expect_text("bird");
}

#[test]
fn frame_sent_while_upgrading_follows_the_101() {
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            let handshake = Handshake::check(&request).expect("these tests ask for nothing else");
            // A thread of its own may be faster than the upgrade that it belongs to.
            responder.upgrade(handshake, |connection| {
                let connection = connection.clone();
                let sender = std::thread::spawn(move || connection.send(&Frame::text("welcome")));
                sender.join().expect("no panic").expect("sent");
                Silent
            });
        },
    );
    let mut client = server.socket();
    client.expect_text("welcome");
}

struct Silent;

impl Sink for Silent {
    fn message(&mut self, _: Incoming) {}
    fn closed(&mut self, _: Closed) {}
}

#[test]
fn ping_is_answered_and_a_flood_of_them_is_not() {
    let server = Server::manual(Config::default(), echo);
    let mut client = server.socket();
    let flood: Vec<u8> = (0..1000_u16)
        .flat_map(|at| masked(0x89, &at.to_be_bytes()))
        .collect();
    client.write(flood);
    client.text("after");
    for at in 0..16_u16 {
        let frame = client.receive();
        assert_eq!(
            (frame.opcode, frame.payload),
            (0xa, at.to_be_bytes().to_vec())
        );
    }
    client.expect_text("after");
    server.advance(2);
    for _ in 0..3 {
        client.frame(0x89, b"again");
    }
    client.text("after");
    for _ in 0..2 {
        assert_eq!(client.receive().opcode, 0xa);
    }
    client.expect_text("after");
}

#[test]
fn peer_close_is_echoed_and_the_server_ends_first() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    client.frame(0x88, b"\x0f\xa1bye");
    client.expect_close(4001);
    client.expect_end();
    let expected = Closed {
        by: ClosedBy::Peer,
        code: CloseCode::new(4001),
        reason: "bye".to_owned(),
    };
    assert_eq!(closed(&told), expected);
    assert_eq!(
        connection.send(&Frame::text("late")),
        Err(SendError::Closed)
    );
    assert!(!connection.is_open());
}

#[test]
fn peer_close_without_a_code_is_echoed_without_one() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    opened(&told);
    client.frame(0x88, b"");
    client.expect_close(1005);
    client.expect_end();
    assert_eq!(closed(&told).code, CloseCode::NO_STATUS);
}

#[test]
fn own_close_comes_after_what_was_sent_and_ends_with_the_answer() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    connection.send(&Frame::text("last words")).expect("sent");
    connection.close(CloseCode::AWAY, "logged out");
    connection.close(CloseCode::POLICY, "too late to matter");
    assert_eq!(
        connection.send(&Frame::text("too late")),
        Err(SendError::Closed)
    );
    client.expect_text("last words");
    client.expect_close(1001);
    // What the client has sent before it saw the Close is thrown away.
    client.text("crossing");
    client.frame(0x88, b"\x03\xe9");
    client.expect_end();
    let expected = Closed {
        by: ClosedBy::Local,
        code: CloseCode::AWAY,
        reason: "logged out".to_owned(),
    };
    assert_eq!(closed(&told), expected);
}

#[test]
fn broken_protocol_is_closed_with_its_code() {
    for (bytes, code) in [
        (&b"\x81\x02hi"[..], 1002),
        (&masked(0x83, b""), 1002),
        (&masked(0xc1, b""), 1002),
        (&masked(0x81, b"\xff"), 1007),
        (&masked(0x88, b"\x03\xec"), 1002),
        (
            &b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00"[..],
            1009,
        ),
    ] {
        let (service, told) = recorded();
        let server = Server::start(Config::default(), service);
        let mut client = server.socket();
        opened(&told);
        client.write(bytes);
        client.expect_close(code);
        client.expect_end();
        let closed = closed(&told);
        assert_eq!((closed.by, closed.code.get()), (ClosedBy::Protocol, code));
    }
}

#[test]
fn lost_connection_is_told_once() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let client = server.socket();
    let connection = opened(&told);
    drop(client);
    let closed = closed(&told);
    assert_eq!(
        (closed.by, closed.code),
        (ClosedBy::Lost, CloseCode::ABNORMAL)
    );
    assert_eq!(
        connection.send(&Frame::text("late")),
        Err(SendError::Closed)
    );
    drop(server);
    assert!(matches!(
        told.recv_timeout(PATIENCE),
        Err(RecvTimeoutError::Disconnected)
    ));
}

#[test]
fn panic_in_a_sink_closes_its_socket_and_no_other() {
    struct Fragile;
    impl Sink for Fragile {
        fn message(&mut self, _: Incoming) {
            panic!("as it was asked to");
        }
        fn closed(&mut self, _: Closed) {}
    }
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            let Ok(handshake) = Handshake::check(&request) else {
                return crate::support::echo_path(request, responder);
            };
            responder.upgrade(handshake, |_| Fragile);
        },
    );
    let mut client = server.socket();
    let mut other = server.client();
    client.text("fall");
    client.expect_close(1011);
    assert_eq!(other.get("/a").status, 200);
}

#[test]
fn panic_while_upgrading_answers_500() {
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            let Ok(handshake) = Handshake::check(&request) else {
                return crate::support::echo_path(request, responder);
            };
            responder.upgrade(handshake, |connection: &Connection| -> Silent {
                connection
                    .send(&Frame::text("never to be seen"))
                    .expect("taken");
                panic!("as it was asked to");
            });
        },
    );
    let mut client = server.client();
    client.write(UPGRADE);
    assert_eq!(client.answer().status, 500);
    client.expect_end();
    assert_eq!(server.client().get("/a").status, 200);
}

#[test]
fn upgrade_of_a_client_that_has_gone_is_told_to_the_sink() {
    let (requests, request) = mpsc::channel();
    let requests = Mutex::new(requests);
    let server = Server::start(Config::default(), move |request: Request, responder| {
        let message: (Request, Responder) = (request, responder);
        requests
            .lock()
            .expect("not poisoned")
            .send(message)
            .expect("the test listens");
    });
    let mut client = server.client();
    client.write(UPGRADE);
    let (request, responder) = request.recv().expect("the handshake");
    socket2::SockRef::from(&client.stream)
        .set_linger(Some(Duration::ZERO))
        .expect("linger");
    drop(client);
    eventually("the reset cancels", || responder.is_cancelled());
    struct Tell(mpsc::Sender<Closed>);
    impl Sink for Tell {
        fn message(&mut self, _: Incoming) {}
        fn closed(&mut self, closed: Closed) {
            self.0.send(closed).expect("the test listens");
        }
    }
    let (sender, told) = mpsc::channel();
    let handshake = Handshake::check(&request).expect("a handshake");
    let connection = responder.upgrade(handshake, |_| Tell(sender));
    assert_eq!(
        told.recv_timeout(PATIENCE).expect("told").by,
        ClosedBy::Lost
    );
    assert_eq!(
        connection.try_send(&Frame::text("late")),
        Err(SendError::Closed)
    );
}

#[test]
fn broadcast_reaches_everybody_in_order() {
    const CLIENTS: usize = 40;
    const MESSAGES: usize = 100;
    let (service, told) = recorded();
    let config = Config {
        connections_per_ip: 0,
        ..Config::default()
    };
    let server = Server::start(config, service);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.socket()).collect();
    let connections: Vec<_> = (0..CLIENTS).map(|_| opened(&told)).collect();
    for at in 0..MESSAGES {
        let frame = Frame::text(&format!("message {at}"));
        for connection in &connections {
            connection.send(&frame).expect("sent");
        }
    }
    for client in &mut clients {
        for at in 0..MESSAGES {
            client.expect_text(&format!("message {at}"));
        }
    }
}

#[test]
fn threads_may_send_at_the_same_time() {
    let (service, told) = recorded();
    let config = Config {
        out_frames_max: 100_000,
        ..Config::default()
    };
    let server = Server::start(config, service);
    let mut client = server.socket();
    let connection = opened(&told);
    let senders: Vec<_> = (0..4)
        .map(|thread| {
            let connection = connection.clone();
            std::thread::spawn(move || {
                for at in 0..500 {
                    connection
                        .send(&Frame::text(&format!("{thread} {at}")))
                        .expect("sent");
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..2000 {
        let text = String::from_utf8(client.receive().payload).expect("text");
        let (thread, at) = text.split_once(' ').expect("two numbers");
        let thread: usize = thread.parse().expect("a number");
        assert_eq!(at, next[thread].to_string());
        next[thread] += 1;
    }
    for sender in senders {
        sender.join().expect("no panic");
    }
}

/// 64 KiB a frame: a few of them fill whatever the system buffers for a client that does not read.
fn large_frame() -> Frame {
    Frame::binary(&[7; 60_000])
}

#[test]
fn slow_consumer_is_closed_and_nobody_waits_for_it() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut slow = server.socket();
    let slow_connection = opened(&told);
    let mut quick = server.socket();
    let quick_connection = opened(&told);
    let frame = large_frame();
    let mut sent = 0;
    while slow_connection.send(&frame).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "a queue without a bound");
    }
    assert!(!slow_connection.is_open());
    quick_connection
        .send(&Frame::text("still here"))
        .expect("sent");
    quick.expect_text("still here");
    // It gets a part of what was sent, whole frames, and the reason.
    let mut received = 0;
    loop {
        let frame = slow.receive();
        if frame.opcode == 0x8 {
            assert_eq!(frame.payload[..2], 1013_u16.to_be_bytes());
            break;
        }
        assert_eq!((frame.opcode, frame.payload.len()), (0x2, 60_000));
        received += 1;
    }
    assert!(received < sent, "{received} of {sent}");
    slow.frame(0x88, &1013_u16.to_be_bytes());
    let closed = closed(&told);
    assert_eq!(
        (closed.by, closed.code),
        (ClosedBy::Local, CloseCode::TRY_AGAIN)
    );
}

#[test]
fn patient_sender_hears_when_there_is_room_and_nothing_is_lost() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    let frame = large_frame();
    let mut sent = 0;
    while connection.try_send(&frame).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "a queue without a bound");
    }
    assert_eq!(connection.try_send(&frame), Err(SendError::Full));
    assert!(connection.is_lagging() && connection.is_open());
    for _ in 0..sent {
        assert_eq!(client.receive().payload.len(), 60_000);
    }
    assert!(matches!(next_told(&told), Told::Drained));
    assert!(!connection.is_lagging());
    connection
        .try_send(&Frame::text("live again"))
        .expect("room");
    client.expect_text("live again");
}

#[test]
fn frame_above_the_bound_goes_out_when_nothing_waits() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    connection
        .try_send(&Frame::binary(&vec![1; 3 << 20]))
        .expect("taken");
    assert_eq!(client.receive().payload.len(), 3 << 20);
    connection
        .try_send(&Frame::binary(&vec![1; 3 << 20]))
        .expect("taken");
    assert_eq!(client.receive().payload.len(), 3 << 20);
}

#[test]
fn client_that_floods_is_read_no_faster_than_it_is_handled() {
    let (service, told) = recorded();
    let config = Config {
        in_frames_max: 8,
        ..Config::default()
    };
    let server = Server::start(config, service);
    let mut client = server.socket();
    opened(&told);
    let flood: Vec<u8> = (0..1000)
        .flat_map(|at| masked(0x81, at.to_string().as_bytes()))
        .collect();
    client.write(flood);
    let mut held = Vec::new();
    for at in 0..1000 {
        if held.len() == 8 {
            server.sync();
            assert!(told.try_recv().is_err(), "more under way than allowed");
            held.clear();
        }
        let Told::Message(message) = next_told(&told) else {
            panic!("a message");
        };
        assert_eq!(message.message(), &Message::Text(at.to_string()));
        held.push(message);
    }
}

#[test]
fn large_messages_are_held_back_by_their_bytes() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    opened(&told);
    let mut writer = client.stream.try_clone().expect("a second handle");
    let flood = masked(0x82, &[1; 60_000]).repeat(20);
    let sender = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &flood));
    let first: Vec<_> = (0..3).map(|_| next_told(&told)).collect();
    server.sync();
    assert!(
        told.try_recv().is_err(),
        "180,000 bytes are more than 128 KiB"
    );
    drop(first);
    for _ in 3..20 {
        assert!(matches!(next_told(&told), Told::Message(_)));
    }
    sender.join().expect("no panic").expect("written");
    client.frame(0x88, b"");
    client.expect_close(1005);
}

#[test]
fn shutdown_closes_with_1012_and_lets_the_last_answer_out() {
    let (requests, request) = mpsc::channel();
    let requests = Mutex::new(requests);
    let (service, told) = recorded();
    let service = move |request: Request, responder: Responder| {
        if request.path() == "/wait" {
            requests
                .lock()
                .expect("not poisoned")
                .send(responder)
                .expect("the test listens");
        } else {
            perennial::web::net::Service::call(&service, request, responder);
        }
    };
    let mut server = Server::start(Config::default(), service);
    let mut socket = server.socket();
    let connection = opened(&told);
    connection.send(&Frame::text("before")).expect("sent");
    let mut idle = server.client();
    assert_eq!(idle.get("/a").status, 200);
    let mut busy = server.client();
    busy.write("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    let responder: Responder = request.recv().expect("the request");
    server.remote.shutdown(PATIENCE);
    idle.expect_end();
    socket.expect_text("before");
    socket.expect_close(1012);
    socket.frame(0x88, &1012_u16.to_be_bytes());
    socket.expect_end();
    assert_eq!(closed(&told).code, CloseCode::RESTART);
    responder.send(Response::new(Status::OK).text("last"));
    let answer = busy.answer();
    assert_eq!(
        (answer.body.as_str(), answer.header("connection")),
        ("last", Some("close"))
    );
    drop(busy);
    server.join().expect("a clean end");
}

#[test]
fn shutdown_does_not_wait_for_a_client_that_does_not_answer() {
    let (service, told) = recorded();
    let mut server = Server::manual(Config::default(), service);
    let mut client = server.socket();
    opened(&told);
    server.remote.shutdown(Duration::from_secs(3));
    client.expect_close(1012);
    server.advance(4);
    server.join().expect("a clean end");
    assert_eq!(closed(&told).code, CloseCode::RESTART);
    client.expect_gone();
}

#[test]
fn reactor_that_ends_tells_every_sink() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let clients: Vec<_> = (0..5).map(|_| server.socket()).collect();
    let connections: Vec<_> = (0..5).map(|_| opened(&told)).collect();
    drop(server);
    for _ in 0..5 {
        assert_eq!(closed(&told).by, ClosedBy::Lost);
    }
    for connection in connections {
        assert_eq!(
            connection.send(&Frame::text("late")),
            Err(SendError::Closed)
        );
    }
    for mut client in clients {
        client.expect_gone();
    }
}

#[test]
fn upgrade_after_the_reactor_has_ended_is_told_to_the_sink() {
    let (requests, request) = mpsc::channel();
    let requests = Mutex::new(requests);
    let server = Server::start(Config::default(), move |request: Request, responder| {
        let message: (Request, Responder) = (request, responder);
        requests
            .lock()
            .expect("not poisoned")
            .send(message)
            .expect("the test listens");
    });
    let mut client = server.client();
    client.write(UPGRADE);
    let (request, responder) = request.recv().expect("the handshake");
    drop(server);
    let told = Arc::new(Mutex::new(Vec::new()));
    struct Tell(Arc<Mutex<Vec<Closed>>>);
    impl Sink for Tell {
        fn message(&mut self, _: Incoming) {}
        fn closed(&mut self, closed: Closed) {
            self.0.lock().expect("not poisoned").push(closed);
        }
    }
    let handshake = Handshake::check(&request).expect("a handshake");
    responder.upgrade(handshake, |_| Tell(Arc::clone(&told)));
    assert_eq!(told.lock().expect("not poisoned").len(), 1);
}
