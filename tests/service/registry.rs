//! Registries; ids as in the table of conformance cases.
//!
//! Not cases here, because nothing can be written that would be one: `reg.unknown` and `reg.bad_keys_option` (a
//! registry is a constant with types), `reg.via_duplicate` (only unique registries have a `via`), `reg.links` and
//! `v.owner_crash` (no process keeps a registry).

use crate::stage::{LONG, ended, eventually, in_runtime, on_both_kinds, reason};
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, RegisterError, StartError, TryCastError};
use perennial::{DuplicateRegistry, ExitReason, Pid, Registry, Via};
use std::sync::{Arc, Barrier, mpsc};

enum Msg {
    Echo(u32, ReplyTo<u32>),
    CallVia(Via<String, Msg>, ReplyTo<Result<u32, CallError>>),
    Fail,
}

struct Echo;

/// What the `init` of an [`Echo`] comes to.
#[derive(Clone, Copy, PartialEq)]
enum Args {
    Up,
    Ignore,
    Stop,
}

static ECHOS: Registry<String, Msg> = Registry::new("echos");

impl GenServer for Echo {
    type Args = Args;
    type Msg = Msg;

    fn init(args: Args, cx: &mut Cx<Self>) -> Init<Self> {
        // The key is there before `init` runs.
        if !ECHOS.keys(cx.pid()).is_empty() {
            assert_eq!(ECHOS.whereis("one").as_ref(), Some(cx.me()));
        }
        match args {
            Args::Up => Init::Ok(Echo),
            Args::Ignore => Init::Ignore,
            Args::Stop => Init::Stop(ExitReason::other("stopped")),
        }
    }

    fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Echo(n, reply) => reply.send(n),
            Msg::CallVia(via, reply) => reply.send(via.call(|reply| Msg::Echo(1, reply))),
            Msg::Fail => panic!("out of paper"),
        }
        Next::Loop
    }
}

fn start(kind: Kind, args: Args) -> Result<Ref<Msg>, StartError> {
    let spec = gen_server::spec::<Echo>(args).via(ECHOS.via("one"));
    match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    }
    .start()
}

fn echo(kind: Kind) -> Ref<Msg> {
    let spec = gen_server::spec::<Echo>(Args::Up);
    match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    }
    .start()
    .unwrap()
}

fn stop(process: &Ref<Msg>) {
    gen_server::stop(process).unwrap();
}

/// Rows: reg.unique, reg.unique_other, reg.no_leak_on_already_registered, reg.count
#[test]
fn key_belongs_to_whoever_came_first() {
    static LEVELS: Registry<String, Msg, u32> = Registry::new("levels");
    on_both_kinds(|kind| {
        let (first, second) = (echo(kind), echo(kind));
        LEVELS.register_with("a".to_owned(), &first, 1).unwrap();
        for _ in 0..100 {
            let taken = Err(RegisterError::Taken(first.pid()));
            assert_eq!(LEVELS.register_with("a".to_owned(), &first, 2), taken);
            assert_eq!(LEVELS.register_with("a".to_owned(), &second, 3), taken);
        }
        assert_eq!(LEVELS.lookup("a"), Some((first.clone(), 1)));
        assert_eq!(
            (LEVELS.count(), LEVELS.keys(&first)),
            (1, vec!["a".to_owned()])
        );
        assert!(LEVELS.keys(&second).is_empty());
        stop(&first);
        stop(&second);
        assert_eq!(LEVELS.count(), 0);
    });
}

