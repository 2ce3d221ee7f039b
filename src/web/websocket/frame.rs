//! PURE. Frames to send: encoded once, shared by all who receive them.

use super::CloseCode;
use crate::sync::Arc;
use std::fmt;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// One frame. A clone shares the payload: a room of a thousand members costs one encoding and a thousand pointers.
///
/// A server's frames are never masked (RFC 6455 §5.1), and ours are never fragmented.
///
/// ```
/// use perennial::web::websocket::Frame;
/// let frame = Frame::text("hi");
/// assert_eq!((frame.header(), frame.payload()), (&b"\x81\x02"[..], &b"hi"[..]));
/// assert!(std::ptr::eq(frame.clone().payload(), frame.payload()));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    header: [u8; HEADER_MAX],
    header_len: u8,
    payload: Arc<[u8]>,
}

/// Two bytes and the longest form of a length; a server's frames have no mask.
const HEADER_MAX: usize = 10;

/// What a control frame may carry (RFC 6455 §5.5).
const CONTROL_MAX: usize = 125;

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Frame::encode(OpCode::Data(Data::Text), text.as_bytes().into())
    }

    /// A binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Frame::shared_binary(bytes.into())
    }

    /// A text message of bytes that others hold too, and that must be UTF-8: a client ends a connection on which
    /// they are not.
    pub fn shared_text(payload: Arc<[u8]>) -> Self {
        Frame::encode(OpCode::Data(Data::Text), payload)
    }

    /// A binary message of bytes that others hold too.
    pub fn shared_binary(payload: Arc<[u8]>) -> Self {
        Frame::encode(OpCode::Data(Data::Binary), payload)
    }

    /// A ping; what is above 125 bytes is cut.
    pub fn ping(payload: &[u8]) -> Self {
        Frame::encode(OpCode::Control(Control::Ping), cut(payload).into())
    }

    /// The answer to a ping; what is above 125 bytes is cut.
    pub fn pong(payload: &[u8]) -> Self {
        Frame::encode(OpCode::Control(Control::Pong), cut(payload).into())
    }

    /// A close. A code that may not be sent becomes a frame without one; a long reason is cut at a character.
    pub fn close(code: CloseCode, reason: &str) -> Self {
        let mut payload = Vec::new();
        if code.may_be_sent() {
            payload.extend_from_slice(&code.get().to_be_bytes());
            let end = boundary(reason, CONTROL_MAX - 2);
            payload.extend_from_slice(&reason.as_bytes()[..end]);
        }
        Frame::encode(OpCode::Control(Control::Close), payload.into())
    }

    /// The bytes before the payload.
    pub fn header(&self) -> &[u8] {
        &self.header[..usize::from(self.header_len)]
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Length on the wire, header included.
    // There is no frame without a header, so no `is_empty`.
    #[expect(clippy::len_without_is_empty, reason = "no frame is empty")]
    pub fn len(&self) -> usize {
        usize::from(self.header_len) + self.payload.len()
    }

    fn encode(opcode: OpCode, payload: Arc<[u8]>) -> Self {
        let parsed = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let mut header = [0; HEADER_MAX];
        let mut rest = &mut header[..];
        parsed
            .format(payload.len() as u64, &mut rest)
            .expect("the longest header fits");
        let header_len = (HEADER_MAX - rest.len()) as u8;
        Frame {
            header,
            header_len,
            payload,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.len())
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
