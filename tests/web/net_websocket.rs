//! WebSockets over sockets.

use crate::support::{
    PATIENCE, Server, UPGRADE, closed, echo, eventually, masked, opened, recorded,
};
use perennial::web::http::Request;
use perennial::web::net::{
    Closed, ClosedBy, Config, Connection, Incoming, Responder, SendError, Sink,
};
use perennial::web::websocket::{CloseCode, Frame, Handshake};
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
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
    // E55.
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
fn answers_to_what_came_before_a_broken_frame_go_out_before_the_close() {
    let server = Server::start(Config::default(), echo);
    let mut client = server.socket();
    let mut bytes = masked(0x81, b"one");
    bytes.extend(masked(0x81, b"two"));
    // A reserved opcode.
    bytes.extend(masked(0x83, b""));
    client.write(bytes);
    client.expect_text("one");
    client.expect_text("two");
    client.expect_close(1002);
    client.expect_end();
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
