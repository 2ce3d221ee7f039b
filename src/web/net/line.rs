//! The part of a connection that the reactor shares with the threads that use it.

use super::post::{Command, Post};
use super::table::ConnectionId;
use crate::sync::Mutex;
use crate::web::websocket::{CloseCode, Frame};
use std::net::SocketAddr;

/// Limits of what waits in either direction, from the [`Config`](super::Config).
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) out_frames_max: usize,
    pub(super) out_bytes_max: usize,
    pub(super) in_frames_max: usize,
    pub(super) in_bytes_max: usize,
}

/// One connection between its reactor and everybody else.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: ConnectionId,
    pub(super) peer: SocketAddr,
    bounds: Bounds,
    post: Post,
    /// Guards what follows; a leaf: nothing else is locked, called or sent while it is held.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// Sent and not yet collected by the reactor.
    frames: Vec<Frame>,
    /// Sent and not yet written to the socket, collected or not.
    out_frames: usize,
    out_bytes: usize,
    /// A Flush is on its way: no second one is needed.
    is_flush_posted: bool,
    /// Somebody holds frames back and wants to hear when there is room.
    is_starved: bool,
    close: Option<Close>,
    /// Messages being handled above.
    in_frames: usize,
    in_bytes: usize,
    /// The reactor does not read until there is room.
    is_paused: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Http,
    Open,
    /// A Close is due or sent, or the socket is gone.
    Closed,
}

/// How a WebSocket is to be closed.
#[derive(Clone, Debug)]
pub(super) struct Close {
    pub(super) code: CloseCode,
    pub(super) reason: String,
    /// What was sent before goes out first; otherwise it is forgotten.
    pub(super) is_orderly: bool,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// As many frames or bytes as allowed wait for this client already.
    Full,
    /// The WebSocket is closed or closing.
    Closed,
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SendError::Full => "sending to a client whose queue is full",
            SendError::Closed => "sending to a connection that is closed",
        })
    }
}

impl std::error::Error for SendError {}

impl State {
    /// A client that has nothing to read is sent a frame of any length, or one above the bound would never go.
    fn has_room(&self, bounds: &Bounds, frame: &Frame) -> bool {
        let bytes = self.out_bytes + frame.len();
        self.out_frames == 0
            || (self.out_frames < bounds.out_frames_max && bytes <= bounds.out_bytes_max)
    }

    /// At most this part of either bound waits.
    fn is_below(&self, bounds: &Bounds, divisor: usize) -> bool {
        self.out_frames <= bounds.out_frames_max / divisor
            && self.out_bytes <= bounds.out_bytes_max / divisor
    }

    /// Takes note that the reactor must look; `true` if it has to be told.
    fn must_flush(&mut self) -> bool {
        !std::mem::replace(&mut self.is_flush_posted, true)
    }

    fn shut(&mut self, close: Option<Close>) {
        self.stage = Stage::Closed;
        self.close = close;
    }
}

/// What [`Line::collect`] found.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) frames: Vec<Frame>,
    pub(super) close: Option<Close>,
}

impl Line {
    pub(super) fn new(id: ConnectionId, peer: SocketAddr, bounds: Bounds, post: Post) -> Self {
        Line {
            id,
            peer,
            bounds,
            post,
            state: Mutex::default(),
        }
    }

    pub(super) fn post(&self, command: Command) {
        self.post.send(command);
    }

    /// From now on frames are taken.
    pub(super) fn open(&self) {
        let mut state = self.state.lock();
        if state.stage == Stage::Http {
            state.stage = Stage::Open;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().stage == Stage::Closed
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.lock().stage == Stage::Open
    }

    /// Queues a frame if there is room; else the sender will hear when there is.
    pub(super) fn try_send(&self, frame: &Frame) -> Result<(), SendError> {
        let must_flush = {
            let mut state = self.state.lock();
            if state.stage != Stage::Open {
                return Err(SendError::Closed);
            }
            if !state.has_room(&self.bounds, frame) {
                state.is_starved = true;
                return Err(SendError::Full);
            }
            state.frames.push(frame.clone());
            state.out_frames += 1;
            state.out_bytes += frame.len();
            state.must_flush()
        };
        self.flush_if(must_flush);
        Ok(())
    }

    /// Ends the WebSocket; the first to do so decides the code.
    pub(super) fn close(&self, close: Close) {
        let (must_flush, dropped) = {
            let mut state = self.state.lock();
            if state.stage != Stage::Open {
                return;
            }
            let dropped = if close.is_orderly {
                Vec::new()
            } else {
                std::mem::take(&mut state.frames)
            };
            state.shut(Some(close));
            (state.must_flush(), dropped)
        };
        drop(dropped);
        self.flush_if(must_flush);
    }

    /// Equals `true` if more than half of what may wait does; the asker will then hear when it has gone down.
    pub(super) fn is_lagging(&self) -> bool {
        let mut state = self.state.lock();
        if state.is_below(&self.bounds, 2) {
            return false;
        }
        state.is_starved = true;
        true
    }

    fn flush_if(&self, must_flush: bool) {
        if must_flush {
            self.post.send(Command::Flush(self.id));
        }
    }

    /// The reactor takes what is to be written.
    pub(super) fn collect(&self) -> Collected {
        let mut state = self.state.lock();
        state.is_flush_posted = false;
        Collected {
            frames: std::mem::take(&mut state.frames),
            close: state.close.take(),
        }
    }

    /// The reactor has written frames; `true` if somebody waits for the room that there is now.
    pub(super) fn written(&self, frames: usize, bytes: usize) -> bool {
        let mut state = self.state.lock();
        state.out_frames -= frames;
        state.out_bytes -= bytes;
        state.is_starved && state.is_below(&self.bounds, 4) && std::mem::take(&mut state.is_starved)
    }

    /// A message goes up; `true` if it is the last for the moment.
    pub(super) fn admit(&self, bytes: usize) -> bool {
        let mut state = self.state.lock();
        state.in_frames += 1;
        state.in_bytes += bytes;
        state.is_paused = state.in_frames >= self.bounds.in_frames_max
            || state.in_bytes >= self.bounds.in_bytes_max;
        state.is_paused
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state.lock().is_paused
    }

    /// A message is done.
    pub(super) fn release(&self, bytes: usize) {
        let must_resume = {
            let mut state = self.state.lock();
            state.in_frames -= 1;
            state.in_bytes -= bytes;
            let has_room = state.in_frames <= self.bounds.in_frames_max / 2
                && state.in_bytes <= self.bounds.in_bytes_max / 2;
            // A closing WebSocket is read on too: the peer's Close is behind its messages.
            has_room && std::mem::take(&mut state.is_paused)
        };
        if must_resume {
            self.post.send(Command::Resume(self.id));
        }
    }

    /// The socket is gone, or takes nothing but a Close from now on.
    pub(super) fn shut(&self) {
        let dropped = {
            let mut state = self.state.lock();
            state.shut(None);
            std::mem::take(&mut state.frames)
        };
        drop(dropped);
    }
}
