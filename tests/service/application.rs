//! Applications: order, environment, modes, and the end of all; ids as in the table of conformance cases.

use crate::stage::{KINDS, LONG, ended, eventually, in_runtime, on_both_kinds, play, reason};
use crate::support::record;
use perennial::application::{
    self, Application, EnsureError, Halted, LoadError, Mode, StartApplicationError, StopError, Why,
};
use perennial::prelude::*;
use perennial::process::{self, Kind};
use perennial::{ExitReason, Pid, Runtime, supervisor};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A server that tells when it is up and when it is asked to end.
struct Teller(Args);

#[derive(Clone)]
struct Args {
    name: &'static str,
    log: Log,
}

impl GenServer for Teller {
    type Args = Args;
    type Msg = ExitReason;
    const TRAP_EXIT: bool = true;

    fn init(args: Args, _: &mut Cx<Self>) -> Init<Self> {
        args.log.add(format!("+{}", args.name));
        Init::Ok(Teller(args))
    }

    fn handle(&mut self, reason: ExitReason, _: &mut Cx<Self>) -> Next<ExitReason> {
        Next::Stop(reason)
    }

    fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
        self.0.log.add(format!("-{}", self.0.name));
    }
}

fn tree(args: &Args) -> Supervisor {
    let child = Child::server::<Teller>("teller", args.clone());
    Supervisor::new(Strategy::OneForOne).child(child)
}

pub(crate) fn application(name: &'static str, log: &Log) -> Application {
    let args = Args {
        name,
        log: log.clone(),
    };
    Application::new(name, move || Ok(tree(&args)))
}

pub(crate) fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

/// Waits until all are stopped, not for ever.
pub(crate) fn halted() -> Halted {
    let (send, receive) = mpsc::channel();
    process::spawn::<()>(move |_| send.send(application::wait()).unwrap());
    receive.recv_timeout(LONG).unwrap()
}

pub(crate) fn running() -> Vec<Arc<str>> {
    application::which_applications().unwrap()
}

/// Plays a case with processes of each kind in a runtime, which is shut down at the end, for a controller that stays
/// to its end.
pub(crate) fn with_applications(case: impl Fn(&Log)) {
    for kind in KINDS {
        let _play = record::play(&[kind]);
        let runtime = Runtime::builder().workers(2).default_kind(kind);
        let runtime = runtime.build().unwrap();
        let entered = runtime.enter();
        case(&Log::default());
        drop(entered);
        let report = runtime.shutdown(LONG);
        assert_eq!((report.killed, report.zombies), (0, 0), "{report:?}");
    }
}

/// Rows: app.ensure_all_started
#[test]
fn applications_start_after_what_they_need() {
    with_applications(|log| {
        application::load(application("chat", log).needs("web").needs("store")).unwrap();
        application::load(application("web", log).needs("store")).unwrap();
        application::load(application("store", log)).unwrap();
        application::load(application("other", log)).unwrap();
        let started = application::ensure_all_started("chat").unwrap();
        assert_eq!(started, names(&["store", "web", "chat"]));
        assert_eq!(log.take(), ["+store", "+web", "+chat"]);
        assert_eq!(running(), started);
        assert_eq!(application::ensure_all_started("chat"), Ok(vec![]));
        assert_eq!(application::ensure_started("chat"), Ok(()));
        application::stop("chat").unwrap();
        assert_eq!(
            application::ensure_all_started("chat"),
            Ok(names(&["chat"]))
        );
        assert_eq!(log.take(), ["-chat", "+chat"]);
    });
}

/// Rows: app.ensure_all_started
///
/// What was started on the way to a failure is stopped again, and only that.
#[test]
fn failed_start_is_undone() {
    with_applications(|log| {
        let failing = || Err(ExitReason::other("no disk"));
        application::load(Application::new("store", failing).needs("files")).unwrap();
        application::load(application("files", log).needs("base")).unwrap();
        application::load(application("base", log)).unwrap();
        application::load(application("chat", log).needs("store")).unwrap();
        application::start("base").unwrap();
        let error = EnsureError {
            application: "store".into(),
            error: StartApplicationError::Failed(ExitReason::other("no disk")),
        };
        assert_eq!(application::ensure_all_started("chat"), Err(error));
        assert_eq!(log.take(), ["+base", "+files", "-files"]);
        assert_eq!(running(), names(&["base"]));
    });
}

