//! Who is here: the processes that are tracked on a topic, grouped by key, and what changed.
//!
//! Read [`state`]: it decides everything.

pub mod state;
