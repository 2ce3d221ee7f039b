//! The chat on the wire: its HTTP, its sockets, its page.
//!
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
