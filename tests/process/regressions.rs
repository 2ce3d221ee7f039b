//! What went wrong in other runtimes: each of their bugs is a case here, so that it does not come back as ours.

use crate::support::puppet::{Breed, Msg, Puppet, all_pairs, both_kinds};
use crate::support::stage::{builder, on_stage};
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError, StartError, TryCastError};
use perennial::{ExitReason, Pid};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Counts what it handles.
struct Counter(Arc<AtomicUsize>);

enum Count {
    One,
    Ask(ReplyTo<()>),
}

impl GenServer for Counter {
    type Args = Arc<AtomicUsize>;
    type Msg = Count;

    fn init(handled: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Counter(handled))
    }

    fn handle(&mut self, count: Count, _: &mut Cx<Self>) -> Next<Count> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if let Count::Ask(reply) = count {
            reply.send(());
        }
        Next::Loop
    }
}

/// An actor that is drained takes a message, says so, and ends without handling it. Here a message that was taken before
/// the stop is handled before the end; one that comes in later is handled, or its sender can tell.
#[test]
fn drained_process_loses_nothing_that_it_took_before() {
    const SENDERS: usize = 3;
    for breed in [Breed::Pooled, Breed::ThreadServer] {
        on_stage(builder(), |runtime| {
            for _ in 0..30 {
                let handled = Arc::<AtomicUsize>::default();
                let spec = gen_server::spec::<Counter>(handled.clone());
                let counter = match breed {
                    Breed::Pooled => spec.pooled().start().unwrap(),
                    _ => spec.thread().start().unwrap(),
                };
                let (taken, stopping) = (AtomicUsize::new(0), AtomicUsize::new(0));
                std::thread::scope(|scope| {
                    for _ in 0..SENDERS {
                        scope.spawn(|| {
                            let _entered = runtime.enter();
                            loop {
                                match counter.try_cast(Count::One) {
                                    Ok(()) if stopping.load(Ordering::SeqCst) == 0 => {
                                        taken.fetch_add(1, Ordering::SeqCst);
                                    }
                                    Ok(()) => {}
                                    Err(TryCastError::NoProc(Count::One)) => return,
                                    Err(error) => panic!("{error:?}"),
                                }
                                // Answered, or the caller hears of the end; never neither.
                                match counter.call_for(LONG, Count::Ask) {
                                    Ok(()) => {}
                                    Err(CallError::NoProc | CallError::Exited(_)) => return,
                                    Err(error) => panic!("{error}"),
                                }
                            }
                        });
                    }
                    eventually("all are at it", || taken.load(Ordering::SeqCst) > 50);
                    stopping.store(1, Ordering::SeqCst);
                    gen_server::stop(&counter).unwrap();
                });
                // Whoever counted a message as taken saw no stop afterwards.
                assert!(handled.load(Ordering::SeqCst) >= taken.load(Ordering::SeqCst));
            }
        });
    }
}

/// The second wait for an end hangs, or finds nothing: the first has taken it.
#[test]
fn end_can_be_waited_for_twice_and_by_many() {
    all_pairs(|one, other| {
        let target = one.puppet();
        let mut watches: Vec<_> = (0..3).map(|_| process::watch(target.pid())).collect();
        let (waiter, pid) = (other.puppet(), target.pid());
        let (sender, waited) = mpsc::channel();
        waiter.order(move |_| {
            let mut watch = process::watch(pid);
            let _ = sender.send([watch.wait(LONG), watch.wait(LONG)]);
        });
        eventually("it waits", || {
            target.info().monitored_by.len() <= 1
                && waiter.info().status == process::Status::Waiting
        });
        target.end(ExitReason::Shutdown);
        for watch in &mut watches {
            for _ in 0..2 {
                let reason = watch.wait(LONG).map(|down| down.reason);
                assert_eq!(reason, Some(ExitReason::Shutdown));
            }
        }
        let [first, second] = waited.recv_timeout(LONG).unwrap();
        assert_eq!(first.map(|down| down.pid), second.map(|down| down.pid));
        let late = process::watch(pid).wait(Duration::ZERO);
        assert_eq!(late.map(|down| down.reason), Some(ExitReason::NoProc));
        for _ in 0..2 {
            assert_eq!(gen_server::stop(pid), Err(CallError::NoProc));
        }
    });
}

