//! Mailboxes and wake-ups: nothing is lost and nobody sleeps through it.

use crate::actor::{Heard, Msg, deaf, job, start};
use crate::each_seed;
use crate::support::puppet::{BREEDS, Breed};
use crate::support::seeds::Dice;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, CallError, Overflow};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Several call along a chain of servers, which call each other, and one of them is killed meanwhile. Each gets an answer or
/// hears of the end, and nobody has to wait for a timeout.
#[test]
fn every_call_is_answered_or_fails_at_once() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let answers: Arc<Mutex<Vec<Result<Pid, CallError>>>> = Arc::default();
        let last = deaf(BREEDS[dice.below(3)]);
        let middle: Vec<_> = (0..2).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        let callers: Vec<_> = (0..4).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        for server in &middle {
            let last = last.clone();
            server.cast(job(move |_| drop(last.call(Msg::Ask))));
        }
        for caller in &callers {
            let (server, answers) = (middle[dice.below(2)].clone(), answers.clone());
            caller.cast(job(move |_| {
                let answer = server.call(Msg::Ask);
                answers.lock().unwrap().push(answer);
            }));
        }
        if dice.below(2) == 0 {
            let killer = deaf(BREEDS[dice.below(3)]);
            let victim = [&last, &middle[0]][dice.below(2)].pid();
            killer.cast(job(move |_| process::exit(victim, ExitReason::Kill)));
            killer.cast(Msg::End(ExitReason::Normal));
        }
        hand.run_until(|| answers.lock().unwrap().len() == callers.len())
            .unwrap();
        assert_eq!(hand.now(), Duration::ZERO);
        for answer in answers.lock().unwrap().iter() {
            match answer {
                Ok(pid) => assert!(middle.iter().any(|server| server.pid() == *pid)),
                Err(error) => assert!(
                    matches!(
                        error,
                        CallError::NoProc | CallError::Exited(ExitReason::Killed)
                    ),
                    "{error:?}"
                ),
            }
        }
        for process in callers.iter().chain(&middle).chain([&last]) {
            process.cast(Msg::End(ExitReason::Normal));
        }
    });
}

use perennial::Pid;

/// Whoever waits for room in a full mailbox gets it, in its own order.
#[test]
fn senders_that_wait_for_room_get_it() {
    struct Slow(Arc<Mutex<Vec<(usize, u32)>>>);
    impl GenServer for Slow {
        type Args = Arc<Mutex<Vec<(usize, u32)>>>;
        type Msg = Msg;
        fn init(seen: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Slow(seen))
        }
        fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
            match msg {
                Msg::Tell(from, n) => self.0.lock().unwrap().push((from, n)),
                Msg::End(reason) => return Next::Stop(reason),
                _ => {}
            }
            Next::Loop
        }
    }
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let seen: Arc<Mutex<Vec<(usize, u32)>>> = Arc::default();
        let spec = gen_server::spec::<Slow>(seen.clone())
            .mailbox(1 + dice.below(2), Overflow::Block(Duration::from_secs(1)));
        let slow = if dice.below(2) == 0 {
            spec.thread()
        } else {
            spec.pooled()
        }
        .start()
        .unwrap();
        for from in 0..3 {
            let slow = slow.clone();
            let sender = deaf([Breed::Thread, Breed::ThreadServer][dice.below(2)]);
            sender.cast(job(move |_| {
                (0..8).for_each(|n| slow.cast(Msg::Tell(from, n)))
            }));
            sender.cast(Msg::End(ExitReason::Normal));
        }
        hand.run_until(|| seen.lock().unwrap().len() == 24).unwrap();
        assert_eq!(hand.now(), Duration::ZERO);
        for from in 0..3 {
            let seen = seen.lock().unwrap();
            let its: Vec<_> = seen
                .iter()
                .filter(|(sender, _)| *sender == from)
                .map(|(_, n)| *n)
                .collect();
            assert_eq!(its, (0..8).collect::<Vec<_>>());
        }
        slow.cast(Msg::End(ExitReason::Normal));
    });
}

/// Two that answer each other for as long as there is something to answer.
#[test]
fn ping_pong_never_stops_early() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let count: Arc<Mutex<u32>> = Arc::default();
        let breeds = [BREEDS[dice.below(3)], BREEDS[dice.below(3)]];
        let players = breeds.map(|breed| {
            let count = count.clone();
            let other: Arc<Mutex<Option<Ref<Msg>>>> = Arc::default();
            let to = other.clone();
            let player = start(breed, move |heard, _| {
                if let Heard::Told(_, n) = heard {
                    *count.lock().unwrap() += 1;
                    if let Some(other) = to.lock().unwrap().clone()
                        && n > 0
                    {
                        other.cast(Msg::Tell(0, n - 1));
                    }
                }
            });
            (player, other)
        });
        *players[0].1.lock().unwrap() = Some(players[1].0.clone());
        *players[1].1.lock().unwrap() = Some(players[0].0.clone());
        players[0].0.cast(Msg::Tell(0, 30));
        hand.run_until_idle();
        assert_eq!(*count.lock().unwrap(), 31);
        players
            .iter()
            .for_each(|(player, _)| player.cast(Msg::End(ExitReason::Normal)));
    });
}
