//! PURE. A connection that speaks HTTP: one request at a time, and the deadline of whatever it is doing.

use super::Config;
use crate::web::http::{Event, Framing, Progress, RequestDecoder, RequestError};
use std::time::Instant;

/// What a connection does between accept and upgrade.
#[derive(Debug)]
pub(super) struct HttpSide {
    decoder: RequestDecoder,
    state: State,
    /// How many requests were taken.
    served: u32,
    /// When the current state, or the current part of a request, began.
    since: Instant,
    /// The decoder has bytes that it was not asked about.
    has_unread: bool,
}

#[derive(Debug)]
enum State {
    /// Accepted, and not a byte of a request yet, or not all of its head.
    First,
    Reading,
    Answering(Framing),
    /// No further request is taken.
    Ended,
}

/// What to do with a connection whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nobody waits for anything: close without a word.
    Idle,
    /// The request did not come: 408.
    Request,
    /// The service did not answer: 503.
    Answer,
}

impl HttpSide {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        HttpSide {
            decoder: RequestDecoder::new(config.http),
            state: State::First,
            served: 0,
            since: now,
            has_unread: false,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant) {
        // The first head is measured from the accept, a later one from its first byte.
        if matches!(self.state, State::Reading) && self.decoder.progress() == Progress::Idle {
            self.since = now;
        }
        self.decoder.feed(bytes);
        self.has_unread = true;
    }

    /// Equals `true` if [`next`](Self::next) may find something without being fed.
    pub(super) fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// The next event of the request that is being read.
    pub(super) fn next(
        &mut self,
        now: Instant,
        is_last: bool,
    ) -> Result<Option<Event>, RequestError> {
        let was_in_body = self.is_in_body();
        let event = self
            .decoder
            .next()
            .inspect_err(|_| self.state = State::Ended)?;
        match &event {
            Some(Event::Request(request)) => {
                self.served += 1;
                self.state = State::Answering(request.framing(!is_last));
                self.since = now;
            }
            _ if !was_in_body && self.is_in_body() => self.since = now,
            _ => {}
        }
        self.has_unread = event.is_some() && self.decoder.progress() != Progress::Idle;
        Ok(event)
    }

    /// Equals `true` while bytes from the peer can be used, given whether the last answer has gone out: the next
    /// request is not begun before, so a client that sends and never reads is not served for ever.
    pub(super) fn wants_input(&self, is_written: bool) -> bool {
        match self.state {
            State::First => true,
            State::Reading => is_written || self.is_in_body(),
            State::Answering(_) | State::Ended => false,
        }
    }

    /// Equals `true` between two requests.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::First | State::Reading)
            && self.decoder.progress() == Progress::Idle
    }

    fn is_in_body(&self) -> bool {
        matches!(self.decoder.progress(), Progress::Body(_))
    }

    /// The framing of the answer to the request that was taken last, if that waits for one. A connection whose
    /// answer was too late takes no further request, so no answer can be mistaken for another's.
    pub(super) fn answer(&mut self, now: Instant) -> Option<Framing> {
        match self.state {
            State::Answering(framing) => {
                self.state = State::Reading;
                self.since = now;
                Some(framing)
            }
            _ => None,
        }
    }

    /// How many requests were taken.
    pub(super) fn served(&self) -> u32 {
        self.served
    }

    /// Takes no further request.
    pub(super) fn end(&mut self) {
        self.state = State::Ended;
    }

    /// The whole of the last answer has gone out: the time between two requests begins.
    pub(super) fn written(&mut self, now: Instant) {
        if self.is_idle() && matches!(self.state, State::Reading) {
            self.since = now;
        }
    }

    /// Bytes behind the last request, which belong to the protocol that comes after this one.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.decoder.into_rest()
    }

    /// When something must have happened; `None` if this side waits for nothing.
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        let timeout = match (&self.state, self.decoder.progress()) {
            (State::Ended, _) => return None,
            (State::Answering(_), _) => config.response_timeout,
            (State::Reading, Progress::Idle) => config.keep_alive,
            (_, Progress::Body(bytes)) => {
                let rate = f64::from(config.body_rate_min);
                config.body_grace + std::time::Duration::from_secs_f64(bytes as f64 / rate)
            }
            (_, Progress::Head | Progress::Idle) => config.header_timeout,
        };
        Some(self.since + timeout)
    }

    /// The deadline has passed.
    pub(super) fn overdue(&self) -> Overdue {
        match self.state {
            State::Answering(_) => Overdue::Answer,
            _ if self.is_idle() => Overdue::Idle,
            _ => Overdue::Request,
        }
    }
}
