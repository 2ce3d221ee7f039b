//! Sockets in a router, over real connections: what `connect` sees, who is let in, and who is told to go.
//!
//! Cases marked E come from Phoenix's `integration/websocket_channels_test.exs`, `websocket_socket_test.exs` and
//! `socket/transport_test.exs`.

use crate::support::{Client, Server, UPGRADE, eventually};
use perennial::gen_server::Next;
use perennial::web::Router;
use perennial::web::channel::event::{ChannelHandledIn, ChannelJoined, SocketConnected};
use perennial::web::channel::{
    Channel, ChannelCx, CheckOrigin, Connecting, Join, Payload, Reply, TransportKind, UserSocket,
    Vsn, endpoint,
};
use perennial::web::http::{HeaderName, Response, Status, cookies};
use perennial::web::net::{Config, Responder, Service};
use perennial::web::websocket::CloseCode;
use perennial::{ExitReason, Runtime, process};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Tells its client what the connection knows of it.
pub(crate) struct Info;

impl Channel for Info {
    type Assigns = Value;
    type Args = &'static str;
    type Msg = ();

    fn join(name: &'static str, _: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        cx.subscribe();
        Join::Ok(
            Info,
            json!({ "channel": name, "knows": cx.assigns() }).into(),
        )
    }

    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        reply: Reply,
        cx: &mut ChannelCx<'_, Self>,
    ) -> Next<()> {
        assert_ne!(event, "crash", "as told");
        cx.broadcast(event, payload);
        reply.ok(json!({}));
        Next::Loop
    }
}

/// What there is of a client, in JSON.
pub(crate) fn all(client: &Connecting<'_>) -> Value {
    let fields = client.request.headers().iter();
    let fields = fields.filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-") || name.starts_with("trace")
    });
    let fields: serde_json::Map<String, Value> = fields
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into()))
        .collect();
    json!({
        "fields": fields,
        "agent": client.request.header("user-agent"),
        "peer": client.peer.ip().to_string(),
        "host": client.request.header("host"),
        "path": client.request.path(),
        "query": client.request.target().query(),
        "params": {"id": client.params.get("id"), "user": client.param("user")},
        "token": client.auth_token(),
        "sid": cookies(client.request).find(|(name, _)| *name == "sid").map(|(_, value)| value),
        "transport": format!("{:?}", client.transport),
        "fixed": "custom",
    })
}

pub(crate) fn info(name: &'static str) -> UserSocket<Value> {
    UserSocket::new().channel::<Info>("info:*", name)
}

pub(crate) struct House {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) server: Server,
}

impl House {
    pub(crate) fn new(make: impl FnOnce(Router) -> Router) -> House {
        House::with(Config::default(), make)
    }

    fn with(config: Config, make: impl FnOnce(Router) -> Router) -> House {
        let runtime = Runtime::builder().workers(2).build().expect("a runtime");
        House::of(runtime, config, make)
    }

    /// A house whose processes live in this runtime.
    pub(crate) fn of(
        runtime: Runtime,
        config: Config,
        make: impl FnOnce(Router) -> Router,
    ) -> House {
        let runtime = Arc::new(runtime);
        let (router, inside) = (make(Router::new()), runtime.clone());
        let server = Server::start(config, move |request, responder: Responder| {
            let _guard = inside.enter();
            router.call(request, responder);
        });
        House { runtime, server }
    }

    /// Asks for a WebSocket with these further header lines; the status.
    fn ask(&self, target: &str, headers: &str) -> (Client, u16, String) {
        let mut client = self.server.client();
        let request = UPGRADE.replace("GET /socket ", &format!("GET {target} "));
        client.write(request.replace("Host: h\r\n", &format!("Host: h\r\n{headers}")));
        let head = client.head();
        let status = head[9..12].parse().expect("a status");
        (client, status, head.to_lowercase())
    }

    #[track_caller]
    fn open(&self, target: &str, headers: &str) -> Client {
        let (client, status, head) = self.ask(target, headers);
        assert_eq!(status, 101, "{head}");
        client
    }
}

fn read(client: &mut Client) -> Value {
    let frame = client.receive();
    assert_eq!(frame.opcode, 0x1, "{frame:?}");
    serde_json::from_slice(&frame.payload).expect("JSON")
}