/// A message of another type, sent by a name, is turned into a panic of whoever has the name.
#[test]
fn message_of_another_type_leaves_its_target_alone() {
    both_kinds(|kind| {
        const RIGHT: Name<Msg> = Name::new("typed");
        const WRONG: Name<String> = Name::new("typed");
        let puppet = kind.named(&RIGHT);
        for _ in 0..100 {
            WRONG.cast("hello".to_owned());
            let refused = WRONG.try_cast("hello".to_owned());
            assert!(matches!(refused, Err(TryCastError::WrongMessageType(_))));
        }
        process::send_after(Duration::ZERO, WRONG, "hello".to_owned());
        eventually("the timer has fired", || process::counts().timers == 0);
        puppet.nothing_more();
        assert_eq!(WRONG.whereis(), None);
        assert_eq!(RIGHT.whereis(), Some(puppet.me()));
    });
}

/// Holds a place in a line.
struct Bead;

impl GenServer for Bead {
    type Args = Option<Pid>;
    type Msg = ();

    fn init(before: Option<Pid>, cx: &mut Cx<Self>) -> Init<Self> {
        if let Some(before) = before {
            cx.link(before).expect("the one before it lives");
        }
        Init::Ok(Bead)
    }

    fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
        Next::Loop
    }
}

/// Exits that are passed on by one process calling the next need a stack as deep as the line is long.
#[test]
fn line_of_a_hundred_thousand_dies_without_a_deep_stack() {
    const LENGTH: usize = 100_000;
    on_stage(builder(), |_| {
        let start = |before| gen_server::spec::<Bead>(before).pooled().start().unwrap();
        let first = start(None);
        let mut last = first.clone();
        for _ in 1..LENGTH {
            last = start(Some(last.pid()));
        }
        let mut watch = process::watch(&last);
        process::exit(&first, ExitReason::other("snap"));
        let down = watch.wait(3 * LONG).expect("the end reaches the last");
        assert_eq!(down.reason, ExitReason::other("snap"));
        eventually("none is left", || process::counts().processes == 0);
    });
}

/// A star dies at once, and its middle tells all of it in one go.
#[test]
fn star_dies_with_its_middle() {
    on_stage(builder(), |_| {
        let start = |before| gen_server::spec::<Bead>(before).pooled().start().unwrap();
        let middle = start(None);
        let rays: Vec<_> = (0..10_000).map(|_| start(Some(middle.pid()))).collect();
        process::exit(&rays[17], ExitReason::other("snap"));
        eventually("none is left", || process::counts().processes == 0);
    });
}

/// What an `init` saw of its own links.
struct Early;

impl GenServer for Early {
    type Args = (mpsc::Sender<Vec<Pid>>, Option<mpsc::Receiver<()>>);
    type Msg = ();

    fn init((links, gate): Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
        let own = process::info(cx.pid()).expect("it lives while its init runs");
        links.send(own.links).unwrap();
        if let Some(gate) = gate {
            // The signal is met at the next library call.
            assert!(gate.recv().is_err());
            process::checkpoint();
        }
        Init::Ok(Early)
    }

    fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
        Next::Loop
    }
}

fn start_link(
    breed: Breed,
    links: mpsc::Sender<Vec<Pid>>,
    gate: Option<mpsc::Receiver<()>>,
) -> Result<Ref<()>, StartError> {
    let spec = gen_server::spec::<Early>((links, gate));
    match breed {
        Breed::Pooled => spec.pooled().start_link(),
        Breed::Thread | Breed::ThreadServer => spec.thread().start_link(),
    }
}

/// A link that is made when `init` is through leaves an orphan if the parent ends before that.
#[test]
fn link_to_the_parent_is_there_when_init_runs() {
    all_pairs(|one, other| {
        let parent = one.puppet();
        let (sender, links) = mpsc::channel();
        let child = parent.run(move |_| start_link(other, sender, None).unwrap());
        assert_eq!(links.recv_timeout(LONG), Ok(vec![parent.pid()]));
        assert_eq!(parent.info().links, [child.pid()]);
        let mut watch = process::watch(&child);
        parent.end_and_wait(ExitReason::other("died"));
        let down = watch.wait(LONG).expect("it goes with its parent");
        assert_eq!(down.reason, ExitReason::other("died"));
    });
}

#[test]
fn parent_that_is_killed_while_init_runs_takes_the_child_along() {
    all_pairs(|one, other| {
        let parent: Puppet = one.puppet();
        let (sender, links) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        parent.order(move |_| drop(start_link(other, sender, Some(gate))));
        assert_eq!(links.recv_timeout(LONG), Ok(vec![parent.pid()]));
        process::exit(parent.pid(), ExitReason::Kill);
        drop(open);
        parent.gone();
        eventually("the child is gone as well", || {
            process::counts().processes == 0
        });
    });
}
