//! PURE: the serializer of Phoenix Channels, version 2.0.0: frames to [`Message`]s and back.
//!
//! A text frame is a JSON array of five, like the lines on an envelope: which conversation (`join_ref`),
//! which letter (`ref`), to whom (`topic`), what about (`event`), and what is inside (`payload`). The server
//! reads the lines and carries the inside unopened. A binary frame says the same with length bytes in front.
//!
//! Everything that a stranger sends is measured before it is kept: [`Limits`].

use super::message::{Frame, Message, Payload, Status, WireRef};
use super::scan;
use serde_json::value::RawValue;
use std::error::Error;
use std::fmt;

/// How much of a client's frame is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame. 64 KiB: four of the longest chat messages with every character escaped fit.
    pub frame_len_max: usize,
    /// Bytes of a topic. 512: a room name of 64 four-byte letters behind a prefix is 261.
    pub topic_len_max: usize,
    /// Bytes of an event name. 128: a name is a word of the program, not of a user.
    pub event_len_max: usize,
    /// Bytes of a ref. 64: the official client counts in decimal, others use a UUID of 36.
    pub ref_len_max: usize,
    /// Levels of arrays and objects in a payload. 16: a form is 3 or 4 deep.
    pub depth_max: usize,
    /// Keys of all objects in a payload. 256: far above any form, far below what makes a parser allocate much.
    pub keys_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            frame_len_max: 64 * 1024,
            topic_len_max: 512,
            event_len_max: 128,
            ref_len_max: 64,
            depth_max: 16,
            keys_max: 256,
        }
    }
}

/// One of the lengths that [`Limits`] bounds and a binary frame counts in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `join_ref` or `ref`.
    Ref,
    /// The topic.
    Topic,
    /// The event name.
    Event,
    /// The status of a reply.
    Status,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Ref => "ref",
            Field::Topic => "topic",
            Field::Event => "event",
            Field::Status => "status",
        })
    }
}

/// Why a frame was not understood. The connection it came on cannot be trusted and is to be closed with
/// [`close_code`](DecodeError::close_code).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not a JSON array of at least five with scalar refs and a string topic and event; or a binary frame
    /// that ends inside its header or is not UTF-8 there.
    Malformed,
    /// A binary frame of a kind that clients do not send.
    UnknownKind(u8),
    /// More bytes than a frame may have.
    FrameTooLong,
    /// A field with more bytes than it may have.
    FieldTooLong(Field),
    /// A payload with more levels than it may have.
    TooDeep,
    /// A payload with more keys than it may have.
    TooManyKeys,
}

impl DecodeError {
    /// The WebSocket close code for it (RFC 6455 §7.4.1): 1011 for what is not understood, as Phoenix does,
    /// 1009 for a frame too big, 1008 for the other limits.
    pub fn close_code(&self) -> u16 {
        match self {
            DecodeError::Malformed | DecodeError::UnknownKind(_) => 1011,
            DecodeError::FrameTooLong => 1009,
            DecodeError::FieldTooLong(_) | DecodeError::TooDeep | DecodeError::TooManyKeys => 1008,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Malformed => f.write_str("decoding a frame that is no message"),
            DecodeError::UnknownKind(kind) => {
                write!(f, "decoding a binary frame of unknown kind {kind}")
            }
            DecodeError::FrameTooLong => f.write_str("decoding a frame that is too long"),
            DecodeError::FieldTooLong(field) => {
                write!(f, "decoding a frame whose {field} is too long")
            }
            DecodeError::TooDeep => f.write_str("decoding a payload that is nested too deeply"),
            DecodeError::TooManyKeys => f.write_str("decoding a payload with too many keys"),
        }
    }
}

impl Error for DecodeError {}

/// Why a message could not be put into a frame: a bug of the channel that sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The payload of a push or broadcast must be a JSON object (or bytes); only replies may be any JSON.
    NotAnObject,
    /// A field of more than 255 bytes, in a binary frame, which counts them in one byte.
    FieldTooLong(Field),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::NotAnObject => f.write_str("encoding a payload that is not an object"),
            EncodeError::FieldTooLong(field) => {
                write!(f, "encoding a binary frame whose {field} is over 255 bytes")
            }
        }
    }
}

impl Error for EncodeError {}

