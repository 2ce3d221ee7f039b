//! Raw conversations: what a client writes on one connection, what it is answered, and whether the connection lives on.
//! The requests of `http_cases` are each about one request; these are about what is around it.

/// What becomes of the connection after the last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The next request is served.
    Open,
    /// It ends in order.
    Closed,
    /// More bytes are waited for.
    Waiting,
}

use End::{Closed, Open, Waiting};

pub(crate) struct Talk {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// In words: `200 METHOD PATH BODY`, `200 HEAD`, or a status.
    pub(crate) answers: Vec<String>,
    pub(crate) end: End,
}

macro_rules! talks {
    ($($name:literal: $bytes:expr => [$($answer:expr),*], $end:expr;)*) => {
        vec![$(Talk {
            name: $name,
            bytes: Vec::from($bytes),
            answers: vec![$($answer.to_owned()),*],
            end: $end,
        }),*]
    };
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn post(path: &str, fields: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n{body}")
}

pub(crate) fn all() -> Vec<Talk> {
    let mut talks = persistence();
    talks.extend(pipelining());
    talks.extend(smuggling());
    talks.extend(refusals());
    talks.extend(upgrades());
    talks
}

/// RFC 9112 §9.3: the connection lives on unless a side wants otherwise.
fn persistence() -> Vec<Talk> {
    let old = |fields: &str| format!("GET /a HTTP/1.0\r\n{fields}\r\n");
    talks! {
        "http 1.1": get("/a", "") => ["200 GET /a"], Open;
        "close": get("/a", "Connection: close\r\n") => ["200 GET /a"], Closed;
        "close in capitals": get("/a", "Connection: CLOSE\r\n") => ["200 GET /a"], Closed;
        "close among others": get("/a", "Connection: keep-alive, close\r\n") => ["200 GET /a"], Closed;
        "close in a second field": get("/a", "Connection: x\r\nConnection: close\r\n") => ["200 GET /a"], Closed;
        "keep-alive": get("/a", "Connection: keep-alive\r\n") => ["200 GET /a"], Open;
        "unknown option": get("/a", "Connection: closed\r\n") => ["200 GET /a"], Open;
        "close for HEAD": "HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" => ["200 HEAD"], Closed;
        "close for a body": post("/a", "Connection: close\r\nContent-Length: 2\r\n", "hi") => ["200 POST /a hi"], Closed;
        "close for chunks": post("/a", "Connection: close\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n") => ["200 POST /a hi"], Closed;
        "http 1.0 without host": old("") => ["200 GET /a"], Closed;
        "http 1.0 that stays": old("Connection: keep-alive\r\n") => ["200 GET /a"], Open;
        "http 1.0 that stays, in capitals": old("Connection: Keep-Alive\r\n") => ["200 GET /a"], Open;
        "http 1.0 that closes": old("Connection: close\r\n") => ["200 GET /a"], Closed;
        "proxy-connection means nothing": old("Proxy-Connection: keep-alive\r\n") => ["200 GET /a"], Closed;
        "keep-alive field means nothing": get("/a", "Keep-Alive: timeout=0\r\n") => ["200 GET /a"], Open;
    }
}

/// RFC 9112 §9.3.2: answers come in the order of the requests.
fn pipelining() -> Vec<Talk> {
    let (one, two) = (get("/1", ""), get("/2", ""));
    let close = get("/1", "Connection: close\r\n");
    let body = post("/1", "Content-Length: 2\r\n", "hi");
    let chunks = post(
        "/1",
        "Transfer-Encoding: chunked\r\n",
        "1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
    );
    let trailers = post("/1", "Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n\r\n");
    let head = "HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n";
    let expecting = post("/1", "Content-Length: 2\r\nExpect: 100-continue\r\n", "hi");
    talks! {
        "two": format!("{one}{two}") => ["200 GET /1", "200 GET /2"], Open;
        "three": format!("{one}{two}{one}") => ["200 GET /1", "200 GET /2", "200 GET /1"], Open;
        "behind a body": format!("{body}{two}") => ["200 POST /1 hi", "200 GET /2"], Open;
        "behind a body of nothing": format!("{}{two}", post("/1", "Content-Length: 0\r\n", "")) => ["200 POST /1", "200 GET /2"], Open;
        "behind chunks": format!("{chunks}{two}") => ["200 POST /1 hi", "200 GET /2"], Open;
        "behind trailers": format!("{trailers}{two}") => ["200 POST /1", "200 GET /2"], Open;
        "behind HEAD": format!("{head}{two}") => ["200 HEAD", "200 GET /2"], Open;
        "behind a GET with a body": format!("{}{two}", get("/1", "Content-Length: 1\r\n") + "x") => ["200 GET /1 x", "200 GET /2"], Open;
        "behind one that expects": format!("{expecting}{two}") => ["100", "200 POST /1 hi", "200 GET /2"], Open;
        "behind an empty line": format!("{one}\r\n{two}") => ["200 GET /1", "200 GET /2"], Open;
        "behind two empty lines": format!("{one}\r\n\r\n{two}") => ["200 GET /1", "400"], Closed;
        "behind a bare lf": format!("{one}\n{two}") => ["200 GET /1", "400"], Closed;
        "behind a NUL": format!("{one}\0{two}") => ["200 GET /1", "400"], Closed;
        "behind one that closes": format!("{close}{two}") => ["200 GET /1"], Closed;
        "behind http 1.0": format!("GET /1 HTTP/1.0\r\n\r\n{two}") => ["200 GET /1"], Closed;
        "http 1.0 behind http 1.1": format!("{one}GET /2 HTTP/1.0\r\n\r\n{one}") => ["200 GET /1", "200 GET /2"], Closed;
        "behind one that is refused": format!("GET / HTTP/1.1\r\n\r\n{two}") => ["400"], Closed;
        "bad behind good": format!("{one}GET /2 HTTP/1.1\r\n\r\n{one}") => ["200 GET /1", "400"], Closed;
        "unfinished behind good": format!("{one}GET /2 HT") => ["200 GET /1"], Waiting;
        "body shorter than said": post("/1", "Content-Length: 9\r\n", "hi") => [], Waiting;
        "continue before the body": post("/1", "Content-Length: 2\r\nExpect: 100-continue\r\n", "") => ["100"], Waiting;
    }
}

/// Requests whose end two readers could see in different places: nothing behind the first is served.
fn smuggling() -> Vec<Talk> {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let both = |first: &str, second: &str, body: &str| {
        format!("POST /a HTTP/1.1\r\nHost: h\r\n{first}{second}\r\n{body}{hidden}")
    };
    let (length, chunked) = ("Content-Length: 6\r\n", "Transfer-Encoding: chunked\r\n");
    let of_fields = |fields: &str| format!("{}{hidden}", post("/a", fields, "0\r\n\r\n"));
    talks! {
        "length, then chunks": both(length, chunked, "0\r\n\r\n") => ["400"], Closed;
        "chunks, then length": both(chunked, length, "0\r\n\r\n") => ["400"], Closed;
        "two lengths": both(length, "Content-Length: 0\r\n", "0\r\n\r\nX") => ["400"], Closed;
        "lengths in a list": of_fields("Content-Length: 0, 5\r\n") => ["400"], Closed;
        "length with a sign": of_fields("Content-Length: +0\r\n") => ["400"], Closed;
        "length with an underscore": of_fields("Content-Length: 0_0\r\n") => ["400"], Closed;
        "length with a line folded": of_fields("Content-Length:\r\n 5\r\n") => ["400"], Closed;
        "length with a space before the colon": of_fields("Content-Length : 5\r\n") => ["400"], Closed;
        "coding with a space before the colon": of_fields("Transfer-Encoding : chunked\r\n") => ["400"], Closed;
        "coding with a tab before the colon": of_fields("Transfer-Encoding\t: chunked\r\n") => ["400"], Closed;
        "coding behind a fold": of_fields("A: b\r\n Transfer-Encoding: chunked\r\n") => ["400"], Closed;
        "coding with a NUL": of_fields("Transfer-Encoding: chunked\0\r\n") => ["400"], Closed;
        "coding in quotes": of_fields("Transfer-Encoding: 'chunked'\r\n") => ["501"], Closed;
        "coding with a colon before": of_fields("Transfer-Encoding: : chunked\r\n") => ["400"], Closed;
        "coding of identity": of_fields("Transfer-Encoding: identity\r\n") => ["501"], Closed;
        "coding in two fields": of_fields("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n") => ["400"], Closed;
        "coding behind a bare cr": of_fields("A: b\rTransfer-Encoding: chunked\r\n") => ["400"], Closed;
        "coding behind a bare lf": of_fields("A: b\nTransfer-Encoding: chunked\r\n") => ["400"], Closed;
        "coding in http 1.0": format!("POST /a HTTP/1.0\r\n{chunked}\r\n0\r\n\r\n{hidden}") => ["400"], Closed;
        "chunk size that wraps": post("/a", chunked, &format!("100000000000000000\r\n{hidden}")) => ["400"], Closed;
        "chunk size with a sign": post("/a", chunked, &format!("-1\r\n{hidden}")) => ["400"], Closed;
        "chunk longer than said": post("/a", chunked, &format!("1\r\nhi\r\n0\r\n\r\n{hidden}")) => ["400"], Closed;
        "chunk that ends in a bare lf": post("/a", chunked, &format!("1\nh\n0\n\n{hidden}")) => ["400"], Closed;
        "hidden in a body": post("/a", &format!("Content-Length: {}\r\n", hidden.len()), hidden) => [format!("200 POST /a {hidden}")], Open;
        "two hosts": format!("GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n{hidden}") => ["400"], Closed;
        "host that is folded": format!("GET /a HTTP/1.1\r\nHost:\r\n h\r\n\r\n{hidden}") => ["400"], Closed;
        "target of another host": format!("GET http://i/a HTTP/1.1\r\nHost: h\r\n\r\n{hidden}") => ["400"], Closed;
    }
}

/// A refusal ends the connection, whatever comes behind.
fn refusals() -> Vec<Talk> {
    let (next, many) = (get("/next", ""), "A: b\r\n".repeat(100));
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(8_000));
    let wide = get("/a", &format!("A: {}\r\n", "b".repeat(16 * 1024)));
    talks! {
        "400": format!("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n{next}") => ["400"], Closed;
        "405": format!("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n{next}") => ["405"], Closed;
        "413 by length": format!("{}{next}", post("/a", "Content-Length: 2000\r\n", "")) => ["413"], Closed;
        "413 by chunks": format!("{}{next}", post("/a", "Transfer-Encoding: chunked\r\n", "7d0\r\n")) => ["413"], Closed;
        "413 although expected": format!("{}{next}", post("/a", "Content-Length: 2000\r\nExpect: 100-continue\r\n", "")) => ["413"], Closed;
        "414": format!("{long}{next}") => ["414"], Closed;
        "417": format!("{}{next}", post("/a", "Content-Length: 0\r\nExpect: more\r\n", "")) => ["417"], Closed;
        "431 by number": format!("{}{next}", get("/a", &many)) => ["431"], Closed;
        "431 by size": format!("{wide}{next}") => ["431"], Closed;
        "501 by method": format!("PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n{next}") => ["501"], Closed;
        "501 by coding": format!("{}{next}", post("/a", "Transfer-Encoding: br\r\n", "")) => ["501"], Closed;
        "505": format!("GET / HTTP/3.0\r\nHost: h\r\n\r\n{next}") => ["505"], Closed;
        "505 of http 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" => ["505"], Closed;
        "a fold": format!("{}{next}", get("/a", "A: b\r\n c\r\n")) => ["400"], Closed;
        "a fold in the first field": "GET /a HTTP/1.1\r\n Host: h\r\n\r\n" => ["400"], Closed;
        "tls": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" => ["400"], Closed;
    }
}

/// What asks for another protocol.
fn upgrades() -> Vec<Talk> {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let socket = |fields: &str| {
        get(
            "/socket",
            &format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{fields}"),
        )
    };
    let next = get("/next", "");
    talks! {
        "websocket": socket(&format!("{key}Sec-WebSocket-Version: 13\r\n")) => ["101"], Waiting;
        "websocket without a key": socket("Sec-WebSocket-Version: 13\r\n") + &next => ["400", "200 GET /next"], Open;
        "websocket of another version": socket(&format!("{key}Sec-WebSocket-Version: 8\r\n")) + &next => ["426", "200 GET /next"], Open;
        "websocket without upgrade": get("/socket", key) + &next => ["400", "200 GET /next"], Open;
        "websocket by POST": post("/socket", &format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{key}Sec-WebSocket-Version: 13\r\n"), "") => ["400"], Open;
        "websocket in http 1.0": format!("GET /socket HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}Sec-WebSocket-Version: 13\r\n\r\n") => ["400"], Closed;
        "websocket with a body": socket(&format!("{key}Sec-WebSocket-Version: 13\r\nContent-Length: 2\r\n")) + "hi" => ["400"], Open;
        "h2c": get("/a", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n") => ["200 GET /a"], Open;
    }
}
