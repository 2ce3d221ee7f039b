//! Timers that fire while somebody takes them back.

use crate::actor::{Heard, Msg, deaf, job, start};
use crate::each_seed;
use crate::support::puppet::BREEDS;
use crate::support::seeds::Dice;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Timers of one moment, in which somebody else is woken who takes some of them back: each was taken back or came, once.
#[test]
fn timer_fires_once_or_is_cancelled() {
    each_seed(|runtime, hand| {
        let mut dice = Dice::new(hand.seed());
        let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
        let cancelled: Arc<Mutex<Vec<(u32, bool)>>> = Arc::default();
        let ear = seen.clone();
        let receiver = start(BREEDS[dice.below(3)], move |heard, _| {
            if let Heard::Told(_, n) = heard {
                ear.lock().unwrap().push(n);
            }
        });
        let cancellers: Vec<_> = (0..2).map(|_| deaf(BREEDS[dice.below(3)])).collect();
        let mut timers = Vec::new();
        for n in 0..6 {
            let at = MS * (1 + dice.below(2) as u32);
            timers.push((
                n,
                process::send_after(at, receiver.clone(), Msg::Tell(0, n)),
            ));
            let (timer, cancelled) = (timers[dice.below(timers.len())], cancelled.clone());
            let cancel = job(move |_| {
                let left = process::cancel_timer(timer.1);
                cancelled.lock().unwrap().push((timer.0, left.is_some()));
            });
            let at = MS * (1 + dice.below(2) as u32);
            process::send_after(at, cancellers[dice.below(2)].clone(), cancel);
        }
        hand.advance(2 * MS);
        assert_eq!((hand.now(), runtime.counts().timers), (2 * MS, 0));
        let (seen, cancelled) = (seen.lock().unwrap(), cancelled.lock().unwrap());
        assert_eq!(cancelled.len(), 6);
        for n in 0..6 {
            let times = seen.iter().filter(|told| **told == n).count();
            let taken_back = cancelled
                .iter()
                .filter(|(timer, done)| *timer == n && *done)
                .count();
            assert_eq!(
                times + taken_back,
                1,
                "timer {n} of {seen:?}, {cancelled:?}"
            );
        }
        for process in cancellers.iter().chain([&receiver]) {
            process.cast(Msg::End(ExitReason::Normal));
        }
    });
}

/// An interval keeps its moments, and after it was taken back nothing comes.
#[test]
fn interval_ends_when_it_is_cancelled() {
    each_seed(|runtime, hand| {
        let mut dice = Dice::new(hand.seed());
        let ticks: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let (ear, clock) = (ticks.clone(), hand.clone());
        let receiver = start(BREEDS[dice.below(3)], move |_, _| {
            ear.lock().unwrap().push(clock.now())
        });
        let canceller = deaf(BREEDS[dice.below(3)]);
        let timer = process::send_interval(2 * MS, receiver.clone(), || Msg::Tell(0, 0));
        let sent = Arc::new(Mutex::new(None));
        let at_cancel = sent.clone();
        let at = 2 * (1 + dice.below(5) as u32);
        let cancel = job(move |_| {
            *at_cancel.lock().unwrap() = Some(process::cancel_timer(timer).is_some());
        });
        process::send_after(at * MS, canceller.clone(), cancel);
        hand.advance(50 * MS);
        assert_eq!(*sent.lock().unwrap(), Some(true));
        assert_eq!(runtime.counts().timers, 0);
        let ticks = ticks.lock().unwrap();
        let expected: Vec<_> = (1..=ticks.len() as u32).map(|n| 2 * n * MS).collect();
        assert_eq!(*ticks, expected);
        // In the moment of the cancel either was first.
        let rounds = at as usize / 2;
        assert!(
            ticks.len() == rounds || ticks.len() + 1 == rounds,
            "{} of {rounds}",
            ticks.len()
        );
        receiver.cast(Msg::End(ExitReason::Normal));
        canceller.cast(Msg::End(ExitReason::Normal));
    });
}