/// Joins, and returns what the reply says.
fn join(client: &mut Client, topic: &str) -> Value {
    client.text(&json!(["1", "1", topic, "phx_join", {}]).to_string());
    let reply = read(client);
    assert_eq!(reply[4]["status"], json!("ok"), "{reply}");
    reply[4]["response"].clone()
}

/// What a client that connects so is known by.
fn known(house: &House, target: &str, headers: &str) -> Value {
    join(&mut house.open(target, headers), "info:a")["knows"].clone()
}

const V2: &str = "/socket/websocket?vsn=2.0.0";

#[test]
fn two_paths_of_different_depth_reach_their_own_socket() {
    // E1, E57: and no path but these.
    let house = House::new(|router| {
        let router = info("outer").mount(router, "/ws", |client: &Connecting<'_>| Ok(all(client)));
        info("inner").mount(router, "/ws/admin/deep/", |client: &Connecting<'_>| {
            Ok(all(client))
        })
    });
    for (path, name) in [("/ws", "outer"), ("/ws/admin/deep", "inner")] {
        let mut client = house.open(&format!("{path}/websocket?vsn=2.0.0"), "");
        assert_eq!(join(&mut client, "info:a")["channel"], json!(name));
    }
    assert_eq!(house.ask("/ws/admin/websocket?vsn=2.0.0", "").1, 404);
}

#[test]
fn connect_sees_all_there_is_of_a_client() {
    // E8, E9, E10, E11, E12, E14, E54.
    let house = House::new(|router| {
        info("i").mount(router, "/socket", |client: &Connecting<'_>| Ok(all(client)))
    });
    let headers = "X-Forwarded-For: 192.0.2.1\r\nx-real: yes\r\nTraceparent: 00-4b\r\nTracestate: a=b\r\n\
        User-Agent: browser/1\r\nAuthorization: secret\r\n";
    let known = known(&house, "/socket/websocket?vsn=2.0.0&user=a%20b", headers);
    let fields = json!({"X-Forwarded-For": "192.0.2.1", "x-real": "yes", "Traceparent": "00-4b", "Tracestate": "a=b"});
    for (key, value) in [
        ("agent", json!("browser/1")),
        ("peer", json!("127.0.0.1")),
        ("host", json!("h")),
        ("path", json!("/socket/websocket")),
        ("query", json!("vsn=2.0.0&user=a%20b")),
        ("params", json!({"id": null, "user": "a b"})),
        ("transport", json!("WebSocket")),
        ("fixed", json!("custom")),
    ] {
        assert_eq!(known[key], value, "{key}");
    }
    for (name, value) in fields.as_object().expect("an object") {
        let has = known["fields"].as_object().expect("an object").iter();
        assert!(
            has.clone()
                .any(|(field, it)| field.eq_ignore_ascii_case(name) && it == value),
            "{name}: {known}"
        );
    }
}

#[test]
fn variables_of_the_path_are_parameters() {
    // E58.
    let house = House::new(|router| {
        info("i").mount(router, "/ws/{id}", |client: &Connecting<'_>| {
            Ok(all(client))
        })
    });
    let known = known(&house, "/ws/7%2F8/websocket?vsn=2.0.0", "");
    assert_eq!(known["params"]["id"], json!("7/8"));
}

#[test]
fn session_of_a_foreign_page_reaches_no_connection() {
    // E13, E98: a cookie comes along whatever page asks, so the page is checked before anybody reads it.
    let house = House::new(|router| {
        info("i").mount(router, "/socket", |client: &Connecting<'_>| Ok(all(client)))
    });
    let cookie = "Cookie: sid=s3cret\r\n";
    assert_eq!(
        known(&house, V2, &format!("{cookie}Origin: http://h\r\n"))["sid"],
        json!("s3cret")
    );
    assert_eq!(
        house.ask(V2, &format!("{cookie}Origin: http://evil\r\n")).1,
        403
    );
}

#[test]
fn connect_may_refuse_in_its_own_words() {
    // E22, E23.
    let house = House::new(|router| {
        info("i").mount(router, "/socket", |client: &Connecting<'_>| {
            match client.param("user").as_deref() {
                None => Err(Response::new(Status::FORBIDDEN)),
                Some("fast") => Err(Response::new(Status::TOO_MANY_REQUESTS)
                    .header(HeaderName::RETRY_AFTER, 5.into())),
                Some("bug") => panic!("as told"),
                Some(_) => Ok(all(client)),
            }
        })
    });
    assert_eq!(house.ask(V2, "").1, 403);
    let (_, status, head) = house.ask(&format!("{V2}&user=fast"), "");
    assert_eq!(
        (status, head.contains("retry-after: 5\r\n")),
        (429, true),
        "{head}"
    );
    assert_eq!(house.ask(&format!("{V2}&user=bug"), "").1, 500);
    assert_eq!(house.ask(&format!("{V2}&user=anna"), "").1, 101);
}

