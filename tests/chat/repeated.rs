//! A post that is repeated is the first one, however late, over whichever connection, and whatever ended meanwhile;
//! and how far somebody has read is known as long.

use crate::http_client::get;
use crate::killed_program::{make_room, sign_in};
use crate::program::{Program, serve};
use crate::server::{PASSWORD, PATIENCE, Scratch, unlimited};
use crate::socket_client::{Socket, topic};
use perennial::chat::Chat;
use perennial::chat::body::{Body, ClientId};
use perennial::chat::name::Name;
use perennial::chat::password::Password;
use perennial::time::Clock;
use perennial::{Runtime, store, supervisor};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_post_is_recognised_after_kill_9_on_another_connection() {
    let scratch = Scratch::new();
    let mut program = Program::start(serve(&scratch.data()));
    let token = sign_in(program.addr(), "ada");
    make_room(program.addr(), &token, "lobby");
    let post = |n: u64| json!({"body": n.to_string(), "client_id": format!("c-{n}")});
    let mut first = Vec::new();
    for n in 1..=6 {
        let mut socket = Socket::connect(program.addr(), &token).unwrap();
        socket.join("lobby", &json!({}));
        // All before it, which other lives of the program have answered.
        for (before, answer) in (1..).zip(&first) {
            assert_eq!(socket.posted("lobby", &post(before)), *answer);
        }
        let answer = socket.posted("lobby", &post(n));
        assert_eq!(answer["seq"], n);
        first.push(answer);
        // The next is on its way when the program is killed: it is there once or not at all.
        socket.push(&Value::Null, &topic("lobby"), "new_msg", &post(n + 1));
        let read = socket.push(&Value::Null, &topic("lobby"), "read", &json!({"seq": n}));
        assert_eq!(socket.reply_to(&read).reply().0, "ok");
        program.kill();
        program = Program::start(serve(&scratch.data()));
        let rooms = get("/api/rooms")
            .bearer(&token)
            .send(program.addr())
            .ok(200);
        assert_eq!(rooms["rooms"][0]["read_seq"], n, "it was acknowledged");
    }
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_post_is_recognised_days_and_restarts_later_whatever_it_says_then() {
    let scratch = Scratch::new();
    let (clock, hand) = Clock::manual();
    let (ada, lobby) = (Name::new("ada").unwrap(), Name::new("lobby").unwrap());
    let id = ClientId::new("c").unwrap();
    let mut first = None;
    for day in 0..4 {
        let runtime = Runtime::builder().workers(2).build().unwrap();
        let entered = runtime.enter();
        let config = unlimited(&scratch.data());
        let store = store::Config {
            clock: clock.clone(),
            ..store::Config::new(&config.data)
        };
        let chat = Chat::open_with(&config, store).unwrap();
        let tree = chat.start().unwrap();
        let password = Password::new(PASSWORD).unwrap();
        if day == 0 {
            chat.sign_up(ada.clone(), password.clone()).unwrap();
            chat.create_room(lobby.clone()).unwrap();
        }
        let (_, account) = chat.sign_in(ada.clone(), password).unwrap();
        let say = |body: String, id: Option<ClientId>| {
            let body = Body::new(&body).unwrap();
            chat.post(&account, &lobby, body, id).unwrap()
        };
        let posted = say(format!("on day {day}"), Some(id.clone()));
        assert_eq!(posted.is_new, day == 0);
        let (seq, at) = *first.get_or_insert((posted.seq, posted.at));
        assert_eq!((posted.seq, posted.at), (seq, at), "day {day}");
        say("something else".to_owned(), None);
        let page = chat
            .history(&lobby, perennial::chat::store::Page::Newest, 50)
            .unwrap()
            .unwrap();
        assert_eq!(&*page[0].body, "on day 0", "what was said first stands");
        assert_eq!(page.len(), day + 2, "one message, and one for each day");
        supervisor::stop(&tree).unwrap();
        drop((chat, entered));
        runtime.shutdown(PATIENCE);
        hand.advance(Duration::from_secs(25 * 60 * 60));
    }
}