/// Understands a text frame.
///
/// ```
/// use perennial::web::channel::codec::{self, Limits};
/// let text = r#"["1","2","room:1","new_msg",{"body":"hi"}]"#;
/// let message = codec::decode_text(text, &Limits::default())?;
/// assert_eq!(&*message.topic, "room:1");
/// assert_eq!(message.payload.json(), Some(r#"{"body":"hi"}"#));
/// # Ok::<(), codec::DecodeError>(())
/// ```
///
/// # Errors
/// [`DecodeError`] for what is no message and for what exceeds `limits`; elements after the fifth are ignored.
pub fn decode_text(text: &str, limits: &Limits) -> Result<Message, DecodeError> {
    if text.len() > limits.frame_len_max {
        return Err(DecodeError::FrameTooLong);
    }
    scan::measure(text.as_bytes(), limits)?;
    let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| DecodeError::Malformed)?;
    let [join_ref, msg_ref, topic, event, payload, ..] = parts[..] else {
        return Err(DecodeError::Malformed);
    };
    let message = Message {
        join_ref: scalar(join_ref)?,
        msg_ref: scalar(msg_ref)?,
        topic: string(topic)?,
        event: string(event)?,
        payload: Payload::Json(payload.to_owned()),
    };
    checked(message, limits)
}

/// Understands a binary frame: `0 | join_ref_len | ref_len | topic_len | event_len | the four | data`.
///
/// # Errors
/// [`DecodeError`] for what is no push of a client and for what exceeds `limits`.
pub fn decode_binary(bytes: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
    if bytes.len() > limits.frame_len_max {
        return Err(DecodeError::FrameTooLong);
    }
    let (&kind, rest) = bytes.split_first().ok_or(DecodeError::Malformed)?;
    if kind != KIND_PUSH {
        return Err(DecodeError::UnknownKind(kind));
    }
    let (lens, mut rest) = rest
        .split_first_chunk::<4>()
        .ok_or(DecodeError::Malformed)?;
    let mut fields = [""; 4];
    for (field, len) in fields.iter_mut().zip(lens) {
        let (bytes, after) = rest
            .split_at_checked(usize::from(*len))
            .ok_or(DecodeError::Malformed)?;
        *field = std::str::from_utf8(bytes).map_err(|_| DecodeError::Malformed)?;
        rest = after;
    }
    let [join_ref, msg_ref, topic, event] = fields;
    let message = Message {
        join_ref: field_ref(join_ref),
        msg_ref: field_ref(msg_ref),
        topic: topic.into(),
        event: event.into(),
        payload: Payload::binary(rest),
    };
    checked(message, limits)
}

/// A `phx_reply`; `response` may be any JSON.
///
/// # Errors
/// [`EncodeError::FieldTooLong`], for bytes only.
pub fn reply(
    join_ref: &WireRef,
    msg_ref: &WireRef,
    topic: &str,
    status: &Status,
    response: &Payload,
) -> Result<Frame, EncodeError> {
    let json = match response {
        Payload::Json(raw) => raw.get(),
        Payload::Binary(data) => {
            let fields = [
                (Field::Ref, join_ref.as_field()),
                (Field::Ref, msg_ref.as_field()),
                (Field::Topic, topic),
                (Field::Status, status.as_str()),
            ];
            return binary(KIND_REPLY, &fields, data);
        }
    };
    let mut out = envelope(join_ref, msg_ref, topic, "phx_reply", json.len() + 40);
    out.push_str("{\"response\":");
    out.push_str(json);
    out.push_str(",\"status\":");
    write_string(&mut out, status.as_str());
    out.push_str("}]");
    Ok(Frame::text(out))
}

/// An event to the one client that joined with `join_ref`.
///
/// # Errors
/// [`EncodeError::NotAnObject`]; [`EncodeError::FieldTooLong`] for bytes.
pub fn push(
    join_ref: &WireRef,
    topic: &str,
    event: &str,
    payload: &Payload,
) -> Result<Frame, EncodeError> {
    match payload {
        Payload::Json(raw) => object(join_ref, &WireRef::Null, topic, event, raw),
        Payload::Binary(data) => {
            let fields = [
                (Field::Ref, join_ref.as_field()),
                (Field::Topic, topic),
                (Field::Event, event),
            ];
            binary(KIND_PUSH, &fields, data)
        }
    }
}

/// An event to everybody on a topic, the same bytes for all.
///
/// ```
/// use perennial::web::channel::{Payload, codec};
/// let frame = codec::broadcast("room:1", "ping", &Payload::empty())?;
/// assert_eq!(frame.bytes(), br#"[null,null,"room:1","ping",{}]"#);
/// # Ok::<(), codec::EncodeError>(())
/// ```
///
/// # Errors
/// [`EncodeError::NotAnObject`]; [`EncodeError::FieldTooLong`] for bytes.
pub fn broadcast(topic: &str, event: &str, payload: &Payload) -> Result<Frame, EncodeError> {
    match payload {
        Payload::Json(raw) => object(&WireRef::Null, &WireRef::Null, topic, event, raw),
        Payload::Binary(data) => {
            let fields = [(Field::Topic, topic), (Field::Event, event)];
            binary(KIND_BROADCAST, &fields, data)
        }
    }
}

