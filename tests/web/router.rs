//! Routes, over a socket.

use crate::support::Server;
use perennial::web::http::{Request, Response, Status};
use perennial::web::net::{Config, Responder};
use perennial::web::router::{Params, Router};

/// A handler that answers with its own name and the parameters that it got.
fn named(name: &'static str) -> impl Fn(Request, Params, Responder) + Send + Sync + 'static {
    move |_, params, responder| {
        let text = format!("{name} {:?} {:?}", params.get("name"), params.get("rest"));
        responder.send(Response::new(Status::OK).text(text));
    }
}

fn router() -> Router {
    Router::new()
        .get("/", named("root"))
        .get("/rooms", named("rooms"))
        .post("/rooms", named("create"))
        .get("/rooms/new", named("new"))
        .get("/rooms/{name}", named("room"))
        .get("/rooms/{name}/messages", named("messages"))
        .delete("/session", named("logout"))
        .get("/static/{*rest}", named("file"))
}

#[test]
fn path_finds_its_handler() {
    let server = Server::start(Config::default(), router());
    let mut client = server.client();
    for (path, answer) in [
        ("/", "root None None"),
        ("/rooms", "rooms None None"),
        ("/rooms?limit=5", "rooms None None"),
        ("/rooms/new", "new None None"),
        ("/rooms/old", "room Some(\"old\") None"),
        ("/rooms/%EB%B0%A9", "room Some(\"방\") None"),
        ("/rooms/a%2Fb", "room Some(\"a/b\") None"),
        ("/rooms/new/messages", "messages Some(\"new\") None"),
        ("/static/app.js", "file None Some(\"app.js\")"),
        ("/static/a/b.css", "file None Some(\"a/b.css\")"),
    ] {
        let got = client.get(path);
        assert_eq!((got.status, got.body.as_str()), (200, answer), "{path}");
    }
    for path in [
        "/room",
        "/rooms/",
        "/rooms/a/b",
        "/rooms//messages",
        "/static/",
        "/static",
        "//",
    ] {
        let got = client.get(path);
        assert_eq!(got.status, 404, "{path}");
        assert!(got.body.contains("\"code\":\"not_found\""), "{}", got.body);
    }
}

#[test]
fn method_finds_its_handler_or_what_is_allowed() {
    let server = Server::start(Config::default(), router());
    let mut client = server.client();
    for (line, status, allow) in [
        ("POST /rooms", 200, None),
        ("PUT /rooms", 405, Some("GET, HEAD, POST, OPTIONS")),
        ("DELETE /rooms", 405, Some("GET, HEAD, POST, OPTIONS")),
        ("GET /session", 405, Some("DELETE, OPTIONS")),
        ("HEAD /session", 405, Some("DELETE, OPTIONS")),
        ("OPTIONS /rooms", 204, Some("GET, HEAD, POST, OPTIONS")),
        ("OPTIONS /none", 404, None),
        ("OPTIONS *", 404, None),
    ] {
        client.write(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let head = client.head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {head}"
        );
        let field = head.lines().find_map(|line| line.strip_prefix("allow: "));
        assert_eq!(field, allow, "{line}");
        client.skip_content(&head, line.starts_with("HEAD"));
    }
    client.write("HEAD /rooms/a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.head().contains("content-length: 19\r\n"));
    assert_eq!(client.get("/rooms/a").body, "room Some(\"a\") None");
}

#[test]
fn pattern_that_is_none_is_a_bug() {
    for pattern in ["", "rooms", "/{}", "/{a}/{a}", "/{*a}/b", "/{*}"] {
        let added = std::panic::catch_unwind(|| Router::new().get(pattern, named("never")));
        assert!(added.is_err(), "{pattern:?}");
    }
}
