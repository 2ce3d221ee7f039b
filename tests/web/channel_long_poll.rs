//! Channels by long poll, over real connections: the cases of Phoenix's `integration/long_poll_channels_test.exs` and
//! `long_poll_socket_test.exs`.

use crate::channel_mount::{House, all, info};
use crate::support::{Answer, Client};
use perennial::gen_server::Next;
use perennial::time::{Clock, ManualClock};
use perennial::web::channel::{
    Channel, ChannelCx, CheckOrigin, Connecting, Join, Payload, Reply, UserSocket, endpoint,
};
use perennial::web::http::{Response, Status};
use perennial::web::net::Config;
use perennial::{ExitReason, Pid, Runtime};
use serde_json::{Value, json};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A channel that does what its client says.
struct Room(Stage);

#[derive(Clone)]
struct Stage {
    told: Sender<Pid>,
    go: Arc<Mutex<Receiver<()>>>,
}

impl Channel for Room {
    type Assigns = Value;
    type Args = Stage;
    type Msg = ();

    fn join(stage: Stage, _: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        cx.subscribe();
        let _ = stage.told.send(cx.pid());
        Join::Ok(Room(stage), Payload::empty())
    }

    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<()> {
        match event {
            "new_msg" => {
                cx.broadcast("new_msg", payload);
                reply.ok(json!({}));
            }
            "push" => {
                cx.push("pushed", payload);
                reply.ok(json!({}));
            }
            "size" => reply.ok(json!({"bytes": payload.len()})),
            "bytes" => reply.ok(Payload::binary([1, 2])),
            "crash" => panic!("as told"),
            "stop" => return Next::Stop(ExitReason::Normal),
            "wait" => {
                let go = self.0.go.lock().expect("a lock");
                go.recv_timeout(3 * crate::support::PATIENCE)
                    .expect("a go in time");
            }
            other => panic!("what is {other}?"),
        }
        Next::Loop
    }
}

pub(crate) struct Behind {
    pub(crate) channels: Receiver<Pid>,
    _go: Sender<()>,
}

pub(crate) fn socket() -> (UserSocket<Value>, Behind) {
    let ((told, channels), (go, wait)) = (mpsc::channel(), mpsc::channel());
    let stage = Stage {
        told,
        go: Arc::new(Mutex::new(wait)),
    };
    (
        UserSocket::new().channel::<Room>("room:*", stage),
        Behind { channels, _go: go },
    )
}

/// A house whose only socket is at `/socket`, and whose time stands still until it is moved.
pub(crate) fn house() -> (House, Behind, ManualClock) {
    let (socket, behind) = socket();
    let socket = socket.id(|knows| {
        let user = knows["params"]["user"].as_str();
        user.map(|user| format!("users:{user}"))
    });
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().workers(2).clock(clock);
    let runtime = runtime.build().expect("a runtime");
    let house = House::of(runtime, Config::default(), |router| {
        socket.mount(router, "/socket", |client: &Connecting<'_>| Ok(all(client)))
    });
    (house, behind, hand)
}

/// How long a poll waits.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// One session as its client has it.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) path: String,
    pub(crate) token: String,
}

impl Session {
    pub(crate) fn open(house: &House) -> Session {
        Session::at(house, "/socket/longpoll?vsn=2.0.0", "")
    }

    pub(crate) fn at(house: &House, path: &str, fields: &str) -> Session {
        let mut client = house.server.client();
        let opened = read(&get(&mut client, path, fields));
        assert_eq!(
            (&opened["status"], &opened["messages"]),
            (&json!(410), &json!([]))
        );
        let token = opened["token"].as_str().expect("a token").to_owned();
        assert_eq!(token.len(), 32);
        Session {
            client,
            path: path.to_owned(),
            token,
        }
    }

    /// The same session by another connection.
    pub(crate) fn again(&self, house: &House) -> Session {
        Session {
            client: house.server.client(),
            path: self.path.clone(),
            token: self.token.clone(),
        }
    }

    pub(crate) fn ask(&mut self) {
        self.client.write(request(
            "GET",
            &format!("{}&token={}", self.path, self.token),
            "",
            "",
        ));
    }

    pub(crate) fn hear(&mut self) -> Value {
        read(&self.client.answer())
    }

    pub(crate) fn poll(&mut self) -> Value {
        self.ask();
        self.hear()
    }

    /// Says these, and returns the status.
    pub(crate) fn say(&mut self, lines: &[&str]) -> Value {
        let path = format!("{}&token={}", self.path, self.token);
        self.client.write(request(
            "POST",
            &path,
            "Content-Type: application/x-ndjson\r\n",
            &lines.join("\n"),
        ));
        self.hear()["status"].clone()
    }

