//! One connection: sequenced broadcasts, from a subscription in a join to a reader who does not read.

use crate::door::{Door, NOTHING, ended, reply, text};
use perennial::web::channel::codec;
use perennial::web::channel::{End, Frame, Payload};
use perennial::web::cursor::ATTEMPTS_MAX;
use serde_json::json;

fn message(seq: u64) -> Frame {
    codec::broadcast("room:1", "new_msg", &json!({ "seq": seq }).into()).expect("a broadcast")
}

fn messages(seqs: impl IntoIterator<Item = u64>) -> Vec<String> {
    seqs.into_iter().map(|seq| text(&message(seq))).collect()
}

impl Door {
    /// A channel whose client has seen everything up to `seen`.
    fn join_after(&mut self, refs: &str, seen: u64) -> usize {
        self.frame(&format!(r#"["{refs}","{refs}","room:1","phx_join",{{}}]"#));
        let n = self.channels.len() - 1;
        self.joined_after(n, refs, seen);
        n
    }

    fn joined_after(&mut self, n: usize, refs: &str, seen: u64) -> Vec<String> {
        let reply = reply(refs, refs, "room:1", "ok", json!({ "seq": seen }));
        let id = self.channels[n];
        self.act(|socket, act| socket.joined(id, reply, Some(seen), act))
    }

    fn live(&mut self, n: usize, seq: u64) -> Vec<String> {
        self.broadcast(n, Some(seq), message(seq))
    }

    fn page(&mut self, n: usize, seqs: impl IntoIterator<Item = u64>) -> Vec<String> {
        let frames = seqs.into_iter().map(|seq| (seq, message(seq))).collect();
        let id = self.channels[n];
        self.act(|socket, act| socket.page(id, frames, act))
    }
}

#[test]
fn sequenced_broadcasts_come_once_and_in_order() {
    let mut door = Door::new();
    let one = door.join_after("1", 4);
    assert_eq!(door.live(one, 4), NOTHING);
    assert_eq!(door.live(one, 5), messages([5]));
    assert_eq!(door.live(one, 7), ["fill 0 after 5"]);
    assert_eq!(door.page(one, [6]), messages([6, 7]));
    let id = door.channels[one];
    assert_eq!(
        door.act(|socket, act| socket.sync(id, 8, act)),
        ["fill 0 after 7"]
    );
    // Presence and typing have no numbers and do not wait.
    let typing = codec::broadcast("room:1", "typing", &Payload::empty()).expect("a broadcast");
    assert_eq!(door.broadcast(one, None, typing.clone()), [text(&typing)]);
}

#[test]
fn broadcast_between_history_and_reply_is_not_lost() {
    // The channel subscribed its client, read history up to 4, and meanwhile 5 and 6 were said.
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(door.live(0, 5), NOTHING);
    let id = door.channels[0];
    assert_eq!(door.act(|socket, act| socket.sync(id, 6, act)), NOTHING);
    let actions = door.joined_after(0, "1", 4);
    assert_eq!(actions[1..], ["fill 0 after 4"]);
    assert_eq!(door.page(0, [5, 6]), messages([5, 6]));
    // It is enough that the room says what exists.
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    let id = door.channels[0];
    assert_eq!(door.act(|socket, act| socket.sync(id, 6, act)), NOTHING);
    assert_eq!(door.joined_after(0, "1", 5)[1..], ["fill 0 after 5"]);
    // And one that the history contains already is not doubled.
    let mut door = Door::new();
    door.frame(r#"["1","1","room:1","phx_join",{}]"#);
    assert_eq!(door.live(0, 4), NOTHING);
    assert_eq!(door.joined_after(0, "1", 4).len(), 1);
    assert_eq!(door.live(0, 5), messages([5]));
}

#[test]
fn slow_reader_gets_the_rest_from_the_store() {
    let mut door = Door::new();
    let one = door.join_after("1", 0);
    door.socket.pause();
    for seq in 1..1000 {
        assert_eq!(door.live(one, seq), NOTHING);
    }
    // Who joins while the connection is paused waits too.
    door.frame(r#"["2","2","room:2","phx_join",{}]"#);
    assert_eq!(door.joined_after(1, "2", 7).len(), 1);
    assert_eq!(door.live(1, 8), NOTHING);
    assert_eq!(
        door.act(|socket, act| socket.resume(act)),
        ["fill 0 after 0", "fill 1 after 7"]
    );
    assert_eq!(door.page(one, 1..1000), messages(1..1000));
    assert_eq!(door.live(one, 1000), messages([1000]));
}

#[test]
fn store_without_an_answer_ends_the_channel_so_that_the_client_joins_again() {
    let mut door = Door::new();
    let one = door.join_after("1", 0);
    assert_eq!(door.live(one, 2), ["fill 0 after 0"]);
    let id = door.channels[one];
    for _ in 1..ATTEMPTS_MAX {
        assert_eq!(
            door.act(|socket, act| socket.page_failed(id, act)),
            ["retry 0"]
        );
        assert_eq!(
            door.act(|socket, act| socket.retry_fill(id, act)),
            ["fill 0 after 0"]
        );
    }
    assert_eq!(
        door.act(|socket, act| socket.page_failed(id, act)),
        [ended("\"1\"", "room:1", "phx_error"), "stop 0 Lost".into()]
    );
    assert_eq!(door.down(one, End::Stopped), NOTHING);
    assert_eq!(
        door.frame(r#"["2","2","room:1","phx_join",{}]"#),
        ["join 1 room room:1"]
    );
}
