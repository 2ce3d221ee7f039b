//! One connection of a witness.

use super::flaky::{Fate, Flaky};
use crate::socket_client::Frame;
use serde_json::{Value, json};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message, WebSocket};

/// How long a server may take to take or answer anything before the line counts as dead.
const LINE_PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Line {
    ws: WebSocket<Flaky>,
    last_ref: u64,
}

/// The connection is lost, however.
pub(super) struct Lost;

impl Line {
    pub(super) fn open(server: SocketAddr, token: &str, fate: Fate) -> Option<Line> {
        let stream = TcpStream::connect(server).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(LINE_PATIENCE)).ok()?;
        stream.set_write_timeout(Some(LINE_PATIENCE)).ok()?;
        let url = format!("ws://{server}/socket/websocket?vsn=2.0.0");
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (ws, _) = tungstenite::client(request, Flaky::new(stream, fate)).ok()?;
        Some(Line { ws, last_ref: 0 })
    }

    /// Sends an event; its `ref`. A join is its own `join_ref`.
    pub(super) fn push(
        &mut self,
        join_ref: Option<u64>,
        topic: &str,
        event: &str,
        payload: &Value,
    ) -> Result<u64, Lost> {
        let msg_ref = self.next_ref();
        let join_ref = join_ref.unwrap_or(msg_ref).to_string();
        let frame = json!([join_ref, msg_ref.to_string(), topic, event, payload]);
        self.send(&frame.to_string())?;
        Ok(msg_ref)
    }

    /// The `ref` of the next push.
    fn next_ref(&mut self) -> u64 {
        self.last_ref += 1;
        self.last_ref
    }

    pub(super) fn send(&mut self, text: &str) -> Result<(), Lost> {
        self.ws.send(Message::text(text)).map_err(|_| Lost)
    }

    /// The next frame, if one comes in time.
    pub(super) fn read(&mut self, patience: Duration) -> Result<Option<Frame>, Lost> {
        // Zero would be for ever.
        let patience = patience.max(Duration::from_millis(1));
        let _ = self.ws.get_ref().stream().set_read_timeout(Some(patience));
        match self.ws.read() {
            Ok(Message::Text(text)) => Ok(Some(Frame::parse(&text))),
            Ok(Message::Close(_)) => Err(Lost),
            Ok(_) => Ok(None),
            Err(Error::Io(error)) if is_timeout(&error) => Ok(None),
            Err(_) => Err(Lost),
        }
    }

    /// What has come to pass with the connection, once.
    pub(super) fn meet(&mut self) -> Option<Fate> {
        self.ws.get_mut().meet()
    }

    pub(super) fn was_reset(&self) -> bool {
        self.ws.get_ref().was_reset()
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.ws.get_ref().stream()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