/// Rows: v.dead_lookup, reg.cleanup_on_crash
#[test]
fn nothing_is_left_of_a_process_when_its_end_is_known() {
    static KEYS: Registry<(u8, String), Msg> = Registry::new("keys");
    static GROUPS: DuplicateRegistry<(u8, String), Msg> = DuplicateRegistry::new("groups");
    on_both_kinds(|kind| {
        for round in 0..50 {
            let processes = [echo(kind), echo(kind)];
            for (n, process) in processes.iter().enumerate() {
                for key in 0..20 {
                    KEYS.register((key, format!("{n}")), process).unwrap();
                    GROUPS
                        .register((key % 3, "all".to_owned()), process)
                        .unwrap();
                }
            }
            assert_eq!((KEYS.count(), GROUPS.count()), (40, 40));
            for process in &processes {
                let watch = process::watch(process);
                if round % 2 == 0 {
                    process::exit(process, ExitReason::Kill);
                } else {
                    process.cast(Msg::Fail);
                }
                reason(watch);
                assert!(KEYS.keys(process).is_empty() && GROUPS.keys(process).is_empty());
                assert_eq!(KEYS.whereis(&(1, "0".to_owned())), None);
            }
            assert_eq!((KEYS.count(), GROUPS.count()), (0, 0));
        }
    });
}

/// Rows: v.name_free_before_exit
///
/// Whoever hears of the end may take the key at once.
#[test]
fn key_is_free_before_anybody_hears_of_the_death() {
    static ONE: Registry<u32, ()> = Registry::new("one");
    in_runtime(|| {
        process::run::<(), _>(|cx| {
            cx.trap_exit(true);
            for _ in 0..100 {
                let (go, wait) = mpsc::channel::<()>();
                let (registered, is_registered) = mpsc::channel::<()>();
                let child = process::spawn_link::<()>(move |cx| {
                    ONE.register(7, cx.me()).unwrap();
                    registered.send(()).unwrap();
                    wait.recv().unwrap();
                });
                let child = child.unwrap();
                is_registered.recv().unwrap();
                let taken = ONE.register(7, cx.me());
                assert_eq!(taken, Err(RegisterError::Taken(child.pid())));
                go.send(()).unwrap();
                assert!(matches!(
                    cx.receive_timeout(LONG),
                    Some(process::Received::Exit(_))
                ));
                ONE.register(7, cx.me()).unwrap();
                assert!(ONE.unregister(&7, cx.pid()));
            }
        })
        .unwrap();
    });
}

/// Rows: reg.unregister, v.unregister_foreign
#[test]
fn only_the_holder_loses_a_key() {
    static KEYS: Registry<&str, Msg> = Registry::new("keys");
    on_both_kinds(|kind| {
        let (first, second) = (echo(kind), echo(kind));
        KEYS.register("a", &first).unwrap();
        KEYS.register("b", &first).unwrap();
        assert!(!KEYS.unregister("a", &second));
        assert!(!KEYS.unregister("missing", &first));
        assert_eq!(KEYS.whereis("a"), Some(first.clone()));
        assert!(KEYS.unregister("a", &first));
        assert!(!KEYS.unregister("a", &first));
        assert_eq!((KEYS.whereis("a"), KEYS.keys(&first)), (None, vec!["b"]));
        KEYS.register("a", &second).unwrap();
        stop(&first);
        stop(&second);
    });
}

#[test]
fn dead_process_is_not_registered() {
    static KEYS: Registry<&str, Msg> = Registry::new("keys");
    static GROUPS: DuplicateRegistry<&str, Msg> = DuplicateRegistry::new("groups");
    on_both_kinds(|kind| {
        let dead = echo(kind);
        stop(&dead);
        assert_eq!(KEYS.register("a", &dead), Err(RegisterError::NoProc));
        assert_eq!(GROUPS.register("a", &dead), Err(RegisterError::NoProc));
        assert_eq!((KEYS.count(), GROUPS.count()), (0, 0));
    });
}

/// Rows: reg.update_value
#[test]
fn value_is_changed_by_its_holder_only() {
    static VALUES: Registry<&str, Msg, u32> = Registry::new("values");
    on_both_kinds(|kind| {
        let (first, second) = (echo(kind), echo(kind));
        VALUES.register_with("a", &first, 1).unwrap();
        assert_eq!(VALUES.update_value("a", &first, |n| n + 1), Some((2, 1)));
        assert_eq!(VALUES.update_value("a", &second, |n| n + 1), None);
        assert_eq!(VALUES.update_value("b", &first, |n| n + 1), None);
        assert_eq!(VALUES.lookup("a").unwrap().1, 2);
        stop(&first);
        stop(&second);
    });
}

