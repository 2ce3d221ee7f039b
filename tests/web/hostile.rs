//! Clients that ask for more than they read.

use crate::door::{Door, NOTHING, reply, unmatched};
use serde_json::json;

/// A reply to a join that carries a page of so many bytes.
fn joined(door: &mut Door, n: usize, refs: &str, topic: &str, bytes: usize) -> Vec<String> {
    let page = reply(refs, refs, topic, "ok", json!({"page": "x".repeat(bytes)}));
    let id = door.channels[n];
    door.act(|socket, act| socket.joined(id, page, Some(0), act))
}

#[test]
fn join_with_much_history_waits_for_a_client_that_reads() {
    let mut door = Door::new();
    for refs in ["1", "2"] {
        door.frame(&format!(
            r#"["{refs}","{refs}","room:{refs}","phx_join",{{}}]"#
        ));
    }
    assert_eq!(joined(&mut door, 0, "1", "room:1", 100_000).len(), 1);
    // That much is not read yet.
    door.socket.pause();
    let busy = r#"["2","2","room:2","phx_reply",{"response":{"reason":"busy","retry_after_ms":1000},"status":"error"}]"#;
    assert_eq!(
        joined(&mut door, 1, "2", "room:2", 100_000),
        [busy, "stop 1 Lost"]
    );
    // It is not joined, whatever its channel does on the way out.
    let late = reply("2", "9", "room:2", "ok", json!({}));
    assert_eq!(door.broadcast(1, Some(1), late), NOTHING);
    assert_eq!(
        door.frame(r#"["2","3","room:2","new_msg",{}]"#),
        [unmatched("\"3\"", "room:2")]
    );
    assert_eq!(door.socket.len(), 1);
    // Now it reads, and tries again.
    door.act(|socket, act| socket.resume(act));
    door.frame(r#"["4","4","room:2","phx_join",{}]"#);
    assert_eq!(joined(&mut door, 2, "4", "room:2", 100_000).len(), 1);
    assert_eq!(door.socket.len(), 2);
}
