//! The program is killed with -9 while people talk, and started again on what it left, again and again.

use crate::checker::{Heard, Log, assert_faultless};
use crate::faults::eventually;
use crate::http_client::{get, post};
use crate::program::{Program, serve};
use crate::server::{PASSWORD, Scratch};
use crate::talker::{Stage, talk};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Instant;

/// How many lives the program has, if not the small number that every run can afford.
const KILLS: &str = "PERENNIAL_TEST_PROGRAM_KILLS";
const KILLS_FEW: u64 = 10;

const ROOMS: [&str; 2] = ["lobby", "방"];

/// Signs somebody up and in: the token.
pub(crate) fn sign_in(server: SocketAddr, name: &str) -> String {
    let credentials = json!({"username": name, "password": PASSWORD});
    post("/api/users", &credentials).send(server).ok(201);
    let session = post("/api/session", &credentials).send(server).ok(200);
    session["token"].as_str().unwrap().to_owned()
}

pub(crate) fn make_room(server: SocketAddr, token: &str, name: &str) {
    let room = json!({"name": name});
    post("/api/rooms", &room).bearer(token).send(server).ok(201);
}

/// All messages of a room, page by page, as anybody gets them.
fn history(server: SocketAddr, token: &str, room: &str) -> Vec<Heard> {
    let room = match room {
        "방" => "%EB%B0%A9",
        room => room,
    };
    let mut all: Vec<Heard> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.seq);
        let page = format!("/api/rooms/{room}/messages?after={after}&limit=200");
        let page = get(&page).bearer(token).send(server).ok(200);
        let page = page["messages"].as_array().unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().map(Heard::from_json));
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_of_the_program() {
    let kills = std::env::var(KILLS).map_or(KILLS_FEW, |kills| kills.parse().unwrap());
    let scratch = Scratch::new();
    let start = || Program::start(serve(&scratch.data()));
    let mut program = start();
    let names = ["ada", "bob", "cem", "dan"];
    let tokens = names.map(|name| sign_in(program.addr(), name));
    for room in ROOMS {
        make_room(program.addr(), &tokens[0], room);
    }
    let stage = Stage::new(program.addr());
    let began = Instant::now();
    let talkers: Vec<_> = (0..names.len())
        .map(|n| talk(&stage, names[n], &tokens[n], ROOMS[n % 2]))
        .collect();
    for round in 0..kills {
        // Not always at the same point of what it does.
        stage.progress(40 + round * 29 % 71);
        program.kill();
        program = start();
        stage.moved(program.addr());
    }
    stage.progress(40);
    stage.end();
    eventually("nobody says anything more", || stage.is_silent());
    let histories = ROOMS.map(|room| {
        let history = history(program.addr(), &tokens[0], room);
        stage.head(room, history.last().map_or(0, |last| last.seq));
        history
    });
    let logs: Vec<Log> = talkers
        .into_iter()
        .map(|talker| talker.join().unwrap())
        .collect();
    for (room, history) in ROOMS.iter().zip(&histories) {
        let logs: Vec<Log> = logs
            .iter()
            .filter(|log| log.room == *room)
            .cloned()
            .collect();
        assert_faultless(history, &logs);
    }
    println!(
        "{kills} times kill -9 in {:.1?}: {} messages, {} connections",
        began.elapsed(),
        histories.iter().map(Vec::len).sum::<usize>(),
        logs.iter().map(|log| log.connections).sum::<usize>(),
    );
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
