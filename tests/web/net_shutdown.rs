//! The end of a reactor: in order, in a hurry, and for those who hold something of it.

use crate::support::{PATIENCE, Server, UPGRADE, closed, echo_path, opened, recorded};
use perennial::time::Clock;
use perennial::web::http::{Request, Response, Status};
use perennial::web::net::{
    Closed, ClosedBy, Config, Incoming, Listener, Responder, SendError, Sink,
};
use perennial::web::websocket::{CloseCode, Frame, Handshake};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

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

#[test]
fn port_is_closed_once_the_reactor_and_its_listener_are_gone() {
    // E64.
    // An address of this test alone, or another might listen on the port by then.
    let addr: SocketAddr = "127.0.64.1:0".parse().expect("an address");
    let listener = Listener::bind(addr, Config::default()).expect("a port");
    let addr = listener.local_addr();
    let server = Server::on(listener, Clock::system(), None, echo_path);
    assert_eq!(server.client().get("/a").status, 200);
    drop(server);
    let refused = std::net::TcpStream::connect(addr).expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