#[test]
fn page_of_another_origin_is_refused_before_anybody_is_asked() {
    // E21, E52.
    let house = House::new(|router| {
        let own = info("own").mount(router, "/own", |client: &Connecting<'_>| Ok(all(client)));
        let list = CheckOrigin::list(["https://app.example.com"]).expect("origins");
        let router = info("list")
            .check_origin(list)
            .mount(own, "/list", |_: &Connecting<'_>| Ok(json!(1)));
        info("off")
            .check_origin(CheckOrigin::off())
            .mount(router, "/off", |_: &Connecting<'_>| Ok(json!(1)))
    });
    for (path, origin, status) in [
        ("own", "", 101),
        ("own", "Origin: http://h\r\n", 101),
        ("own", "Origin: http://other\r\n", 403),
        ("own", "Origin: null\r\n", 403),
        ("list", "Origin: https://app.example.com\r\n", 101),
        ("list", "Origin: https://example.com\r\n", 403),
        ("off", "Origin: https://anywhere\r\n", 101),
        ("off", "Origin: null\r\n", 101),
    ] {
        let asked = house.ask(&format!("/{path}/websocket?vsn=2.0.0"), origin);
        assert_eq!(asked.1, status, "{path} {origin}");
    }
}

#[test]
fn subprotocol_is_the_first_of_ours_that_is_offered() {
    // E53, E97.
    let offer = |names: &str| format!("Sec-WebSocket-Protocol: {names}\r\n");
    let selected = |socket: UserSocket<Value>, offered: &str| {
        let house = House::new(|router| {
            socket.mount(router, "/socket", |client: &Connecting<'_>| Ok(all(client)))
        });
        let (_, status, head) = house.ask(V2, offered);
        let mut lines = head.lines();
        let line = lines.find_map(|line| {
            line.strip_prefix("sec-websocket-protocol: ")
                .map(str::to_owned)
        });
        (status, line)
    };
    let ours = || info("i").subprotocols(["sip", "mqtt"]);
    let yes = |name: &str| (101, Some(name.to_owned()));
    assert_eq!(selected(ours(), &offer("mqtt, sip")), yes("sip"));
    assert_eq!(selected(ours(), &offer("x, mqtt")), yes("mqtt"));
    assert_eq!(
        selected(ours(), &offer("x, MQTT")),
        (403, None),
        "names are compared as they are"
    );
    assert_eq!(selected(ours(), &offer("phoenix")), (403, None));
    assert_eq!(selected(ours(), ""), (101, None));
    assert_eq!(
        selected(ours(), &offer("base64url.bearer.phx.YQ")),
        (101, None),
        "a token is no offer"
    );
    assert_eq!(selected(info("i"), &offer("x, phoenix")), yes("phoenix"));
    assert_eq!(selected(info("i"), &offer("x, y")), (101, None));
}

#[test]
fn all_sockets_of_an_id_are_told_to_go_and_no_other() {
    // E24, E90.
    let house = House::new(|router| {
        let socket = info("i").id(|knows| {
            knows["params"]["user"]
                .as_str()
                .map(|user| format!("users:{user}"))
        });
        socket.mount(router, "/socket", |client: &Connecting<'_>| Ok(all(client)))
    });
    let mut open = |user: &str| house.open(&format!("{V2}{user}"), "");
    let [mut one, mut two, mut other, mut nobody] =
        ["&user=7", "&user=7", "&user=8", ""].map(&mut open);
    for client in [&mut one, &mut two, &mut other, &mut nobody] {
        join(client, "info:a");
    }
    join(&mut one, "info:b");
    assert_eq!(house.runtime.counts().processes, 9);
    let guard = house.runtime.enter();
    endpoint::disconnect("users:7");
    drop(guard);
    one.expect_close(1001);
    two.expect_close(1001);
    eventually("their channels have ended too", || {
        house.runtime.counts().processes == 4
    });
    let _guard = house.runtime.enter();
    endpoint::disconnect_with("users:8", CloseCode::NORMAL, "logged out");
    other.expect_close(1000);
    nobody.text(r#"["1","2","info:a","still here",{}]"#);
    assert_eq!(read(&mut nobody)[3], json!("still here"));
}

#[test]
fn silent_client_is_closed_although_it_had_a_heartbeat_answered() {
    // E27.
    let (clock, hand) = perennial::time::Clock::manual();
    let runtime = Arc::new(Runtime::builder().workers(2).build().expect("a runtime"));
    let (router, inside) = (
        info("i").mount(Router::new(), "/socket", |_: &Connecting<'_>| Ok(json!(1))),
        runtime.clone(),
    );
    let addr = ([127, 0, 0, 1], 0).into();
    let listener = perennial::web::net::Listener::bind(addr, Config::default()).expect("a port");
    let server = Server::on(
        listener,
        clock,
        Some(hand),
        move |request, responder: Responder| {
            let _guard = inside.enter();
            router.call(request, responder);
        },
    );
    let house = House { runtime, server };
    let mut client = house.open(V2, "");
    join(&mut client, "info:a");
    house.server.advance(24);
    client.text(r#"[null,"2","phoenix","heartbeat",{}]"#);
    assert_eq!(read(&mut client)[4]["status"], json!("ok"));
    // It is asked whether it is there, and does not say so.
    for _ in 0..2 {
        house.server.advance(25);
        assert_eq!(client.receive().opcode, 0x9);
    }
    house.server.advance(25);
    client.expect_close(1001);
}

#[test]
fn what_happens_is_told_to_who_listens_and_nothing_of_what_was_said() {
    // E15, E16, E17, E45: telemetry stands where Phoenix writes log lines; parameters are in no event.
    let house = House::new(|router| {
        info("i").mount(router, "/socket", |client: &Connecting<'_>| {
            match client.param("token").as_deref() {
                Some("secret") => Ok(all(client)),
                _ => Err(Response::new(Status::FORBIDDEN)),
            }
        })
    });
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = || told.lock().expect("a lock").clone();
    // Nobody listens, and nothing is told.
    join(
        &mut house.open(&format!("{V2}&token=secret"), ""),
        "info:quiet",
    );
    let telemetry = house.runtime.telemetry();
    let log = told.clone();
    telemetry.attach(move |it: &SocketConnected| {
        assert_eq!(
            (it.transport, it.vsn.is_some()),
            (TransportKind::WebSocket, it.accepted)
        );
        log.lock().expect("a lock").push(format!("{it:?}"));
    });
    let log = told.clone();
    telemetry.attach(move |it: &ChannelJoined| log.lock().expect("a lock").push(format!("{it:?}")));
    let log = told.clone();
    telemetry
        .attach(move |it: &ChannelHandledIn| log.lock().expect("a lock").push(format!("{it:?}")));
    assert_eq!(
        house.ask("/socket/websocket?vsn=9.0.0&token=secret", "").1,
        403
    );
    let mut client = house.open(&format!("{V2}&token=secret"), "");
    join(&mut client, "info:a");
    client.text(r#"["1","2","info:a","new_msg",{"password":"secret"}]"#);
    read(&mut client);
    read(&mut client);
    eventually("all is told", || heard().len() == 4);
    let words = heard().join("\n");
    for word in [
        "SocketConnected { duration: ",
        "vsn: None, accepted: false",
        "vsn: Some(V2), accepted: true",
        "topic: \"info:a\", accepted: true",
        "topic: \"info:a\", event: \"new_msg\"",
    ] {
        assert!(words.contains(word), "{word} in {words}");
    }
    assert!(
        !words.contains("secret") && !words.contains("quiet"),
        "{words}"
    );
}

#[test]
fn old_clients_speak_objects_beside_new_ones() {
    // E2, E18, E101, over a socket: version 1.0.0 for one, 2.0.0 for the other.
    let house =
        House::new(|router| info("i").mount(router, "/socket", |_: &Connecting<'_>| Ok(json!(1))));
    let mut old = house.open("/socket/websocket", "");
    let mut new = house.open(V2, "");
    join(&mut new, "info:a");
    old.text(r#"{"topic":"info:a","event":"phx_join","payload":{},"ref":"1"}"#);
    old.expect_text(r#"{"event":"phx_reply","payload":{"response":{"channel":"i","knows":1},"status":"ok"},"ref":"1","topic":"info:a"}"#);
    old.text(r#"{"topic":"info:a","event":"say","payload":{"body":"안녕"},"ref":2}"#);
    old.expect_text(r#"{"event":"say","payload":{"body":"안녕"},"ref":null,"topic":"info:a"}"#);
    old.expect_text(
        r#"{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":2,"topic":"info:a"}"#,
    );
    new.expect_text(r#"[null,null,"info:a","say",{"body":"안녕"}]"#);
    old.text(r#"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"3"}"#);
    old.expect_text(r#"{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"3","topic":"phoenix"}"#);
    old.text(r#"{"topic":"info:a","event":"crash","payload":{},"ref":"4"}"#);
    old.expect_text(r#"{"event":"phx_error","payload":{},"ref":"1","topic":"info:a"}"#);
    old.text(r#"{"topic":"info:a","event":"phx_join","payload":{},"ref":"5"}"#);
    assert_eq!(read(&mut old)["ref"], json!("5"));
    old.text(r#"{"topic":"info:a","event":"phx_leave","payload":{},"ref":"6"}"#);
    old.expect_text(r#"{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"6","topic":"info:a"}"#);
    old.expect_text(r#"{"event":"phx_close","payload":{},"ref":"5","topic":"info:a"}"#);
    old.text(r#"["1","7","info:a","say",{}]"#);
    old.expect_close(1011);
    assert_eq!(Vsn::parse(None), Some(Vsn::V1));
}

#[test]
fn crowd_is_sent_away_in_order_with_advice_when_to_be_back() {
    // E63, E95: drainers belong to the server; here its reactor, with the rounds it tells of.
    let house =
        House::new(|router| info("i").mount(router, "/socket", |_: &Connecting<'_>| Ok(json!(1))));
    let rounds: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
    let log = rounds.clone();
    house
        .server
        .telemetry
        .attach(move |drain: &perennial::web::net::SocketDrain| {
            log.lock().expect("a lock").push((drain.count, drain.left));
        });
    let mut clients: Vec<Client> = (0..20).map(|_| house.open(V2, "")).collect();
    house.server.remote.shutdown(crate::support::PATIENCE);
    let mut advice: Vec<String> = Vec::new();
    for client in &mut clients {
        let close = client.receive();
        assert_eq!(
            (close.opcode, &close.payload[..2]),
            (0x8, &1012_u16.to_be_bytes()[..])
        );
        advice.push(String::from_utf8(close.payload[2..].to_vec()).expect("text"));
    }
    advice.sort();
    let mut expected: Vec<String> = (0..20)
        .map(|ms| format!("service restart; retry after {ms} ms"))
        .collect();
    expected.sort();
    assert_eq!(advice, expected, "everybody at another moment");
    assert_eq!(*rounds.lock().expect("a lock"), [(20, 0)]);
}

#[test]
fn reason_of_the_end_is_that_the_transport_closed() {
    // E19.
    let house =
        House::new(|router| info("i").mount(router, "/socket", |_: &Connecting<'_>| Ok(json!(1))));
    let mut client = house.open(V2, "");
    join(&mut client, "info:a");
    let _guard = house.runtime.enter();
    let ends: Vec<_> = process::processes()
        .into_iter()
        .map(process::watch)
        .collect();
    drop(client);
    let mut reasons: Vec<ExitReason> = ends
        .into_iter()
        .map(|mut end| {
            end.wait(crate::support::PATIENCE)
                .expect("an end in time")
                .reason
        })
        .collect();
    reasons.sort_by_key(|reason| *reason != ExitReason::Normal);
    let closed = ExitReason::shutdown_with(perennial::web::channel::Stop::Closed);
    assert_eq!(reasons, [ExitReason::Normal, closed]);
}
