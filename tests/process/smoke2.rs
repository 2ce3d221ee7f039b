use perennial::prelude::*;
use perennial::process::{self, CallError};
use perennial::{ExitReason, Runtime};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(10);

pub enum Msg {
    Get(ReplyTo<u64>),
    Boom(ReplyTo<u64>),
    Stop(ReplyTo<u64>),
    Relay(Ref<Msg>, ReplyTo<u64>),
    Drop(ReplyTo<u64>),
}
struct S(u64);
impl GenServer for S {
    type Args = u64;
    type Msg = Msg;
    fn init(n: u64, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(S(n))
    }
    fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Get(reply) => reply.send(self.0),
            Msg::Boom(_reply) => panic!("boom"),
            Msg::Stop(_reply) => return Next::Stop(ExitReason::other("done")),
            Msg::Relay(to, reply) => reply.send(to.call(Msg::Get).unwrap() + self.0),
            Msg::Drop(_) => {}
        }
        Next::Loop
    }
}

#[test]
fn server_works() {
    for kind in [process::Kind::Pooled, process::Kind::Thread] {
        let runtime = Runtime::builder().default_kind(kind).build().unwrap();
        let _entered = runtime.enter();
        let a = gen_server::start::<S>(1).unwrap();
        let b = gen_server::start::<S>(2).unwrap();
        assert_eq!(a.call(Msg::Get), Ok(1));
        let b2 = b.clone();
        assert_eq!(a.call(move |r| Msg::Relay(b2, r)), Ok(3));
        assert_eq!(a.call(Msg::Drop), Err(CallError::NoReply));
        assert!(matches!(
            a.call(Msg::Boom),
            Err(CallError::Exited(ExitReason::Panic(_)))
        ));
        assert_eq!(a.call(Msg::Get), Err(CallError::NoProc));
        assert_eq!(
            b.call(Msg::Stop),
            Err(CallError::Exited(ExitReason::other("done")))
        );
        let c = gen_server::start::<S>(3).unwrap();
        let me = c.clone();
        assert!(matches!(
            c.call(move |r| Msg::Relay(me, r)),
            Err(CallError::Exited(ExitReason::Panic(_)))
        ));
        let d = gen_server::start::<S>(4).unwrap();
        for _ in 0..100_000 {
            assert_eq!(d.call(Msg::Get), Ok(4));
        }
        gen_server::stop(&d).unwrap();
        drop(_entered);
        let report = runtime.shutdown(LONG);
        assert_eq!(report.zombies, 0, "{report:?}");
    }
}
