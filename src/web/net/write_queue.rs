//! What waits to be written to one socket: chunks of a response, shared frames.

use crate::web::http::Body;
use crate::web::websocket::Frame;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

/// One piece of output. None of them is copied on the way.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Of a response.
    Body(Body),
    /// Sent by a [`Connection`](super::Connection), and counted there until it is written.
    Frame(Frame),
    /// A frame of our own: a pong, a ping, a Close.
    Control(Frame),
}

impl Chunk {
    /// What comes first and what comes after it.
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Chunk::Body(body) => [body.as_bytes(), &[]],
            Chunk::Frame(frame) | Chunk::Control(frame) => [frame.header(), frame.payload()],
        }
    }

    fn len(&self) -> usize {
        let [first, second] = self.parts();
        first.len() + second.len()
    }
}

/// What one call of [`WriteQueue::write`] has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    /// Frames of connections that are out, and their bytes.
    pub(super) frames: usize,
    pub(super) frame_bytes: usize,
    /// Equals `true` if the socket takes no more for the moment.
    pub(super) is_blocked: bool,
}

/// Pieces for one `writev`, two for each frame. A burst of broadcasts is a few dozen, and the array is on the stack.
const SLICES_MAX: usize = 128;

/// An empty queue keeps room for so many chunks; a longer one gives its memory back.
const KEPT_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    chunks: VecDeque<Chunk>,
    /// How much of the first chunk is written.
    offset: usize,
}

impl WriteQueue {
    pub(super) fn push(&mut self, chunk: Chunk) {
        if chunk.len() > 0 {
            self.chunks.push_back(chunk);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Forgets the frames that nobody has seen a byte of; control frames too, as a Close is to come.
    pub(super) fn drop_frames(&mut self) {
        let partly_written = self.offset > 0;
        let mut at = 0;
        self.chunks.retain(|chunk| {
            at += 1;
            matches!(chunk, Chunk::Body(_)) || (at == 1 && partly_written)
        });
    }

    /// Writes until it is empty, the socket is full or about `budget` bytes are out.
    pub(super) fn write(&mut self, to: &mut impl Write, budget: usize) -> io::Result<Written> {
        let mut written = Written::default();
        while !self.chunks.is_empty() && written.bytes < budget {
            match self.write_once(to) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count, &mut written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    written.is_blocked = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if self.chunks.is_empty() && self.chunks.capacity() > KEPT_MAX {
            self.chunks = VecDeque::new();
        }
        Ok(written)
    }

    fn write_once(&self, to: &mut impl Write) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut skip = self.offset;
        for part in self.chunks.iter().flat_map(Chunk::parts).take(SLICES_MAX) {
            let skipped = skip.min(part.len());
            skip -= skipped;
            slices[count] = IoSlice::new(&part[skipped..]);
            count += 1;
        }
        to.write_vectored(&slices[..count])
    }

    fn advance(&mut self, count: usize, written: &mut Written) {
        written.bytes += count;
        self.offset += count;
        while let Some(first) = self.chunks.front() {
            let len = first.len();
            if self.offset < len {
                break;
            }
            self.offset -= len;
            if let Chunk::Frame(_) = first {
                written.frames += 1;
                written.frame_bytes += len;
            }
            self.chunks.pop_front();
        }
    }
}