/// `phx_close`: the channel ended as it should, and the client does not come back by itself.
pub fn close(join_ref: &WireRef, topic: &str) -> Frame {
    ended(join_ref, topic, "phx_close")
}

/// `phx_error`: the channel crashed, and the client is to join again.
pub fn error(join_ref: &WireRef, topic: &str) -> Frame {
    ended(join_ref, topic, "phx_error")
}

const KIND_PUSH: u8 = 0;
const KIND_REPLY: u8 = 1;
const KIND_BROADCAST: u8 = 2;

pub(super) fn scalar(raw: &RawValue) -> Result<WireRef, DecodeError> {
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(WireRef::Text(string(raw)?)),
        Some(b'n') => Ok(WireRef::Null),
        Some(b'[' | b'{') | None => Err(DecodeError::Malformed),
        Some(_) => Ok(WireRef::Scalar(raw.get().into())),
    }
}

pub(super) fn string(raw: &RawValue) -> Result<Box<str>, DecodeError> {
    serde_json::from_str(raw.get()).map_err(|_| DecodeError::Malformed)
}

fn field_ref(field: &str) -> WireRef {
    if field.is_empty() {
        WireRef::Null
    } else {
        field.into()
    }
}

pub(super) fn checked(message: Message, limits: &Limits) -> Result<Message, DecodeError> {
    let lengths = [
        (Field::Ref, message.join_ref.len(), limits.ref_len_max),
        (Field::Ref, message.msg_ref.len(), limits.ref_len_max),
        (Field::Topic, message.topic.len(), limits.topic_len_max),
        (Field::Event, message.event.len(), limits.event_len_max),
    ];
    match lengths.iter().find(|(_, len, max)| len > max) {
        Some(&(field, ..)) => Err(DecodeError::FieldTooLong(field)),
        None => Ok(message),
    }
}

/// `[join_ref,ref,topic,event,` with room for `more` bytes behind it.
fn envelope(
    join_ref: &WireRef,
    msg_ref: &WireRef,
    topic: &str,
    event: &str,
    more: usize,
) -> String {
    let len = join_ref.len() + msg_ref.len() + topic.len() + event.len() + more;
    let mut out = String::with_capacity(len + 16);
    out.push('[');
    write_ref(&mut out, join_ref);
    out.push(',');
    write_ref(&mut out, msg_ref);
    out.push(',');
    write_string(&mut out, topic);
    out.push(',');
    write_string(&mut out, event);
    out.push(',');
    out
}

fn object(
    join_ref: &WireRef,
    msg_ref: &WireRef,
    topic: &str,
    event: &str,
    payload: &RawValue,
) -> Result<Frame, EncodeError> {
    let json = payload.get();
    if !json.starts_with('{') {
        return Err(EncodeError::NotAnObject);
    }
    let mut out = envelope(join_ref, msg_ref, topic, event, json.len() + 1);
    out.push_str(json);
    out.push(']');
    Ok(Frame::text(out))
}

/// The end of a channel carries its join_ref twice: the client looks at both places.
fn ended(join_ref: &WireRef, topic: &str, event: &str) -> Frame {
    let mut out = envelope(join_ref, join_ref, topic, event, 3);
    out.push_str("{}]");
    Frame::text(out)
}

fn write_ref(out: &mut String, wire_ref: &WireRef) {
    match wire_ref {
        WireRef::Null => out.push_str("null"),
        WireRef::Text(text) => write_string(out, text),
        WireRef::Scalar(text) => out.push_str(text),
    }
}

/// RFC 8259 §7. Most strings here have nothing to escape and are copied as they are.
fn write_string(out: &mut String, text: &str) {
    let plain = text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// `kind | a length byte for each field | the fields | data`.
fn binary(kind: u8, fields: &[(Field, &str)], data: &[u8]) -> Result<Frame, EncodeError> {
    let len: usize = fields.iter().map(|(_, text)| 1 + text.len()).sum();
    let mut out = Vec::with_capacity(1 + len + data.len());
    out.push(kind);
    for (field, text) in fields {
        out.push(u8::try_from(text.len()).map_err(|_| EncodeError::FieldTooLong(*field))?);
    }
    for (_, text) in fields {
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(data);
    Ok(Frame::binary(out))
}
