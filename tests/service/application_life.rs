//! Applications: phases of a start, changes of the environment, what is left after a stop, and what happens before
//! the end of all; ids as in the table of conformance cases.

use crate::application::{Log, application, halted, names, running, with_applications};
use crate::stage::{KINDS, LONG, ended, eventually, reason};
use crate::support::record;
use perennial::application::{
    self, Application, Env, Halted, Mode, SHUTDOWN_TIMEOUT, StartApplicationError, Why,
};
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::{ExitReason, Pid, Runtime};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Rows: app.start_phases
#[test]
fn phases_run_in_order_when_the_tree_is_up() {
    with_applications(|log| {
        let (first, second) = (log.clone(), log.clone());
        let chat = application("chat", log)
            .start_phase("open", move || {
                assert!(running().is_empty());
                first.add("open");
                Ok(())
            })
            .start_phase("listen", move || {
                second.add("listen");
                Ok(())
            });
        application::load(chat).unwrap();
        application::start("chat").unwrap();
        assert_eq!(log.take(), ["+chat", "open", "listen"]);
        application::stop("chat").unwrap();
        application::start("chat").unwrap();
        assert_eq!(log.take(), ["-chat", "+chat", "open", "listen"]);
    });
}

/// Rows: app.start_phases
#[test]
fn phase_that_fails_takes_the_tree_down_again() {
    type Phase = fn() -> Result<(), ExitReason>;
    let faults: [(&str, Phase); 2] = [
        ("returns", || Err(ExitReason::other("no port"))),
        ("panics", || panic!("no port")),
    ];
    for (how, fault) in faults {
        with_applications(|log| {
            let (after, late, hook) = (log.clone(), log.clone(), log.clone());
            let chat = application("chat", log)
                .start_phase("open", move || {
                    after.add("open");
                    Ok(())
                })
                .start_phase("listen", fault)
                .start_phase("late", move || {
                    late.add("late");
                    Ok(())
                })
                .stopped(move |reason| hook.add(format!("stopped: {reason}")));
            application::load(chat).unwrap();
            let error = application::start("chat").unwrap_err();
            let StartApplicationError::Phase(phase, reason) = &error else {
                panic!("{how}: {error:?}");
            };
            assert_eq!(&**phase, "listen");
            assert!(reason.to_string().contains("no port"), "{reason}");
            assert_eq!(log.take(), ["+chat", "open", "-chat", "stopped: shutdown"]);
            assert!(running().is_empty());
        });
    }
}

/// Rows: app.otp_2718_abnormal, app.permanent_dies, app.temporary_dies
#[test]
fn mode_says_what_a_start_that_fails_means_for_the_others() {
    let bad = || ExitReason::other("no disk");
    // (mode, why the start fails, whether all end)
    let table = [
        (Mode::Permanent, bad(), true),
        (Mode::Permanent, ExitReason::Normal, true),
        (Mode::Transient, bad(), true),
        (Mode::Transient, ExitReason::Shutdown, true),
        (Mode::Transient, ExitReason::Normal, false),
        (Mode::Temporary, bad(), false),
    ];
    for (mode, reason, all) in table {
        with_applications(|log| {
            let fails = reason.clone();
            let chat = Application::new("chat", move || Err(fails.clone())).mode(mode);
            application::load(application("base", log)).unwrap();
            application::load(chat).unwrap();
            application::start("base").unwrap();
            let error = StartApplicationError::Failed(reason.clone());
            assert_eq!(application::start("chat"), Err(error.clone()));
            if all {
                let why = Why::NotStarted("chat".into(), error);
                assert_eq!(halted(), Halted { why, forced: false });
                assert_eq!(log.take(), ["+base", "-base"]);
            } else {
                assert_eq!(application::start("chat"), Err(error));
                assert_eq!(
                    (running(), log.take()),
                    (names(&["base"]), vec!["+base".into()])
                );
            }
        });
    }
}

/// A server that starts strays when it is told to.
struct Starter;

enum Order {
    /// Starts so many; they start one each. What all of them are.
    Start(usize, ReplyTo<Vec<Pid>>),
}

impl GenServer for Starter {
    type Args = ();
    type Msg = Order;

