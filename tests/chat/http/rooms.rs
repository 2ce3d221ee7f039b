//! Making and listing rooms.

use crate::http_client::{Answer, get, post, request};
use crate::server::{Server, User};
use serde_json::{Value, json};

fn create(server: &Server, user: &User, name: &str) -> Answer {
    server.send(post("/api/rooms", &json!({"name": name})).bearer(&user.token))
}

fn rooms(server: &Server, user: &User) -> Value {
    server.send(get("/api/rooms").bearer(&user.token)).ok(200)["rooms"].take()
}

#[test]
fn rooms_are_made_once_and_listed_by_name() {
    let server = Server::start();
    let ada = server.user("ada");
    assert_eq!(rooms(&server, &ada), json!([]));
    for name in ["lobby", "방", "attic", "Attic"] {
        let created = create(&server, &ada, name).ok(201);
        assert_eq!(created, json!({"room": {"name": name, "seq": 0}}));
    }
    create(&server, &ada, "lobby").refused(409, "taken");
    assert_eq!(
        rooms(&server, &ada),
        json!([
            {"name": "Attic", "seq": 0, "read_seq": 0, "unread": 0},
            {"name": "attic", "seq": 0, "read_seq": 0, "unread": 0},
            {"name": "lobby", "seq": 0, "read_seq": 0, "unread": 0},
            {"name": "방", "seq": 0, "read_seq": 0, "unread": 0},
        ])
    );
}

#[test]
fn names_of_rooms_are_put_in_one_form() {
    let server = Server::start();
    let ada = server.user("ada");
    let created = create(&server, &ada, "cafe\u{301}").ok(201);
    assert_eq!(created["room"]["name"], "caf\u{e9}");
    create(&server, &ada, "caf\u{e9}").refused(409, "taken");
    for name in [
        "",
        " ",
        "two words",
        "a/b",
        "..",
        "a\u{202e}b",
        &"x".repeat(65),
    ] {
        create(&server, &ada, name).refused(422, "invalid");
    }
    create(&server, &ada, &"방".repeat(64)).ok(201);
    for body in [json!({}), json!({"name": 7}), json!([])] {
        let answer = server.send(post("/api/rooms", &body).bearer(&ada.token));
        answer.refused(422, "invalid");
    }
    let form = request("POST", "/api/rooms")
        .header("content-type", "text/plain")
        .bearer(&ada.token)
        .body(r#"{"name":"attic"}"#);
    server.send(form).refused(415, "unsupported_media_type");
}

#[test]
fn the_list_tells_the_number_of_the_last_message() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    server.room("attic");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for n in 1..=3 {
        socket.posted("lobby", &json!({"body": n.to_string()}));
    }
    assert_eq!(
        rooms(&server, &ada),
        json!([
            {"name": "attic", "seq": 0, "read_seq": 0, "unread": 0},
            {"name": "lobby", "seq": 3, "read_seq": 0, "unread": 3},
        ])
    );
}

#[test]
fn a_long_list_goes_on_after_a_name() {
    let server = Server::start();
    let ada = server.user("ada");
    for name in ["a", "b", "방"] {
        server.room(name);
    }
    let after = |name: &str| {
        let list = get(&format!("/api/rooms?after={name}")).bearer(&ada.token);
        server.send(list).ok(200)
    };
    assert_eq!(
        after("a"),
        json!({"rooms": [
            {"name": "b", "seq": 0, "read_seq": 0, "unread": 0},
            {"name": "방", "seq": 0, "read_seq": 0, "unread": 0},
        ]})
    );
    assert_eq!(after("%EB%B0%A9"), json!({"rooms": []}));
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    for path in ["/api/rooms", "/api/rooms/lobby/messages"] {
        let get = server.send(get(path).bearer(&ada.token));
        let head = server.send(request("HEAD", path).bearer(&ada.token));
        assert_eq!((get.status, head.status), (200, 200));
        for field in ["content-type", "content-length", "cache-control"] {
            assert_eq!(head.header(field), get.header(field), "{field}");
        }
    }
    assert_eq!(server.send(request("HEAD", "/api/rooms")).status, 401);
}
