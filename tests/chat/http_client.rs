//! A small HTTP client: what it sends is what the test wrote, and what it shows is what came.

use crate::server::PATIENCE;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A request to be. It names the server as its host unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn get(target: &str) -> Request {
    request("GET", target)
}

/// A POST of JSON.
pub(crate) fn post(target: &str, body: &Value) -> Request {
    request("POST", target)
        .header("content-type", "application/json")
        .body(body.to_string())
}

impl Request {
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    #[must_use]
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub(crate) fn cookie(self, token: &str) -> Self {
        self.header("cookie", &format!("sid={token}"))
    }

    /// Sends it on a connection of its own, and reads to the end of that.
    #[track_caller]
    pub(crate) fn send(&self, server: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&self.bytes(server)).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let answer = Answer::parse(&bytes);
        if self.method != "HEAD" && answer.status != 304 && answer.status != 204 {
            let length = answer.body.len().to_string();
            assert_eq!(
                answer.header("content-length"),
                Some(&*length),
                "{answer:?}"
            );
        } else {
            assert_eq!(answer.body, b"", "an answer to {self:?}");
        }
        answer
    }

    /// Sends it to a server that may die of it or before; `None` if the answer is not whole.
    pub(crate) fn try_send(&self, server: SocketAddr) -> Option<Answer> {
        let mut stream = TcpStream::connect(server).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(&self.bytes(server)).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let has_head = bytes.windows(4).any(|window| window == b"\r\n\r\n");
        let answer = has_head.then(|| Answer::parse(&bytes))?;
        let length = answer.header("content-length")?;
        (length == answer.body.len().to_string()).then_some(answer)
    }

    fn bytes(&self, server: SocketAddr) -> Vec<u8> {
        let Request {
            method,
            target,
            headers,
            body,
        } = self;
        let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| name == "host") {
            head += &format!("host: {server}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let shown = || String::from_utf8_lossy(bytes);
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no head: {:?}", shown()));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .unwrap_or_else(|| panic!("no status: {:?}", shown()));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_owned())
        });
        Answer {
            status,
            headers: headers.collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// The value of a field that comes once; `None` if it does not come.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(of, _)| of == name);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} comes once");
        value.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json; charset=utf-8"),
            "{self:?}"
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts the status, and answers the body.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }

    /// Asserts that it is an error of this status and code, in the one form that errors have.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        let body = self.ok(status);
        let error = body["error"].as_object().unwrap();
        assert_eq!(error["code"], code, "{body}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{body}"
        );
        assert_eq!(
            (body.as_object().unwrap().len(), error.len()),
            (1, 2),
            "{body}"
        );
    }
}
