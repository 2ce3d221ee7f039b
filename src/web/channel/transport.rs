//! The seam to whatever carries frames: a WebSocket, or a test.

use super::message::Frame;

/// Carries frames to one client.
///
/// It never blocks. What comes from the client, and the news that the transport is drained or closed, is told to
/// the [`Connection`](super::Connection).
pub trait Transport: Send + 'static {
    /// Takes a frame. If the client has let too much wait already the transport closes itself (4408, "slow
    /// consumer"): a frame is never left out of the middle.
    fn send(&mut self, frame: &Frame);

    /// Equals `true` if so much waits for the client that what can be read from a store later should be. The
    /// transport then tells the connection [`drained`](super::Connection::drained) when that is over.
    fn is_lagging(&mut self) -> bool;

    /// Closes after what was sent, with a WebSocket close code.
    fn close(&mut self, code: u16, reason: &str);
}
