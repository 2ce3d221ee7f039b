//! Models of the kernel: what two threads do with the relations of two processes, in every order of their steps.

use crate::process::core::{Core, Initial, Kind, Process, Signal, flag};
use crate::process::death::{self, End};
use crate::process::lineage::Lineage;
use crate::process::relations::Effect;
use crate::process::runtime::{Runtime, Shared};
use crate::process::{ProcessId, link, monitor};
use crate::reason::ExitReason;
use crate::sync::atomic::Ordering;
use crate::sync::model::explore;
use crate::sync::{Arc, Mutex, Parker, thread};

/// A process that runs nothing and keeps what it is sent.
struct Still {
    core: Core,
    inbox: Mutex<Vec<Signal>>,
}

impl Process for Still {
    fn core(&self) -> &Core {
        &self.core
    }

    fn push_signal(&self, signal: Signal) {
        self.inbox.lock().push(signal);
    }

    fn wake(self: Arc<Self>) {}

    fn seal(&self) {}

    fn close(&self, _reason: &ExitReason) {}

    fn mailbox_len(&self) -> usize {
        self.inbox.lock().len()
    }

    fn is_scheduled(&self) -> bool {
        false
    }

    fn run_in_place(self: Arc<Self>) {}

    fn fall_asleep(&self) -> Option<Arc<Parker>> {
        None
    }

    fn awake(&self) {}
}

/// A runtime in which nothing runs by itself, with two processes in it. The first traps exits.
pub(crate) struct Stage {
    _runtime: Runtime,
    one: Arc<Still>,
    other: Arc<Still>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let builder = Runtime::builder().workers(1).spare_max(0);
        let runtime = builder.panic_hook(false).build().expect("no threads");
        let shared = &runtime.shared;
        // Nothing has to be stopped in the end.
        shared.stopped.store(true, Ordering::Release);
        let (one, other) = (still(shared), still(shared));
        one.core.set(flag::TRAP_EXIT);
        Stage {
            _runtime: runtime,
            one,
            other,
        }
    }

    fn one(&self) -> Arc<dyn Process> {
        self.one.clone()
    }

    pub(crate) fn other(&self) -> Arc<dyn Process> {
        self.other.clone()
    }

    /// The other process dies on a thread of its own.
    pub(crate) fn other_dies(&self) -> thread::JoinHandle<()> {
        let other: Arc<dyn Process> = self.other.clone();
        let die = move || drop(death::die(&other, End::by_signal(died()), || {}));
        thread::spawn("death".into(), None, die).expect("a model has threads")
    }

    /// The reasons of the exits that the first process receives, and of the downs.
    fn received(&self) -> (Vec<ExitReason>, Vec<ExitReason>) {
        let (mut exits, mut downs) = (Vec::new(), Vec::new());
        let core = &self.one.core;
        for signal in std::mem::take(&mut *self.one.inbox.lock()) {
            let mut relations = core.relations.lock();
            match signal {
                Signal::Exit(mark) => {
                    if let Some(Effect::Deliver(exit)) = relations.meet_exit(core.pid, mark, true) {
                        exits.push(exit.reason);
                    }
                }
                Signal::Down(monitor) => {
                    downs.extend(relations.take_down(monitor).map(|down| down.reason))
                }
                _ => unreachable!("nobody sends anything else"),
            }
        }
        (exits, downs)
    }

    /// Neither knows of the other any more.
    fn is_settled(&self) {
        let relations = self.one.core.relations.lock();
        assert_eq!((relations.links(), relations.watching()), (vec![], vec![]));
        assert!(!relations.has_exits());
        drop(relations);
        let relations = self.other.core.relations.lock();
        assert_eq!((relations.links(), relations.watchers()), (vec![], vec![]));
    }
}

fn still(shared: &Arc<Shared>) -> Arc<Still> {
    let pid = shared.table.reserve().expect("there is room for two");
    let core = Core::new(
        pid,
        Lineage::default(),
        Kind::Pooled,
        shared.clone(),
        Initial(|| "still"),
    );
    let still = Arc::new(Still {
        core,
        inbox: Mutex::default(),
    });
    shared.table.insert(still.clone());
    still
}

fn died() -> ExitReason {
    ExitReason::other("died")
}

pub(crate) fn join(thread: thread::JoinHandle<()>) {
    thread.join().expect("no panic");
}

/// Whoever links to one that dies hears of it once: why it died, or that it was not there.
#[test]
fn loom_a_link_with_the_dying_is_told_once() {
    explore(|| {
        let stage = Stage::new();
        let death = stage.other_dies();
        link::link_to(&stage.one(), stage.other.core.pid).expect("it traps exits");
        join(death);
        let (exits, downs) = stage.received();
        assert!(
            exits == [died()] || exits == [ExitReason::NoProc],
            "{exits:?}"
        );
        assert_eq!(downs, []);
        stage.is_settled();
    });
}

/// After an unlink with flush nothing comes, whenever the other died.
#[test]
fn loom_an_unlink_with_flush_is_the_end_of_it() {
    explore(|| {
        let stage = Stage::new();
        link::link_to(&stage.one(), stage.other.core.pid).expect("it lives");
        let death = stage.other_dies();
        link::unlink_flush_from(&stage.one(), stage.other.core.pid);
        join(death);
        assert_eq!(stage.received(), (vec![], vec![]));
        stage.is_settled();
    });
}

/// Links and unlinks from both sides: in the end both agree.
#[test]
fn loom_both_sides_agree_on_a_link() {
    explore(|| {
        let stage = Stage::new();
        let (one, other) = (stage.one(), stage.other.clone());
        let theirs: Arc<dyn Process> = other.clone();
        let back = move || {
            link::link_to(&theirs, one.core().pid).expect("it lives");
            link::unlink_from(&theirs, one.core().pid);
        };
        let thread = thread::spawn("other".into(), None, back).expect("a model has threads");
        link::link_to(&stage.one(), other.core.pid).expect("it lives");
        join(thread);
        let links = |still: &Still| still.core.relations.lock().links();
        let (mine, theirs) = (links(&stage.one), links(&other));
        let both = (vec![other.core.pid], vec![stage.one.core.pid]);
        assert!((mine.is_empty() && theirs.is_empty()) || (mine, theirs) == both);
    });
}

/// A monitor of one that dies gives one down: why it died, or that it was not there.
#[test]
fn loom_a_monitor_of_the_dying_gives_one_down() {
    explore(|| {
        let stage = Stage::new();
        let death = stage.other_dies();
        monitor::monitor_by(&stage.one(), ProcessId::from(stage.other.core.pid));
        join(death);
        let (exits, downs) = stage.received();
        assert!(
            downs == [died()] || downs == [ExitReason::NoProc],
            "{downs:?}"
        );
        assert_eq!(exits, []);
        stage.is_settled();
    });
}

/// After a demonitor with flush no down comes; without, its answer says whether there is one.
#[test]
fn loom_a_demonitor_says_whether_there_is_a_down() {
    explore(|| {
        let stage = Stage::new();
        let [kept, flushed] = [(); 2]
            .map(|()| monitor::monitor_by(&stage.one(), ProcessId::from(stage.other.core.pid)));
        let death = stage.other_dies();
        monitor::demonitor_flush_by(&stage.one(), flushed);
        let was_there = monitor::demonitor_by(&stage.one(), kept);
        join(death);
        let (_, downs) = stage.received();
        assert_eq!(downs.len(), usize::from(!was_there));
        stage.is_settled();
    });
}
