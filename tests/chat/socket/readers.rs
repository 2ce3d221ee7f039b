//! Readers that do not keep up.

use crate::server::Server;
use perennial::chat::body::Body;
use perennial::chat::name::Name;
use serde_json::json;

/// More than the buffers of both ends of a loopback connection hold, and than may wait for one client.
const MESSAGES: u64 = 3_000;

#[test]
fn a_slow_reader_misses_nothing_and_holds_nobody_up() {
    let server = Server::start();
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let (mut slow, mut quick) = (server.socket(&ada), server.socket(&bob));
    slow.join("lobby", &json!({}));
    quick.join("lobby", &json!({}));
    let room = Name::new("lobby").unwrap();
    let body = Body::new(&"x".repeat(4_000)).unwrap();
    for seq in 1..=MESSAGES {
        let chat = server.program().chat();
        let posted = server.inside(|| chat.post(&bob.account, &room, body.clone(), None));
        assert_eq!(posted.unwrap().seq, seq);
        assert_eq!(quick.message("lobby")["seq"], seq);
    }
    // Only now it reads: all of it, from its connection or from the store.
    for seq in 1..=MESSAGES {
        assert_eq!(slow.message("lobby")["seq"], seq);
    }
    slow.nothing_more();
}
