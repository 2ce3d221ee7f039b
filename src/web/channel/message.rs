//! The values that travel: one frame of a client ([`Message`]), its parts, and one encoded frame
//! ([`Frame`]) whose bytes any number of connections share.
//!
//! The words are those of the wire: `join_ref`, `ref`, `topic`, `event`, `payload`, `status`, `response`.

use crate::sync::Arc;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A `ref` or `join_ref` as the client wrote it.
///
/// The official client sends strings, but the protocol only asks the server to give back what it got, so a
/// number stays the same number. Two of them are equal if a client could not tell their echoes apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum WireRef {
    /// `null`, or an empty field of a binary frame.
    #[default]
    Null,
    /// A JSON string, unescaped; every ref of a binary frame.
    Text(Box<str>),
    /// A JSON number or boolean, in the client's own spelling.
    Scalar(Box<str>),
}

impl WireRef {
    /// Equals `true` for `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, WireRef::Null)
    }

    /// What a binary frame carries, which has no types: the characters, nothing for `null`.
    pub(super) fn as_field(&self) -> &str {
        match self {
            WireRef::Null => "",
            WireRef::Text(text) | WireRef::Scalar(text) => text,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.as_field().len()
    }
}

impl From<&str> for WireRef {
    fn from(text: &str) -> Self {
        WireRef::Text(text.into())
    }
}

/// What an event carries: JSON kept as text until somebody wants to look inside, or bytes.
///
/// ```
/// use perennial::web::channel::Payload;
/// use serde_json::json;
/// let payload = Payload::from(json!({"body": "hi"}));
/// assert_eq!(payload.value(), Some(json!({"body": "hi"})));
/// assert_eq!(Payload::binary([1, 2]).value(), None);
/// ```
#[derive(Clone, Debug)]
pub enum Payload {
    /// One JSON value.
    Json(Box<RawValue>),
    /// The data of a binary frame.
    Binary(Arc<[u8]>),
}

impl Payload {
    /// `{}`.
    pub fn empty() -> Self {
        Value::Object(serde_json::Map::new()).into()
    }

    /// `{"reason": reason}`, the usual answer to what is refused.
    pub fn reason(reason: &str) -> Self {
        serde_json::json!({ "reason": reason }).into()
    }

    /// The JSON of anything that can be serialized, written at once without a [`Value`] in between.
    ///
    /// ```
    /// use perennial::web::channel::Payload;
    /// assert_eq!(Payload::json_of(&[1, 2]).unwrap().json(), Some("[1,2]"));
    /// ```
    ///
    /// # Errors
    /// If it says so itself, or has a map with keys that are no strings.
    pub fn json_of<T: serde_core::Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(value).map(Payload::Json)
    }

    /// Bytes, to travel in a binary frame.
    pub fn binary(bytes: impl Into<Arc<[u8]>>) -> Self {
        Payload::Binary(bytes.into())
    }

    /// The JSON text; `None` for bytes.
    pub fn json(&self) -> Option<&str> {
        match self {
            Payload::Json(raw) => Some(raw.get()),
            Payload::Binary(_) => None,
        }
    }

    /// The parsed JSON; `None` for bytes, and for JSON that no value can hold, such as half a surrogate pair.
    pub fn value(&self) -> Option<Value> {
        serde_json::from_str(self.json()?).ok()
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        match self {
            Payload::Json(raw) => raw.get().len(),
            Payload::Binary(bytes) => bytes.len(),
        }
    }

    /// Equals `true` if it holds no byte, as only binary payloads can.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Payload::json_of(&value).expect("a value is JSON")
    }
}

impl From<Box<RawValue>> for Payload {
    fn from(raw: Box<RawValue>) -> Self {
        Payload::Json(raw)
    }
}

/// Equal bytes, or the same JSON text; two spellings of one value are different payloads.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Payload::Json(a), Payload::Json(b)) => a.get() == b.get(),
            (Payload::Binary(a), Payload::Binary(b)) => a == b,
            _ => false,
        }
    }
}

/// One frame of a client, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The `ref` of the join that this message belongs to.
    pub join_ref: WireRef,
    /// The message's own `ref`, which its reply gives back.
    pub msg_ref: WireRef,
    /// To whom: a topic of this socket, or `phoenix`.
    pub topic: Box<str>,
    /// What: one of the `phx_` events, or the application's.
    pub event: Box<str>,
    /// With what.
    pub payload: Payload,
}

/// The `status` of a `phx_reply`: [`Status::OK`], [`Status::ERROR`], or a word of the application that its
/// client listens for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status(Cow<'static, str>);

impl Status {
    /// `"ok"`.
    pub const OK: Status = Status(Cow::Borrowed("ok"));
    /// `"error"`.
    pub const ERROR: Status = Status(Cow::Borrowed("error"));

    /// A status of the application's own.
    pub fn new(status: impl Into<Cow<'static, str>>) -> Self {
        Status(status.into())
    }

    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which kind of WebSocket message a frame travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// A text message (RFC 6455 §5.6).
    Text,
    /// A binary message (RFC 6455 §5.6).
    Binary,
}

/// One encoded frame. A clone shares the bytes, so that a broadcast is encoded once for all its readers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    kind: FrameKind,
    bytes: Arc<[u8]>,
}

impl Frame {
    pub(super) fn text(json: String) -> Self {
        Frame {
            kind: FrameKind::Text,
            bytes: json.into_bytes().into(),
        }
    }

    pub(super) fn binary(bytes: Vec<u8>) -> Self {
        Frame {
            kind: FrameKind::Binary,
            bytes: bytes.into(),
        }
    }

    /// The kind of message it travels in.
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The payload of that message; UTF-8 if it is text.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn shared(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Equals `true` if both are clones of one frame and share their bytes.
    pub fn shares_bytes_with(&self, other: &Frame) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FrameKind::Text => write!(f, "Text({})", String::from_utf8_lossy(&self.bytes)),
            FrameKind::Binary => write!(f, "Binary({:02x?})", &self.bytes),
        }
    }
}
