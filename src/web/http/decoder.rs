//! PURE. Bytes in, requests out, however the bytes were cut on their way.

use super::chunked::Chunked;
use super::head::{self, BodyFraming, Head, Scan};
use super::{Limits, Request, RequestError};

/// What a decoder found.
#[derive(Clone, Debug)]
pub enum Event {
    /// The client waits for `100 Continue` before it sends the body, whose declared length is within the limits.
    Continue,
    /// A whole request.
    Request(Request),
}

/// What a decoder is in the middle of; tells which deadline applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No byte of the next request has come.
    Idle,
    /// In the head.
    Head,
    /// In the body; so many of its bytes have come.
    Body(usize),
}

/// Reads the requests of one connection.
///
/// Feed it bytes, then take events until there are none. What follows a request stays inside until it is asked for,
/// so a caller that answers one request before it takes the next has a pipelining depth of one. After an error
/// the same error comes for ever: the connection is to be closed.
///
/// ```
/// use perennial::web::http::{Event, Limits, RequestDecoder, RequestError};
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Le");
/// assert!(matches!(decoder.next(), Ok(None)));
/// decoder.feed(b"ngth: 2\r\n\r\nhi");
/// let Ok(Some(Event::Request(request))) = decoder.next() else { panic!("complete") };
/// assert_eq!(request.body(), b"hi");
/// decoder.feed(b"nonsense\r\n");
/// assert_eq!(decoder.next().err(), Some(RequestError::Malformed("request line")));
/// ```
#[derive(Debug)]
pub struct RequestDecoder {
    limits: Limits,
    /// What was fed and not yet understood. Given back to the allocator when empty: an idle connection owns no buffer.
    buf: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(Scan),
    /// The head is understood and the client is to be told to go on.
    Expecting(Box<Request>, BodyFraming),
    Length(Box<Request>, usize),
    Chunked(Box<Request>, Chunked),
    Failed(RequestError),
}

impl RequestDecoder {
    /// A decoder for a new connection.
    pub fn new(limits: Limits) -> Self {
        RequestDecoder {
            limits,
            buf: Vec::new(),
            state: State::Head(Scan::default()),
        }
    }

    /// Adds bytes as they came from the peer.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Failed(_)) {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// The next event, `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`RequestError`], with the status to answer. It is the same for ever then: nobody knows where the next
    /// request would begin.
    // It is no iterator: `None` does not end it.
    #[expect(clippy::should_implement_trait, reason = "None does not end a decoder")]
    pub fn next(&mut self) -> Result<Option<Event>, RequestError> {
        self.step().inspect_err(|&error| {
            self.state = State::Failed(error);
            self.buf = Vec::new();
        })
    }

    /// What it is in the middle of.
    pub fn progress(&self) -> Progress {
        match &self.state {
            State::Head(_) if self.buf.is_empty() => Progress::Idle,
            State::Head(_) | State::Failed(_) => Progress::Head,
            State::Expecting(..) => Progress::Body(0),
            State::Length(request, _) | State::Chunked(request, _) => {
                Progress::Body(request.body.len())
            }
        }
    }

    /// Takes what was fed and not understood: after an upgrade these bytes belong to the next protocol.
    pub fn into_rest(self) -> Vec<u8> {
        self.buf
    }

    fn step(&mut self) -> Result<Option<Event>, RequestError> {
        loop {
            match std::mem::replace(&mut self.state, State::Head(Scan::default())) {
                State::Failed(error) => return Err(error),
                State::Head(mut scan) => {
                    let Some(range) = scan.run(&self.buf, &self.limits)? else {
                        self.state = State::Head(scan);
                        return Ok(None);
                    };
                    let bytes = self.buf[range.clone()].to_vec();
                    self.consume(range.end);
                    let Head {
                        request,
                        framing,
                        expects_continue,
                    } = head::parse(bytes, &self.limits)?;
                    let request = Box::new(request);
                    if expects_continue {
                        self.state = State::Expecting(request, framing);
                        return Ok(Some(Event::Continue));
                    }
                    self.state = body_state(request, framing);
                }
                State::Expecting(request, framing) => self.state = body_state(request, framing),
                State::Length(mut request, left) => {
                    let take = left.min(self.buf.len());
                    request.body.extend_from_slice(&self.buf[..take]);
                    self.consume(take);
                    if take == left {
                        return Ok(Some(Event::Request(*request)));
                    }
                    self.state = State::Length(request, left - take);
                    return Ok(None);
                }
                State::Chunked(mut request, mut chunked) => {
                    let (taken, done) = chunked.read(&self.buf, &mut request.body, &self.limits)?;
                    self.consume(taken);
                    if done {
                        return Ok(Some(Event::Request(*request)));
                    }
                    self.state = State::Chunked(request, chunked);
                    return Ok(None);
                }
            }
        }
    }

    fn consume(&mut self, len: usize) {
        if len == self.buf.len() {
            self.buf = Vec::new();
        } else {
            self.buf.drain(..len);
        }
    }
}

fn body_state(request: Box<Request>, framing: BodyFraming) -> State {
    match framing {
        BodyFraming::Length(length) => State::Length(request, length),
        BodyFraming::Chunked => State::Chunked(request, Chunked::new()),
    }
}
