//! A server is stopped by whatever leads to it, a key of a registry as well.

use crate::stage::on_both_kinds;
use perennial::prelude::*;
use perennial::process::{self, CallError, Kind};
use perennial::{ExitReason, Pid, Registry};

struct Idle;

impl GenServer for Idle {
    type Args = ();
    type Msg = ();

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Idle)
    }

    fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
        Next::Loop
    }
}

static IDLES: Registry<u32, ()> = Registry::new("idles");

/// Rows: gs.stop7
#[test]
fn server_is_stopped_by_its_key() {
    on_both_kinds(|kind| {
        let via = IDLES.via(7_u32);
        assert_eq!(gen_server::stop(&via), Err(CallError::NoProc));
        let spec = gen_server::spec::<Idle>(()).via(via.clone());
        let server = match kind {
            Kind::Thread => spec.thread().start(),
            Kind::Pooled => spec.pooled().start(),
        };
        let mut watch = process::watch(&via);
        assert_eq!(watch.pid(), server.unwrap().pid());
        let reason = ExitReason::other("enough");
        let stopped = gen_server::stop_for(&via, reason.clone(), crate::stage::LONG);
        assert_eq!(stopped, Ok(()));
        assert_eq!(watch.wait(crate::stage::LONG).unwrap().reason, reason);
        assert_eq!(gen_server::stop(&via), Err(CallError::NoProc));
        assert_eq!(process::watch(&via).pid(), Pid::INIT);
    });
}
