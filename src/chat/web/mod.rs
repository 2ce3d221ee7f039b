//! The chat on the wire: its HTTP, its sockets, its page.
//!
//! # A room on the socket
//! Topic `room:NAME`, Phoenix Channels v2.
//!
//! | event | payload | answer |
//! |---|---|---|
//! | `phx_join` | `{"after": SEQ?}`: the last number that the client has seen | `{"seq", "messages", "last_seq", "read_seq", "unread"}` |
//! | `new_msg` | `{"body", "client_id"?}` | `{"seq", "at"}` once it is on the disk |
//! | `read` | `{"seq"}`: the last message that was read | `{"read_seq"}`, where the user's cursor is |
//!
//! - **Resuming.** With `after`, everything after that number comes, in order and without a gap, however much it is: a
//!   first page in the answer, up to `seq`, and the rest as `new_msg`, before what is said meanwhile. Nothing is ever
//!   thrown away, so no number is too old. One above the last is `bad_after`: the client has seen what this server has
//!   not. What is no number from 0 is `invalid`. Without `after` the newest messages come.
//! - **Repeating.** A post of the same user in the same room with the same `client_id` (up to 64 bytes) is the first
//!   one, on any connection and in any later life of the program, as long as the message is there: it gets the first
//!   one's answer, and what it says is not looked at. The price is the id in one index, for each message that has one.
//! - **Order.** Posts of one socket that are taken are numbered in the order in which they were sent. One that is
//!   refused has no place until it is sent again and taken: whoever needs an order across refusals waits for each
//!   answer, as the page does.
//! - **Too much.** `busy` and `rate_limited` come with `retry_after_ms`. For a room with too much on its way that is
//!   the time that a post takes now, times one more for every full room that was refused before. Close code 4408 says
//!   that a client was too slow for its answers, 4429 that it sent too many frames: it may come back and resume.
//! - **Read cursors.** They only grow. The user's other sockets in the room get `read` with `{"read_seq"}`. A number
//!   above the last is `bad_seq` with `last_seq`. What is unread is the difference to `last_seq`; the list of rooms,
//!   `GET /api/rooms`, has `seq`, `read_seq` and `unread` for each.
//!
//! Other refusals: `not_found`, `storage` (repeat it), `too_long`, `unauthorized` (the session is over, and the socket
//! is closed), and of the socket itself `unmatched topic` for a room that was not joined.
//!
//! **The end of a session** closes its sockets with 1001: when its user signs out, when a newer one takes its place, and at
//! most half a minute after it is too old or was not used for too long. Posts, read cursors and joins are uses of it.
//!
//! # Inside
//! Reading order: `route` (which request is what), `site` (what is answered at once), `exchange` (one request that
//! asks others), `guard` (who asks), `room_channel` (one client in one room), `posting` (what it says there), `reading`
//! (what it has read), `members` (who else is there), `json` (what things look like).

mod exchange;
mod guard;
mod json;
mod members;
mod posting;
mod reading;
mod room_channel;
mod route;
mod site;

pub use site::Site;
