//! One scenario, a server that keeps its promises and three that break one each: the first passes, and of the others
//! each is caught at what it does.

use crate::history::{Fault, History, Log, Verdict, assert_true, check, faults_by_name};
use crate::killed_program::{make_room, sign_in};
use crate::liar::{Between, Lie};
use crate::program::{Program, serve};
use crate::server::{PATIENCE, Scratch};
use crate::witness::{Crowd, Habits, Tally, Witness, bear_witness, head};

const ROOM: &str = "lobby";

/// In each room one speaks and the others listen.
const CLIENTS: u32 = 3;

/// How often the program is killed.
const KILLS: u64 = 4;

fn name_of(client: u32) -> String {
    ["ada", "bob", "cem", "dan"][client as usize % 4].to_owned()
}

/// People talk in a room behind a server that lies in this way, which is killed now and then: what they were told.
fn play(lie: Lie) -> History {
    let scratch = Scratch::new();
    let start = || Program::start(serve(&scratch.data()));
    let mut program = start();
    let tokens: Vec<String> = (0..=CLIENTS)
        .map(|client| sign_in(program.addr(), &name_of(client)))
        .collect();
    make_room(program.addr(), &tokens[0], ROOM);
    let between = Between::start(lie, program.addr());
    let crowd = Crowd::new(between.addr());
    let witness = |client: u32, habits| Witness {
        client,
        room: ROOM.to_owned(),
        token: tokens[client as usize].clone(),
        name_of,
        habits,
        seed: u64::from(client) + 1,
    };
    let witnesses: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let window = if client == 0 { 8 } else { 0 };
            let habits = Habits {
                window,
                bad_fate: 2,
                refused: 40,
                ..Habits::default()
            };
            bear_witness(&crowd, witness(client, habits))
        })
        .collect();
    for round in 0..KILLS {
        crowd.progress(50 + round * 29 % 71);
        program.kill();
        program = start();
        between.moved(program.addr());
    }
    crowd.progress(50);
    crowd.end();
    let is_silent = crowd.wait_until(PATIENCE, Crowd::is_silent);
    assert!(is_silent, "somebody is never answered");
    // One who was never there reads it all, by the same way.
    let reader = bear_witness(&crowd, witness(CLIENTS, Habits::default()));
    let mut logs = Vec::new();
    let mut witnesses = witnesses.into_iter().chain([reader]);
    // A post that was acknowledged before it was handed on may still come.
    let mut last = 0;
    crowd.wait_until(PATIENCE, |_| {
        let now = head(program.addr(), &tokens[0], ROOM);
        std::mem::replace(&mut last, now) == now && now > 0
    });
    crowd.set_head(ROOM, head(program.addr(), &tokens[0], ROOM));
    logs.extend(witnesses.by_ref().map(|one| one.join().unwrap()));
    let reader: Log = logs.pop().unwrap();
    let stored = reader.events.iter().flat_map(|event| event.what.posts());
    println!(
        "{lie:?}: {} acknowledged, {} connections, {} resets, {} refusals",
        crowd.acknowledged(),
        crowd.tally(Tally::Connections),
        crowd.tally(Tally::Resets),
        crowd.tally(Tally::Refusals),
    );
    History {
        room: ROOM.to_owned(),
        stored: stored.copied().collect(),
        logs,
    }
}

#[track_caller]
fn assert_caught(lie: Lie, is_it: impl Fn(&Fault) -> bool) {
    let Verdict { faults, .. } = check(&play(lie));
    println!("{lie:?}: {:?}", faults_by_name(&faults));
    assert!(
        faults.iter().any(is_it),
        "{lie:?} is not caught: {:?}",
        faults_by_name(&faults)
    );
}

#[test]
fn a_server_that_keeps_its_promises_passes() {
    let outcomes = assert_true(&play(Lie::Honest));
    assert!(outcomes.stable > 200, "{outcomes:?}");
}

#[test]
fn a_server_that_acknowledges_before_it_commits_is_caught() {
    assert_caught(Lie::AcknowledgesBeforeCommit, |fault| {
        matches!(fault, Fault::Lost { .. })
    });
}

#[test]
fn a_server_that_knows_no_repetition_is_caught() {
    assert_caught(Lie::KnowsNoRepetition, |fault| {
        matches!(fault, Fault::Doubled { .. })
    });
}

#[test]
fn a_server_that_drops_on_resume_is_caught() {
    assert_caught(Lie::DropsOnResume, |fault| {
        matches!(
            fault,
            Fault::Gap {
                client: Some(_),
                ..
            }
        )
    });
}
