//! Who is here: the processes that are tracked on a topic, grouped by key, and what changed.
//!
//! A *key* is whoever is here, a user as a rule; each tracked process, a connection say, gives the key one *meta*.
//! Who wants to know subscribes to the diffs and then asks for the [`state`](fn@state): whoever applies to it all
//! diffs that came after the subscription knows who is here.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::presence::{self, Diff, Presence};
//! use perennial::{PubSub, process};
//! use std::sync::Arc;
//!
//! static CHANGES: PubSub<Arc<Diff<&str>>> = PubSub::new("changes");
//! static PRESENCE: Name<presence::Msg<&str>> = Name::new("presence");
//!
//! let config = presence::Config::pub_sub(&CHANGES);
//! let tracker = gen_server::spec::<Presence<&str>>(config).name(&PRESENCE).start()?;
//! process::run::<Arc<Diff<&str>>, _>(|cx| {
//!     CHANGES.subscribe("lobby", cx.me().recipient(|diff| diff));
//!     let phone = process::spawn::<()>(|_| process::sleep(std::time::Duration::MAX));
//!     presence::track(&PRESENCE, &phone, "lobby", "anna", "phone").unwrap();
//!     let diff = cx.receive().message().unwrap();
//!     assert_eq!(diff.joins["anna"][0].meta, "phone");
//!     process::exit(&phone, perennial::ExitReason::Kill);
//!     let diff = cx.receive().message().unwrap();
//!     assert_eq!(diff.leaves["anna"][0].meta, "phone");
//! }).unwrap();
//! gen_server::stop(&tracker)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it costs
//! A thousand who enter one topic at once are not a thousand diffs to a thousand watchers: diffs are held back so
//! that a topic has [20 in a second](Config::every) at most, and each is made once, however many watch.
//!
//! # How it dies
//! It is linked to each process that it tracks, as in Phoenix: when one dies, its metas go. If the tracker itself
//! is killed, the tracked processes that do not trap exits end with it, and come back to a tracker that knows
//! nobody; so nobody is here unseen.
//!
//! # Options
//! [`Config`] says what is done with each diff, and [how long](Config::every) diffs are held back at most.
//!
//! Read [`mod@state`]: it decides everything.

mod api;
pub mod state;
mod tracker;

pub use api::{Msg, TrackError, UpdateError, get_by_key, list, state, track, untrack, update};
pub use state::{Diff, Meta, PhxRef, Presences};
pub use tracker::{Config, Presence};