    fn init((): (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Starter)
    }

    fn handle(&mut self, Order::Start(n, reply): Order, _: &mut Cx<Self>) -> Next<Order> {
        let (send, strays) = mpsc::channel();
        for _ in 0..n {
            let send = send.clone();
            process::spawn::<()>(move |cx| {
                let own = gen_server::spec::<Starter>(()).start().unwrap();
                send.send([cx.pid(), own.pid()]).unwrap();
                cx.trap_exit(true);
                loop {
                    cx.receive();
                }
            });
        }
        let strays = (0..n).flat_map(|_| strays.recv_timeout(LONG).unwrap());
        reply.send(strays.collect());
        Next::Loop
    }
}

static STARTER: Name<Order> = Name::new("starter");

fn starter(kind: Kind) -> Application {
    Application::new("strays", move || {
        let child = Child::server::<Starter>("starter", ()).name(&STARTER);
        let child = match kind {
            Kind::Thread => child.thread(),
            Kind::Pooled => child.pooled(),
        };
        Ok(Supervisor::new(Strategy::OneForOne).child(child))
    })
}

fn strays() -> Vec<Pid> {
    STARTER.call(|reply| Order::Start(3, reply)).unwrap()
}

/// Rows: app.group_leader_sweep
///
/// Linked to nobody and trapping exits, they end with the application all the same, even those whose parent has
/// ended before; nobody else does.
#[test]
fn strays_of_an_application_end_with_it() {
    for kind in [Kind::Thread, Kind::Pooled] {
        with_applications(|log| {
            application::load(application("other", log)).unwrap();
            application::start("other").unwrap();
            let outside = process::spawn::<()>(|cx| drop(cx.receive()));
            let left = Arc::new(Mutex::new(Vec::new()));
            let (hook, seen) = (left.clone(), log.clone());
            application::load(starter(kind).stopped(move |_| {
                let strays: &Vec<Pid> = &hook.lock().unwrap();
                let alive = strays.iter().filter(|pid| process::is_alive(**pid)).count();
                seen.add(format!("{alive} alive"));
            }))
            .unwrap();
            application::start("strays").unwrap();
            let mut pids = strays();
            let of = |pid: Pid| application::get_application(pid).unwrap();
            assert!(pids.iter().all(|pid| of(*pid) == Some("strays".into())));
            assert_eq!(
                (of(outside.pid()), of(Pid::from_parts(0, 99, 99))),
                (None, None)
            );
            // The parent of one of them goes.
            process::exit(pids[0], ExitReason::Kill);
            ended(pids.remove(0));
            *left.lock().unwrap() = pids.clone();
            let watches: Vec<_> = pids.iter().map(|pid| process::watch(*pid)).collect();
            log.take();
            application::stop("strays").unwrap();
            // The hook still found them, and they were gone when the stop returned.
            assert_eq!(log.take(), ["5 alive"]);
            assert!(pids.iter().all(|pid| !process::is_alive(*pid)));
            for watch in watches {
                assert_eq!(reason(watch), ExitReason::Killed);
            }
            assert!(outside.is_alive());
            assert_eq!(running(), names(&["other"]));
            outside.cast(());
        });
    }
}

/// Rows: app.group_leader_sweep
#[test]
fn strays_end_whatever_way_their_application_ends() {
    with_applications(|_| {
        // Its start fails, after it has started somebody.
        let (send, receive) = mpsc::channel();
        let failing = move || {
            let stray = process::spawn::<()>(|cx| drop(cx.receive()));
            send.send(process::watch(&stray)).unwrap();
            Err(ExitReason::other("no disk"))
        };
        application::load(Application::new("failing", failing)).unwrap();
        application::start("failing").unwrap_err();
        let watch = receive.recv_timeout(LONG).unwrap();
        assert_eq!(reason(watch), ExitReason::Killed);
        // Its top supervisor ends by itself.
        application::load(starter(Kind::Pooled)).unwrap();
        let top = application::start("strays").unwrap();
        let watches: Vec<_> = strays().into_iter().map(process::watch).collect();
        process::exit(&top, ExitReason::Kill);
        for watch in watches {
            assert_eq!(reason(watch), ExitReason::Killed);
        }
        eventually("it is known", || running().is_empty());
    });
}