/// Rows: reg.duplicate
#[test]
fn duplicate_keys_keep_every_entry() {
    static GROUPS: DuplicateRegistry<&str, Msg, u32> = DuplicateRegistry::new("groups");
    on_both_kinds(|kind| {
        let (first, second) = (echo(kind), echo(kind));
        for (process, value) in [(&first, 1), (&first, 2), (&second, 3)] {
            GROUPS.register_with("a", process, value).unwrap();
        }
        let values = || {
            let mut values: Vec<u32> = GROUPS.lookup("a").iter().map(|(_, value)| *value).collect();
            values.sort_unstable();
            values
        };
        assert_eq!((values(), GROUPS.count()), (vec![1, 2, 3], 3));
        assert_eq!(GROUPS.keys(&first), ["a", "a"]);
        assert_eq!(GROUPS.unregister("a", &first), 2);
        assert_eq!((values(), GROUPS.keys(&first).len()), (vec![3], 0));
        stop(&second);
        assert!(values().is_empty());
        stop(&first);
    });
}

/// Rows: reg.duplicate_dispatch_serial, reg.dispatch_empty
#[test]
fn dispatch_reaches_every_entry_and_nobody_where_there_is_none() {
    static GROUPS: DuplicateRegistry<&str, Msg> = DuplicateRegistry::new("groups");
    on_both_kinds(|kind| {
        let processes = [echo(kind), echo(kind)];
        for process in &processes {
            GROUPS.register("a", process).unwrap();
        }
        let mut answers = Vec::new();
        GROUPS.dispatch("a", |entries| {
            for (n, (process, ())) in entries.iter().enumerate() {
                answers.push(process.call(|reply| Msg::Echo(n as u32, reply)));
                // No lock is held here.
                GROUPS.register("b", process).unwrap();
            }
        });
        assert_eq!(answers, [Ok(0), Ok(1)]);
        GROUPS.dispatch("missing", |_| unreachable!("nobody is there"));
        processes.iter().for_each(stop);
    });
}

/// Rows: reg.via, gs.start_via, exgs.calling_self_names, exgs.whereis
#[test]
fn server_is_started_under_a_key_and_found_by_it() {
    on_both_kinds(|kind| {
        let via = ECHOS.via("one");
        assert_eq!(via.whereis(), None);
        assert_eq!(
            via.call(|reply| Msg::Echo(1, reply)),
            Err(CallError::NoProc)
        );
        let first = start(kind, Args::Up).unwrap();
        assert_eq!(via.whereis(), Some(first.clone()));
        assert_eq!(
            start(kind, Args::Up),
            Err(StartError::AlreadyStarted(first.pid()))
        );
        assert_eq!(via.call(|reply| Msg::Echo(7, reply)), Ok(7));
        let own = via.clone();
        let answer = via.call(|reply| Msg::CallVia(own, reply));
        assert_eq!(answer, Ok(Err(CallError::CallingSelf)));
        stop(&first);
        assert_eq!(via.whereis(), None);
    });
}

/// Rows: exgs.cast_missing
#[test]
fn cast_to_a_key_without_a_process_is_silent() {
    in_runtime(|| {
        ECHOS.via("missing").cast(Msg::Fail);
        let back = ECHOS.via("missing").try_cast(Msg::Fail);
        assert!(matches!(back, Err(TryCastError::NoProc(Msg::Fail))));
    });
}

/// Rows: reg.via
#[test]
fn value_of_a_via_is_registered_with_the_server() {
    static LEVELS: Registry<u32, Msg, &str> = Registry::new("levels");
    on_both_kinds(|_| {
        let via = LEVELS.via_with(1_u32, "first");
        let server = gen_server::spec::<Echo>(Args::Up).via(via).start().unwrap();
        assert_eq!(LEVELS.lookup(&1), Some((server.clone(), "first")));
        stop(&server);
    });
}

