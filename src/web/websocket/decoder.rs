//! PURE. Bytes in, messages out, however the bytes were cut on their way (RFC 6455 §5, §8.1).
//!
//! A payload is unmasked straight into the message it belongs to, so a half frame costs the bytes that have come
//! and nothing for those it announces; an idle connection owns no buffer.

use super::{CloseCode, Event, Limits, Message, ProtocolError};
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Reads the frames of one client.
///
/// ```
/// use perennial::web::websocket::{Event, Limits, Message, MessageDecoder};
/// let mut decoder = MessageDecoder::new(Limits::default());
/// let mut bytes: &[u8] = b"\x81\x82\x01\x02\x03\x04ik\x81\x80";
/// let event = decoder.next(&mut bytes).unwrap();
/// assert_eq!(event, Some(Event::Message(Message::Text("hi".into()))));
/// assert_eq!(decoder.next(&mut bytes), Ok(None));
/// assert!(bytes.is_empty());
/// ```
#[derive(Debug)]
pub struct MessageDecoder {
    limits: Limits,
    /// The header on its way in: the longest is that of a masked frame of more than 64 KiB.
    header: [u8; HEADER_MAX],
    header_len: usize,
    frame: Option<Current>,
    /// Equals `Some` from the first frame of a message to its last.
    message: Option<Partial>,
    /// Payload of the message so far.
    data: Vec<u8>,
    /// Payload of the current control frame so far.
    control: Vec<u8>,
    end: Option<End>,
}

const HEADER_MAX: usize = 14;

/// Payload of a control frame (RFC 6455 §5.5).
const CONTROL_MAX: u64 = 125;

#[derive(Debug)]
struct Current {
    opcode: OpCode,
    is_final: bool,
    left: usize,
    /// Rotated so that its first byte is for the next byte of the payload.
    mask: [u8; 4],
}

#[derive(Debug)]
struct Partial {
    is_text: bool,
    fragments: usize,
    /// How many bytes are known to be whole characters.
    valid: usize,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Failed(ProtocolError),
}

impl MessageDecoder {
    /// A decoder for a new connection.
    pub fn new(limits: Limits) -> Self {
        MessageDecoder {
            limits,
            header: [0; HEADER_MAX],
            header_len: 0,
            frame: None,
            message: None,
            data: Vec::new(),
            control: Vec::new(),
            end: None,
        }
    }

    /// Takes bytes off `input` until there is an event; `None` if all were taken and none came of them.
    /// After an error the same error comes for ever, after a Close nothing.
    ///
    /// # Errors
    /// [`ProtocolError`], with the code to close with.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ProtocolError> {
        match self.end {
            Some(End::Failed(error)) => return Err(error),
            Some(End::Closed) => {
                *input = &[];
                return Ok(None);
            }
            None => {}
        }
        let result = self.read(input);
        match &result {
            Err(error) => self.end = Some(End::Failed(*error)),
            Ok(Some(Event::Close(..))) => self.end = Some(End::Closed),
            Ok(_) => {}
        }
        if self.end.is_some() {
            self.data = Vec::new();
        }
        result
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ProtocolError> {
        loop {
            if self.frame.is_none() {
                self.frame = self.read_header(input)?;
            }
            let Some(frame) = &mut self.frame else {
                return Ok(None);
            };
            let take = frame.left.min(input.len());
            let (payload, rest) = input.split_at(take);
            *input = rest;
            frame.left -= take;
            let into = match frame.opcode {
                OpCode::Data(_) => &mut self.data,
                OpCode::Control(_) => &mut self.control,
            };
            unmask(payload, &mut frame.mask, into);
            if frame.left > 0 {
                self.check_text()?;
                return Ok(None);
            }
            if let Some(frame) = self.frame.take()
                && let Some(event) = self.finish(&frame)?
            {
                return Ok(Some(event));
            }
        }
    }

    /// Collects a header and checks it; `None` if it is not complete.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Current>, ProtocolError> {
        loop {
            let need = match self.header_len {
                0 | 1 => 2,
                _ => {
                    let second = self.header[1];
                    if second & 0x80 == 0 {
                        // RFC 6455 §5.1: a client masks every frame.
                        return Err(ProtocolError::new("frame without a mask"));
                    }
                    match second & 0x7f {
                        126 => 8,
                        127 => 14,
                        _ => 6,
                    }
                }
            };
            if need == self.header_len {
                return self.parse_header().map(Some);
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            self.header[self.header_len] = byte;
            self.header_len += 1;
            *input = rest;
        }
    }

