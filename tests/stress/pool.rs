//! A small pool whose processes block: the rest goes on, and every wait has its end.

use crate::storm::{Dice, crowd, rounds, storm};
use crate::support::LONG;
use perennial::prelude::*;
use perennial::process::{self, CallError};
use perennial::{ExitReason, Runtime};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Asks the one behind it, from inside its callback.
struct Link(Option<Ref<Ask>>);

enum Ask {
    /// The depth of the line behind it.
    Depth(ReplyTo<Result<usize, CallError>>),
    /// Wait, inside the callback.
    Sleep(Duration),
}

impl GenServer for Link {
    type Args = Option<Ref<Ask>>;
    type Msg = Ask;

    fn init(behind: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Link(behind))
    }

    fn handle(&mut self, ask: Ask, _: &mut Cx<Self>) -> Next<Ask> {
        match ask {
            Ask::Depth(reply) => reply.send(match &self.0 {
                None => Ok(1),
                Some(behind) => match behind.call_for(LONG, Ask::Depth) {
                    Ok(depth) => depth.map(|depth| depth + 1),
                    Err(error) => Err(error),
                },
            }),
            Ask::Sleep(time) => process::sleep(time),
        }
        Next::Loop
    }
}

const LENGTH: usize = 12;

/// Lines of servers that wait for each other, sleepers and kills among them, on two workers and few spares.
#[test]
fn callbacks_that_block_hold_nobody_up_for_ever() {
    let builder = Runtime::builder().workers(2).spare_max(4);
    storm(builder, |runtime| {
        let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for round in 0..rounds(12) {
            let lines: Vec<Vec<Ref<Ask>>> = (0..3)
                .map(|_| {
                    let mut line: Vec<Ref<Ask>> = Vec::new();
                    for _ in 0..LENGTH {
                        let behind = line.last().cloned();
                        let spec = gen_server::spec::<Link>(behind).pooled();
                        line.push(spec.start().unwrap());
                    }
                    line
                })
                .collect();
            crowd(runtime, 4, |member| {
                let mut dice = Dice::new((round * 4 + member) as u64 + 80);
                for _ in 0..20 {
                    let line = &lines[dice.roll(lines.len())];
                    let at = dice.roll(LENGTH);
                    match dice.roll(12) {
                        0 => process::exit(&line[at], ExitReason::Kill),
                        1 | 2 => {
                            let time = Duration::from_micros(dice.roll(400) as u64);
                            line[at].cast(Ask::Sleep(time));
                        }
                        _ => match line[at].call_for(LONG, Ask::Depth) {
                            Ok(Ok(depth)) => {
                                assert_eq!(depth, at + 1);
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(Err(error)) | Err(error) => {
                                expected(&error);
                                failed.fetch_add(1, Ordering::Relaxed);
                            }
                        },
                    }
                }
            });
            for server in lines.iter().flatten() {
                process::exit(server, ExitReason::Kill);
            }
        }
        assert!(answered.into_inner() > 0, "{failed:?} failed");
    });
}

fn expected(error: &CallError) {
    let ended = matches!(
        error,
        CallError::NoProc | CallError::PoolExhausted | CallError::Exited(ExitReason::Killed)
    );
    assert!(ended, "{error}");
}
