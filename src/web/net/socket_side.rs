//! PURE. A connection that speaks WebSocket: what to pass up, what to answer by itself, and when it has ended.

use super::Config;
use super::service::{Closed, ClosedBy};
use crate::web::websocket::{CloseCode, Event, Frame, Message, MessageDecoder};
use std::time::{Duration, Instant};

/// What a connection does after the upgrade.
#[derive(Debug)]
pub(super) struct SocketSide {
    decoder: MessageDecoder,
    /// When the peer was last heard.
    heard_at: Instant,
    /// When it was last sent a ping, if not heard since.
    pinged_at: Option<Instant>,
    pongs: Pongs,
    /// Equals `Some` from the moment our Close is queued.
    closing: Option<Closing>,
}

#[derive(Debug)]
struct Closing {
    closed: Closed,
    deadline: Instant,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Pass a message up.
    Message(Message),
    /// Send a frame of our own.
    Send(Frame),
    /// The peer has closed, or has answered our Close: send the frame, if any, tell the sink, and end the connection.
    End(Option<Frame>, Closed),
    /// The peer broke the protocol: the same, but it may still be sending.
    Fail(Frame, Closed),
}

/// What to do with a connection whose deadline has passed.
#[derive(Debug)]
pub(super) enum Overdue {
    /// The peer is silent: ask whether it is there.
    Ping(Frame),
    /// The peer is gone.
    Silent,
    /// The peer does not answer our Close.
    Unanswered(Closed),
}

/// Pongs are answered at this rate in the long run; RFC 6455 §5.5.3 allows to leave some out.
const PONG_EVERY: Duration = Duration::from_secs(1);

/// Pongs that may be sent at once: enough for any client that measures, too few to make us work for one that floods.
const PONG_BURST: u32 = 16;

/// How many pongs may be sent now.
#[derive(Debug)]
struct Pongs {
    left: u32,
    refilled_at: Instant,
}

impl Pongs {
    fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.refilled_at).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(PONG_BURST);
            self.left = self.left.saturating_add(more).min(PONG_BURST);
            self.refilled_at += PONG_EVERY * more;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

impl SocketSide {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        SocketSide {
            decoder: MessageDecoder::new(config.websocket),
            heard_at: now,
            pinged_at: None,
            pongs: Pongs {
                left: PONG_BURST,
                refilled_at: now,
            },
            closing: None,
        }
    }

    /// Bytes came, whatever they are.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.pinged_at = None;
    }

    /// Takes bytes off `input` until there is something to do.
    pub(super) fn next(&mut self, input: &mut &[u8], now: Instant) -> Option<Step> {
        loop {
            let event = match self.decoder.next(input) {
                Ok(event) => event?,
                Err(error) => {
                    let frame = Frame::close(error.code, error.reason);
                    let closed = Closed::new(ClosedBy::Protocol, error.code, error.reason);
                    return Some(match self.closing.take() {
                        Some(closing) => Step::End(None, closing.closed),
                        None => Step::Fail(frame, closed),
                    });
                }
            };
            match event {
                // RFC 6455 §5.5.1: what comes between our Close and its answer may be discarded.
                Event::Message(_) | Event::Ping(_) if self.closing.is_some() => {}
                Event::Pong => {}
                Event::Message(message) => return Some(Step::Message(message)),
                Event::Ping(payload) => {
                    if self.pongs.take(now) {
                        return Some(Step::Send(Frame::pong(&payload)));
                    }
                }
                Event::Close(code, reason) => return Some(self.peer_closes(code, &reason)),
            }
        }
    }

    fn peer_closes(&mut self, code: CloseCode, reason: &str) -> Step {
        match self.closing.take() {
            Some(closing) => Step::End(None, closing.closed),
            // RFC 6455 §5.5.1: the answer echoes the code.
            None => Step::End(
                Some(Frame::close(code, "")),
                Closed::new(ClosedBy::Peer, code, reason),
            ),
        }
    }

    /// Begins our own Close; the frame to queue, `None` if there is one on its way.
    pub(super) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        deadline: Instant,
    ) -> Option<Frame> {
        if self.closing.is_some() {
            return None;
        }
        let closed = Closed::new(ClosedBy::Local, code, reason);
        self.closing = Some(Closing { closed, deadline });
        Some(Frame::close(code, reason))
    }

    /// How it is to be reported that the connection was lost.
    pub(super) fn lost(&mut self) -> Closed {
        match self.closing.take() {
            Some(closing) => closing.closed,
            None => Closed::lost(),
        }
    }

    /// When something must have happened.
    pub(super) fn deadline(&self, config: &Config) -> Instant {
        match (&self.closing, self.pinged_at) {
            (Some(closing), _) => closing.deadline,
            (None, None) => self.heard_at + config.ping_after,
            (None, Some(pinged_at)) => {
                (pinged_at + config.ping_after).min(self.heard_at + config.silence_max)
            }
        }
    }

    /// The deadline has passed.
    pub(super) fn overdue(&mut self, config: &Config, now: Instant) -> Overdue {
        if let Some(closing) = self.closing.take() {
            return Overdue::Unanswered(closing.closed);
        }
        if now >= self.heard_at + config.silence_max {
            return Overdue::Silent;
        }
        self.pinged_at = Some(now);
        Overdue::Ping(Frame::ping(b""))
    }
}