static LEVEL: Env<u32> = Env::new("meter", "level");
static UNIT: Env<&str> = Env::new("meter", "unit");
static LABEL: Env<String> = Env::new("meter", "label");
static OTHER: Env<u32> = Env::new("other", "level");

/// Rows: app.config_change
#[test]
fn running_applications_are_told_what_changed_in_their_environment() {
    with_applications(|log| {
        let hook = log.clone();
        let meter = application("meter", log)
            .env(&LEVEL, 1)
            .on_config_change(move |change| {
                hook.add(format!(
                    "{:?} {:?} {:?}",
                    change.changed, change.new, change.removed
                ));
                Ok(())
            });
        application::load(meter).unwrap();
        application::load(application("other", log)).unwrap();
        application::start("other").unwrap();
        application::start("meter").unwrap();
        log.take();
        LABEL.set("a".to_owned());
        let before = application::prep_config_change();
        LEVEL.set(7);
        UNIT.set("m");
        assert!(LABEL.unset());
        OTHER.set(1);
        assert_eq!(application::config_change(before), Ok(()));
        assert_eq!(log.take(), [r#"[level: 7] [unit: "m"] ["label"]"#]);
        // Nothing changed for it, though the value was set.
        let before = application::prep_config_change();
        LEVEL.set(7);
        OTHER.set(2);
        assert_eq!(application::config_change(before), Ok(()));
        assert!(log.take().is_empty());
        // One that does not run is not told.
        application::stop("meter").unwrap();
        log.take();
        let before = application::prep_config_change();
        LEVEL.set(8);
        assert_eq!(application::config_change(before), Ok(()));
        assert!(log.take().is_empty());
    });
}

#[test]
fn application_that_does_not_take_a_change_is_named_and_runs_on() {
    static FIRST: Env<u32> = Env::new("first", "level");
    static SECOND: Env<u32> = Env::new("second", "level");
    static THIRD: Env<u32> = Env::new("third", "level");
    with_applications(|log| {
        let hook = log.clone();
        let bad = |_: &_| Err(ExitReason::other("too high"));
        application::load(application("first", log).on_config_change(bad)).unwrap();
        application::load(application("second", log).on_config_change(|_| panic!("out of paper")))
            .unwrap();
        let good = application("third", log).on_config_change(move |_| {
            hook.add("told");
            Ok(())
        });
        application::load(good).unwrap();
        for name in ["first", "second", "third"] {
            application::start(name).unwrap();
        }
        log.take();
        let before = application::prep_config_change();
        for level in [&FIRST, &SECOND, &THIRD] {
            level.set(9);
        }
        let failed = application::config_change(before).unwrap_err().0;
        let who: Vec<Arc<str>> = failed.iter().map(|it| it.0.clone()).collect();
        assert_eq!(
            (who, log.take()),
            (names(&["first", "second"]), vec!["told".into()])
        );
        assert_eq!(failed[0].1, ExitReason::other("too high"));
        assert!(failed[1].1.to_string().contains("out of paper"));
        assert_eq!(running().len(), 3);
    });
}

/// Rows: app.shutdown_func
#[test]
fn shutdown_function_is_called_before_anything_is_stopped() {
    with_applications(|log| {
        let (first, second) = (log.clone(), log.clone());
        application::set_shutdown_func(move |_| first.add("dropped"));
        application::set_shutdown_func(move |why| {
            second.add(format!("{why:?}, {} running", running().len()));
        });
        application::load(application("base", log)).unwrap();
        application::load(application("chat", log)).unwrap();
        application::start("base").unwrap();
        application::start("chat").unwrap();
        log.take();
        application::halt(LONG);
        assert!(!halted().forced);
        application::halt(LONG);
        assert_eq!(log.take(), ["Asked, 2 running", "-chat", "-base"]);
    });
}

/// Rows: app.shutdown_func
#[test]
fn shutdown_function_hears_why_and_does_not_keep_anybody_when_it_fails() {
    let log = Log::default();
    with_applications(|_| {
        let hook = log.clone();
        application::set_shutdown_func(move |why| {
            hook.add(matches!(why, Why::Ended(..)).to_string());
            panic!("out of paper");
        });
        application::load(application("chat", &log).permanent()).unwrap();
        let top = application::start("chat").unwrap();
        log.take();
        process::exit(&top, ExitReason::Kill);
        assert!(matches!(
            halted(),
            Halted {
                why: Why::Ended(..),
                forced: false
            }
        ));
        assert!(log.take().contains(&"true".to_owned()));
    });
    // A runtime that is shut down calls it, too.
    with_applications(|_| {
        let hook = log.clone();
        application::set_shutdown_func(move |why| hook.add(format!("{why:?}")));
        let hook = log.clone();
        let chat = application("chat", &log).prep_stop(move || hook.add("prep_stop"));
        application::load(chat).unwrap();
        application::start("chat").unwrap();
        log.take();
    });
    // And stops each application as a stop does.
    assert_eq!(log.take(), ["Asked", "prep_stop", "-chat"]);
}

/// Plays a case with processes of each kind in a runtime in which some are killed.
fn with_forced_ends(case: impl Fn(&Log)) {
    for kind in KINDS {
        let _play = record::play(&[kind]);
        let runtime = Runtime::builder().workers(2).default_kind(kind);
        let runtime = runtime.build().unwrap();
        let entered = runtime.enter();
        case(&Log::default());
        drop(entered);
        assert_eq!(runtime.shutdown(LONG).zombies, 0);
    }
}

/// Rows: app.shutdown_timeout
#[test]
fn shutdown_function_that_hangs_is_killed_when_the_time_is_over() {
    with_forced_ends(|log| {
        application::set_shutdown_func(|_| process::sleep(Duration::MAX));
        application::load(application("chat", log)).unwrap();
        let top = application::start("chat").unwrap();
        let watch = process::watch(&top);
        application::halt(Duration::from_millis(20));
        assert!(halted().forced);
        assert_eq!(reason(watch), ExitReason::Killed);
    });
}

/// Rows: app.shutdown_timeout
///
/// The others have as long as the environment says when one ends all.
#[test]
fn shutdown_timeout_holds_where_nobody_gave_a_deadline() {
    with_forced_ends(|log| {
        SHUTDOWN_TIMEOUT.set(Duration::from_millis(20));
        let stuck = application("stuck", log).prep_stop(|| process::sleep(Duration::MAX));
        application::load(stuck).unwrap();
        application::load(application("chat", log).permanent()).unwrap();
        application::start("stuck").unwrap();
        let top = application::start("chat").unwrap();
        process::exit(&top, ExitReason::Kill);
        let halted = halted();
        let Halted { why, forced } = &halted;
        assert!(matches!(why, Why::Ended(..)) && *forced, "{halted:?}");
    });
}

/// Rows: app.get_key
#[test]
fn loaded_applications_say_what_they_are() {
    with_applications(|log| {
        let chat = application("chat", log)
            .needs("base")
            .needs_if_loaded("metrics");
        application::load(chat.permanent().start_phase("listen", || Ok(()))).unwrap();
        application::load(application("base", log)).unwrap();
        assert_eq!(
            application::loaded_applications().unwrap(),
            names(&["base", "chat"])
        );
        let spec = application::spec("chat").unwrap().unwrap();
        assert_eq!((&*spec.name, spec.mode), ("chat", Mode::Permanent));
        assert_eq!(
            (spec.needs, spec.needs_if_loaded),
            (names(&["base"]), names(&["metrics"]))
        );
        assert_eq!((spec.start_phases, spec.master), (names(&["listen"]), None));
        assert_eq!(application::spec("metrics"), Ok(None));
        application::ensure_all_started("chat").unwrap();
        let master = application::spec("chat").unwrap().unwrap().master.unwrap();
        assert_eq!(
            application::get_application(master),
            Ok(Some("chat".into()))
        );
        assert_eq!(process::info(master).unwrap().group_leader, master);
        application::stop("chat").unwrap();
        application::unload("chat").unwrap();
        assert_eq!(
            application::loaded_applications().unwrap(),
            names(&["base"])
        );
    });
}
