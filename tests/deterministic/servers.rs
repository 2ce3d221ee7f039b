//! Servers: idle timeouts and deadlines of calls against what comes in the same moment.

use crate::each_seed;
use crate::support::seeds::Dice;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, CallError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

type Log = Arc<Mutex<Vec<(Instant, bool)>>>;

/// A server that is idle after three milliseconds, and notes what comes; `true` is a timeout.
struct Idle(Log);

enum Msg {
    Note,
    /// Answer after so long.
    Later(Duration, ReplyTo<()>),
    Reply(ReplyTo<()>),
    End,
}

impl GenServer for Idle {
    type Args = Log;
    type Msg = Msg;

    fn init(log: Log, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Idle(log))
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Note => self.0.lock().unwrap().push((cx.now(), false)),
            Msg::Later(after, reply) => {
                cx.send_after(after, Msg::Reply(reply));
                return Next::Loop;
            }
            Msg::Reply(reply) => {
                // From its deadline on, in that moment too, whether or not the caller has given up already.
                let late = reply.deadline().is_some_and(|end| end <= cx.now());
                assert_eq!(reply.is_expired(), late);
                reply.send(());
                return Next::Loop;
            }
            Msg::End => return Next::Stop(ExitReason::Normal),
        }
        Next::Timeout(3 * MS)
    }

    fn handle_info(&mut self, _: Info, cx: &mut Cx<Self>) -> Next<Msg> {
        self.0.lock().unwrap().push((cx.now(), true));
        Next::Loop
    }
}

fn server(dice: &mut Dice, log: &Log) -> Ref<Msg> {
    let spec = gen_server::spec::<Idle>(log.clone());
    let spec = if dice.below(2) == 0 {
        spec.pooled()
    } else {
        spec.thread()
    };
    spec.start().unwrap()
}

/// Messages come every few milliseconds, some just as the timeout does: it fires after three quiet ones, never sooner, and at most
/// once.
#[test]
fn idle_timeout_comes_after_quiet_only() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let log = Log::default();
        let idle = server(&mut dice, &log);
        let mut at = Duration::ZERO;
        for _ in 0..8 {
            at += (1 + dice.below(5) as u32) * MS;
            process::send_after(at, idle.clone(), Msg::Note);
        }
        hand.advance(at + 10 * MS);
        let log = log.lock().unwrap();
        assert_eq!(log.iter().filter(|(_, timeout)| !timeout).count(), 8);
        for pair in log.windows(2) {
            let quiet = pair[1].0 - pair[0].0;
            match (pair[0].1, pair[1].1) {
                (false, true) => assert_eq!(quiet, 3 * MS),
                (false, false) => assert!(quiet <= 3 * MS, "no timeout within {quiet:?}"),
                (true, false) => {}
                (true, true) => panic!("two timeouts for one quiet"),
            }
        }
        assert!(log.last().is_some_and(|(_, timeout)| *timeout));
        idle.cast(Msg::End);
    });
}

/// After how long a call was to be answered, when it ended, and how.
type Ended = (Duration, Duration, Result<(), CallError>);

/// Answers that come just before, just after and in the moment of a deadline, from a server that may be killed: each call ends in its
/// time, with what came first, and a request knows when its time is over.
#[test]
fn call_ends_with_what_comes_first() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let log = Log::default();
        let slow = server(&mut dice, &log);
        let results: Arc<Mutex<Vec<Ended>>> = Arc::default();
        for _ in 0..5 {
            let (slow, results, hand) = (slow.clone(), results.clone(), hand.clone());
            let after = (4 + dice.below(3) as u32) * MS;
            let ask = move || {
                let answer = slow.call_for(5 * MS, |reply| Msg::Later(after, reply));
                results.lock().unwrap().push((after, hand.now(), answer));
            };
            let task = perennial::task::spec(ask);
            let task = if dice.below(2) == 0 {
                task.pooled()
            } else {
                task.thread()
            };
            task.start().unwrap();
        }
        let killed = dice.below(3) == 0;
        if killed {
            let pid = slow.pid();
            let kill = move || {
                process::sleep(5 * MS);
                process::exit(pid, ExitReason::Kill);
            };
            perennial::task::spec(kill).start().unwrap();
        }
        hand.run_until(|| results.lock().unwrap().len() == 5)
            .unwrap();
        for (after, at, answer) in results.lock().unwrap().iter() {
            match answer {
                Ok(()) => assert!(at == after && *after <= 5 * MS),
                Err(CallError::Timeout) => assert!(*at == 5 * MS && *after >= 5 * MS),
                Err(CallError::Exited(ExitReason::Killed)) => {
                    assert!(killed && *at == 5 * MS && *after >= 5 * MS)
                }
                Err(error) => panic!("{error}"),
            }
        }
        slow.cast(Msg::End);
    });
}
