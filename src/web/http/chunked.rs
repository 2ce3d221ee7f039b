//! PURE. The chunked coding of a body (RFC 9112 §7.1), read byte by byte into the body.
//!
//! Hexadecimal digits, perhaps extensions, CR LF, that many bytes, CR LF; a chunk of size 0; trailer lines; an empty
//! line. Nothing else: no space after the size, no bare line end. Trailers are read and thrown away.

use super::target::hex;
use super::{Limits, RequestError};

/// Where in a chunked body the next byte belongs.
#[derive(Clone, Copy, Debug)]
enum State {
    /// In the size; holds how many digits there were.
    Size {
        digits: u8,
    },
    Extension,
    /// After the CR that ends a size line.
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    /// In the trailer section; holds how long the current line is.
    Trailer {
        line: usize,
    },
    TrailerEnd {
        line: usize,
    },
}

/// A chunked body on its way in.
#[derive(Clone, Debug)]
pub(super) struct Chunked {
    state: State,
    /// Size of the current chunk; what is left of it while in its data.
    size: u64,
    extensions: usize,
    trailers: usize,
}

/// More digits than a `u64` has.
const DIGITS_MAX: u8 = 16;

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked {
            state: State::Size { digits: 0 },
            size: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Reads from `input` into `body`; says how many bytes it took and whether the body is complete.
    pub(super) fn read(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        limits: &Limits,
    ) -> Result<(usize, bool), RequestError> {
        let mut at = 0;
        while at < input.len() {
            if let State::Data = self.state {
                let left = usize::try_from(self.size).unwrap_or(usize::MAX);
                let take = left.min(input.len() - at);
                body.extend_from_slice(&input[at..at + take]);
                at += take;
                self.size -= take as u64;
                if self.size == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            let done = self.step(input[at], body.len(), limits)?;
            at += 1;
            if done {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// One byte of everything but data; `true` if it was the last of the body.
    fn step(&mut self, byte: u8, len: usize, limits: &Limits) -> Result<bool, RequestError> {
        self.state = match (self.state, byte) {
            (State::Size { digits }, b'\r') if digits > 0 => State::SizeEnd,
            (State::Size { digits }, b';') if digits > 0 => {
                self.check_extension(limits)?;
                State::Extension
            }
            (State::Size { digits }, digit) => self.size_digit(digits, digit)?,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, byte) if byte == b'\t' || !byte.is_ascii_control() => {
                self.check_extension(limits)?;
                State::Extension
            }
            (State::SizeEnd, b'\n') => self.size_end(len, limits)?,
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size { digits: 0 },
            (State::Trailer { line }, b'\r') => State::TrailerEnd { line },
            (State::Trailer { line }, byte) if byte == b'\t' || !byte.is_ascii_control() => {
                self.trailers += 1;
                if self.trailers > limits.trailer_max {
                    return Err(RequestError::HeadTooLarge);
                }
                State::Trailer { line: line + 1 }
            }
            (State::TrailerEnd { line: 0 }, b'\n') => return Ok(true),
            (State::TrailerEnd { .. }, b'\n') => State::Trailer { line: 0 },
            _ => return Err(RequestError::Malformed("chunk")),
        };
        Ok(false)
    }

    fn size_digit(&mut self, digits: u8, digit: u8) -> Result<State, RequestError> {
        match hex(digit) {
            Some(value) if digits < DIGITS_MAX => {
                self.size = self.size << 4 | u64::from(value);
                Ok(State::Size { digits: digits + 1 })
            }
            _ => Err(RequestError::Malformed("chunk size")),
        }
    }

    /// The size is known: refuses a body that would grow too large before its bytes come.
    fn size_end(&mut self, len: usize, limits: &Limits) -> Result<State, RequestError> {
        if self.size == 0 {
            return Ok(State::Trailer { line: 0 });
        }
        let room = limits.body_max.saturating_sub(len) as u64;
        if self.size > room {
            return Err(RequestError::BodyTooLarge);
        }
        Ok(State::Data)
    }

    fn check_extension(&mut self, limits: &Limits) -> Result<(), RequestError> {
        self.extensions += 1;
        if self.extensions > limits.chunk_extension_max {
            return Err(RequestError::Malformed("chunk extensions"));
        }
        Ok(())
    }
}
