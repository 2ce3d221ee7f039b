//! Signing up, in and out.

use crate::http_client::{Answer, get, post, request};
use crate::server::{PASSWORD, Server};
use perennial::chat::config::Limit;
use serde_json::{Value, json};

fn credentials(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password})
}

fn sign_up(server: &Server, username: &str, password: &str) -> Answer {
    server.send(post("/api/users", &credentials(username, password)))
}

fn sign_in(server: &Server, username: &str, password: &str) -> Answer {
    server.send(post("/api/session", &credentials(username, password)))
}

#[test]
fn sign_up_makes_a_user_and_no_session() {
    let server = Server::start();
    let answer = sign_up(&server, "ada", PASSWORD);
    assert_eq!(answer.ok(201), json!({"user": {"name": "ada"}}));
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_name_is_taken_once_in_whatever_form_it_is_typed() {
    let server = Server::start();
    let answer = sign_up(&server, "Jose\u{301}", PASSWORD);
    assert_eq!(answer.ok(201), json!({"user": {"name": "Jos\u{e9}"}}));
    sign_up(&server, "Jos\u{e9}", PASSWORD).refused(409, "taken");
    // Compared exactly: capitals make another name.
    sign_up(&server, "jos\u{e9}", PASSWORD).ok(201);
    let answer = sign_in(&server, "Jose\u{301}", PASSWORD);
    assert_eq!(answer.ok(200)["user"], json!({"name": "Jos\u{e9}"}));
}

#[test]
fn names_and_passwords_have_limits_in_code_points() {
    let server = Server::start();
    let letters = |n| "가".repeat(n);
    for (name, password) in [
        ("", PASSWORD),
        ("two words", PASSWORD),
        ("a/b", PASSWORD),
        ("a\u{200b}b", PASSWORD),
        (&letters(65), PASSWORD),
        ("ada", "1234567"),
        ("ada", &letters(7)),
        ("ada", &letters(129)),
    ] {
        sign_up(&server, name, password).refused(422, "invalid");
    }
    sign_up(&server, &letters(64), &letters(8)).ok(201);
    sign_up(&server, "a", &letters(128)).ok(201);
    // All of it counts: nothing is cut.
    sign_in(&server, "a", &letters(127)).refused(401, "wrong_name_or_password");
    sign_in(&server, "a", &letters(128)).ok(200);
}

#[test]
fn bodies_that_are_no_credentials_are_refused_in_words() {
    let server = Server::start();
    for path in ["/api/users", "/api/session"] {
        let send = |content_type: &str, body: &str| {
            let request = request("POST", path).header("content-type", content_type);
            server.send(request.body(body))
        };
        let json = "application/json";
        let good = credentials("ada", PASSWORD).to_string();
        send("text/plain", &good).refused(415, "unsupported_media_type");
        send("application/x-www-form-urlencoded", &good).refused(415, "unsupported_media_type");
        server
            .send(request("POST", path).body(&*good))
            .refused(415, "unsupported_media_type");
        send(json, "").refused(400, "bad_json");
        send(json, "{").refused(400, "bad_json");
        for body in ["[]", "null", "7", "\"ada\""] {
            send(json, body).refused(422, "invalid");
        }
    }
    for body in [
        json!({}),
        json!({"username": "ada"}),
        json!({"password": PASSWORD}),
        json!({"username": 7, "password": PASSWORD}),
        json!({"username": "ada", "password": null}),
    ] {
        server
            .send(post("/api/users", &body))
            .refused(422, "invalid");
    }
    let charset = request("POST", "/api/users")
        .header("content-type", "Application/JSON; charset=UTF-8")
        .body(credentials("ada", PASSWORD).to_string());
    server.send(charset).ok(201);
}

#[test]
fn a_session_is_a_token_and_a_cookie() {
    let server = Server::start();
    sign_up(&server, "ada", PASSWORD).ok(201);
    let answer = sign_in(&server, "ada", PASSWORD);
    let body = answer.ok(200);
    let token = body["token"].as_str().unwrap();
    assert_eq!(body, json!({"token": token, "user": {"name": "ada"}}));
    // 256 random bits.
    assert_eq!(token.len(), 64);
    assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let mut cookie = answer.header("set-cookie").unwrap().split("; ");
    assert_eq!(cookie.next(), Some(&*format!("sid={token}")));
    let mut attributes: Vec<&str> = cookie.collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Lax"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let again = sign_in(&server, "ada", PASSWORD).ok(200);
    assert_ne!(again["token"], body["token"], "each session has its own");
    for token in [&again["token"], &body["token"]] {
        let rooms = get("/api/rooms").bearer(token.as_str().unwrap());
        server.send(rooms).ok(200);
    }
}

#[test]
fn a_wrong_name_and_a_wrong_password_are_one_answer() {
    let server = Server::start();
    sign_up(&server, "ada", PASSWORD).ok(201);
    let answers = [
        sign_in(&server, "ada", "correct horsf"),
        sign_in(&server, "bob", PASSWORD),
        // What could never be a name or a password tells no more.
        sign_in(&server, "two words", PASSWORD),
        sign_in(&server, "ada", "short"),
    ];
    for answer in &answers {
        answer.refused(401, "wrong_name_or_password");
        assert_eq!(answer.body, answers[0].body);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[test]
fn sign_out_ends_one_session() {
    let server = Server::start();
    let ada = server.user("ada");
    let other = sign_in(&server, "ada", PASSWORD).ok(200);
    let sign_out = request("DELETE", "/api/session").bearer(&ada.token);
    let answer = server.send(sign_out.clone());
    assert_eq!((answer.status, &*answer.body), (204, &b""[..]));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("sid=; "), "{cookie}");
    assert!(cookie.contains("; Max-Age=0"), "{cookie}");

    let rooms = |token: &str| server.send(get("/api/rooms").bearer(token));
    rooms(&ada.token).refused(401, "unauthorized");
    rooms(other["token"].as_str().unwrap()).ok(200);
    // Signing out without a session changes nothing, and is no error.
    assert_eq!(server.send(sign_out).status, 204);
    assert_eq!(server.send(request("DELETE", "/api/session")).status, 204);
}

#[test]
fn what_shows_no_session_is_told_to_sign_in() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let asks = [
        get("/api/rooms"),
        post("/api/rooms", &json!({"name": "attic"})),
        get("/api/rooms/lobby/messages"),
        get("/api/rooms/nowhere/messages"),
        get("/socket/websocket?vsn=2.0.0"),
    ];
    let wrong = "0".repeat(64);
    let own = format!("http://{}", server.addr());
    for ask in asks {
        let authorization = |value: &str| ask.clone().header("authorization", value);
        for ask in [
            ask.clone(),
            ask.clone().bearer(&wrong),
            ask.clone().bearer("x"),
            ask.clone().bearer(""),
            authorization(&format!("Basic {}", ada.token)),
            authorization(&ada.token),
            ask.clone().cookie(&wrong).header("origin", &own),
            ask.clone().cookie("x").header("origin", &own),
            // A token that is sent on purpose counts, or nothing.
            ask.clone().bearer(&wrong).cookie(&ada.token),
        ] {
            server.send(ask).refused(401, "unauthorized");
        }
    }
    let lower_case = get("/api/rooms").header("authorization", &format!("bearer {}", ada.token));
    server.send(lower_case).ok(200);
}

#[test]
fn attempts_from_one_address_are_limited() {
    let server = Server::with(|config| config.limits.sign_ins_per_minute = Limit::at(3));
    sign_up(&server, "ada", PASSWORD).ok(201);
    sign_in(&server, "ada", "wrong password").refused(401, "wrong_name_or_password");
    sign_in(&server, "ada", PASSWORD).ok(200);
    for answer in [
        sign_in(&server, "ada", PASSWORD),
        sign_up(&server, "bob", PASSWORD),
    ] {
        answer.refused(429, "rate_limited");
        let retry: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=20).contains(&retry), "one attempt in 20 s, {retry} s");
    }
    // Nobody else's business.
    server.send(get("/health")).ok(200);
}
