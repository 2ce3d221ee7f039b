//! Deadlines, by a clock that is moved by hand.

use crate::support::{
    Client, Server, Told, closed, echo_path, eventually, next_told, opened, recorded,
};
use perennial::web::http::{Request, Response, Status};
use perennial::web::net::{ClosedBy, Config, Responder};
use perennial::web::websocket::CloseCode;
use std::sync::{Mutex, mpsc};

/// A client whose bytes so far have been read by the server.
fn client_with(server: &Server, bytes: &str) -> Client {
    let mut client = server.client();
    client.write(bytes);
    server.sync();
    client
}

#[test]
fn head_that_drips_is_answered_408_ten_seconds_after_the_accept() {
    let server = Server::manual(Config::default(), echo_path);
    let mut client = client_with(&server, "GET / HT");
    for piece in ["TP/1", ".1\r\n", "Hos"] {
        server.advance(3);
        client.write(piece);
        server.sync();
    }
    server.advance(1);
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (408, Some("close"))
    );
    client.expect_end();
}

#[test]
fn client_that_says_nothing_is_closed_without_a_word() {
    let server = Server::manual(Config::default(), echo_path);
    let mut client = client_with(&server, "");
    server.advance(10);
    client.expect_end();
}

#[test]
fn idle_connection_lives_for_a_minute() {
    let server = Server::manual(Config::default(), echo_path);
    let mut client = server.client();
    assert_eq!(client.get("/a").status, 200);
    server.advance(59);
    assert_eq!(client.get("/b").status, 200);
    server.advance(59);
    assert_eq!(client.get("/c").status, 200);
    server.advance(60);
    client.expect_end();
}

#[test]
fn later_head_is_measured_from_its_first_byte() {
    let server = Server::manual(Config::default(), echo_path);
    let mut client = server.client();
    assert_eq!(client.get("/a").status, 200);
    server.advance(50);
    client.write("GET /b HTTP/1.1\r\n");
    server.sync();
    server.advance(9);
    client.write("Host: h\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.write("GET /c HTTP/1.1\r\n");
    server.sync();
    server.advance(10);
    assert_eq!(client.answer().status, 408);
}

#[test]
fn body_must_come_at_500_bytes_a_second_after_its_grace() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let server = Server::manual(Config::default(), echo_path);
    let mut client = client_with(&server, head);
    client.write(vec![b'x'; 5000]);
    server.sync();
    server.advance(19);
    client.write(vec![b'x'; 500]);
    server.sync();
    server.advance(1);
    // 5,500 bytes are worth 11 seconds on top of the 10 of grace.
    client.write("x");
    server.sync();
    server.advance(2);
    assert_eq!(client.answer().status, 408);
    client.expect_end();
    // A quick one may take its time afterwards.
    let mut client = client_with(&server, head);
    client.write(vec![b'x'; 99_999]);
    server.sync();
    server.advance(200);
    client.write("x");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn request_that_nobody_answers_gets_503_and_a_late_answer_is_thrown_away() {
    let (requests, request) = mpsc::channel();
    let requests = Mutex::new(requests);
    let server = Server::manual(Config::default(), move |request: Request, responder| {
        if request.path() == "/wait" {
            requests
                .lock()
                .expect("not poisoned")
                .send(responder)
                .expect("the test listens");
        } else {
            echo_path(request, responder);
        }
    });
    let mut client = server.client();
    client.write("HEAD /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    let responder: Responder = request.recv().expect("the request");
    server.advance(30);
    let head = client.head();
    assert!(
        head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: "),
        "{head}"
    );
    assert!(responder.is_cancelled());
    responder.send(Response::new(Status::OK).text("too late"));
    server.sync();
    client.expect_end();
}

#[test]
fn answer_that_is_on_its_way_outlives_the_keep_alive() {
    let content = "c".repeat(16 << 20);
    let server = Server::manual(
        Config::default(),
        move |request: Request, responder: Responder| {
            if request.path() == "/large" {
                responder.send(Response::new(Status::OK).text(content.clone()));
            } else {
                echo_path(request, responder);
            }
        },
    );
    let mut client = client_with(&server, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 "));
    // 4 MiB are more than the bytes in flight, so each of these makes the server write again.
    for _ in 0..3 {
        server.advance(25);
        client.read_and_forget(4 << 20);
        server.sync();
    }
    client.read_and_forget(4 << 20);
    assert_eq!(client.get("/after").body, "/after");
}

#[test]
fn client_that_takes_nothing_is_dropped_after_half_a_minute() {
    let content = "c".repeat(16 << 20);
    let server = Server::manual(
        Config::default(),
        move |request: Request, responder: Responder| {
            if request.path() == "/large" {
                responder.send(Response::new(Status::OK).text(content.clone()));
            } else {
                echo_path(request, responder);
            }
        },
    );
    let _client = client_with(&server, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    server.sync();
    let before = server.listener.connections();
    server.advance(29);
    server.sync();
    assert!(server.listener.connections() >= 1, "{before} before");
    server.advance(2);
    eventually("the connection is dropped", || {
        server.listener.connections() == 0
    });
}

#[test]
fn silent_websocket_is_pinged_and_then_closed() {
    let (service, told) = recorded();
    let server = Server::manual(Config::default(), service);
    let mut client = server.socket();
    opened(&told);
    server.advance(25);
    assert_eq!(client.receive().opcode, 0x9);
    server.advance(25);
    assert_eq!(client.receive().opcode, 0x9);
    server.advance(25);
    client.expect_close(1001);
    server.advance(5);
    client.expect_gone();
    let closed = closed(&told);
    assert_eq!((closed.by, closed.code), (ClosedBy::Local, CloseCode::AWAY));
}

#[test]
fn any_frame_keeps_a_websocket_alive() {
    let (service, told) = recorded();
    let server = Server::manual(Config::default(), service);
    let mut client = server.socket();
    opened(&told);
    for _ in 0..10 {
        server.advance(25);
        assert_eq!(client.receive().opcode, 0x9);
        client.frame(0x8a, b"");
        server.sync();
    }
    for _ in 0..10 {
        server.advance(24);
        client.text("heartbeat");
        assert!(matches!(next_told(&told), Told::Message(_)));
    }
    server.advance(25);
    assert_eq!(client.receive().opcode, 0x9);
}

#[test]
fn unanswered_close_is_cut_off_after_five_seconds() {
    let (service, told) = recorded();
    let server = Server::manual(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    connection.close(CloseCode::POLICY, "out");
    client.expect_close(1008);
    server.advance(4);
    server.sync();
    assert!(told.try_recv().is_err(), "the client has five seconds");
    server.advance(1);
    client.expect_end();
    assert_eq!(closed(&told).code, CloseCode::POLICY);
}

#[test]
fn client_that_ignores_the_end_is_cut_off_after_two_seconds() {
    let server = Server::manual(Config::default(), echo_path);
    let mut client = client_with(&server, "nonsense\r\n");
    assert_eq!(client.answer().status, 400);
    client.expect_end();
    // A connection that was dropped answers what comes with a reset, and the next write fails.
    for _ in 0..3 {
        client.write("and another thing");
        server.sync();
    }
    server.advance(2);
    eventually("the connection is dropped", || {
        server.listener.connections() == 0
    });
}