/// Rows: app.start_dep_missing
#[test]
fn start_alone_wants_what_it_needs_to_run() {
    with_applications(|log| {
        application::load(application("chat", log).needs("store")).unwrap();
        application::load(application("store", log)).unwrap();
        let missing = |name: &str| StartApplicationError::NotStarted(name.into());
        assert_eq!(application::start("chat"), Err(missing("store")));
        application::start("store").unwrap();
        let chat = application::start("chat").unwrap();
        assert_eq!(supervisor::count_children(&chat).unwrap().active, 1);
        assert_eq!(
            application::start("chat"),
            Err(StartApplicationError::AlreadyStarted)
        );
        let unknown = StartApplicationError::NotLoaded("nobody".into());
        assert_eq!(application::start("nobody"), Err(unknown.clone()));
        application::load(application("lost", log).needs("nobody")).unwrap();
        let error = EnsureError {
            application: "nobody".into(),
            error: unknown,
        };
        assert_eq!(application::ensure_all_started("lost"), Err(error));
    });
}

#[test]
fn circle_of_needs_starts_nobody() {
    with_applications(|log| {
        application::load(application("a", log).needs("b")).unwrap();
        application::load(application("b", log).needs_if_loaded("a")).unwrap();
        let circle = StartApplicationError::Circle(names(&["a", "b"]));
        let error = EnsureError {
            application: "a".into(),
            error: circle,
        };
        assert_eq!(application::ensure_all_started("a"), Err(error));
        assert!(log.take().is_empty());
    });
}

/// Rows: app.optional_applications
#[test]
fn optional_needs_are_started_where_they_are_loaded() {
    with_applications(|log| {
        application::load(application("chat", log).needs_if_loaded("metrics")).unwrap();
        assert_eq!(
            application::ensure_all_started("chat"),
            Ok(names(&["chat"]))
        );
        application::stop("chat").unwrap();
        application::load(application("metrics", log)).unwrap();
        let started = application::ensure_all_started("chat");
        assert_eq!(started, Ok(names(&["metrics", "chat"])));
        application::stop("chat").unwrap();
        application::stop("metrics").unwrap();
        application::unload("metrics").unwrap();
        application::load(Application::new("metrics", || panic!("out of paper"))).unwrap();
        let error = application::ensure_all_started("chat").unwrap_err();
        assert_eq!(&*error.application, "metrics");
        assert!(error.to_string().contains("out of paper"), "{error}");
    });
}

/// Rows: app.otp_2973
#[test]
fn two_who_start_one_application_get_the_same_answer() {
    with_applications(|log| {
        for fails in [false, true] {
            let name = if fails { "bad" } else { "good" };
            let (go, wait) = mpsc::channel::<()>();
            let (begun, has_begun) = mpsc::channel::<()>();
            let gate = Mutex::new((begun, wait));
            let args = Args {
                name: "good",
                log: log.clone(),
            };
            let start = move || {
                let (begun, wait) = &*gate.lock().unwrap();
                begun.send(()).unwrap();
                wait.recv().unwrap();
                if fails {
                    return Err(ExitReason::other("no disk"));
                }
                Ok(tree(&args))
            };
            application::load(Application::new(name, start)).unwrap();
            let (answer, answers) = mpsc::channel();
            for _ in 0..2 {
                let answer = answer.clone();
                process::spawn::<()>(move |_| answer.send(application::start(name)).unwrap());
            }
            has_begun.recv_timeout(LONG).unwrap();
            // The second start waits with the first: it would be the next to begin otherwise.
            let none = application::which_applications().unwrap();
            assert!(!none.contains(&name.into()));
            go.send(()).unwrap();
            let first = answers.recv_timeout(LONG).unwrap();
            if fails {
                // One that came after the failure starts anew.
                let _ = go.send(());
            }
            let second = answers.recv_timeout(LONG).unwrap();
            match (first, second) {
                (Ok(first), Ok(second)) => assert_eq!(first, second),
                // Whoever came when it was up is told so.
                (Ok(_), Err(StartApplicationError::AlreadyStarted)) => {}
                (Err(StartApplicationError::AlreadyStarted), Ok(_)) => {}
                (Err(first), Err(second)) => assert_eq!(first, second),
                other => panic!("{other:?}"),
            }
        }
    });
}

