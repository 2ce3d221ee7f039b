//! Raw requests over real sockets: what is answered, and whether the connection lives on. Each comes whole, and cut in
//! two at every byte, with the first part read before the second is sent.

use crate::http_cases::{self, Expect};
use crate::http_talks::{self, End, Talk};
use crate::support::{Client, Server};
use perennial::web::http::{Limits, Method, Request, Response, Status};
use perennial::web::net::{Config, Responder};
use perennial::web::websocket::Handshake;
use std::io::ErrorKind;

/// Cases with more bytes are cut at every byte of their first and last hundred, and at each hundredth between.
const CUT_EVERYWHERE_MAX: usize = 1_000;

/// Says what it was asked: method, path, body.
fn say_what(request: Request, responder: Responder) {
    if request.path() == "/socket" {
        return match Handshake::check(&request) {
            Ok(handshake) => drop(responder.upgrade(handshake, |_| Deaf)),
            Err(error) => responder.send(error.response()),
        };
    }
    let (method, path) = (request.method(), request.path());
    let body = String::from_utf8_lossy(request.body());
    let said = format!("{} {path} {body}", method.as_str());
    responder.send(Response::new(Status::OK).text(said));
}

struct Deaf;

impl perennial::web::net::Sink for Deaf {
    fn message(&mut self, _: perennial::web::net::Incoming) {}
    fn closed(&mut self, _: perennial::web::net::Closed) {}
}

/// The table of the decoder, as conversations.
fn talks() -> Vec<Talk> {
    let mut talks = http_talks::all();
    for case in http_cases::all() {
        let of_1_0 = case.bytes.windows(10).any(|part| part == b"HTTP/1.0\r\n");
        let served = |method: &str, path: &str, body: &[u8]| match method {
            "HEAD" => "200 HEAD".to_owned(),
            _ => format!("200 {method} {path} {}", String::from_utf8_lossy(body)),
        };
        let after = if of_1_0 { End::Closed } else { End::Open };
        let (answers, end) = match case.expect {
            Expect::Ok(method, path, body) => (vec![served(method, path, body)], after),
            Expect::Continue(method, path, body) => {
                (vec!["100".to_owned(), served(method, path, body)], after)
            }
            Expect::Refused(status) => (vec![status.to_string()], End::Closed),
            Expect::Partial => (Vec::new(), End::Waiting),
        };
        talks.push(Talk {
            name: case.name,
            bytes: case.bytes,
            answers,
            end,
        });
    }
    talks
}

/// A server, one connection that is talked on as long as it lives, and one to know how far the server has come.
struct Line {
    server: Server,
    client: Option<Client>,
    other: Client,
}

impl Line {
    fn new() -> Line {
        let config = Config {
            http: Limits {
                body_max: 1024,
                ..Limits::default()
            },
            connections_per_ip: 0,
            requests_max: u32::MAX,
            ..Config::default()
        };
        let server = Server::start(config, say_what);
        let other = server.client();
        Line {
            server,
            client: None,
            other,
        }
    }

    fn client(&mut self) -> Client {
        self.client.take().unwrap_or_else(|| {
            let mut client = self.server.client();
            // So that it is accepted, and what comes next is read when it comes.
            assert_eq!(client.get("/first").status, 200);
            client
        })
    }

    /// Says all of a talk but what is behind the cut; then, when that was read, the rest. Checks what is answered.
    fn play(&mut self, talk: &Talk, cut: usize) {
        let what = format!("{:?} cut at {cut}", talk.name);
        let _named = Named(&what);
        let mut client = self.client();
        let (first, second) = talk.bytes.split_at(cut);
        client.write(first);
        if !second.is_empty() {
            self.other.get("/sync");
            // A request that was refused by its first part is not read on.
            let _ = std::io::Write::write_all(&mut client.stream, second);
        }
        for expected in &talk.answers {
            let answer = answer(&mut client, expected);
            assert_eq!(answer.trim_end(), expected.trim_end(), "{what}");
        }
        match talk.end {
            End::Open => {
                let next = client.get("/next");
                assert_eq!((next.status, &*next.body), (200, "GET /next "), "{what}");
                self.client = Some(client);
            }
            End::Closed => client.expect_end(),
            End::Waiting => {
                self.other.get("/sync");
                client.stream.set_nonblocking(true).expect("a mode");
                let read = std::io::Read::read(&mut client.stream, &mut [0; 16]);
                let error = read.expect_err("nothing is answered");
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{what}");
            }
        }
    }
}

/// Says what was talked about when a client waited in vain.
struct Named<'a>(&'a str);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in {}", self.0);
        }
    }
}

/// One answer in words: its status, and what follows if that says something.
fn answer(client: &mut Client, expected: &str) -> String {
    let head = client.head();
    let status = &head[9..12];
    let is_bare = matches!(status, "100" | "101") || expected.ends_with(Method::Head.as_str());
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().expect("a number"));
    let body = client.read(if is_bare { 0 } else { length });
    match status {
        "200" if is_bare => "200 HEAD".to_owned(),
        "200" => format!("200 {}", String::from_utf8_lossy(&body)),
        status => status.to_owned(),
    }
}

fn cuts(len: usize) -> Vec<usize> {
    let everywhere = len <= CUT_EVERYWHERE_MAX;
    let is_cut = |at: &usize| everywhere || *at < 100 || *at + 100 > len || at.is_multiple_of(100);
    (1..len).filter(is_cut).collect()
}

#[test]
fn every_raw_request_is_answered_as_the_table_says() {
    let talks = talks();
    assert!(talks.len() >= 270, "{} cases", talks.len());
    let mut line = Line::new();
    for talk in &talks {
        line.play(talk, talk.bytes.len());
    }
}

#[test]
fn every_raw_request_may_be_cut_at_any_byte() {
    let mut line = Line::new();
    for talk in talks() {
        for cut in cuts(talk.bytes.len()) {
            line.play(&talk, cut);
        }
    }
}
