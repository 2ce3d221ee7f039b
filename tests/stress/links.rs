//! Processes that link, unlink and end at the same moment: both sides agree, and nobody waits for ever.

use crate::storm::{Act, Dice, dawdle, rounds, storm, together};
use crate::support::puppet::{BREEDS, Puppet, Record};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::{ExitReason, Pid, process};

/// Has a puppet link and unlink another, at random, while it lives.
fn wavers(puppet: &Puppet, peer: Pid, mut dice: Dice) {
    for _ in 0..20 {
        let links = dice.roll(2) == 0;
        puppet.attempt(move |inside| match links {
            true => drop(inside.link(peer)),
            false => inside.unlink(peer),
        });
    }
}

/// Two link and unlink each other while a third ends one of them: the survivor has no link in the end.
#[test]
fn links_that_race_with_unlinks_and_exits_leave_nothing() {
    storm(builder(), |runtime| {
        for breed in BREEDS {
            for round in 0..rounds(60) as u64 {
                let (mut one, mut other) = (breed.puppet().traps(), breed.puppet().traps());
                let (first, second) = (one.pid(), other.pid());
                let (left, right) = (&mut one, &mut other);
                let acts: Vec<Act<'_>> = vec![
                    Box::new(move || wavers(left, second, Dice::new(round))),
                    Box::new(move || wavers(right, first, Dice::new(round + 1_000))),
                    Box::new(move || {
                        dawdle(&mut Dice::new(round + 2_000));
                        process::exit(second, ExitReason::Kill);
                    }),
                ];
                together(runtime, acts);
                other.gone();
                one.run(move |inside| inside.unlink(second));
                eventually("no link is left", || one.info().links.is_empty());
            }
        }
    });
}

/// Has a puppet watch another several times; what it does not take back fires once.
fn watches(watcher: &Puppet, target: Pid, mut dice: Dice) {
    let mut kept = Vec::new();
    for _ in 0..6 {
        let takes_back = dice.roll(2) == 0;
        kept.extend(watcher.run(move |inside| {
            let monitor = inside.monitor(target);
            if takes_back {
                inside.demonitor_flush(monitor);
                return None;
            }
            Some(monitor)
        }));
    }
    while !kept.is_empty() {
        let Record::Down(down) = watcher.next() else {
            unreachable!("only monitors fire here");
        };
        let known = kept.iter().position(|monitor| *monitor == down.monitor);
        kept.remove(known.expect("it fires once, and was not taken back"));
        let reasons = [ExitReason::other("storm"), ExitReason::NoProc];
        assert!(reasons.contains(&down.reason), "{down:?}");
    }
    watcher.nothing_more();
    assert_eq!(watcher.info().monitors, []);
}

/// Monitors set while their target ends: each fires once, with the reason or `NoProc`, or is taken back for good.
#[test]
fn monitors_at_the_moment_of_death_fire_once_or_never() {
    storm(builder(), |runtime| {
        for breed in BREEDS {
            for round in 0..rounds(60) as u64 {
                let target = breed.puppet();
                let pid = target.pid();
                let mut watchers = BREEDS.map(|breed| breed.puppet());
                let mut acts: Vec<Act<'_>> = vec![Box::new(move || {
                    dawdle(&mut Dice::new(round));
                    process::exit(pid, ExitReason::other("storm"));
                })];
                for (n, watcher) in watchers.iter_mut().enumerate() {
                    let dice = Dice::new(round * 10 + n as u64);
                    acts.push(Box::new(move || watches(watcher, pid, dice)));
                }
                together(runtime, acts);
                let down = process::watch(pid).wait(LONG);
                assert_eq!(down.map(|down| down.reason), Some(ExitReason::NoProc));
            }
        }
    });
}
