//! Links, monitors and exits, all at once.

use crate::actor::{Heard, Msg, deaf, job, start};
use crate::each_seed;
use crate::support::puppet::BREEDS;
use crate::support::seeds::Dice;
use perennial::prelude::*;
use perennial::process::{self, Down};
use perennial::{ExitReason, MonitorRef, Pid};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MORTALS: usize = 5;
const ORDERS: usize = 16;

/// What became of all monitors.
#[derive(Default)]
struct Ledger {
    held: HashMap<MonitorRef, Pid>,
    taken_back: Vec<MonitorRef>,
    fired: Vec<MonitorRef>,
    wrong: Vec<String>,
}

impl Ledger {
    fn fire(&mut self, down: Down, name: &str) {
        if self.held.get(&down.monitor) != Some(&down.pid) {
            self.wrong.push(format!("{down:?} of another monitor"));
        }
        if self.fired.contains(&down.monitor) {
            self.wrong.push(format!("{down:?} twice"));
        }
        if self.taken_back.contains(&down.monitor) {
            self.wrong
                .push(format!("{down:?} of a monitor that was taken back"));
        }
        if process::whereis(name) == Some(down.pid) {
            self.wrong.push(format!("{down:?} before the name is free"));
        }
        if process::is_alive(down.pid) {
            self.wrong.push(format!("{down:?} of a process that lives"));
        }
        self.fired.push(down.monitor);
    }
}

/// What somebody may do to somebody else.
fn deed(dice: &mut Dice, other: Pid) -> Msg {
    let reason = [
        ExitReason::Kill,
        ExitReason::other("deed"),
        ExitReason::Normal,
    ][dice.below(3)]
    .clone();
    match dice.below(8) {
        0..3 => job(move |cx| {
            let _ = cx.link(other);
        }),
        3..5 => job(move |cx| cx.unlink(other)),
        5 => job(move |_| process::exit(other, reason)),
        6 => job(|cx| {
            cx.trap_exit(true);
        }),
        _ => Msg::End(reason),
    }
}

#[test]
fn every_monitor_fires_once_or_is_taken_back() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let mortals: Vec<_> = (0..MORTALS).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        let names: Vec<Name<Msg>> = (0..MORTALS)
            .map(|n| Name::owned(format!("mortal-{n}")))
            .collect();
        for (name, mortal) in names.iter().zip(&mortals) {
            process::register(name, mortal).unwrap();
        }
        let name_of: HashMap<Pid, String> = mortals
            .iter()
            .map(Ref::pid)
            .zip(names.iter().map(|name| name.as_str().to_owned()))
            .collect();
        let watchers: Vec<_> = (0..2)
            .map(|_| {
                let (ledger, name_of) = (ledger.clone(), name_of.clone());
                start(BREEDS[dice.below(3)], move |heard, _| {
                    if let Heard::Down(down) = heard {
                        let name = &name_of[&down.pid];
                        ledger.lock().unwrap().fire(down, name);
                    }
                })
            })
            .collect();
        for _ in 0..ORDERS {
            let (one, other) = (
                &mortals[dice.below(MORTALS)],
                mortals[dice.below(MORTALS)].pid(),
            );
            let ledger = ledger.clone();
            match dice.below(5) {
                0 | 1 => watchers[dice.below(2)].cast(job(move |cx| {
                    let monitor = cx.monitor(other);
                    ledger.lock().unwrap().held.insert(monitor, other);
                })),
                2 => watchers[dice.below(2)].cast(job(move |cx| {
                    // Perhaps the other one's, and then nothing comes of it.
                    let held = ledger.lock().unwrap().held.keys().max().copied();
                    if let Some(monitor) = held
                        && cx.demonitor(monitor)
                    {
                        ledger.lock().unwrap().taken_back.push(monitor);
                    }
                })),
                _ => one.cast(deed(&mut dice, other)),
            }
        }
        hand.run_until_idle();
        for mortal in mortals {
            process::exit(&mortal, ExitReason::Kill);
        }
        hand.run_until_idle();
        let ledger = ledger.lock().unwrap();
        assert_eq!(ledger.wrong, [""; 0]);
        assert_eq!(
            ledger.held.len(),
            ledger.fired.len() + ledger.taken_back.len()
        );
        watchers
            .iter()
            .for_each(|watcher| watcher.cast(Msg::End(ExitReason::Normal)));
    });
}

#[test]
fn nobody_alive_is_linked_to_the_dead() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let all: Vec<_> = (0..MORTALS).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        for _ in 0..ORDERS {
            let other = all[dice.below(MORTALS)].pid();
            all[dice.below(MORTALS)].cast(deed(&mut dice, other));
        }
        hand.run_until_idle();
        for pid in process::processes() {
            let links = process::info(pid).unwrap().links;
            for linked in links {
                let back = process::info(linked).map(|info| info.links);
                assert!(
                    back.is_some_and(|back| back.contains(&pid)),
                    "{pid} is linked to {linked}"
                );
            }
        }
        all.iter()
            .for_each(|one| process::exit(one, ExitReason::Kill));
    });
}

/// A chain of links, and its middle ends: all end, each with the reason that went along it.
#[test]
fn exit_takes_the_whole_chain() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let chain: Vec<_> = (0..6).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        for pair in chain.windows(2) {
            let other = pair[1].pid();
            pair[0].cast(job(move |cx| cx.link(other).unwrap()));
        }
        hand.run_until_idle();
        let mut watches: Vec<_> = chain.iter().map(process::watch).collect();
        chain[dice.below(6)].cast(Msg::End(ExitReason::other("torn")));
        for watch in &mut watches {
            let down = watch.wait(Duration::from_secs(1)).expect("it ends");
            assert_eq!(down.reason, ExitReason::other("torn"));
        }
        assert_eq!(hand.now(), Duration::ZERO);
    });
}

/// What one sender sends stays in order, and its end comes last of all.
#[test]
fn order_holds_from_each_sender_to_its_end() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let ear = heard.clone();
        let receiver = start(BREEDS[dice.below(3)], move |what, _| {
            ear.lock().unwrap().push(what)
        });
        let senders: Vec<_> = (0..3).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        for (from, sender) in senders.iter().enumerate() {
            let (pid, to) = (sender.pid(), receiver.clone());
            receiver.cast(job(move |cx| {
                cx.monitor(pid);
            }));
            sender.cast(job(move |cx| {
                (0..8).for_each(|n| to.cast(Msg::Tell(from, n)));
                cx.exit(ExitReason::other("done"));
            }));
        }
        hand.run_until_idle();
        let mut next = [0; 3];
        let mut ended = 0;
        for what in heard.lock().unwrap().drain(..) {
            match what {
                Heard::Told(from, n) => {
                    assert_eq!(n, next[from]);
                    next[from] += 1;
                }
                Heard::Down(down) => {
                    let from = senders
                        .iter()
                        .position(|sender| sender.pid() == down.pid)
                        .unwrap();
                    // It may have ended before it was watched, but what it sent was here before.
                    assert!(
                        down.reason == ExitReason::NoProc || next[from] == 8,
                        "{down:?} after {}",
                        next[from]
                    );
                    ended += 1;
                }
                Heard::Exit(exit) => panic!("{exit:?}"),
            }
        }
        assert_eq!((next, ended), ([8; 3], 3));
        receiver.cast(Msg::End(ExitReason::Normal));
    });
}
