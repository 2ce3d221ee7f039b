//! Pages of a room's messages.

use crate::http_client::{Answer, get};
use crate::server::{Server, User};
use perennial::chat::body::{Body, ClientId};
use perennial::chat::name::Name;
use serde_json::{Value, json};

/// Posts so many messages: the body of each is its number.
fn fill(server: &Server, user: &User, room: &str, count: usize) {
    let room = Name::new(room).unwrap();
    server.inside(|| {
        for n in 1..=count {
            let body = Body::new(&n.to_string()).unwrap();
            let posted = server
                .program()
                .chat()
                .post(&user.account, &room, body, None);
            assert_eq!(posted.unwrap().seq, n as u64);
        }
    });
}

fn ask(server: &Server, user: &User, query: &str) -> Answer {
    let page = get(&format!("/api/rooms/lobby/messages{query}"));
    server.send(page.bearer(&user.token))
}

#[track_caller]
fn numbers(answer: &Answer) -> Vec<u64> {
    let body = answer.ok(200);
    let messages = body["messages"].as_array().unwrap();
    let number = |message: &Value| {
        let seq = message["seq"].as_u64().unwrap();
        assert_eq!(message["body"], seq.to_string(), "its own body");
        seq
    };
    messages.iter().map(number).collect()
}

#[test]
fn a_message_has_five_fields() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let before = now_ms();
    let mut seqs = Vec::new();
    for (body, client_id) in [("hello", None), ("안녕", Some("c-1"))] {
        let posted = server.inside(|| {
            let chat = server.program().chat();
            let room = Name::new("lobby").unwrap();
            let client_id = client_id.map(|id| ClientId::new(id).unwrap());
            chat.post(&ada.account, &room, Body::new(body).unwrap(), client_id)
        });
        seqs.push(posted.unwrap());
    }
    let body = ask(&server, &ada, "").ok(200);
    assert_eq!(
        body,
        json!({"messages": [
            {"seq": 1, "user": "ada", "body": "hello", "at": seqs[0].at, "client_id": null},
            {"seq": 2, "user": "ada", "body": "안녕", "at": seqs[1].at, "client_id": "c-1"},
        ]})
    );
    assert!((before..=now_ms()).contains(&seqs[0].at));
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn pages_are_oldest_first_and_their_ends_are_exclusive() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    assert_eq!(ask(&server, &ada, "").ok(200), json!({"messages": []}));
    fill(&server, &ada, "lobby", 260);
    let page = |query: &str| numbers(&ask(&server, &ada, query));
    let all = |from: u64, to: u64| (from..=to).collect::<Vec<_>>();
    for (query, expected) in [
        ("", all(211, 260)),
        ("?limit=1", vec![260]),
        ("?limit=200", all(61, 260)),
        ("?before=1", vec![]),
        ("?before=2", vec![1]),
        ("?before=61", all(11, 60)),
        ("?before=61&limit=200", all(1, 60)),
        ("?before=261", all(211, 260)),
        ("?before=1000", all(211, 260)),
        ("?before=18446744073709551615", all(211, 260)),
        ("?before=0", vec![]),
        ("?after=0", all(1, 50)),
        ("?after=0&limit=3", all(1, 3)),
        ("?limit=3&after=10", all(11, 13)),
        ("?after=259", vec![260]),
        ("?after=260", vec![]),
        ("?after=18446744073709551615", vec![]),
        ("?after=100&limit=200", all(101, 260)),
        ("?limit=%35", all(256, 260)),
    ] {
        assert_eq!(page(query), expected, "{query}");
    }
}

#[test]
fn queries_that_make_no_page_are_refused() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    for query in [
        "?before=1&after=1",
        "?after=0&before=9&limit=3",
        "?limit=0",
        "?limit=201",
        "?limit=-1",
        "?limit=ten",
        "?limit=",
        "?limit=+5",
        "?limit=18446744073709551616",
        "?before=-1",
        "?before=x",
        "?before=",
        "?after=1.5",
        "?after=99999999999999999999",
    ] {
        ask(&server, &ada, query).refused(422, "invalid");
    }
}

#[test]
fn names_in_paths_are_percent_decoded_utf_8_in_any_form() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("방-1");
    server.room("caf\u{e9}");
    fill(&server, &ada, "방-1", 1);
    let messages = |name: &str| {
        let page = get(&format!("/api/rooms/{name}/messages"));
        server.send(page.bearer(&ada.token))
    };
    assert_eq!(numbers(&messages("%EB%B0%A9-1")), [1]);
    assert_eq!(numbers(&messages("%eb%b0%a9%2d1")), [1]);
    assert_eq!(numbers(&messages("cafe%CC%81")), [] as [u64; 0]);
    assert_eq!(numbers(&messages("caf%C3%A9")), [] as [u64; 0]);
    for unknown in [
        "nowhere",
        "%EB%B0%A9",
        "Caf%C3%A9",
        "lobby%2Fattic",
        "a%20b",
    ] {
        messages(unknown).refused(404, "not_found");
    }
    // No UTF-8, no name: whatever it is called, it is not there.
    let answer = messages("%EB%B0");
    assert!(matches!(answer.status, 400 | 404), "{answer:?}");
}
