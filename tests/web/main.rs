//! Black box tests of the web layer.
#![cfg(feature = "web")]

mod channel_codec;
mod cursor;
