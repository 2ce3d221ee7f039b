//! Random commands to a few processes of all kinds, one after the other: each comes to what the model says.
//!
//! `PERENNIAL_TEST_CASES` says how many sequences there are, `PERENNIAL_TEST_SEED` which. A sequence that fails is made
//! as short as it can be, and printed with its seed.

use crate::model::{
    Answer, Command, Id, Model, Monitor, NAMES, NameNo, PLACES, Reason, Seen, Start,
};
use crate::support::LONG;
use crate::support::puppet::{BREEDS, Breed, Msg, Puppet, Record};
use crate::support::stage::{builder, on_stage};
use perennial::prelude::{Dest, Name};
use perennial::process::{self, CallError, LinkError, RegisterError};
use perennial::{ExitReason, MonitorRef, Pid};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many sequences are played unless told otherwise.
const CASES: u32 = 300;

const COMMANDS_MAX: usize = 40;

/// Equals `true` once a sequence has failed: from then on it is made shorter, and nothing is waited for long.
static FAILED: AtomicBool = AtomicBool::new(false);

fn patience() -> Duration {
    if FAILED.load(Ordering::Relaxed) {
        LONG / 100
    } else {
        LONG
    }
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience();
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// What a told number is made of: who tells, and what.
const TOLD: u64 = 1_000;

fn name_text(name: NameNo) -> &'static str {
    ["first", "second"][name]
}

fn name(name: NameNo) -> Name<Msg> {
    Name::new(name_text(name))
}

fn reason(reason: Reason) -> ExitReason {
    match reason {
        Reason::Normal => ExitReason::Normal,
        Reason::Shutdown => ExitReason::Shutdown,
        Reason::Crash => ExitReason::other("crash"),
        Reason::Kill => ExitReason::Kill,
        Reason::Killed => ExitReason::Killed,
        Reason::NoProc => ExitReason::NoProc,
    }
}

fn modelled(ended: &ExitReason) -> Reason {
    let all = [
        Reason::Normal,
        Reason::Shutdown,
        Reason::Crash,
        Reason::Kill,
        Reason::Killed,
        Reason::NoProc,
    ];
    let found = all.into_iter().find(|known| reason(*known) == *ended);
    found.unwrap_or_else(|| panic!("nobody ends with {ended}"))
}

fn a_reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        3 => Just(Reason::Normal),
        2 => Just(Reason::Shutdown),
        3 => Just(Reason::Crash),
        2 => Just(Reason::Kill),
    ]
}

fn a_command() -> impl Strategy<Value = Command> {
    let place = || 0..PLACES;
    let start = prop_oneof![
        Just(Start::Alone),
        Just(Start::Linked),
        Just(Start::Monitored)
    ];
    prop_oneof![
        8 => (place(), place(), start, prop::sample::select(&BREEDS[..]))
            .prop_map(|(by, at, how, breed)| Command::Spawn(by, at, how, breed)),
        6 => (place(), place()).prop_map(|(one, other)| Command::Link(one, other)),
        2 => (place(), place()).prop_map(|(one, other)| Command::Unlink(one, other)),
        4 => (place(), place()).prop_map(|(one, other)| Command::Monitor(one, other)),
        2 => (place(), 0..NAMES).prop_map(|(one, name)| Command::MonitorName(one, name)),
        2 => (place(), 0..6_usize).prop_map(|(one, n)| Command::Demonitor(one, n)),
        4 => (place(), place(), a_reason()).prop_map(|(one, other, why)| Command::Exit(one, other, why)),
        2 => (place(), a_reason()).prop_map(|(one, why)| Command::End(one, why)),
        4 => (place(), any::<bool>()).prop_map(|(one, traps)| Command::Trap(one, traps)),
        2 => (place(), 0..NAMES).prop_map(|(one, name)| Command::Register(one, name)),
        1 => (0..NAMES).prop_map(Command::Unregister),
        2 => (place(), place()).prop_map(|(one, other)| Command::Call(one, other)),
        2 => (place(), place(), 0..TOLD).prop_map(|(one, other, n)| Command::Tell(one, other, n)),
    ]
}

/// The real processes beside their model.
struct World {
    model: Model,
    puppets: Vec<Puppet>,
    /// The real monitors, in the order of the model's.
    monitors: Vec<MonitorRef>,
}

impl World {
    fn id(&self, pid: Pid) -> Option<Id> {
        self.puppets.iter().position(|puppet| puppet.pid() == pid)
    }

    fn monitor_no(&self, monitor: MonitorRef) -> Monitor {
        let found = self.monitors.iter().position(|known| *known == monitor);
        found.expect("no monitor fires that nobody set")
    }

