//! A connection that fails in a way of its own after so many bytes.

use crate::socket_client::Unbroken;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Sound,
    /// After so many bytes in both directions together, in the middle of a frame as a rule, it is reset.
    Reset(u64),
    /// After so many bytes its client is gone without a word, and the connection stays.
    HalfOpen(u64),
    /// After so many bytes nobody reads for a while.
    Slow(u64, Duration),
    /// After so many bytes the client sends what is no frame.
    Garbage(u64),
}

/// A TCP connection with a fate.
pub(crate) struct Flaky {
    stream: Unbroken,
    fate: Fate,
    bytes: u64,
}

impl Flaky {
    pub(crate) fn new(stream: TcpStream, fate: Fate) -> Self {
        Flaky {
            stream: Unbroken(stream),
            fate,
            bytes: 0,
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream.0
    }

    /// What has come to pass, once.
    pub(crate) fn meet(&mut self) -> Option<Fate> {
        let (Fate::HalfOpen(at) | Fate::Slow(at, _) | Fate::Garbage(at)) = self.fate else {
            return None;
        };
        (self.bytes >= at).then(|| std::mem::replace(&mut self.fate, Fate::Sound))
    }

    /// How many of `wanted` bytes pass before it is reset.
    fn passes(&mut self, wanted: usize) -> io::Result<usize> {
        let Fate::Reset(at) = self.fate else {
            return Ok(wanted);
        };
        let left = at.saturating_sub(self.bytes);
        if left == 0 && wanted > 0 {
            self.reset();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(wanted.min(left as usize))
    }

    /// Closed with bytes on their way and no time to linger, it is reset.
    fn reset(&self) {
        let _ = socket2::SockRef::from(&self.stream.0).set_linger(Some(Duration::ZERO));
    }

    pub(crate) fn was_reset(&self) -> bool {
        matches!(self.fate, Fate::Reset(at) if self.bytes >= at)
    }
}

impl Read for Flaky {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let passes = self.passes(to.len())?;
        let read = self.stream.read(&mut to[..passes])?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl Write for Flaky {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let passes = self.passes(bytes.len())?;
        let written = self.stream.write(&bytes[..passes])?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
