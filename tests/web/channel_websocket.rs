//! Channels over a real WebSocket, from the upgrade request to a client that does not read.

use crate::channel_numbered::{TOPIC, house_with, post, sync};
use crate::support::{Client, Server, UPGRADE, eventually};
use perennial::gen_server::Next;
use perennial::process;
use perennial::web::channel::{
    Channel, ChannelCx, Join, Payload, Reply, UserSocket, request as asked,
};
use perennial::web::http::Request;
use perennial::web::net::{Config, Responder, Service};
use perennial::{ExitReason, Runtime};
use serde_json::{Value, json};
use std::sync::Arc;

/// Says who the client is, and gives back what it says.
struct Echo;

impl Channel for Echo {
    type Assigns = Option<String>;
    type Args = ();
    type Msg = ();

    fn join((): (), _: Payload, cx: &mut ChannelCx<'_, Self>) -> Join<Self> {
        Join::Ok(Echo, json!({ "token": cx.assigns() }).into())
    }

    fn handle_in(
        &mut self,
        _: &str,
        payload: Payload,
        reply: Reply,
        _: &mut ChannelCx<'_, Self>,
    ) -> Next<()> {
        reply.ok(payload);
        Next::Loop
    }
}

fn runtime() -> Arc<Runtime> {
    let runtime = Runtime::builder().workers(2).build();
    Arc::new(runtime.expect("a runtime"))
}

/// A service of channels whose processes live in this runtime.
fn service<A: Send + Sync + 'static>(
    runtime: &Arc<Runtime>,
    sockets: UserSocket<A>,
    assigns: impl Fn(&Request) -> A + Send + Sync + 'static,
) -> impl Service {
    let runtime = runtime.clone();
    move |request: Request, responder: Responder| {
        let _guard = runtime.enter();
        sockets.upgrade(assigns(&request), &request, responder);
    }
}

fn echo(runtime: &Arc<Runtime>) -> Server {
    let sockets = UserSocket::new().channel::<Echo>("echo:*", ());
    Server::start(
        Config::default(),
        service(runtime, sockets, asked::auth_token),
    )
}

/// A client whose upgrade request has this target and these further header lines.
fn upgrading(server: &Server, target: &str, headers: &str) -> Client {
    let mut client = server.client();
    let request = UPGRADE.replace("GET /socket ", &format!("GET {target} "));
    client.write(request.replace("Host: h\r\n", &format!("Host: h\r\n{headers}")));
    client
}

