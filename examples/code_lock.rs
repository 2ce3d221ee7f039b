//! A door with a code lock, as a state machine: it opens for the code, locks itself again after a while, and takes
//! no code for a moment when three were wrong. Whoever walks to a locked door waits there.
//!
//! Run `cargo run --example code_lock`. You will see three wrong codes and the pause after them, then the right
//! one, Ada who walks in at last, and the door that locks itself.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::gen_statem::{Cx, Enter, Event, Init, Next, Timeout};
use perennial::prelude::*;
use std::error::Error;
use std::time::Duration;

static LOCK: Name<Msg> = Name::new("code lock");

#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Locked,
    Paused,
    Open,
}

enum Msg {
    Code(u32, ReplyTo<bool>),
    Walk(&'static str),
    Lock,
}

struct Lock {
    code: u32,
    wrong: u32,
}

impl GenStatem for Lock {
    type Args = u32;
    type Msg = Msg;
    type State = Door;
    type Timer = ();

    const STATE_ENTER: bool = true;

    fn init(code: u32, _: &mut Cx<Self>) -> Init<Self> {
        Init::ok(Door::Locked, Lock { code, wrong: 0 })
    }

    fn enter(&mut self, _: &Door, door: &Door, _: &mut Cx<Self>) -> Enter<Self> {
        println!("the door is {door:?}");
        self.wrong = 0;
        match door {
            Door::Locked => Enter::keep_state(),
            _ => Enter::keep_state().state_timeout(Duration::from_millis(50), Msg::Lock),
        }
    }

    fn handle(&mut self, event: Event<Self>, door: &Door, _: &mut Cx<Self>) -> Next<Self> {
        match (door, event) {
            (Door::Locked, Event::Message(Msg::Code(code, reply))) => {
                let right = code == self.code;
                println!("{code} is {}", if right { "right" } else { "wrong" });
                self.wrong += u32::from(!right);
                let door = match self.wrong {
                    _ if right => Door::Open,
                    3.. => Door::Paused,
                    _ => Door::Locked,
                };
                Next::next_state(door).reply(reply, right)
            }
            (Door::Open, Event::Message(Msg::Walk(who))) => {
                println!("{who} walks in");
                Next::keep_state()
            }
            (_, Event::Timeout(Timeout::State, _)) => Next::next_state(Door::Locked),
            // This is not the state for it: it waits for a better one.
            (_, event) => Next::keep_state().postpone(event),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let lock = Child::statem::<Lock>("lock", 4711).name(&LOCK);
    let tree = Supervisor::new(Strategy::OneForOne).child(lock).start()?;

    LOCK.cast(Msg::Walk("Ada"));
    // The fourth is tried when the pause is over, the last one when the door has locked itself.
    for code in [1, 12, 123, 4711, 99] {
        let right = LOCK.call(|reply| Msg::Code(code, reply))?;
        assert_eq!(right, code == 4711);
    }
    supervisor::stop(&tree)?;
    Ok(())
}
