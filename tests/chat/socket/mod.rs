//! The socket contract: joins, posts, leaves, refusals, over real connections.

mod failures;
mod joins;
mod limits;
mod posts;
mod presence;
mod protocol;
mod readers;