fn open(server: &Server) -> Client {
    let mut client = upgrading(server, "/socket/websocket?vsn=2.0.0", "");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

fn json_of(client: &mut Client) -> Value {
    let frame = client.receive();
    assert_eq!(frame.opcode, 0x1, "{frame:?}");
    serde_json::from_slice(&frame.payload).expect("JSON")
}

#[test]
fn client_joins_and_talks_over_a_real_socket() {
    let runtime = runtime();
    let server = echo(&runtime);
    let mut client = open(&server);
    client.text(r#"["1","1","echo:a","phx_join",{}]"#);
    client
        .expect_text(r#"["1","1","echo:a","phx_reply",{"response":{"token":null},"status":"ok"}]"#);
    client.text(r#"["1","2","echo:a","say",{"body":"안녕"}]"#);
    client.expect_text(
        r#"["1","2","echo:a","phx_reply",{"response":{"body":"안녕"},"status":"ok"}]"#,
    );
    client.frame(0x82, b"\x00\x01\x01\x06\x0313echo:asay\x01\xff");
    let reply = client.receive();
    assert_eq!(reply.opcode, 0x2);
    assert_eq!(reply.payload, b"\x01\x01\x01\x06\x0213echo:aok\x01\xff");
    client.text(r#"[null,"4","phoenix","heartbeat",{}]"#);
    client.expect_text(r#"[null,"4","phoenix","phx_reply",{"response":{},"status":"ok"}]"#);
}

#[test]
fn closed_websocket_leaves_no_process() {
    let runtime = runtime();
    let server = echo(&runtime);
    let mut client = open(&server);
    client.text(r#"["1","1","echo:a","phx_join",{}]"#);
    json_of(&mut client);
    assert_eq!(runtime.counts().processes, 2);
    drop(client);
    eventually("both processes have ended", || {
        runtime.counts().processes == 0
    });
}

#[test]
fn versions_1_and_2_of_the_serializer_are_spoken() {
    // E26: the requirements of Phoenix are `~> 1.0.0` and `~> 2.0.0`.
    let table = [
        ("?vsn=2.0.0", 101),
        ("?token=x&vsn=2.0.1", 101),
        ("?vsn=2.1.0", 403),
        ("?vsn=1.0.0", 101),
        ("?vsn=1.0.7", 101),
        ("?vsn=1.1.0", 403),
        ("?vsn=3.0.0", 403),
        ("?vsn=2.0", 403),
        ("?vsn=2.0.0.0", 403),
        ("?vsn=2.0.x", 403),
        ("?vsn=", 403),
        ("", 101),
    ];
    let runtime = runtime();
    let server = echo(&runtime);
    for (query, status) in table {
        let mut client = upgrading(&server, &format!("/socket/websocket{query}"), "");
        let answer = client.head();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{query}: {answer}"
        );
    }
}

#[test]
fn request_that_is_no_handshake_is_answered() {
    // E51: 400, not a crash.
    let runtime = runtime();
    let server = echo(&runtime);
    let mut client = server.client();
    assert_eq!(client.get("/socket/websocket?vsn=2.0.0").status, 400);
    client.write(UPGRADE.replace("Version: 13", "Version: 12"));
    assert_eq!(client.answer().status, 426);
}

#[test]
fn token_comes_as_a_subprotocol_and_phoenix_is_selected() {
    // What the client of 1.8 sends for `authToken: "secret?>"`.
    let runtime = runtime();
    let server = echo(&runtime);
    let headers = "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.c2VjcmV0Pz4\r\n";
    let mut client = upgrading(&server, "/socket/websocket?vsn=2.0.0", headers);
    let head = client.head();
    assert!(
        head.to_lowercase()
            .contains("sec-websocket-protocol: phoenix\r\n"),
        "{head}"
    );
    client.text(r#"["1","1","echo:a","phx_join",{}]"#);
    client.expect_text(
        r#"["1","1","echo:a","phx_reply",{"response":{"token":"secret?>"},"status":"ok"}]"#,
    );
}

#[test]
fn token_is_base64_without_padding_in_either_alphabet() {
    let table = [
        ("", Some("")),
        ("YQ", Some("a")),
        ("YWI", Some("ab")),
        ("YWJj", Some("abc")),
        ("YWJjZA", Some("abcd")),
        ("Pz8-Pj8_", Some("??>>??")),
        ("Pz8+Pj8/", Some("??>>??")),
        ("7ZWc", Some("한")),
        ("YQ==", None),
        ("Y", None),
        ("YWJjZ", None),
        ("YR", None),
        ("Y Q", None),
        ("_w", None),
    ];
    for (base64, token) in table {
        assert_eq!(asked::decode_token(base64).as_deref(), token, "{base64:?}");
    }
    assert_eq!(asked::decode_token(&"YWJj".repeat(400)), None);
}

#[test]
fn frame_that_is_no_message_closes_with_1011() {
    // What a running Phoenix does.
    let runtime = runtime();
    let server = echo(&runtime);
    for text in ["{", "{}", r#"["1","2","t","e"]"#] {
        let mut client = open(&server);
        client.text(text);
        client.expect_close(1011);
    }
    let mut client = open(&server);
    client.frame(0x82, b"\x07");
    client.expect_close(1011);
}

#[test]
fn process_that_is_told_to_shut_down_closes_with_1012() {
    let runtime = runtime();
    let server = echo(&runtime);
    let mut client = open(&server);
    client.text(r#"["1","1","echo:a","phx_join",{}]"#);
    json_of(&mut client);
    let _guard = runtime.enter();
    for pid in process::processes() {
        process::exit(pid, ExitReason::Shutdown);
    }
    // Whether the channel or the connection goes first, this is the end.
    let close = loop {
        let frame = client.receive();
        if frame.opcode == 0x8 {
            break frame;
        }
    };
    assert_eq!(close.payload, 1012_u16.to_be_bytes());
}

#[test]
fn client_that_does_not_read_is_not_disconnected_and_loses_nothing() {
    const MESSAGES: u64 = 3_000;
    let runtime = runtime();
    let guard = runtime.enter();
    let house = house_with(8 * 1024);
    let server = Server::start(Config::default(), service(&runtime, house.sockets, |_| ()));
    let mut client = open(&server);
    client.text(&json!(["1", "1", TOPIC, "phx_join", {"after": 0}]).to_string());
    assert_eq!(json_of(&mut client)[4]["status"], json!("ok"));
    // 24 MiB: more than any buffer between the two takes.
    for _ in 0..MESSAGES {
        post();
    }
    sync();
    for seq in 1..=MESSAGES {
        let message = json_of(&mut client);
        assert_eq!(message[4]["seq"], json!(seq), "once and in order");
    }
    // And it was not disconnected on the way.
    client.text(r#"[null,"2","phoenix","heartbeat",{}]"#);
    client.expect_text(r#"[null,"2","phoenix","phx_reply",{"response":{},"status":"ok"}]"#);
    drop(guard);
}
