//! PURE: the versions of the serializer, and version 1.0.0.
//!
//! Version 1.0.0 says the same as 2.0.0 in more words: an object instead of an array, and no `join_ref`. Old mobile
//! clients speak it, those that name no version above all. A frame is encoded once, as 2.0.0 wants it; the connection
//! of an old client takes it apart and writes it again, so that only such a client costs that.

use super::codec::{DecodeError, Limits};
use super::message::{Frame, FrameKind, Message, Payload, WireRef};
use super::{codec, scan};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A version of the serializer that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vsn {
    /// `~> 1.0.0`: JSON objects without a `join_ref`.
    V1,
    /// `~> 2.0.0`: JSON arrays of five, and binary frames.
    V2,
}

impl Vsn {
    /// Reads a `vsn` of the query by Phoenix's requirements `~> 1.0.0` and `~> 2.0.0`: any patch of either. A client that
    /// names none speaks 1.0.0; `None` for all others.
    ///
    /// ```
    /// use perennial::web::channel::Vsn;
    /// assert_eq!((Vsn::parse(Some("2.0.1")), Vsn::parse(None)), (Some(Vsn::V2), Some(Vsn::V1)));
    /// assert_eq!(Vsn::parse(Some("2.1.0")), None);
    /// ```
    pub fn parse(vsn: Option<&str>) -> Option<Vsn> {
        let parts: Vec<&str> = vsn.unwrap_or("1.0.0").split('.').collect();
        let is_number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match parts[..] {
            ["1", "0", patch] if is_number(patch) => Some(Vsn::V1),
            ["2", "0", patch] if is_number(patch) => Some(Vsn::V2),
            _ => None,
        }
    }

    /// Understands a text frame of this version.
    ///
    /// # Errors
    /// As [`codec::decode_text`]. In version 1.0.0 a message is an object with `topic`, `event`, `payload` and `ref`.
    pub fn decode_text(self, text: &str, limits: &Limits) -> Result<Message, DecodeError> {
        match self {
            Vsn::V1 => decode(text, limits),
            Vsn::V2 => codec::decode_text(text, limits),
        }
    }

    /// Understands a binary frame, which version 1.0.0 has none of.
    ///
    /// # Errors
    /// As [`codec::decode_binary`]; [`DecodeError::Malformed`] in version 1.0.0.
    pub fn decode_binary(self, bytes: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
        match self {
            Vsn::V1 => Err(DecodeError::Malformed),
            Vsn::V2 => codec::decode_binary(bytes, limits),
        }
    }

    /// A frame of version 2.0.0 in this one; `None` for bytes, which version 1.0.0 cannot say.
    ///
    /// ```
    /// use perennial::web::channel::{Payload, Vsn, codec};
    /// let frame = codec::broadcast("room:1", "ping", &Payload::empty())?;
    /// let old = Vsn::V1.translate(&frame).expect("text");
    /// assert_eq!(old.bytes(), br#"{"event":"ping","payload":{},"ref":null,"topic":"room:1"}"#);
    /// # Ok::<(), codec::EncodeError>(())
    /// ```
    pub fn translate(self, frame: &Frame) -> Option<Frame> {
        match self {
            Vsn::V1 => translate(frame),
            Vsn::V2 => Some(frame.clone()),
        }
    }
}

fn decode(text: &str, limits: &Limits) -> Result<Message, DecodeError> {
    if text.len() > limits.frame_len_max {
        return Err(DecodeError::FrameTooLong);
    }
    scan::measure(text.as_bytes(), limits)?;
    let parts: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|_| DecodeError::Malformed)?;
    let part = |key: &str| parts.get(key).copied().ok_or(DecodeError::Malformed);
    let msg_ref = codec::scalar(part("ref")?)?;
    let event = codec::string(part("event")?)?;
    // The frames that end a channel carry the ref of its join, as the client knows no other.
    let join_ref = match parts.get("join_ref") {
        Some(join_ref) => codec::scalar(join_ref)?,
        None if &*event == "phx_join" => msg_ref.clone(),
        None => WireRef::Null,
    };
    let message = Message {
        join_ref,
        msg_ref,
        topic: codec::string(part("topic")?)?,
        event,
        payload: Payload::Json(part("payload")?.to_owned()),
    };
    codec::checked(message, limits)
}

fn translate(frame: &Frame) -> Option<Frame> {
    if frame.kind() != FrameKind::Text {
        return None;
    }
    let parts: Vec<&RawValue> = serde_json::from_slice(frame.bytes()).ok()?;
    let [_, msg_ref, topic, event, payload] = parts[..] else {
        return None;
    };
    let mut out = String::with_capacity(frame.bytes().len() + 40);
    for (key, part) in [
        ("{\"event\":", event),
        (",\"payload\":", payload),
        (",\"ref\":", msg_ref),
        (",\"topic\":", topic),
    ] {
        out.push_str(key);
        out.push_str(part.get());
    }
    out.push('}');
    Some(Frame::text(out))
}
