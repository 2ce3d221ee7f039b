//! A small client of the channel protocol, which shows frames as they came and decides nothing by itself.

use crate::http_client::Answer;
use crate::server::PATIENCE;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// One message of the protocol.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) join_ref: Value,
    pub(crate) msg_ref: Value,
    pub(crate) topic: String,
    pub(crate) event: String,
    pub(crate) payload: Value,
}

/// Why there is no further frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Gone {
    /// The server closed with this code; `None` if it gave none.
    Closed(Option<u16>),
    /// The connection was lost without a word.
    Lost,
    /// Nothing came within the time that one waits.
    Silent,
}

/// A stream whose reads go on where a process that was stopped goes on: one that waits no longer than it was told to is
/// interrupted by that.
pub(crate) struct Unbroken(pub(crate) TcpStream);

impl Read for Unbroken {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Unbroken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One connection.
pub(crate) struct Socket {
    ws: WebSocket<Unbroken>,
    last_ref: u64,
    /// How long a read waits.
    pub(crate) patience: Duration,
    /// What came while something else was waited for.
    inbox: VecDeque<Frame>,
}

impl Frame {
    pub(crate) fn parse(text: &str) -> Self {
        let parts: Vec<Value> = serde_json::from_str(text).unwrap();
        let [join_ref, msg_ref, topic, event, payload]: [Value; 5] = parts.try_into().unwrap();
        let text = |value: Value| value.as_str().unwrap().to_owned();
        Frame {
            join_ref,
            msg_ref,
            topic: text(topic),
            event: text(event),
            payload,
        }
    }

    /// A reply's status and response.
    #[track_caller]
    pub(crate) fn reply(&self) -> (&str, &Value) {
        assert_eq!(self.event, "phx_reply", "{self:?}");
        (
            self.payload["status"].as_str().unwrap(),
            &self.payload["response"],
        )
    }

    fn is_presence(&self) -> bool {
        self.event.starts_with("presence_")
    }
}

impl Socket {
    /// Connects with a token in the `Authorization` field, as programs do.
    pub(crate) fn connect(server: SocketAddr, token: &str) -> Result<Socket, Box<Answer>> {
        let bearer = format!("Bearer {token}");
        Socket::open(server, "?vsn=2.0.0", &[("authorization", &bearer)])
    }

    /// Connects with these fields; the server's answer if that is not 101.
    pub(crate) fn open(
        server: SocketAddr,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, Box<Answer>> {
        Socket::try_open(server, query, headers)
            .expect("the server can be reached")
            .map_err(Box::new)
    }

    /// As [`open`](Socket::open); `Err(None)`, so to speak, if the connection is lost on the way.
    pub(crate) fn try_open(
        server: SocketAddr,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Option<Result<Socket, Answer>> {
        let stream = TcpStream::connect(server).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let url = format!("ws://{server}/socket/websocket{query}");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, Unbroken(stream)) {
            Ok((ws, _)) => Some(Ok(Socket {
                ws,
                last_ref: 0,
                patience: PATIENCE,
                inbox: VecDeque::new(),
            })),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
                for (name, value) in response.headers() {
                    bytes.extend_from_slice(name.as_str().as_bytes());
                    bytes.extend_from_slice(b": ");
                    bytes.extend_from_slice(value.as_bytes());
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(response.body().as_deref().unwrap_or_default());
                Some(Err(Answer::parse(&bytes)))
            }
            Err(_) => None,
        }
    }

    // ## Sending

    /// Sends whatever it is told.
    pub(crate) fn send_text(&mut self, text: &str) -> Result<(), Gone> {
        self.ws.send(Message::text(text)).map_err(gone)
    }

    pub(crate) fn try_push(
        &mut self,
        join_ref: &Value,
        topic: &str,
        event: &str,
        payload: &Value,
    ) -> Result<String, Gone> {
        self.last_ref += 1;
        let msg_ref = self.last_ref.to_string();
        let join_ref = match event {
            "phx_join" => &json!(msg_ref),
            _ => join_ref,
        };
        self.send_text(&json!([join_ref, msg_ref, topic, event, payload]).to_string())?;
        Ok(msg_ref)
    }

    /// Sends an event; its `ref`. A join is its own `join_ref`.
    #[track_caller]
    pub(crate) fn push(
        &mut self,
        join_ref: &Value,
        topic: &str,
        event: &str,
        payload: &Value,
    ) -> String {
        self.try_push(join_ref, topic, event, payload).unwrap()
    }

    /// Asks to join a room; the frame of the answer.
    #[track_caller]
    pub(crate) fn ask_to_join(&mut self, room: &str, payload: &Value) -> Frame {
        let msg_ref = self.push(&Value::Null, &topic(room), "phx_join", payload);
        self.reply_to(&msg_ref)
    }

    /// Joins a room; the response.
    #[track_caller]
    pub(crate) fn join(&mut self, room: &str, payload: &Value) -> Value {
        let answer = self.ask_to_join(room, payload);
        let (status, response) = answer.reply();
        assert_eq!(status, "ok", "{answer:?}");
        response.clone()
    }

    /// Says something; the status and the response.
    #[track_caller]
    pub(crate) fn post(&mut self, room: &str, payload: &Value) -> (String, Value) {
        let msg_ref = self.push(&Value::Null, &topic(room), "new_msg", payload);
        let answer = self.reply_to(&msg_ref);
        let (status, response) = answer.reply();
        (status.to_owned(), response.clone())
    }

    /// Says something that is taken; the response.
    #[track_caller]
    pub(crate) fn posted(&mut self, room: &str, payload: &Value) -> Value {
        let (status, response) = self.post(room, payload);
        assert_eq!(status, "ok", "{response}");
        response
    }

    /// Says something that is refused; the response.
    #[track_caller]
    pub(crate) fn refused(&mut self, room: &str, payload: &Value) -> Value {
        let (status, response) = self.post(room, payload);
        assert_eq!(status, "error", "{response}");
        response
    }

    // ## Receiving

    /// The next frame.
    pub(crate) fn read(&mut self) -> Result<Frame, Gone> {
        match self.inbox.pop_front() {
            Some(frame) => Ok(frame),
            None => self.read_wire(),
        }
    }

    fn read_wire(&mut self) -> Result<Frame, Gone> {
        // Pings come and go while nothing is said.
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would be for ever.
            let left = left.max(Duration::from_millis(1));
            let _ = self.ws.get_ref().0.set_read_timeout(Some(left));
            match self.ws.read().map_err(gone)? {
                Message::Text(text) => return Ok(Frame::parse(&text)),
                Message::Close(close) => {
                    // Sends the answer, and waits for the end.
                    while self.ws.read().is_ok() {}
                    return Err(Gone::Closed(close.map(|close| close.code.into())));
                }
                Message::Ping(_) | Message::Pong(_) => {}
                message => panic!("{message:?}"),
            }
        }
    }

