//! HTTP over sockets.

use crate::support::{Client, Server, echo, echo_path, eventually};
use perennial::time::Clock;
use perennial::web::http::{Body, HeaderName, HeaderValue, Request, Response, Status};
use perennial::web::net::{CallbackPanicked, Config, Listener, Responder};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start(Config::default(), echo_path);
    let mut client = server.client();
    for path in ["/a", "/b", "/c"] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (200, path));
        assert_eq!(answer.header("connection"), None);
        assert!(
            answer
                .header("date")
                .is_some_and(|date| date.ends_with(" GMT"))
        );
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(Config::default(), echo_path);
    let mut client = server.client();
    let requests: String = (0..50)
        .map(|at| format!("GET /{at} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .collect();
    client.write(requests);
    for at in 0..50 {
        assert_eq!(client.answer().body, format!("/{at}"));
    }
}

#[test]
fn next_request_waits_for_the_answer_to_the_last() {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = Server::start(Config::default(), move |request: Request, responder| {
        let message: (String, Responder) = (request.path().to_owned(), responder);
        sender
            .lock()
            .expect("not poisoned")
            .send(message)
            .expect("the test listens");
    });
    let mut client = server.client();
    client.write("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    let (path, first) = receiver.recv().expect("the first");
    assert_eq!(path, "/1");
    // Another connection has been served meanwhile, so the second request was not just late.
    let mut other = server.client();
    other.write("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
    let (path, responder) = receiver.recv().expect("the other");
    assert_eq!(path, "/other");
    responder.send(Response::new(Status::NO_CONTENT));
    assert_eq!(other.answer().status, 204);
    first.send(Response::new(Status::OK).text("one"));
    assert_eq!(client.answer().body, "one");
    let (path, second) = receiver.recv().expect("the second");
    assert_eq!(path, "/2");
    std::thread::spawn(move || second.send(Response::new(Status::OK).text("two")));
    assert_eq!(client.answer().body, "two");
}

#[test]
fn dropped_responder_answers_500() {
    let server = Server::start(Config::default(), |_: Request, _: Responder| {});
    let mut client = server.client();
    assert_eq!(client.get("/").status, 500);
    assert_eq!(client.get("/").status, 500);
}

#[test]
fn panic_in_a_service_answers_500_and_ends_nothing_else() {
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            assert_ne!(request.path(), "/panic", "as it was asked to");
            echo_path(request, responder);
        },
    );
    let panics = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    server.telemetry.attach(move |_: &CallbackPanicked| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut other = server.client();
    assert_eq!(other.get("/a").status, 200);
    let mut client = server.client();
    assert_eq!(client.get("/panic").status, 500);
    assert_eq!(client.get("/a").status, 200);
    assert_eq!(other.get("/a").status, 200);
    assert_eq!(panics.load(Ordering::Relaxed), 1);
}

#[test]
fn body_arrives_whole_however_it_is_sent() {
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            let body = String::from_utf8(request.into_body()).expect("text");
            responder.send(Response::new(Status::OK).text(body));
        },
    );
    let mut client = server.client();
    let body = "방".repeat(30_000);
    let length = body.len();
    client.write(format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(client.answer().body, body);
    client.write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        client.write("3\r\nabc\r\n");
        server.sync();
    }
    client.write("0\r\n\r\n");
    assert_eq!(client.answer().body, "abcabcabc");
}

#[test]
fn expecting_client_is_told_to_continue() {
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            responder.send(Response::new(Status::OK).text(format!("{}", request.body().len())));
        },
    );
    let mut client = server.client();
    client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello");
    assert_eq!(client.answer().body, "5");
    client.write(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.answer().status, 413);
    client.expect_end();
}

#[test]
fn refused_request_is_answered_and_the_connection_ends() {
    let server = Server::start(Config::default(), echo_path);
    for (raw, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: h\n\n", 400),
        ("GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ] {
        let mut client = server.client();
        client.write(raw);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{raw}");
        assert_eq!(answer.header("connection"), Some("close"));
        client.expect_end();
    }
}

#[test]
fn refusal_is_read_although_the_client_is_still_sending() {
    // Closing with unread bytes would reset the connection and could take the answer with it.
    let server = Server::start(Config::default(), echo_path);
    let mut client = server.client();
    client.write(format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        1 << 30
    ));
    client.write(vec![b'x'; 300_000]);
    assert_eq!(client.answer().status, 413);
    client.expect_end();
}