/// Rows: app.otp_4227
#[test]
fn failing_tree_says_which_child_failed() {
    with_applications(|_| {
        struct Broken;
        impl GenServer for Broken {
            type Args = ();
            type Msg = ();
            fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
                Init::Stop(ExitReason::other("no disk"))
            }
            fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
                Next::Loop
            }
        }
        let tree = || {
            let child = Child::server::<Broken>("disk", ());
            Ok(Supervisor::new(Strategy::OneForOne).child(child))
        };
        application::load(Application::new("store", tree)).unwrap();
        let Err(StartApplicationError::Failed(reason)) = application::start("store") else {
            panic!("a tree with a broken child does not start");
        };
        let text = reason.to_string();
        assert!(text.contains("disk") && text.contains("no disk"), "{text}");
        assert!(running().is_empty());
    });
}

#[test]
fn application_is_loaded_once_and_unloaded_when_it_does_not_run() {
    with_applications(|log| {
        application::load(application("chat", log)).unwrap();
        let again = application::load(application("chat", log));
        assert_eq!(again, Err(LoadError::AlreadyLoaded));
        application::start("chat").unwrap();
        assert_eq!(application::unload("chat"), Err(LoadError::Running));
        application::stop("chat").unwrap();
        assert_eq!(application::stop("chat"), Err(StopError::NotStarted));
        application::unload("chat").unwrap();
        assert_eq!(application::unload("chat"), Err(LoadError::NotLoaded));
        assert_eq!(application::stop("chat"), Err(StopError::NotStarted));
    });
}

/// The parent of a tree is not who happened to start it.
#[test]
fn application_outlives_the_process_that_started_it() {
    on_both_kinds(|kind| {
        let log = Log::default();
        let chat = application("chat", &log);
        let top = play(kind, move || {
            application::load(chat).unwrap();
            application::start("chat").unwrap()
        });
        let top = top.unwrap();
        assert!(top.is_alive());
        assert_eq!(running(), names(&["chat"]));
        application::halt(LONG);
        assert!(!halted().forced);
        let controller = process::whereis("application_controller").unwrap();
        process::exit(controller, ExitReason::Shutdown);
        ended(controller);
    });
}

/// Rows: app.shutdown_func
#[test]
fn hooks_run_around_the_stop() {
    with_applications(|log| {
        let (before, after) = (log.clone(), log.clone());
        let chat = application("chat", log)
            .prep_stop(move || before.add("prep_stop"))
            .stopped(move |reason| after.add(format!("stopped: {reason}")));
        application::load(chat).unwrap();
        application::start("chat").unwrap();
        application::stop("chat").unwrap();
        assert_eq!(
            log.take(),
            ["+chat", "prep_stop", "-chat", "stopped: shutdown"]
        );
        let bad = application("bad", log).prep_stop(|| panic!("out of paper"));
        application::load(bad.stopped(|_| panic!("out of ink"))).unwrap();
        application::start("bad").unwrap();
        application::stop("bad").unwrap();
        assert_eq!(log.take(), ["+bad", "-bad"]);
    });
}

