//! Any sequence of requests, ends and failing starts: a supervisor does what its model does, line by line.

use crate::actor::{Actor, Log, Manner, Script, Start, Tree, by_hand, crash};
use crate::stage::{LONG, eventually};
use crate::supervisor_model::{Answer, Model, ModelState};
use perennial::prelude::*;
use perennial::process::{self, Watch};
use perennial::supervisor::{
    self, ChildError, ChildState, ChildStatus, DeleteChildError, Restart, RestartChildError,
    StartChildError,
};
use perennial::time::ManualClock;
use perennial::{ExitReason, Pid};
use proptest::prelude::{Just, ProptestConfig, prop, prop_oneof, proptest};
use proptest::strategy::Strategy as Any;
use std::collections::HashMap;
use std::sync::mpsc;
use std::time::Duration;

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[derive(Clone, Debug)]
enum Command {
    Start(&'static str, Restart),
    Terminate(&'static str),
    Restart(&'static str),
    Delete(&'static str),
    /// One child ends by itself.
    End(&'static str, ExitReason),
    /// Several are killed while the supervisor is busy.
    Burst(Vec<&'static str>),
    /// What becomes of the next starts of a child.
    Fates(&'static str, Vec<Start>),
    Advance(Duration),
}

#[derive(Clone, Debug)]
struct Sequence {
    strategy: Strategy,
    intensity: usize,
    period: Duration,
    children: Vec<Restart>,
    commands: Vec<Command>,
}

fn id() -> impl Any<Value = &'static str> {
    prop::sample::select(&IDS[..])
}

fn restart() -> impl Any<Value = Restart> {
    prop_oneof![
        4 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ]
}

fn reason() -> impl Any<Value = ExitReason> {
    prop_oneof![
        Just(ExitReason::Normal),
        Just(ExitReason::shutdown_with(1)),
        Just(crash()),
        Just(ExitReason::Kill),
    ]
}

fn command() -> impl Any<Value = Command> {
    let fate = prop::sample::select(&[Start::Fail, Start::Panic, Start::Ignore, Start::Up][..]);
    let time = prop::sample::select(&[100_u64, 1_000, 1_001, 3_000][..]);
    prop_oneof![
        2 => (id(), restart()).prop_map(|(id, restart)| Command::Start(id, restart)),
        2 => id().prop_map(Command::Terminate),
        2 => id().prop_map(Command::Restart),
        1 => id().prop_map(Command::Delete),
        6 => (id(), reason()).prop_map(|(id, reason)| Command::End(id, reason)),
        3 => prop::sample::subsequence(&IDS[..], 2..=4).prop_shuffle().prop_map(Command::Burst),
        3 => (id(), prop::collection::vec(fate, 1..4)).prop_map(|(id, fates)| Command::Fates(id, fates)),
        3 => time.prop_map(|ms| Command::Advance(Duration::from_millis(ms))),
    ]
}

fn sequence() -> impl Any<Value = Sequence> {
    let strategy = prop::sample::select(
        &[
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ][..],
    );
    (
        strategy,
        0_usize..6,
        1_u64..3,
        prop::collection::vec(restart(), 0..=IDS.len()),
        prop::collection::vec(command(), 1..30),
    )
        .prop_map(
            |(strategy, intensity, period, children, commands)| Sequence {
                strategy,
                intensity,
                period: Duration::from_secs(period),
                children,
                commands,
            },
        )
}

/// The supervisor under test beside its model.
struct Play {
    tree: Tree,
    watch: Watch,
    log: Log,
    scripts: HashMap<&'static str, Script>,
    model: Model,
}

impl Play {
    fn begin(sequence: &Sequence) -> Play {
        let log = Log::default();
        let scripts = IDS.map(|id| (id, log.script(id).manner(Manner::Traps)));
        let scripts = HashMap::from(scripts);
        let mut model = Model::new(sequence.strategy, sequence.intensity, sequence.period);
        let mut sup = Supervisor::new(sequence.strategy);
        for (id, restart) in IDS.into_iter().zip(&sequence.children) {
            model.start_child(id, *restart);
            sup = sup.child(scripts[id].child().restart(*restart));
        }
        let tree = Tree::of(sup.intensity(sequence.intensity, sequence.period));
        Play {
            watch: process::watch(&tree.sup),
            tree,
            log,
            scripts,
            model,
        }
    }

    fn pid(&self, id: &str) -> Option<Pid> {
        let all = supervisor::which_children(&self.tree.sup).ok()?;
        let child = all.iter().find(|child| child.id.as_deref() == Some(id))?;
        match child.state {
            ChildState::Running(pid) => Some(pid),
            _ => None,
        }
    }

    fn obey(&mut self, command: &Command, hand: &ManualClock) {
        let sup = &self.tree.sup;
        match command {
            Command::Start(id, restart) => {
                let child = self.scripts[id].child().restart(*restart);
                let answer = match supervisor::start_child(sup, child) {
                    Ok(Some(_)) => Answer::Started,
                    Ok(None) => Answer::Ignored,
                    Err(StartChildError::AlreadyStarted(_)) => Answer::AlreadyStarted,
                    Err(StartChildError::AlreadyPresent) => Answer::AlreadyPresent,
                    Err(StartChildError::Failed(_)) => Answer::Failed,
                    Err(other) => panic!("{other:?}"),
                };
                assert_eq!(answer, self.model.start_child(id, *restart));
            }
            Command::Terminate(id) => {
                let answer = match supervisor::terminate_child(sup, *id) {
                    Ok(()) => Answer::Done,
                    Err(ChildError::NotFound) => Answer::NotFound,
                    Err(other) => panic!("{other:?}"),
                };
                assert_eq!(answer, self.model.terminate_child(id));
            }
            Command::Restart(id) => {
                let answer = match supervisor::restart_child(sup, *id) {
                    Ok(Some(_)) => Answer::Started,
                    Ok(None) => Answer::Ignored,
                    Err(RestartChildError::NotFound) => Answer::NotFound,
                    Err(RestartChildError::Running) => Answer::Running,
                    Err(RestartChildError::Failed(_)) => Answer::Failed,
                    Err(other) => panic!("{other:?}"),
                };
                assert_eq!(answer, self.model.restart_child(id));
            }
            Command::Delete(id) => {
                let answer = match supervisor::delete_child(sup, *id) {
                    Ok(()) => Answer::Done,
                    Err(DeleteChildError::NotFound) => Answer::NotFound,
                    Err(DeleteChildError::Running) => Answer::Running,
                    Err(other) => panic!("{other:?}"),
                };
                assert_eq!(answer, self.model.delete_child(id));
            }
            Command::End(id, reason) => {
                if let Some(pid) = self.pid(id) {
                    end_by_itself(pid, reason);
                }
                self.model.end(&[(*id, reason.clone())]);
            }
            Command::Burst(ids) => {
                self.burst(ids);
                let ends: Vec<_> = ids.iter().map(|id| (*id, ExitReason::Kill)).collect();
                self.model.end(&ends);
            }
            Command::Fates(id, fates) => {
                self.scripts[id].next(fates.clone());
                self.model.fates.insert(id, fates.iter().copied().collect());
            }
            Command::Advance(by) => {
                hand.advance(*by);
                self.model.advance(*by);
            }
        }
    }

    /// Kills some in this order while the supervisor starts what is not to be started.
    fn burst(&self, ids: &[&str]) {
        let pids: Vec<Pid> = ids.iter().filter_map(|id| self.pid(id)).collect();
        let (begins, begun) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let script = Log::default().script("busy").starts([Start::Ignore]);
        let slow = Child::with::<Actor>("busy", move || {
            begins.send(()).unwrap();
            let _ = gate.recv_timeout(LONG);
            script.clone()
        });
        let asked = self.tree.sup.clone();
        let asker = process::spawn::<()>(move |_| {
            let _ = supervisor::start_child(&asked, slow.temporary());
        });
        let mut asker = process::watch(&asker);
        begun.recv_timeout(LONG).unwrap();
        for pid in pids {
            end_by_itself(pid, &ExitReason::Kill);
        }
        drop(go);
        eventually("it goes on", || asker.wait(Duration::ZERO).is_some());
    }

    /// What can be seen is what the model says.
    fn compare(&mut self) {
        if !self.model.alive {
            eventually("the supervisor gives up", || {
                self.watch.wait(Duration::ZERO).is_some()
            });
            let ended = self.watch.wait(Duration::ZERO).unwrap();
            assert_eq!(ended.reason, ExitReason::Shutdown);
        } else {
            let restarting = |state: &ChildState| *state == ChildState::Restarting;
            eventually("nobody is about to be restarted", || {
                !self.tree.states().iter().any(restarting)
            });
            let seen = supervisor::snapshot(&self.tree.sup).unwrap();
            let seen: Vec<_> = seen
                .iter()
                .map(|child| {
                    let running = matches!(child.status, ChildStatus::Running(_));
                    (child.id.to_string(), running, child.restarts)
                })
                .collect();
            let expected: Vec<_> = self
                .model
                .children
                .iter()
                .map(|child| {
                    let running = child.state == ModelState::Running;
                    (child.id.to_owned(), running, child.ups.saturating_sub(1))
                })
                .collect();
            assert_eq!(seen, expected);
            let counts = supervisor::count_children(&self.tree.sup).unwrap();
            let active = expected.iter().filter(|(_, running, _)| *running).count();
            assert_eq!((counts.specs, counts.active), (expected.len(), active));
            let ids: Vec<_> = expected.iter().map(|(id, ..)| id.clone()).collect();
            assert_eq!(self.tree.ids(), ids);
        }
        assert_eq!(self.log.take(), std::mem::take(&mut self.model.log));
    }
}

/// Ends a child as if by itself, and waits for that; killed, it writes nothing down.
fn end_by_itself(pid: Pid, reason: &ExitReason) {
    let mut watch = process::watch(pid);
    if *reason == ExitReason::Kill {
        process::exit(pid, ExitReason::Kill);
    } else {
        gen_server::stop_for(pid, reason.clone(), Duration::MAX).expect("it stops");
    }
    eventually("it ends", || watch.wait(Duration::ZERO).is_some());
}

fn run(sequence: &Sequence) {
    by_hand(|hand| {
        let mut play = Play::begin(sequence);
        play.compare();
        for command in &sequence.commands {
            play.obey(command, hand);
            play.compare();
            if !play.model.alive {
                return;
            }
        }
        play.tree.stop();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn supervisor_does_what_its_model_does(sequence in sequence()) {
        run(&sequence);
    }
}