/// Rows: gs.otp_7669_ignore, gs.otp_7669_stop
#[test]
fn key_is_free_when_a_start_that_failed_returns() {
    on_both_kinds(|kind| {
        for _ in 0..100 {
            assert_eq!(start(kind, Args::Ignore), Err(StartError::Ignored));
            assert_eq!(ECHOS.whereis("one"), None);
            let stopped = start(kind, Args::Stop);
            assert_eq!(stopped, Err(StartError::Exit(ExitReason::other("stopped"))));
            assert_eq!((ECHOS.whereis("one"), ECHOS.count()), (None, 0));
        }
    });
}

#[test]
fn supervised_server_comes_back_under_its_key() {
    on_both_kinds(|kind| {
        let child = Child::server::<Echo>("echo", Args::Up).via(ECHOS.via("one"));
        let child = match kind {
            Kind::Thread => child.thread(),
            Kind::Pooled => child.pooled(),
        };
        let supervisor = Supervisor::new(Strategy::OneForOne)
            .child(child)
            .start()
            .unwrap();
        let via = ECHOS.via("one");
        let first = via.whereis().unwrap();
        via.cast(Msg::Fail);
        ended(first.pid());
        eventually("the restart", || {
            via.whereis().is_some_and(|one| one != first)
        });
        assert_eq!(via.call(|reply| Msg::Echo(3, reply)), Ok(3));
        perennial::supervisor::stop(&supervisor).unwrap();
        assert_eq!(via.whereis(), None);
    });
}

/// Rows: reg.select
#[test]
fn selection_gives_what_is_chosen_of_each_entry() {
    static LEVELS: Registry<u32, Msg, &str> = Registry::new("levels");
    on_both_kinds(|kind| {
        let (first, second) = (echo(kind), echo(kind));
        for key in 0..10 {
            let process = if key % 2 == 0 { &first } else { &second };
            LEVELS.register_with(key, process, "low").unwrap();
        }
        LEVELS.update_value(&4, &first, |_| "high");
        let high =
            LEVELS.select(|key, process, level| (*level == "high").then(|| (*key, process.pid())));
        assert_eq!(high, [(4, first.pid())]);
        let of_second = |_: &u32, process: &Ref<Msg>, _: &&str| (*process == second).then_some(());
        assert_eq!(LEVELS.select(of_second).len(), 5);
        // No lock is held while it chooses.
        let again = LEVELS.select(|key, _, _| LEVELS.whereis(key));
        assert_eq!(again.len(), 10);
        stop(&first);
        assert_eq!(LEVELS.select(|key, _, _| Some(*key)).len(), 5);
        stop(&second);
    });
}

/// Registrations race with deaths; whatever comes first, nothing stays.
#[test]
fn registrations_that_race_with_deaths_leave_nothing() {
    static KEYS: Registry<u32, ()> = Registry::new("keys");
    static GROUPS: DuplicateRegistry<u32, ()> = DuplicateRegistry::new("groups");
    in_runtime(|| {
        for round in 0..500_u32 {
            let start = Arc::new(Barrier::new(3));
            let (line, own) = (start.clone(), start.clone());
            let dying = process::spawn::<()>(move |_| {
                own.wait();
            });
            let pid: Pid = dying.pid();
            let other = dying.clone();
            let stranger = process::spawn::<()>(move |_| {
                line.wait();
                // Either is too late or in time.
                let _ = KEYS.register(round, &dying);
                let _ = GROUPS.register(round, &dying);
                KEYS.unregister(&round, &dying);
            });
            start.wait();
            let _ = GROUPS.register(round, &other);
            ended(stranger.pid());
            ended(pid);
            let left = (KEYS.whereis(&round), GROUPS.lookup(&round).len());
            assert_eq!(left, (None, 0));
        }
        assert_eq!((KEYS.count(), GROUPS.count()), (0, 0));
    });
}