/// Rows: app.permanent_dies, app.temporary_dies, app.otp_2718_abnormal
#[test]
fn mode_says_what_the_end_of_one_means_for_the_others() {
    let bad = ExitReason::other("broken");
    // (mode, reason of the end, whether all end)
    let table = [
        (Mode::Permanent, ExitReason::Normal, true),
        (Mode::Permanent, ExitReason::Shutdown, true),
        (Mode::Permanent, bad.clone(), true),
        (Mode::Transient, ExitReason::Normal, false),
        (Mode::Transient, ExitReason::Shutdown, true),
        (Mode::Transient, bad.clone(), true),
        (Mode::Temporary, bad, false),
    ];
    for (mode, reason, all) in table {
        with_applications(|log| {
            application::load(application("base", log)).unwrap();
            application::load(application("chat", log).needs("base").mode(mode)).unwrap();
            application::ensure_all_started("chat").unwrap();
            let top = process::info(master_of("chat")).unwrap().links;
            let top = top.into_iter().find(|pid| is_top(*pid)).unwrap();
            log.take();
            let watch = process::watch(top);
            gen_server::stop_for(top, reason.clone(), LONG).unwrap();
            assert_eq!(crate::stage::reason(watch), reason);
            if all {
                let why = Why::Ended("chat".into(), reason.clone());
                assert_eq!(halted(), Halted { why, forced: false });
                assert_eq!(log.take(), ["-chat", "-base"]);
                let error = application::start("base");
                assert_eq!(error, Err(StartApplicationError::Stopping));
            } else {
                eventually("it is known", || running() == names(&["base"]));
                application::start("chat").unwrap();
                assert_eq!(log.take(), ["-chat", "+chat"]);
            }
        });
    }
}

/// The master of an application: the process with its name for a label.
fn master_of(application: &str) -> Pid {
    let masters = process::processes().into_iter().filter(|pid| {
        process::info(*pid).is_some_and(|info| info.label.as_deref() == Some(application))
    });
    let masters: Vec<Pid> = masters.collect();
    assert_eq!(masters.len(), 1);
    masters[0]
}

/// A supervisor whose parent is a master.
fn is_top(pid: Pid) -> bool {
    process::info(pid).is_some_and(|info| info.trap_exit && info.initial == "supervisor")
}

/// A supervisor that gives up ends with `Shutdown`; for an application that ends all, that is the end of all.
#[test]
fn storm_of_crashes_ends_everything_in_order() {
    with_applications(|log| {
        application::load(application("base", log)).unwrap();
        static TELLER: Name<ExitReason> = Name::new("teller");
        let args = Args {
            name: "chat",
            log: log.clone(),
        };
        let chat = Application::new("chat", move || {
            let child = Child::server::<Teller>("teller", args.clone()).name(&TELLER);
            let supervisor = Supervisor::new(Strategy::OneForOne);
            Ok(supervisor
                .intensity(1, Duration::from_secs(60))
                .child(child))
        });
        application::load(chat.needs("base").transient()).unwrap();
        application::ensure_all_started("chat").unwrap();
        for _ in 0..2 {
            let teller = TELLER.whereis().unwrap();
            teller.cast(ExitReason::other("broken"));
            ended(teller.pid());
            eventually("restarted, or given up", || {
                TELLER.whereis().is_some() || !running().contains(&"chat".into())
            });
        }
        let why = Why::Ended("chat".into(), ExitReason::Shutdown);
        assert_eq!(halted(), Halted { why, forced: false });
        assert_eq!(
            log.take(),
            ["+base", "+chat", "-chat", "+chat", "-chat", "-base"]
        );
    });
}

#[test]
fn halt_stops_the_last_first_and_tells_everybody_who_waits() {
    with_applications(|log| {
        application::load(application("a", log)).unwrap();
        application::load(application("b", log)).unwrap();
        application::load(application("c", log).needs("a")).unwrap();
        for name in ["b", "a", "c"] {
            application::start(name).unwrap();
        }
        let (send, receive) = mpsc::channel();
        for _ in 0..2 {
            let send = send.clone();
            process::spawn::<()>(move |_| send.send(application::wait()).unwrap());
        }
        log.take();
        application::halt(LONG);
        application::halt(Duration::ZERO);
        let why = Why::Asked;
        let all = Halted { why, forced: false };
        assert_eq!(halted(), all);
        for _ in 0..2 {
            assert_eq!(receive.recv_timeout(LONG).unwrap(), all);
        }
        assert_eq!(log.take(), ["-c", "-a", "-b"]);
        assert!(running().is_empty());
        assert_eq!(application::wait(), all);
    });
}

/// Rows: app.shutdown_timeout
#[test]
fn application_that_does_not_stop_is_killed_when_its_time_is_over() {
    for kind in KINDS {
        let _play = record::play(&[kind]);
        application_that_does_not_stop_is_killed(kind);
    }
}

