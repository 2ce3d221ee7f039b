//! What is reported is made only if somebody gets it.

use crate::support::LONG;
use crate::support::stage::{builder, on_stage};
use perennial::logger::{self, Handler};
use perennial::prelude::*;
use perennial::{ExitReason, process};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Says how often somebody had a look at it.
struct Looked(Arc<AtomicU64>);

impl fmt::Debug for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        f.write_str("Looked")
    }
}

impl GenServer for Looked {
    type Args = Arc<AtomicU64>;
    type Msg = ();

    fn init(looks: Arc<AtomicU64>, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Looked(looks))
    }

    fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
        Next::Stop(ExitReason::other("failed"))
    }

    fn inspect(&self) -> Option<&dyn fmt::Debug> {
        Some(self)
    }
}

#[test]
fn report_that_nobody_gets_is_not_made() {
    on_stage(builder(), |_| {
        let looks = Arc::new(AtomicU64::new(0));
        let fail = || {
            let server = gen_server::start::<Looked>(looks.clone()).unwrap();
            let mut watch = process::watch(&server);
            server.cast(());
            watch.wait(LONG).expect("it fails");
        };
        logger::remove_handler("default");
        fail();
        assert_eq!(looks.load(Ordering::SeqCst), 0, "there is no handler");
        // The report of the server, and that of its process.
        let kept = Arc::new(AtomicU64::new(0));
        let count = kept.clone();
        let few = Handler::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let few = few.burst(2, Duration::from_secs(3_600));
        logger::add_handler("few", few).expect("the id is free");
        (0..3).for_each(|_| fail());
        assert_eq!(looks.load(Ordering::SeqCst), 1, "the burst was one failure");
        assert_eq!(kept.load(Ordering::SeqCst), 2);
        let few = logger::handlers();
        assert_eq!(few[0].dropped, 4);
        // A filter looks at what there is.
        logger::remove_handler("few");
        let none = Handler::new(|_| {}).filter(|_| false);
        logger::add_handler("none", none).expect("the id is free");
        fail();
        assert_eq!(looks.load(Ordering::SeqCst), 2, "a filter has a look first");
    });
}
