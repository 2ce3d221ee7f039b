//! Whole trees that start, crash and stop: all of them, every time.

use crate::storm::{Dice, rounds, storm};
use crate::support::LONG;
use crate::support::eventually;
use crate::support::stage::builder;
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::{ExitReason, supervisor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts itself while it lives.
struct Leaf(Arc<AtomicUsize>);

impl GenServer for Leaf {
    type Args = Arc<AtomicUsize>;
    type Msg = ();
    const TRAP_EXIT: bool = true;

    fn init(alive: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        alive.fetch_add(1, Ordering::SeqCst);
        Init::Ok(Leaf(alive))
    }

    fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
        panic!("storm");
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

const WIDTH: usize = 3;
const STRATEGIES: [Strategy; 3] = [
    Strategy::OneForOne,
    Strategy::OneForAll,
    Strategy::RestForOne,
];

/// A tree of some levels, each with supervisors and leaves of both kinds.
fn tree(levels: usize, alive: &Arc<AtomicUsize>) -> Supervisor {
    let mut tree = Supervisor::new(STRATEGIES[levels % STRATEGIES.len()])
        .intensity(usize::MAX, Duration::from_secs(1));
    for n in 0..WIDTH {
        let leaf = Child::server::<Leaf>(format!("leaf {n}"), alive.clone());
        tree = tree.child(if n % 2 == 0 { leaf.thread() } else { leaf });
        if levels > 0 {
            let alive = alive.clone();
            let id = format!("tree {n}");
            tree = tree.child(Child::supervisor(id, move || {
                self::tree(levels - 1, &alive)
            }));
        }
    }
    tree
}

#[test]
fn whole_trees_come_and_go() {
    for kind in [Kind::Pooled, Kind::Thread] {
        storm(builder().default_kind(kind), |_| {
            let alive = Arc::<AtomicUsize>::default();
            let all = WIDTH * (1 + WIDTH + WIDTH * WIDTH);
            for round in 0..rounds(6) {
                let mut dice = Dice::new(round as u64 + 600);
                let top = tree(2, &alive).start().unwrap();
                assert_eq!(alive.load(Ordering::SeqCst), all);
                for _ in 0..dice.roll(20) {
                    let processes = process::processes();
                    let victim = processes[dice.roll(processes.len())];
                    if victim != top.pid() {
                        process::exit(
                            victim,
                            [ExitReason::Kill, ExitReason::other("storm")][dice.roll(2)].clone(),
                        );
                    }
                }
                match dice.roll(3) {
                    // In the middle of all the restarts.
                    0 => process::exit(&top, ExitReason::Kill),
                    1 => supervisor::stop(&top).unwrap(),
                    _ => {
                        eventually("the tree is whole again", || {
                            alive.load(Ordering::SeqCst) == all
                        });
                        supervisor::stop(&top).unwrap();
                    }
                }
                let mut watch = process::watch(&top);
                watch.wait(LONG).expect("the top ends");
                eventually("nothing of the tree is left", || {
                    process::counts().processes == 0 && alive.load(Ordering::SeqCst) == 0
                });
            }
        });
    }
}