    /// Polls until there are so many messages.
    pub(crate) fn messages(&mut self, count: usize) -> Vec<Value> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let polled = self.poll();
            assert_eq!(
                (&polled["status"], &polled["token"]),
                (&json!(200), &json!(self.token))
            );
            let texts = polled["messages"].as_array().expect("messages").iter();
            messages.extend(texts.map(|text| {
                let text = text.as_str().expect("each message is text");
                serde_json::from_str::<Value>(text).expect("of JSON")
            }));
        }
        assert_eq!(messages.len(), count, "{messages:?}");
        messages
    }

    pub(crate) fn join(&mut self, topic: &str) {
        assert_eq!(
            self.say(&[&json!(["1", "1", topic, "phx_join", {}]).to_string()]),
            json!(200)
        );
        assert_eq!(self.messages(1), [reply("1", "1", topic, "ok", json!({}))]);
    }
}

pub(crate) fn request(method: &str, path: &str, fields: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn get(client: &mut Client, path: &str, fields: &str) -> Answer {
    client.write(request("GET", path, fields, ""));
    client.answer()
}

/// What an answer says: always 200 for HTTP, always JSON.
pub(crate) fn read(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    serde_json::from_str(&answer.body).expect("JSON")
}

pub(crate) fn reply(
    join_ref: &str,
    msg_ref: &str,
    topic: &str,
    status: &str,
    response: Value,
) -> Value {
    json!([join_ref, msg_ref, topic, "phx_reply", {"status": status, "response": response}])
}

#[test]
fn session_joins_hears_and_says_by_requests_alone() {
    // E31, E36, E50.
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    anna.join("room:1");
    // A poll waits for what is said.
    anna.ask();
    house.server.sync();
    let mut bob = Session::open(&house);
    bob.join("room:1");
    assert_eq!(
        bob.say(&[r#"["1","2","room:1","new_msg",{"body":"안녕"}]"#]),
        json!(200)
    );
    let said = json!([null, null, "room:1", "new_msg", {"body": "안녕"}]);
    let heard = anna.hear();
    assert_eq!(heard["messages"], json!([said.to_string()]));
    assert_eq!(
        bob.messages(2),
        [said, reply("1", "2", "room:1", "ok", json!({}))]
    );
    // What a channel pushes comes before the reply that follows it.
    assert_eq!(
        bob.say(&[r#"["1","3","room:1","push",{"n":1}]"#]),
        json!(200)
    );
    let pushed = json!(["1", null, "room:1", "pushed", {"n": 1}]);
    assert_eq!(
        bob.messages(2),
        [pushed, reply("1", "3", "room:1", "ok", json!({}))]
    );
}

#[test]
fn poll_that_hears_nothing_says_so_and_another_one_takes_its_place() {
    // E31, E62: 204 after the window; and what comes later comes on the next poll.
    let (house, _behind, hand) = house();
    let mut anna = Session::open(&house);
    anna.join("room:1");
    anna.ask();
    house.server.sync();
    // Requests are taken in their order: this one says nothing, and comes after the poll.
    assert_eq!(anna.again(&house).say(&[]), json!(200));
    hand.advance(WINDOW);
    let nothing = anna.hear();
    assert_eq!(
        nothing,
        json!({"messages": [], "status": 204, "token": anna.token})
    );
    let _guard = house.runtime.enter();
    endpoint::broadcast("room:1", "later", json!({})).expect("an object");
    assert_eq!(
        anna.messages(1),
        [json!([null, null, "room:1", "later", {}])]
    );
}

#[test]
fn one_poll_at_a_time_waits() {
    let (house, _behind, _hand) = house();
    let mut first = Session::open(&house);
    first.join("room:1");
    first.ask();
    house.server.sync();
    let mut second = first.again(&house);
    second.ask();
    assert_eq!(first.hear()["status"], json!(204));
    assert_eq!(
        first.say(&[r#"["1","2","room:1","new_msg",{}]"#]),
        json!(200)
    );
    assert_eq!(second.hear()["status"], json!(200));
}

#[test]
fn connect_sees_a_client_of_long_poll_as_any_other() {
    // E32, E33, E34, E35, E43, E60, E61.
    let house = House::new(|router| {
        info("i").mount(router, "/ws/{id}", |client: &Connecting<'_>| {
            match client.param("user").as_deref() {
                Some("mallory") => Err(Response::new(Status::FORBIDDEN)),
                _ => Ok(all(client)),
            }
        })
    });
    let fields = "X-Real: yes\r\nTraceparent: 00-4b\r\nUser-Agent: browser/1\r\nX-Phoenix-AuthToken: secret?>\r\n";
    let mut session = Session::at(&house, "/ws/7/longpoll?vsn=2.0.0&user=a%20b", fields);
    assert_eq!(
        session.say(&[r#"["1","1","info:a","phx_join",{}]"#]),
        json!(200)
    );
    let known = session.messages(1)[0][4]["response"]["knows"].clone();
    for (key, value) in [
        ("agent", json!("browser/1")),
        ("peer", json!("127.0.0.1")),
        ("path", json!("/ws/7/longpoll")),
        ("query", json!("vsn=2.0.0&user=a%20b")),
        ("params", json!({"id": "7", "user": "a b"})),
        ("token", json!("secret?>")),
        ("transport", json!("LongPoll")),
    ] {
        assert_eq!(known[key], value, "{key}");
    }
    let has = |name: &str| {
        known["fields"]
            .as_object()
            .expect("fields")
            .keys()
            .any(|it| it.eq_ignore_ascii_case(name))
    };
    assert!(has("x-real") && has("traceparent"), "{known}");
    let mut client = house.server.client();
    let refused = get(&mut client, "/ws/7/longpoll?vsn=2.0.0&user=mallory", "");
    assert_eq!(read(&refused), json!({"status": 403}));
}

#[test]
fn page_of_another_origin_and_a_version_that_is_not_spoken_are_refused() {
    // E44, E49.
    let (house, _behind, _hand) = house();
    let mut client = house.server.client();
    let mut ask = |query: &str, fields: &str| {
        read(&get(
            &mut client,
            &format!("/socket/longpoll{query}"),
            fields,
        ))["status"]
            .clone()
    };
    assert_eq!(ask("?vsn=2.0.0", "Origin: http://evil\r\n"), json!(403));
    assert_eq!(ask("?vsn=2.0.0", "Origin: null\r\n"), json!(403));
    assert_eq!(ask("?vsn=2.0.0", "Origin: http://h\r\n"), json!(410));
    assert_eq!(ask("?vsn=3.0.0", ""), json!(403));
    assert_eq!(ask("", ""), json!(410));
    // Nor may it ask on a session that it has learned of.
    let session = Session::open(&house);
    assert_eq!(
        ask(
            &format!("?vsn=2.0.0&token={}", session.token),
            "Origin: http://evil\r\n"
        ),
        json!(403)
    );
}

#[test]
fn browser_is_told_what_pages_of_other_origins_may_ask() {
    let house = House::new(|router| {
        info("i")
            .check_origin(CheckOrigin::off())
            .mount(router, "/socket", |_: &Connecting<'_>| Ok(json!(1)))
    });
    let mut client = house.server.client();
    let fields = "Origin: http://app\r\nAccess-Control-Request-Headers: content-type, x-phoenix-authtoken\r\n";
    client.write(request("OPTIONS", "/socket/longpoll", fields, ""));
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("content-type, x-phoenix-authtoken")
    );
    assert_eq!(
        answer.header("access-control-allow-methods"),
        Some("get, post, options")
    );
    assert_eq!(answer.header("access-control-max-age"), Some("3600"));
}

#[test]
fn message_for_a_topic_that_is_not_joined_is_answered_by_poll() {
    // E37.
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    let mut bob = Session::open(&house);
    bob.join("room:1");
    assert_eq!(
        anna.say(&[r#"["1","2","room:1","new_msg",{}]"#]),
        json!(200)
    );
    let unmatched = json!([null, "2", "room:1", "phx_reply",
        {"status": "error", "response": {"reason": "unmatched topic"}}]);
    assert_eq!(anna.messages(1), [unmatched]);
    // Bob has heard nothing of it.
    assert_eq!(
        bob.say(&[r#"[null,"9","phoenix","heartbeat",{}]"#]),
        json!(200)
    );
    assert_eq!(bob.messages(1)[0][2], json!("phoenix"));
}

#[test]
fn batch_is_handled_in_order_and_bytes_come_in_base64() {
    // E38.
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    anna.join("room:1");
    // A push of three bytes: 0 | lengths | join_ref | ref | topic | event | data.
    let batch = [
        r#"["1","2","room:1","size",{}]"#,
        "AAEBBgQxM3Jvb206MXNpemUAAf8=",
        r#"["1","4","room:1","size",[1]]"#,
    ];
    assert_eq!(anna.say(&batch), json!(200));
    let sizes: Vec<Value> = anna
        .messages(3)
        .into_iter()
        .map(|frame| json!([frame[1], frame[4]["response"]["bytes"]]))
        .collect();
    assert_eq!(sizes, [json!(["2", 2]), json!(["3", 3]), json!(["4", 3])]);
    // Bytes have no form on the way back: that reply is left out.
    assert_eq!(
        anna.say(&[
            r#"["1","5","room:1","bytes",{}]"#,
            r#"["1","6","room:1","size",{}]"#
        ]),
        json!(200)
    );
    assert_eq!(anna.messages(1)[0][1], json!("6"));
}

#[test]
fn hundred_messages_of_a_batch_are_read() {
    // E42.
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    let lines: Vec<String> = (0..105)
        .map(|at| format!(r#"[null,"{at}","phoenix","heartbeat",{{}}]"#))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(anna.say(&lines), json!(200));
    let heard = anna.messages(100);
    assert_eq!(heard[99][1], json!("99"));
    assert_eq!(
        anna.say(&[r#"[null,"next","phoenix","heartbeat",{}]"#]),
        json!(200)
    );
    assert_eq!(anna.messages(1)[0][1], json!("next"));
}
