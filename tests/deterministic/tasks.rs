//! Tasks that end while their owner gives up on them.

use crate::each_seed;
use crate::support::seeds::Dice;
use perennial::{ExitReason, Task, TaskError, process, task};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A task that ends in the moment at which its owner stops it has a result or was stopped; one that crashes says so either
/// way. Nothing of it is left in the owner's mailbox.
#[test]
fn task_has_a_result_or_was_stopped() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let played = process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            for n in 0..4 {
                let (naps, crashes) = (dice.below(4) as u32, dice.below(4) == 0);
                let work = move || {
                    process::sleep(naps * MS);
                    assert!(!crashes, "out of paper");
                    n
                };
                let spec = task::spec(work);
                let spec = if dice.below(2) == 0 {
                    spec.pooled()
                } else {
                    spec.thread()
                };
                let mut task: Task<u64> = spec.spawn().unwrap();
                let waited = dice.below(4) as u32;
                let first = task.yield_for(waited * MS);
                match first.or_else(|| task.shutdown()) {
                    Some(Ok(value)) => assert!(value == n && !crashes),
                    Some(Err(TaskError::Exit(ExitReason::Panic(panic)))) => {
                        assert!(
                            crashes && panic.to_string().contains("out of paper"),
                            "{panic}"
                        );
                    }
                    // It had no more time than it takes.
                    None => assert!(waited <= naps),
                    Some(Err(error)) => panic!("{error}"),
                }
            }
            // The exits of those that were linked, and of each one at most.
            let mut exits = 0;
            while cx.receive_timeout(Duration::ZERO).is_some() {
                exits += 1;
            }
            assert!(exits <= 4);
        });
        assert_eq!(played, Ok(()));
    });
}
