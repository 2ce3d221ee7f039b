//! Black box tests of the web layer.
#![cfg(feature = "web")]

mod door;

mod channel_any;
mod channel_codec;
mod channel_events;
mod channel_joins;
mod channel_presence;
mod channel_router;
mod channel_sequence;
mod cursor;
