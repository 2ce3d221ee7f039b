//! What any server of the channel protocol answers, seen on this one.

use crate::server::Server;
use crate::socket_client::Socket;
use serde_json::{Value, json};

#[test]
fn heartbeats_are_answered_whatever_else_there_is() {
    let server = Server::start();
    let mut socket = server.socket(&server.user("ada"));
    let msg_ref = socket.push(&json!("9"), "phoenix", "heartbeat", &json!({}));
    let answer = socket.next();
    assert_eq!(
        (&answer.join_ref, &answer.msg_ref),
        (&Value::Null, &json!(msg_ref))
    );
    assert_eq!(
        (&*answer.topic, answer.reply()),
        ("phoenix", ("ok", &json!({})))
    );
}

#[test]
fn topics_that_nobody_serves_are_unmatched() {
    let server = Server::start();
    let mut socket = server.socket(&server.user("ada"));
    for (topic, event) in [
        ("lobby", "phx_join"),
        ("user:ada", "phx_join"),
        ("Room:lobby", "phx_join"),
        ("", "phx_join"),
        ("room:lobby", "new_msg"),
        ("phoenix", "phx_join"),
    ] {
        let msg_ref = socket.push(&Value::Null, topic, event, &json!({}));
        let answer = socket.reply_to(&msg_ref);
        assert_eq!(
            answer.reply(),
            ("error", &json!({"reason": "unmatched topic"}))
        );
        assert_eq!((&answer.join_ref, &*answer.topic), (&Value::Null, topic));
    }
    // Leaving where one never was is fine.
    let msg_ref = socket.push(&json!("1"), "room:lobby", "phx_leave", &json!({}));
    assert_eq!(socket.reply_to(&msg_ref).reply(), ("ok", &json!({})));
    socket.nothing_more();
}

#[test]
fn refs_come_back_as_they_were() {
    let server = Server::start();
    let mut socket = server.socket(&server.user("ada"));
    server.room("lobby");
    for (join_ref, msg_ref) in [(json!(7), json!(7)), (json!("a\u{e9}"), json!("b-1"))] {
        let join = json!([join_ref, msg_ref, "room:lobby", "phx_join", {}]);
        socket.send_text(&join.to_string()).unwrap();
        let answer = socket.wait_for(|frame| frame.event == "phx_reply");
        assert_eq!((&answer.join_ref, &answer.msg_ref), (&join_ref, &msg_ref));
        // Without a join_ref an event is for the channel that is there; the answer says which.
        let post = json!([null, msg_ref, "room:lobby", "new_msg", {"body": "x"}]);
        socket.send_text(&post.to_string()).unwrap();
        let answer = socket.wait_for(|frame| frame.event == "phx_reply");
        assert_eq!((&answer.join_ref, &answer.msg_ref), (&join_ref, &msg_ref));
        assert_eq!(answer.reply().0, "ok");
    }
}

#[test]
fn what_is_no_frame_closes_the_connection() {
    let server = Server::start();
    let ada = server.user("ada");
    for text in [
        "",
        "{",
        "{}",
        "[]",
        "null",
        r#"["1","1","room:lobby","phx_join"]"#,
    ] {
        let mut socket = server.socket(&ada);
        socket.send_text(text).unwrap();
        assert_eq!(socket.close_code(), Some(1011), "{text}");
    }
    let mut socket = server.socket(&ada);
    let frame = json!(["1", "1", "room:lobby", "phx_join", {"x": "x".repeat(70_000)}]);
    let _ = socket.send_text(&frame.to_string());
    assert_eq!(socket.close_code(), Some(1009));
    // Nobody else minds.
    server.socket(&ada).heartbeat();
}

#[test]
fn the_token_may_come_as_a_subprotocol() {
    let server = Server::start();
    let ada = server.user("ada");
    let offered = format!("phoenix, base64url.bearer.phx.{}", base64(&ada.token));
    let open = |protocols: &str| {
        Socket::open(
            server.addr(),
            "?vsn=2.0.0",
            &[("sec-websocket-protocol", protocols)],
        )
    };
    open(&offered).unwrap().heartbeat();
    let wrong = format!("phoenix, base64url.bearer.phx.{}", base64(&"0".repeat(64)));
    let refused = open(&wrong).map(|_| ()).unwrap_err();
    refused.refused(401, "unauthorized");
}

/// RFC 4648 §4, without padding.
fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = text.as_bytes().chunks(3).flat_map(|chunk| {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0));
        }
        (0..=chunk.len()).map(move |at| LETTERS[(bits >> (18 - 6 * at)) as usize & 63] as char)
    });
    letters.collect()
}

#[test]
fn an_orderly_stop_says_that_the_service_restarts() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut sockets = [server.socket(&ada), server.socket(&ada)];
    sockets[0].join("lobby", &json!({}));
    let stopped = std::thread::scope(|scope| {
        let clients = sockets
            .each_mut()
            .map(|socket| scope.spawn(|| socket.close_code()));
        server.inside(|| server.program().stop());
        clients.map(|client| client.join().unwrap())
    });
    assert_eq!(stopped, [Some(1012), Some(1012)]);
}

#[test]
fn who_hangs_up_without_a_word_leaves_nothing_behind() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let before = server.runtime().counts();
    for _ in 0..3 {
        let mut socket = server.socket(&ada);
        socket.join("lobby", &json!({}));
        drop(socket);
    }
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    socket.close();
    // The room itself stays, and nothing else.
    crate::faults::eventually("the processes of the connections have ended", || {
        let now = server.runtime().counts();
        now.processes == before.processes + 1
    });
    assert_eq!(crate::faults::labelled(&server, "connection"), []);
}
