//! The socket contract: joins, posts, leaves, refusals, over real connections.

mod bounds;
mod failures;
mod joins;
mod limits;
mod order;
mod posts;
mod presence;
mod protocol;
mod readers;
mod reads;
mod resume;
mod sessions;
