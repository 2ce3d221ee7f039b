//! Reading a room over HTTP, page by page, as anybody can.

use super::wire::post_of;
use crate::history::Post;
use crate::http_client::get;
use serde_json::Value;
use std::net::SocketAddr;

/// The messages of a page, and the number of each that is not as it was said.
pub(super) type Page = (Vec<Post>, Vec<u64>);

/// A stretch of a room; `None` if the server does not answer.
pub(super) fn page(
    server: SocketAddr,
    token: &str,
    room: &str,
    query: &str,
    name_of: &dyn Fn(u32) -> String,
) -> Option<Page> {
    let path = format!("/api/rooms/{room}/messages{query}");
    let answer = get(&path).bearer(token).try_send(server)?;
    if answer.status != 200 {
        return None;
    }
    Some(posts_of(&answer.json()["messages"], name_of))
}

pub(super) fn posts_of(messages: &Value, name_of: &dyn Fn(u32) -> String) -> Page {
    let (mut posts, mut garbled) = (Vec::new(), Vec::new());
    for message in messages.as_array().into_iter().flatten() {
        match post_of(message, name_of) {
            Ok(post) => posts.push(post),
            Err(seq) => garbled.push(seq),
        }
    }
    (posts, garbled)
}

/// All messages of a room.
#[track_caller]
pub(crate) fn history_of(
    server: SocketAddr,
    token: &str,
    room: &str,
    name_of: &dyn Fn(u32) -> String,
) -> Vec<Post> {
    let mut all: Vec<Post> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.seq);
        let query = format!("?after={after}&limit=200");
        let page = page(server, token, room, &query, name_of);
        let (posts, garbled) = page.expect("the server answers");
        assert!(
            garbled.is_empty(),
            "{room} holds what nobody said: {garbled:?}"
        );
        if posts.is_empty() {
            return all;
        }
        all.extend(posts);
    }
}

/// The number of the last message of a room.
#[track_caller]
pub(crate) fn head(server: SocketAddr, token: &str, room: &str) -> u64 {
    let path = format!("/api/rooms/{room}/messages?limit=1");
    let answer = get(&path).bearer(token).send(server).ok(200);
    answer["messages"][0]["seq"].as_u64().unwrap_or(0)
}
