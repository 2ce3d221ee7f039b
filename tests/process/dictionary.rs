//! The dictionary of a process: its own, with it wherever it runs, and gone when it dies.

use crate::support::LONG;
use crate::support::puppet::{all_pairs, both_kinds};
use perennial::process::{self, Key, NotAProcess};
use perennial::{ExitReason, Pid};
use std::sync::{Arc, mpsc};

static COUNT: Key<u64> = Key::new("count");
static TEXT: Key<String> = Key::new("text");
/// Another key, though it is called the same.
static COUNT_TEXT: Key<String> = Key::new("count");

/// Rows: exproc.dictionary
#[test]
fn put_gives_back_what_was_there() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        puppet.run(|_| {
            assert_eq!(process::get(&COUNT), Ok(None));
            assert_eq!(process::put(&COUNT, 1), Ok(None));
            assert_eq!(process::put(&TEXT, "one".to_owned()), Ok(None));
            assert_eq!(process::put(&COUNT_TEXT, "one".to_owned()), Ok(None));
        });
        // In other turns, which other workers may run.
        for n in 1..20 {
            puppet.run(move |_| assert_eq!(process::put(&COUNT, n + 1), Ok(Some(n))));
        }
        puppet.run(|_| {
            assert_eq!(process::get(&COUNT), Ok(Some(20)));
            assert_eq!(process::get(&TEXT), Ok(Some("one".to_owned())));
            assert_eq!(process::keys(), Ok(vec!["text", "count", "count"]));
            assert_eq!(process::delete(&COUNT), Ok(Some(20)));
            assert_eq!(process::delete(&COUNT), Ok(None));
            assert_eq!(process::get(&COUNT), Ok(None));
            assert_eq!(process::get(&COUNT_TEXT), Ok(Some("one".to_owned())));
        });
    });
}

#[test]
fn dictionary_is_that_of_its_own_process() {
    all_pairs(|one, other| {
        let puppet = one.puppet();
        puppet.run(move |_| {
            process::put(&COUNT, 1).unwrap();
            // Started, and perhaps run, on this thread.
            let inner = other.linked();
            inner.run(|_| assert_eq!(process::put(&COUNT, 2), Ok(None)));
            assert_eq!(process::get(&COUNT), Ok(Some(1)));
            inner.run(|_| assert_eq!(process::get(&COUNT), Ok(Some(2))));
        });
        assert_eq!(process::put(&COUNT, 3), Err(NotAProcess));
        assert_eq!(process::get(&COUNT), Err(NotAProcess));
        assert_eq!(process::delete(&COUNT), Err(NotAProcess));
        assert_eq!(process::keys(), Err(NotAProcess));
    });
}

/// Tells who is alive when it is dropped.
struct Teller(mpsc::Sender<bool>, Pid);

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.send(process::is_alive(self.1)).unwrap();
    }
}

#[test]
fn values_are_dropped_with_their_process() {
    static TELLER: Key<Arc<Teller>> = Key::new("teller");
    both_kinds(|kind| {
        for reason in [
            ExitReason::Normal,
            ExitReason::Kill,
            ExitReason::other("died"),
        ] {
            let puppet = kind.puppet();
            let (sender, dropped) = mpsc::channel();
            let pid = puppet.pid();
            puppet.run(move |_| process::put(&TELLER, Arc::new(Teller(sender, pid))).is_ok());
            if reason == ExitReason::Kill {
                process::exit(pid, ExitReason::Kill);
            } else {
                puppet.end(reason);
            }
            assert_eq!(dropped.recv_timeout(LONG), Ok(false));
        }
    });
}

/// A value whose destructor panics is no trouble to anybody else.
#[test]
fn value_that_panics_at_the_end_leaves_the_end_as_it_is() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("at the end");
        }
    }
    static BOMB: Key<Bomb> = Key::new("bomb");
    both_kinds(|kind| {
        let puppet = kind.puppet();
        puppet.run(|_| process::put(&BOMB, Bomb).is_ok());
        let reason = puppet.end_and_wait(ExitReason::other("died"));
        assert_eq!(reason, ExitReason::other("died"));
    });
}