#[test]
fn head_is_answered_without_content() {
    let server = Server::start(Config::default(), echo_path);
    let mut client = server.client();
    client.write("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head();
    assert!(head.contains("content-length: 4\r\n"), "{head}");
    assert_eq!(client.get("/next").body, "/next");
}

#[test]
fn connection_ends_when_the_client_wants_it_to() {
    let server = Server::start(Config::default(), echo_path);
    for request in [
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /a HTTP/1.0\r\n\r\n",
    ] {
        let mut client = server.client();
        client.write(request);
        let answer = client.answer();
        assert_eq!(answer.header("connection"), Some("close"));
        client.expect_end();
    }
    let mut client = server.client();
    client.write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.answer().header("connection"), Some("keep-alive"));
    assert_eq!(client.get("/b").body, "/b");
}

#[test]
fn half_closed_client_gets_its_answer() {
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            std::thread::spawn(move || echo_path(request, responder));
        },
    );
    let mut client = server.client();
    client.write("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    client.shut_write();
    assert_eq!(client.answer().body, "/a");
    assert_eq!(client.answer().body, "/b");
    client.expect_end();
}

#[test]
fn last_request_that_a_connection_may_make_closes_it() {
    let config = Config {
        requests_max: 3,
        ..Config::default()
    };
    let server = Server::start(config, echo_path);
    let mut client = server.client();
    assert_eq!(client.get("/1").header("connection"), None);
    assert_eq!(client.get("/2").header("connection"), None);
    assert_eq!(client.get("/3").header("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn large_content_reaches_a_slow_reader_whole() {
    static CONTENT: [u8; 8 << 20] = [b'c'; 8 << 20];
    let server = Server::start(
        Config::default(),
        |request: Request, responder: Responder| {
            if request.path() == "/large" {
                let octets = HeaderValue::from_static("application/octet-stream");
                responder.send(Response::new(Status::OK).content(octets, Body::Static(&CONTENT)));
            } else {
                echo_path(request, responder);
            }
        },
    );
    let mut slow = server.client();
    slow.write("GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /after HTTP/1.1\r\nHost: h\r\n\r\n");
    // The content is larger than all buffers between the two, so it stands still; others are served meanwhile.
    server.sync();
    let answer = slow.answer();
    assert_eq!(answer.body.len(), CONTENT.len());
    assert_eq!(slow.answer().body, "/after");
}

#[test]
fn every_response_has_the_headers_of_the_server() {
    let nosniff = HeaderValue::from_static("nosniff");
    let config = Config {
        response_headers: vec![(HeaderName::X_CONTENT_TYPE_OPTIONS, nosniff)],
        ..Config::default()
    };
    let server = Server::start(config, echo_path);
    let mut client = server.client();
    assert_eq!(
        client.get("/").header("x-content-type-options"),
        Some("nosniff")
    );
    client.write("nonsense\r\n");
    let refusal = client.answer();
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn client_that_leaves_cancels_its_request() {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = Server::start(Config::default(), move |request: Request, responder| {
        if request.path() == "/wait" {
            sender
                .lock()
                .expect("not poisoned")
                .send(responder)
                .expect("the test listens");
        } else {
            echo_path(request, responder);
        }
    });
    let mut client = server.client();
    client.write("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    let responder: Responder = receiver.recv().expect("the request");
    assert!(!responder.is_cancelled());
    // Unread bytes at the client make its close a reset, so the server learns that nobody reads.
    socket2::SockRef::from(&client.stream)
        .set_linger(Some(Duration::ZERO))
        .expect("linger");
    drop(client);
    eventually("the reset cancels", || responder.is_cancelled());
    responder.send(Response::new(Status::OK));
    assert_eq!(server.client().get("/a").status, 200);
}

#[test]
fn two_reactors_share_a_listener() {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Config::default()).expect("a port");
    let name = |name: &'static str| {
        move |_: Request, responder: Responder| {
            responder.send(Response::new(Status::OK).text(name));
        }
    };
    let addr = listener.local_addr();
    let mut first = Server::on(listener.clone(), Clock::system(), None, name("first"));
    let second = Server::on(listener, Clock::system(), None, name("second"));
    let answer = Client::connect(addr).get("/").body;
    assert!(answer == "first" || answer == "second", "{answer}");
    first.remote.shutdown(Duration::from_secs(10));
    first.join().expect("a clean end");
    assert_eq!(second.client().get("/").body, "second");
}

#[test]
fn port_survives_its_reactor() {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Config::default()).expect("a port");
    let mut waiting = Client::connect(listener.local_addr());
    waiting.write("GET /early HTTP/1.1\r\nHost: h\r\n\r\n");
    let first = Server::on(listener.clone(), Clock::system(), None, echo);
    assert_eq!(waiting.answer().body, "/early");
    drop(first);
    waiting.expect_gone();
    let mut waiting = Client::connect(listener.local_addr());
    waiting.write("GET /between HTTP/1.1\r\nHost: h\r\n\r\n");
    let _second = Server::on(listener, Clock::system(), None, echo);
    assert_eq!(waiting.answer().body, "/between");
}