    /// Plays one command on both sides, and compares.
    fn play(&mut self, command: &Command) {
        let before = self.model.clone();
        let expected = self.model.apply(command);
        let answer = self.act(&before, command);
        // Whoever sends a signal may be ended by what follows, before it can say that it did.
        if !matches!(command, Command::Exit(..) | Command::End(..)) {
            assert_eq!(answer, expected, "{command:?}");
        }
        self.settle(command);
    }

    /// What the real processes come to.
    fn act(&mut self, before: &Model, command: &Command) -> Answer {
        let actor = |place: usize| before.alive(place);
        let pair = |one: usize, other: usize| Some((before.alive(one)?, before.places[other]?));
        let done = |result: Option<Answer>| result.unwrap_or(Answer::Nothing);
        match *command {
            Command::Spawn(by, place, start, breed) => {
                self.spawn(before, (by, place), start, breed)
            }
            Command::Link(one, other) => done(pair(one, other).map(|(one, other)| {
                let to = self.puppets[other].pid();
                match self.puppets[one].run(move |inside| inside.link(to)) {
                    Err(LinkError::NoProc) => Answer::NoProc,
                    linked => {
                        assert_eq!(linked, Ok(()));
                        Answer::Nothing
                    }
                }
            })),
            Command::Unlink(one, other) => done(pair(one, other).map(|(one, other)| {
                let from = self.puppets[other].pid();
                self.puppets[one].run(move |inside| inside.unlink(from));
                Answer::Nothing
            })),
            Command::Monitor(one, other) => done(pair(one, other).map(|(one, other)| {
                let what = self.puppets[other].pid();
                let monitor = self.puppets[one].run(move |inside| inside.monitor(what));
                self.monitors.push(monitor);
                Answer::Nothing
            })),
            Command::MonitorName(one, name) => done(actor(one).map(|one| {
                let monitor = self.puppets[one].run(move |inside| inside.monitor(name_text(name)));
                self.monitors.push(monitor);
                Answer::Nothing
            })),
            Command::Demonitor(one, n) => done(actor(one).and_then(|one| {
                let monitor = self.monitors[before.nth_monitor(one, n)?];
                let was_there =
                    self.puppets[one].run(move |inside| inside.demonitor_flush(monitor));
                Some(Answer::Flag(was_there))
            })),
            Command::Exit(one, other, why) => done(pair(one, other).map(|(one, other)| {
                let to = self.puppets[other].pid();
                self.puppets[one].attempt(move |_| process::exit(to, reason(why)));
                Answer::Nothing
            })),
            Command::End(one, why) => done(actor(one).map(|one| {
                self.puppets[one].end(reason(why));
                Answer::Nothing
            })),
            Command::Trap(one, traps) => done(actor(one).map(|one| {
                Answer::Flag(self.puppets[one].run(move |inside| inside.trap_exit(traps)))
            })),
            Command::Register(one, no) => done(actor(one).map(|one| {
                let registered = self.puppets[one].run(move |inside| inside.register(&name(no)));
                match registered {
                    Err(RegisterError::Taken(pid)) => {
                        Answer::Taken(self.id(pid).expect("who has a name is known"))
                    }
                    Err(RegisterError::HasName(had)) => {
                        Answer::HasName((0..NAMES).find(|no| *name_text(*no) == *had).unwrap())
                    }
                    registered => {
                        assert_eq!(registered, Ok(()));
                        Answer::Nothing
                    }
                }
            })),
            Command::Unregister(name) => {
                let had = process::unregister(name_text(name));
                Answer::Had(had.and_then(|pid| self.id(pid)))
            }
            Command::Call(one, other) => done(pair(one, other).map(|(one, other)| {
                let to = self.puppets[other].me();
                let ask = move |reply| Msg::Ask(0, reply);
                match self.puppets[one].run(move |_| to.call_for(LONG, ask)) {
                    Ok(n) => Answer::Number(n),
                    Err(CallError::NoProc) => Answer::NoProc,
                    Err(CallError::CallingSelf) => Answer::CallingSelf,
                    other => panic!("{command:?}: {other:?}"),
                }
            })),
            Command::Tell(one, other, n) => done(pair(one, other).map(|(one, other)| {
                let to = self.puppets[other].me();
                let told = one as u64 * TOLD + n;
                self.puppets[one].run(move |_| to.cast(Msg::Tell(told)));
                Answer::Nothing
            })),
        }
    }

