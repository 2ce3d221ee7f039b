//! Clients that mean harm, or only do things that nobody thought of.

use crate::server::{Scratch, Server};
use crate::socket_client::{Frame, Socket};
use perennial::chat::SignInError;
use perennial::chat::body::Body;
use perennial::chat::config::Limit;
use perennial::chat::name::Name;
use perennial::chat::password::Password;
use serde_json::json;
use std::process::{Child, Command, Stdio};

/// One name, in NFC and spelled with a combining accent.
const CAFE: [&str; 2] = ["caf\u{e9}", "cafe\u{301}"];

#[track_caller]
fn event(socket: &mut Socket, event: &str) -> Frame {
    socket.wait_for(|frame| frame.event == event)
}

#[test]
fn each_client_gets_the_topic_as_it_spells_it() {
    let server = Server::start();
    server.room(CAFE[0]);
    let (ada, eve) = (server.user("ada"), server.user("eve"));
    // Whoever is first in the room is not to choose the spelling for the others.
    let mut odd = server.socket(&eve);
    odd.join(CAFE[1], &json!({}));
    let state = event(&mut odd, "presence_state");
    assert_eq!(state.topic, format!("room:{}", CAFE[1]));

    let mut plain = server.socket(&ada);
    plain.join(CAFE[0], &json!({}));
    // They are in one room, and see each other there.
    let state = event(&mut plain, "presence_state");
    assert!(state.payload.get("eve").is_some(), "{state:?}");
    let diff = odd.wait_for(|frame| {
        frame.event == "presence_diff" && frame.payload["joins"].get("ada").is_some()
    });
    assert_eq!(diff.topic, format!("room:{}", CAFE[1]));

    plain.posted(CAFE[0], &json!({"body": "hello"}));
    for (socket, spelling) in [(&mut plain, CAFE[0]), (&mut odd, CAFE[1])] {
        assert_eq!(socket.message(spelling)["body"], "hello");
    }
}

#[test]
fn topics_per_socket_are_limited_by_the_setting() {
    let server = Server::with(|config| config.limits.topics_per_socket = Limit::at(1));
    let ada = server.user("ada");
    server.room("one");
    server.room("two");
    let mut socket = server.socket(&ada);
    socket.join("one", &json!({}));
    let refused = socket.ask_to_join("two", &json!({}));
    assert_eq!(
        refused.reply(),
        ("error", &json!({"reason": "too many channels joined"}))
    );
}

#[test]
fn who_catches_up_gets_long_messages_in_pages_that_fit() {
    const COUNT: u64 = 40;
    let server = Server::start();
    let ada = server.user("ada");
    server.room("lobby");
    let lobby = Name::new("lobby").unwrap();
    let longest = Body::new(&"\u{1F600}".repeat(Body::LETTERS_MAX)).unwrap();
    server.inside(|| {
        for _ in 0..COUNT {
            let chat = server.program().chat();
            chat.post(&ada.account, &lobby, longest.clone(), None)
                .unwrap();
        }
    });
    let mut socket = server.socket(&ada);
    let joined = socket.join("lobby", &json!({"after": 0}));
    let page = joined["messages"].as_array().unwrap().len() as u64;
    assert!((1..=20).contains(&page), "{page} messages of 16 KB");
    assert_eq!(joined["seq"], page);
    for seq in page + 1..=COUNT {
        assert_eq!(socket.message("lobby")["seq"], seq);
    }
}

#[cfg(target_os = "linux")]
fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() / 1024
}

/// Two hashers at 19 MiB each, and room for everything else. Played in a program of its own, as other tests take memory
/// as well.
#[cfg(target_os = "linux")]
#[test]
fn sign_ins_leave_no_memory_behind() {
    const ALONE: &str = "TESTED_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let alone = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hostile::sign_ins_leave_no_memory_behind"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        assert!(
            alone.status.success(),
            "{}",
            String::from_utf8_lossy(&alone.stdout)
        );
        return;
    }
    let server = Server::start();
    let name = Name::new("ada").unwrap();
    server.user("ada");
    let before = resident_mib();
    for _ in 0..60 {
        let guess = Password::new("wrong horse").unwrap();
        let refused = server.inside(|| server.program().chat().sign_in(name.clone(), guess));
        assert_eq!(refused.err(), Some(SignInError::WrongNameOrPassword));
    }
    let grown = resident_mib().saturating_sub(before);
    assert!(grown < 80, "{grown} MiB more than before");
}

/// A program that is ended with the test, also if that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn whoever_reads_that_it_listens_may_stop_it_at_once() {
    for _ in 0..5 {
        let scratch = Scratch::new();
        let child = Command::new(env!("CARGO_BIN_EXE_perennial"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(scratch.data())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut program = Running(child.unwrap());
        let stdout = program.0.stdout.take().unwrap();
        // The shell reads the line and signals without another process in between.
        let mut reader = Command::new("sh")
            .args(["-c", "read -r line && kill -TERM $0"])
            .arg(program.0.id().to_string())
            .stdin(stdout)
            .spawn()
            .unwrap();
        assert!(reader.wait().unwrap().success());
        assert_eq!(program.0.wait().unwrap().code(), Some(0));
    }
}