fn application_that_does_not_stop_is_killed(kind: Kind) {
    let runtime = Runtime::builder().workers(2).default_kind(kind);
    let runtime = runtime.build().unwrap();
    let entered = runtime.enter();
    let log = Log::default();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    application::load(application("base", &log)).unwrap();
    let stuck = application("stuck", &log).prep_stop(move || {
        let _ = wait.lock().unwrap().recv();
    });
    application::load(stuck).unwrap();
    application::start("base").unwrap();
    let top = application::start("stuck").unwrap();
    let watch = process::watch(&top);
    application::halt(Duration::from_millis(20));
    let why = Why::Asked;
    assert_eq!(halted(), Halted { why, forced: true });
    assert_eq!(reason(watch), ExitReason::Killed);
    drop(go);
    drop(entered);
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
}

/// Rows: app.otp_5363
///
/// A stop takes as long as what is stopped, and no longer.
#[test]
fn stop_returns_when_the_slowest_process_has_ended() {
    struct Slow(Arc<Mutex<mpsc::Receiver<()>>>);
    impl GenServer for Slow {
        type Args = Arc<Mutex<mpsc::Receiver<()>>>;
        type Msg = ();
        const TRAP_EXIT: bool = true;
        fn init(end: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            Init::Ok(Slow(end))
        }
        fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }
        fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
            self.0.lock().unwrap().recv().unwrap();
        }
    }
    with_applications(|_| {
        let (ends, wait): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel::<()>()).unzip();
        let waits: Vec<_> = wait
            .into_iter()
            .map(|it| Arc::new(Mutex::new(it)))
            .collect();
        let slow = Application::new("slow", move || {
            let mut tree = Supervisor::new(Strategy::OneForOne);
            for (n, wait) in waits.iter().enumerate() {
                let child = Child::server::<Slow>(n.to_string(), wait.clone());
                tree = tree.child(child.thread().shutdown(supervisor::Shutdown::Infinity));
            }
            Ok(tree)
        });
        application::load(slow).unwrap();
        application::start("slow").unwrap();
        let (stopped, is_stopped) = mpsc::channel();
        process::spawn::<()>(move |_| stopped.send(application::stop("slow")).unwrap());
        for end in &ends {
            eventually("it is told to stop", || running() == names(&["slow"]));
            assert!(is_stopped.try_recv().is_err());
            end.send(()).unwrap();
        }
        assert_eq!(is_stopped.recv_timeout(LONG).unwrap(), Ok(()));
        assert!(running().is_empty());
    });
}

/// Rows: app.shutdown_deadlock
#[test]
fn applications_may_be_asked_about_while_one_stops() {
    with_applications(|log| {
        application::load(application("base", log)).unwrap();
        let seen = log.clone();
        let chat = application("chat", log).prep_stop(move || {
            let running: Vec<String> = running().iter().map(|name| name.to_string()).collect();
            seen.add(running.join(" "));
            assert_eq!(
                application::start("chat"),
                Err(StartApplicationError::Stopping)
            );
        });
        application::load(chat).unwrap();
        application::start("base").unwrap();
        application::start("chat").unwrap();
        log.take();
        application::stop("chat").unwrap();
        assert_eq!(log.take(), ["base chat", "-chat"]);
    });
}

#[test]
fn runtime_that_shuts_down_stops_the_applications_in_order() {
    let log = Log::default();
    with_applications(|_| {
        application::load(application("a", &log)).unwrap();
        application::load(application("b", &log).needs("a")).unwrap();
        application::load(application("c", &log).needs("b")).unwrap();
        application::ensure_all_started("c").unwrap();
        log.take();
    });
    assert_eq!(log.take(), ["-c", "-b", "-a"]);
}

/// Whoever loses the controller loses the applications, in an orderly way each.
#[test]
fn killed_controller_takes_the_applications_along() {
    in_runtime(|| {
        let log = Log::default();
        application::load(application("chat", &log)).unwrap();
        let top = application::start("chat").unwrap();
        let watch = process::watch(&top);
        let controller = process::whereis("application_controller").unwrap();
        process::exit(controller, ExitReason::Kill);
        assert_eq!(reason(watch), ExitReason::Shutdown);
        assert_eq!(log.take(), ["+chat", "-chat"]);
        assert_eq!(process::whereis("application_controller"), None);
    });
}