    fn spawn(
        &mut self,
        before: &Model,
        (by, place): (usize, usize),
        start: Start,
        breed: Breed,
    ) -> Answer {
        let by = before.alive(by);
        if before.alive(place).is_some() || by.is_none() && start != Start::Alone {
            return Answer::Nothing;
        }
        let puppet = match (by, start) {
            (Some(by), Start::Linked) => self.puppets[by].run(move |_| breed.linked()),
            (Some(by), Start::Monitored) => {
                let (puppet, monitor) = self.puppets[by].run(move |_| breed.monitored());
                self.monitors.push(monitor);
                puppet
            }
            _ => breed.puppet(),
        };
        self.puppets.push(puppet);
        Answer::Started
    }

    /// Waits until everything is as the model says, and nothing else has happened.
    fn settle(&mut self, command: &Command) {
        for (id, puppet) in self.puppets.iter().enumerate() {
            if !self.model.lives(id) {
                soon(&format!("process {id} is gone after {command:?}"), || {
                    !puppet.is_alive()
                });
            }
        }
        for id in self.model.living() {
            let expected = std::mem::take(&mut self.model.cards[id].inbox);
            let seen: Vec<Seen> = expected
                .iter()
                .map_while(|_| self.puppets[id].next_within(patience()))
                .map(|record| self.seen(&record))
                .collect();
            same(&expected, &seen, &format!("process {id} after {command:?}"));
            soon(
                &format!("process {id} is as it ought to be after {command:?}"),
                || self.looks_right(id),
            );
            self.puppets[id].nothing_more();
        }
        for no in 0..NAMES {
            let named = process::whereis(name_text(no)).and_then(|pid| self.id(pid));
            assert_eq!(named, self.model.named(no), "name {no} after {command:?}");
        }
        assert_eq!(process::counts().processes, self.model.living().len());
    }

    fn seen(&self, record: &Record) -> Seen {
        match record {
            Record::Told(n) => Seen::Told((n / TOLD) as usize, n % TOLD),
            Record::Exit(exit) => {
                let from = self.id(exit.from).expect("only puppets send exits");
                Seen::Exit(from, modelled(&exit.reason))
            }
            Record::Down(down) => {
                let monitor = self.monitor_no(down.monitor);
                Seen::Down(self.id(down.pid), monitor, modelled(&down.reason))
            }
            Record::Timeout => panic!("nobody asked for a timeout"),
        }
    }

    fn looks_right(&self, id: Id) -> bool {
        let (info, card) = (self.puppets[id].info(), &self.model.cards[id]);
        let pids =
            |ids: Vec<Id>| sorted(ids.into_iter().map(|id| self.puppets[id].pid()).collect());
        sorted(info.links) == pids(card.links.iter().copied().collect())
            && sorted(info.monitors) == pids(card.monitors.values().copied().collect())
            && sorted(info.monitored_by) == pids(self.model.watchers(id))
            && info.trap_exit == card.traps
            && info.registered_name.as_deref() == card.name.map(name_text)
    }
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// The same things are seen, and those of one sender in the same order.
fn same(expected: &[Seen], seen: &[Seen], when: &str) {
    assert_eq!(sorted(seen.to_vec()), sorted(expected.to_vec()), "{when}");
    for from in expected.iter().map(Seen::from) {
        let of = |all: &[Seen]| -> Vec<Seen> {
            all.iter()
                .filter(|seen| seen.from() == from)
                .cloned()
                .collect()
        };
        // Those without a sender come from nobody in particular.
        assert!(
            from.is_none() || of(seen) == of(expected),
            "{when}: {seen:?}"
        );
    }
}

fn play(commands: &[Command]) {
    on_stage(builder(), |_| {
        let mut world = World {
            model: Model::default(),
            puppets: Vec::new(),
            monitors: Vec::new(),
        };
        for command in commands {
            world.play(command);
        }
    });
}

/// Remembers whether what it is around panicked.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        FAILED.fetch_or(std::thread::panicking(), Ordering::Relaxed);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn random_commands_come_to_what_the_model_says() {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = number("PERENNIAL_TEST_SEED")
        .unwrap_or_else(|| since_1970.map_or(0, |time| time.as_nanos() as u64));
    println!("PERENNIAL_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = ProptestConfig {
        cases: number("PERENNIAL_TEST_CASES").map_or(CASES, |cases| cases as u32),
        failure_persistence: None,
        max_shrink_iters: 500,
        max_shrink_time: 60_000,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let commands = prop::collection::vec(a_command(), 1..COMMANDS_MAX);
    let played = TestRunner::new_with_rng(config, rng).run(&commands, |commands| {
        let _witness = Witness;
        play(&commands);
        Ok(())
    });
    if let Err(error) = played {
        panic!("PERENNIAL_TEST_SEED={seed}: {error}");
    }
}