    /// The next frame that says nothing of who is there.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Frame {
        loop {
            let frame = self.read().unwrap();
            if !frame.is_presence() {
                return frame;
            }
        }
    }

    /// The reply to a `ref`; what comes before stays to be read.
    #[track_caller]
    pub(crate) fn reply_to(&mut self, msg_ref: &str) -> Frame {
        self.wait_for(|frame| frame.event == "phx_reply" && frame.msg_ref == msg_ref)
    }

    /// The first frame that is like this; what comes before stays to be read.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, is_it: impl Fn(&Frame) -> bool) -> Frame {
        if let Some(at) = self.inbox.iter().position(&is_it) {
            return self.inbox.remove(at).unwrap();
        }
        loop {
            let frame = self.read_wire().unwrap();
            if is_it(&frame) {
                return frame;
            }
            self.inbox.push_back(frame);
        }
    }

    /// The next message of a room: its payload. Nothing else may come before it.
    #[track_caller]
    pub(crate) fn message(&mut self, room: &str) -> Value {
        let frame = self.next();
        assert_eq!(
            (&*frame.event, frame.topic.as_str()),
            ("new_msg", topic(room).as_str()),
            "{frame:?}"
        );
        assert_eq!(
            (&frame.join_ref, &frame.msg_ref),
            (&Value::Null, &Value::Null),
            "a broadcast has no refs"
        );
        frame.payload
    }

    /// Reads no more of what came while something else was waited for.
    pub(crate) fn forget(&mut self) {
        self.inbox.clear();
    }

    /// Asserts that nothing was on its way: whatever the server had to say comes before its answer to a heartbeat.
    #[track_caller]
    pub(crate) fn nothing_more(&mut self) {
        self.heartbeat();
        let rest: Vec<_> = self.inbox.drain(..).filter(|f| !f.is_presence()).collect();
        assert_eq!(rest, []);
    }

    /// What comes until the server has answered a heartbeat stays to be read.
    #[track_caller]
    pub(crate) fn heartbeat(&mut self) {
        let msg_ref = self.push(&Value::Null, "phoenix", "heartbeat", &json!({}));
        let answer = self.reply_to(&msg_ref);
        assert_eq!(answer.reply(), ("ok", &json!({})));
    }

    /// The code with which the server closes, if it does.
    pub(crate) fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.read() {
                Ok(_) => {}
                Err(Gone::Closed(code)) => return code,
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the server has said something, which stays to be read.
    #[track_caller]
    pub(crate) fn wait_for_bytes(&self) {
        let stream = &self.ws.get_ref().0;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_ne!(stream.peek(&mut [0]).unwrap(), 0, "the server hung up");
    }

    /// Closes in order.
    pub(crate) fn close(mut self) {
        let _ = self.ws.close(Some(tungstenite::protocol::CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        }));
        while self.ws.read().is_ok() {}
    }
}

/// The topic of a room.
pub(crate) fn topic(room: &str) -> String {
    format!("room:{room}")
}

fn gone(error: Error) -> Gone {
    match error {
        Error::Io(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ) =>
        {
            Gone::Silent
        }
        _ => Gone::Lost,
    }
}
