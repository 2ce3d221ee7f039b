//! PURE. Frames to send: encoded once, shared by all who receive them.

use super::CloseCode;
use crate::sync::Arc;
use std::fmt;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// One frame as it goes on the wire, header included. A clone is the same bytes: a room of a thousand members
/// costs one encoding and a thousand pointers.
///
/// A server's frames are never masked (RFC 6455 §5.1), and ours are never fragmented.
///
/// ```
/// use perennial::web::websocket::Frame;
/// let frame = Frame::text("hi");
/// assert_eq!(frame.bytes(), b"\x81\x02hi");
/// assert!(std::ptr::eq(frame.clone().bytes(), frame.bytes()));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

/// What a control frame may carry (RFC 6455 §5.5).
const CONTROL_MAX: usize = 125;

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Frame::encode(OpCode::Data(Data::Text), text.as_bytes())
    }

    /// A binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Frame::encode(OpCode::Data(Data::Binary), bytes)
    }

    /// A ping; what is above 125 bytes is cut.
    pub fn ping(payload: &[u8]) -> Self {
        Frame::encode(OpCode::Control(Control::Ping), cut(payload))
    }

    /// The answer to a ping; what is above 125 bytes is cut.
    pub fn pong(payload: &[u8]) -> Self {
        Frame::encode(OpCode::Control(Control::Pong), cut(payload))
    }

    /// A close. A code that may not be sent becomes a frame without one; a long reason is cut at a character.
    pub fn close(code: CloseCode, reason: &str) -> Self {
        let mut payload = Vec::new();
        if code.may_be_sent() {
            payload.extend_from_slice(&code.get().to_be_bytes());
            let end = boundary(reason, CONTROL_MAX - 2);
            payload.extend_from_slice(&reason.as_bytes()[..end]);
        }
        Frame::encode(OpCode::Control(Control::Close), &payload)
    }

    /// The bytes for the socket.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn encode(opcode: OpCode, payload: &[u8]) -> Self {
        let header = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let length = payload.len() as u64;
        let mut bytes = Vec::with_capacity(header.len(length) + payload.len());
        header
            .format(length, &mut bytes)
            .expect("a vector takes every write");
        bytes.extend_from_slice(payload);
        Frame(bytes.into())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.0.len())
    }
}

fn cut(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_MAX)]
}

/// The largest place at or below `index` where a text may be cut.
fn boundary(text: &str, index: usize) -> usize {
    let mut end = index.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
