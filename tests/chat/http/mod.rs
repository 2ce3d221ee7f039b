//! The HTTP contract, line by line, over real connections.

mod accounts;
mod history;
mod origin;
mod rooms;
mod site;
