//! The sockets of a session end with it, whatever ends it.

use crate::http_client::{post, request};
use crate::server::{PASSWORD, Server, User, unlimited};
use crate::socket_client::Socket;
use perennial::chat::Token;
use perennial::chat::config::{Config, Sessions};
use perennial::chat::name::Name;
use perennial::chat::password::Password;
use perennial::chat::store::{CloseSession, OpenSession, SESSIONS_MAX, TokenHash};
use perennial::process::Dest;
use perennial::store::WriterMsg;
use perennial::time::{Clock, ManualClock};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A server whose time stands still until it is moved.
fn server(sessions: Sessions) -> (Server, ManualClock) {
    let (clock, hand) = Clock::manual();
    let config = |data: &Path| {
        let mut config: Config = unlimited(data);
        config.sessions = sessions;
        config.limits.idle_timeout = Duration::ZERO;
        config.limits.write_timeout = Duration::ZERO;
        // A writer that waited for company would do so by the clock that stands still.
        config.store.commit_wait = Duration::ZERO;
        config
    };
    let same = clock.clone();
    (
        Server::start_as(config, |store| store.clock = same, Some(clock)),
        hand,
    )
}

fn hash(user: &User) -> TokenHash {
    Token::parse(&user.token).expect("it is a token").hash()
}

/// Half minutes go by until the socket is closed; the code. Between two of them `other` asks for something, so that the
/// server has the time to do what is due: it is to take one of them, and gets sixty.
fn closes(server: &Server, hand: &ManualClock, mut socket: Socket, other: &User) -> Option<u16> {
    std::thread::scope(|scope| {
        let closing = scope.spawn(move || socket.close_code());
        for _ in 0..60 {
            if closing.is_finished() {
                break;
            }
            hand.advance(MINUTE / 2);
            server.send(request("GET", "/api/rooms").bearer(&other.token));
        }
        closing.join().expect("it has an end")
    })
}

fn signed_out(server: &Server, user: &User) {
    let refused = Socket::connect(server.addr(), &user.token).err();
    assert_eq!(refused.map(|answer| answer.status), Some(401));
}

// A token that somebody else had got hold of was of no use any more, but the socket that was opened with it stayed.
#[test]
fn sign_out_ends_the_sockets_of_its_session_and_no_others() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let again = post(
        "/api/session",
        &json!({"username": "ada", "password": PASSWORD}),
    );
    let other = server.send(again).ok(200);
    let mut of_other = Socket::connect(server.addr(), other["token"].as_str().unwrap()).unwrap();
    let mut sockets = [server.socket(&ada), server.socket(&ada)];
    for socket in sockets.iter_mut().chain([&mut of_other]) {
        socket.join("lobby", &json!({}));
    }
    let sign_out = request("DELETE", "/api/session").bearer(&ada.token);
    assert_eq!(server.send(sign_out).status, 204);
    for socket in &mut sockets {
        assert_eq!(socket.close_code(), Some(1001));
    }
    of_other.heartbeat();
    of_other.posted("lobby", &json!({"body": "still here"}));
    let refused = Socket::connect(server.addr(), &ada.token).err();
    assert_eq!(refused.map(|answer| answer.status), Some(401));
}

#[test]
fn a_session_that_is_too_old_ends_its_sockets_used_or_not() {
    let (server, hand) = server(Sessions {
        idle_timeout: 600 * MINUTE,
        lifetime: 60 * MINUTE,
    });
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    // One that is in no room goes as well.
    let silent = server.socket(&ada);
    hand.advance(59 * MINUTE);
    socket.posted("lobby", &json!({"body": "still here"}));
    assert_eq!(closes(&server, &hand, socket, &bob), Some(1001));
    assert_eq!(closes(&server, &hand, silent, &bob), Some(1001));
    signed_out(&server, &ada);
}

#[test]
fn what_is_said_on_a_socket_is_a_use_of_its_session() {
    let (server, hand) = server(Sessions {
        idle_timeout: 10 * MINUTE,
        lifetime: 600 * MINUTE,
    });
    let (ada, bob) = (server.user("ada"), server.user("bob"));
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    for body in ["a", "b", "c"] {
        hand.advance(6 * MINUTE);
        socket.posted("lobby", &json!({ "body": body }));
    }
    drop(server.socket(&ada));
    // Only what somebody says is: a heartbeat says that a program runs.
    socket.heartbeat();
    assert_eq!(closes(&server, &hand, socket, &bob), Some(1001));
    signed_out(&server, &ada);
}

// A sign-out, between the look at a socket's token and the moment from which the socket is told of its end.
#[test]
fn a_socket_that_was_not_told_of_the_end_of_its_session_enters_no_room() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    let close = CloseSession { token: hash(&ada) };
    let writer = server.program().chat().store().writer();
    let closed = server.inside(|| writer.call(|answer| WriterMsg::write(close, answer)));
    assert!(closed.expect("it answers").expect("it writes"));
    let refused = socket.ask_to_join("lobby", &json!({}));
    assert_eq!(
        refused.reply(),
        ("error", &json!({"reason": "unauthorized"}))
    );
    assert_eq!(socket.close_code(), Some(1001));
    signed_out(&server, &ada);
}

#[test]
fn a_session_that_makes_room_for_a_newer_one_ends_its_sockets() {
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let mut socket = server.socket(&ada);
    socket.join("lobby", &json!({}));
    let later = server.program().chat().clock().unix_ms() + 1_000;
    let writer = server.program().chat().store().writer();
    for n in 1..SESSIONS_MAX {
        let open = OpenSession {
            token: TokenHash::of(&n.to_le_bytes()),
            user: ada.account.id,
            at: later,
        };
        let opened = server.inside(|| writer.call(|answer| WriterMsg::write(open, answer)));
        assert_eq!(opened.expect("it answers"), Ok(Vec::new()));
    }
    socket.heartbeat();
    let (name, password) = (
        Name::new("ada").expect("a name"),
        Password::new(PASSWORD).expect("a password"),
    );
    let one_more = server.inside(|| server.program().chat().sign_in(name, password));
    one_more.expect("it is the right one");
    assert_eq!(socket.close_code(), Some(1001));
    signed_out(&server, &ada);
}
