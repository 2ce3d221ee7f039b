//! The part of a connection that converses over a WebSocket.

use super::{After, Conn, Scope, Side};
use crate::sync::Arc;
use crate::web::net::CallbackPanicked;
use crate::web::net::handle::Incoming;
use crate::web::net::line::Close;
use crate::web::net::service::Closed;
use crate::web::net::socket_side::Step;
use crate::web::net::write_queue::Chunk;
use crate::web::websocket::{CloseCode, Frame, Message};
use std::time::Duration;

impl Conn {
    /// Passes on what comes of these bytes; keeps those that must wait.
    pub(super) fn converse(&mut self, mut input: &[u8], scope: &Scope<'_>) {
        while let Side::Socket(socket, _, _) = &mut self.side {
            let Some(step) = socket.next(&mut input, scope.now) else {
                return;
            };
            match step {
                Step::Message(message) => {
                    if self.deliver(message, scope) {
                        if let Side::Socket(_, _, rest) = &mut self.side {
                            *rest = input.to_vec();
                        }
                        return;
                    }
                }
                Step::Send(frame) => self.push(Chunk::Control(frame), scope.now),
                Step::End(frame, closed) => {
                    if let Some(frame) = frame {
                        self.push_last(frame, scope);
                    }
                    self.hang_up(closed, After::Drop, scope);
                }
                Step::Fail(frame, closed) => {
                    self.push_last(frame, scope);
                    self.hang_up(closed, After::Linger, scope);
                }
            }
        }
    }

    /// Queues the frame that ends the conversation, behind what was sent before: answers to messages that came before
    /// the one that cannot be read are owed still.
    fn push_last(&mut self, frame: Frame, scope: &Scope<'_>) {
        for sent in self.line.collect().frames {
            self.push(Chunk::Frame(sent), scope.now);
        }
        self.push(Chunk::Control(frame), scope.now);
    }

    /// Passes a message up; `true` if no further one may follow for the moment.
    fn deliver(&mut self, message: Message, scope: &Scope<'_>) -> bool {
        let Side::Socket(_, sink, _) = &mut self.side else {
            return false;
        };
        let is_last = self.line.admit(message.len());
        let incoming = Incoming::new(message, Arc::clone(&self.line));
        if sink.message(incoming).is_err() {
            self.report_panic(scope);
            self.close(CloseCode::ERROR, "", scope);
        }
        is_last && self.line.is_paused()
    }

    pub(super) fn report_panic(&self, scope: &Scope<'_>) {
        let peer = self.line.peer;
        scope.telemetry.emit(|| CallbackPanicked { peer });
    }

    /// Begins a Close of our own.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str, scope: &Scope<'_>) {
        self.line.shut();
        let mut deadline = scope.now + scope.config.close_timeout;
        if let Some(drain_until) = scope.drain_until {
            deadline = deadline.min(drain_until);
        }
        if let Side::Socket(socket, _, _) = &mut self.side
            && let Some(frame) = socket.close(code, reason, deadline)
        {
            self.push(Chunk::Control(frame), scope.now);
        }
    }

    /// The WebSocket is over: tells the sink, and ends the connection when all is written.
    pub(super) fn hang_up(&mut self, closed: Closed, after: After, scope: &Scope<'_>) {
        self.line.shut();
        self.after = after;
        if let Side::Socket(_, mut sink, _) = std::mem::replace(&mut self.side, Side::Deaf)
            && sink.closed(closed).is_err()
        {
            self.report_panic(scope);
        }
    }

    /// Says that the service restarts, and after how long the client may come back.
    pub(in crate::web::net) fn restart(&self, advice: Duration) {
        self.line.close(Close {
            code: CloseCode::RESTART,
            reason: format!("service restart; retry after {} ms", advice.as_millis()),
            is_orderly: true,
        });
    }
}
