//! What the program says when it starts, and how it ends.

use crate::http_client::get;
use crate::killed_program::{make_room, sign_in};
use crate::program::{Program, command, run, serve};
use crate::server::Scratch;
use crate::socket_client::Socket;
use perennial::store::rusqlite::Connection;
use serde_json::json;
use std::process::Output;

#[track_caller]
pub(crate) fn assert_ends(output: &Output, code: i32, says: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    assert!(err.contains(says), "{says:?} in {err}");
    assert_eq!(output.stdout, b"", "nothing on stdout");
}

#[test]
fn a_stop_by_signal_tells_everybody_and_ends_with_0() {
    for signal in ["TERM", "INT"] {
        let scratch = Scratch::new();
        let program = Program::start(serve(&scratch.data()));
        let token = sign_in(program.addr(), "ada");
        make_room(program.addr(), &token, "lobby");
        let mut sockets: Vec<Socket> = (0..3)
            .map(|_| Socket::connect(program.addr(), &token).unwrap())
            .collect();
        sockets[0].join("lobby", &json!({}));
        sockets[0].posted("lobby", &json!({"body": "1"}));
        program.signal(signal);
        let codes: Vec<_> = std::thread::scope(|scope| {
            let clients = sockets
                .iter_mut()
                .map(|socket| scope.spawn(|| socket.close_code()));
            let clients: Vec<_> = clients.collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect()
        });
        assert_eq!(codes, [Some(1012); 3], "{signal}");
        let ended = program.end();
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(0), ""),
            "{signal}: {ended:?}"
        );
    }
}

#[test]
fn a_second_signal_waits_for_nobody() {
    let scratch = Scratch::new();
    let program = Program::start(serve(&scratch.data()));
    let token = sign_in(program.addr(), "ada");
    let mut socket = Socket::connect(program.addr(), &token).unwrap();
    socket.heartbeat();
    program.signal("TERM");
    // The server says good bye, and waits for an answer that does not come.
    socket.wait_for_bytes();
    program.signal("TERM");
    assert_eq!(program.end().code, Some(130));
    // Whoever comes next finds everything.
    let program = Program::start(serve(&scratch.data()));
    get("/api/rooms")
        .bearer(&token)
        .send(program.addr())
        .ok(200);
}

#[test]
fn a_taken_port_is_a_failure_that_names_it() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let program = Program::start(serve(&scratch.data()));
    let addr = program.addr().to_string();
    let mut command = command(["--listen", &addr, "--data"]);
    command.arg(other.data());
    assert_ends(&run(command), 1, &addr);
}

#[test]
fn data_in_use_are_a_failure_that_names_the_user() {
    let scratch = Scratch::new();
    let program = Program::start(serve(&scratch.data()));
    let ended = run(serve(&scratch.data()));
    assert_ends(&ended, 1, &program.pid().to_string());
    // The one that was there first did not notice.
    get("/health").send(program.addr()).ok(200);
    // A program that was killed does not keep its data locked.
    program.kill();
    let program = Program::start(serve(&scratch.data()));
    get("/health").send(program.addr()).ok(200);
}

#[test]
fn data_of_a_newer_version_are_a_failure_and_stay_as_they_are() {
    let scratch = Scratch::new();
    let program = Program::start(serve(&scratch.data()));
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
    let database = scratch.data().join("perennial.db");
    let newer = Connection::open(&database).unwrap();
    newer.execute_batch("PRAGMA user_version = 4711").unwrap();
    drop(newer);
    let before = std::fs::read(&database).unwrap();
    assert_ends(&run(serve(&scratch.data())), 1, "newer");
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

#[test]
fn what_cannot_be_meant_is_told_before_anything_is_touched() {
    let scratch = Scratch::new();
    let data = scratch.data();
    let file = data.with_extension("toml");
    std::fs::write(&file, "[limits]\nmesages_per_second = 5\n").unwrap();
    let file = file.to_str().unwrap();
    let origins = "web.origins=chat.example.org";
    for (arguments, says) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["sevre"], "sevre"),
        (&["--listen", "4000"], "4000"),
        (
            &["--set", "limits.mesages_per_second=5"],
            "limits.messages_per_second",
        ),
        (&["--set", "limits.messages_per_second=many"], "many"),
        (&["--set", origins], "chat.example.org"),
        (&["--config", file], "limits.messages_per_second"),
        (&["--config", "nowhere.toml"], "nowhere.toml"),
    ] {
        let mut command = command(arguments);
        command.arg("--data").arg(&data);
        assert_ends(&run(command), 2, says);
    }
    let mut by_environment = serve(&data);
    by_environment.env("PERENNIAL_LIMITS_NOTHING", "1");
    assert_ends(&run(by_environment), 2, "PERENNIAL_LIMITS_NOTHING");
    assert!(!data.exists(), "no data were made");
}

#[test]
fn help_is_no_failure() {
    for flag in ["--help", "-h", "--version"] {
        let output = run(command([flag]));
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.contains("perennial"), "{out}");
    }
}

#[test]
fn the_log_goes_to_stderr_and_one_line_to_stdout() {
    let scratch = Scratch::new();
    let mut command = serve(&scratch.data());
    command.env("RUST_LOG", "debug");
    let program = Program::start(command);
    let token = sign_in(program.addr(), "ada");
    let mut socket = Socket::connect(program.addr(), &token).unwrap();
    socket.send_text("no frame").unwrap();
    assert_eq!(socket.close_code(), Some(1011));
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, &*ended.out), (Some(0), ""));
    assert!(ended.log.contains("closing a connection"), "{}", ended.log);
    assert!(!ended.log.contains(&token), "no secrets in a log");
}
