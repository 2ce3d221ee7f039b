//! Mailboxes at their bounds: what was taken is handled or was thrown away by the rule, and every call hears something.

use crate::storm::{Dice, crowd, rounds, storm};
use crate::support::LONG;
use crate::support::stage::builder;
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind, Overflow, TryCastError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts what it handles.
struct Counter(Arc<AtomicUsize>);

enum Msg {
    Count,
    Ask(ReplyTo<()>),
}

impl GenServer for Counter {
    type Args = Arc<AtomicUsize>;
    type Msg = Msg;

    fn init(handled: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Counter(handled))
    }

    fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Count => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Msg::Ask(reply) => reply.send(()),
        }
        Next::Loop
    }
}

const SENDERS: usize = 4;

/// Every message that was taken before a stop was asked for is handled before the stop: a drain loses nothing.
#[test]
fn bounded_mailboxes_account_for_what_they_took() {
    let overflows = [
        Overflow::Reject,
        Overflow::DropNewest,
        Overflow::DropOldest,
        Overflow::Block(Duration::from_millis(1)),
        Overflow::Block(LONG),
    ];
    storm(builder(), |runtime| {
        for (kind, overflow) in [Kind::Pooled, Kind::Thread]
            .into_iter()
            .flat_map(|kind| overflows.map(|overflow| (kind, overflow)))
        {
            let handled = Arc::<AtomicUsize>::default();
            let spec = gen_server::spec::<Counter>(handled.clone()).mailbox(8, overflow);
            let spec = match kind {
                Kind::Pooled => spec.pooled(),
                Kind::Thread => spec.thread(),
            };
            let counter = spec.start().unwrap();
            let taken = AtomicUsize::new(0);
            crowd(runtime, SENDERS, |member| {
                let mut dice = Dice::new(member as u64 + 70);
                for _ in 0..rounds(400) {
                    if dice.roll(10) == 0 {
                        match counter.call_for(LONG, Msg::Ask) {
                            Ok(()) | Err(CallError::Overloaded) => {}
                            Err(error) => panic!("{kind:?}, {overflow:?}: {error}"),
                        }
                        continue;
                    }
                    match counter.try_cast(Msg::Count) {
                        Ok(()) => drop(taken.fetch_add(1, Ordering::Relaxed)),
                        Err(TryCastError::Full(_)) => {
                            assert_ne!(overflow, Overflow::DropNewest);
                            assert_ne!(overflow, Overflow::DropOldest);
                        }
                        Err(error) => panic!("{kind:?}, {overflow:?}: {error:?}"),
                    }
                }
            });
            gen_server::stop(&counter).unwrap();
            let (taken, handled) = (taken.into_inner(), handled.load(Ordering::Relaxed));
            match overflow {
                Overflow::DropNewest | Overflow::DropOldest => assert!(handled <= taken),
                _ => assert_eq!(handled, taken, "{kind:?}, {overflow:?}"),
            }
        }
        assert_eq!(process::counts().processes, 0);
    });
}
