//! What the tests of several layers share: a puppet process, a stage that checks what is left behind, child
//! programs, and the record of what was played.
#![allow(
    dead_code,
    reason = "each test binary includes all of it and uses its own part"
)]
#![allow(
    clippy::print_stdout,
    reason = "a test that fails shows what it was playing"
)]

pub(crate) mod child;
pub(crate) mod eventually;
pub(crate) mod puppet;
pub(crate) mod record;
pub(crate) mod scripted;
pub(crate) mod seeds;
pub(crate) mod stage;

pub(crate) use eventually::{LONG, eventually};