    fn parse_header(&mut self) -> Result<Current, ProtocolError> {
        let len = std::mem::take(&mut self.header_len);
        let parsed = FrameHeader::parse(&mut Cursor::new(&self.header[..len]));
        let Ok(Some((header, length))) = parsed else {
            return Err(ProtocolError::new("reserved opcode"));
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::new("reserved bit"));
        }
        // RFC 6455 §5.2: the shortest form that fits, and never the sign bit.
        if header.len(length) != len || length > i64::MAX as u64 {
            return Err(ProtocolError::new("length in the wrong form"));
        }
        self.check_frame(&header, length)?;
        Ok(Current {
            opcode: header.opcode,
            is_final: header.is_final,
            left: usize::try_from(length).map_err(|_| ProtocolError::too_big("message"))?,
            mask: header.mask.unwrap_or_default(),
        })
    }

    /// May this frame stand here, and is there room for it?
    fn check_frame(&mut self, header: &FrameHeader, length: u64) -> Result<(), ProtocolError> {
        let data = match header.opcode {
            OpCode::Control(_) if !header.is_final => {
                return Err(ProtocolError::new("fragmented control frame"));
            }
            OpCode::Control(_) if length > CONTROL_MAX => {
                return Err(ProtocolError::new("control frame of more than 125 bytes"));
            }
            OpCode::Control(_) => return Ok(()),
            OpCode::Data(data) => data,
        };
        match (&mut self.message, data) {
            (None, Data::Continue) => {
                return Err(ProtocolError::new("continuation of nothing"));
            }
            (Some(message), Data::Continue) => {
                message.fragments += 1;
                if message.fragments > self.limits.fragments_max {
                    return Err(ProtocolError::too_big("message of too many fragments"));
                }
            }
            (Some(_), _) => return Err(ProtocolError::new("message inside a message")),
            (message @ None, _) => {
                *message = Some(Partial {
                    is_text: data == Data::Text,
                    fragments: 1,
                    valid: 0,
                });
            }
        }
        let room = self.limits.message_max.saturating_sub(self.data.len()) as u64;
        if length > room {
            return Err(ProtocolError::too_big("message is too big"));
        }
        Ok(())
    }

    /// A frame is complete; `Some` if that completes an event.
    fn finish(&mut self, frame: &Current) -> Result<Option<Event>, ProtocolError> {
        match frame.opcode {
            OpCode::Control(control) => {
                let payload = std::mem::take(&mut self.control);
                match control {
                    Control::Ping => Ok(Some(Event::Ping(payload))),
                    Control::Pong => Ok(Some(Event::Pong)),
                    _ => {
                        let (code, reason) = CloseCode::read(&payload)?;
                        Ok(Some(Event::Close(code, reason)))
                    }
                }
            }
            OpCode::Data(_) if !frame.is_final => {
                self.check_text()?;
                Ok(None)
            }
            OpCode::Data(_) => {
                let data = std::mem::take(&mut self.data);
                let is_text = self.message.take().is_some_and(|message| message.is_text);
                let message = if is_text {
                    let text = String::from_utf8(data).map_err(|_| ProtocolError::not_utf8())?;
                    Message::Text(text)
                } else {
                    Message::Binary(data)
                };
                Ok(Some(Event::Message(message)))
            }
        }
    }

    /// Fails as soon as what has come cannot become UTF-8 (RFC 6455 §8.1); a character may still be cut at the end.
    fn check_text(&mut self) -> Result<(), ProtocolError> {
        let Some(message) = self.message.as_mut().filter(|message| message.is_text) else {
            return Ok(());
        };
        match std::str::from_utf8(&self.data[message.valid..]) {
            Ok(_) => message.valid = self.data.len(),
            Err(error) if error.error_len().is_none() => message.valid += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::not_utf8()),
        }
        Ok(())
    }
}

/// Appends `payload` without its mask, and turns the mask so that it fits what follows (RFC 6455 §5.3).
fn unmask(payload: &[u8], mask: &mut [u8; 4], into: &mut Vec<u8>) {
    let start = into.len();
    into.extend_from_slice(payload);
    let (fours, rest) = into[start..].as_chunks_mut::<4>();
    for four in fours {
        for (byte, mask) in four.iter_mut().zip(&*mask) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in rest.iter_mut().zip(&*mask) {
        *byte ^= mask;
    }
    mask.rotate_left(payload.len() % 4);
}
