//! A state that three replicas keep: one of them is killed, and catches up with its sisters.
//!
//! Run `cargo run --example replicated_state`. You will see three replicas begin with nothing, the third told of a
//! price, the second killed, and its successor begin with what only its sisters can have told it.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::{ExitReason, PubSub, process};
use std::error::Error;
use std::time::Duration;

static CHANGES: PubSub<Price> = PubSub::new("changes");
static REPLICAS: [Name<Msg>; 3] = [Name::new("one"), Name::new("two"), Name::new("three")];

/// The state. Of two the later wins, and of two at the same time that of the later replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Price {
    version: u64,
    by: usize,
    cents: u32,
}

enum Msg {
    Get(ReplyTo<Price>),
    Update(u32),
    Changed(Price),
}

struct Replica(usize, Price);

impl GenServer for Replica {
    type Args = usize;
    type Msg = Msg;

    fn init(me: usize, cx: &mut Cx<Self>) -> Init<Self> {
        // It subscribes and then asks, so a change in between comes by the one or by the other.
        CHANGES.subscribe("price", cx.me().recipient(Msg::Changed));
        let sisters = (0..REPLICAS.len()).filter(|other| *other != me);
        let told = sisters.filter_map(|sister| REPLICAS[sister].call(Msg::Get).ok());
        let price = told.max().unwrap_or_default();
        println!("replica {} begins with {price:?}", REPLICAS[me].as_str());
        Init::Ok(Replica(me, price))
    }

    fn handle(&mut self, msg: Msg, cx: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::Get(reply) => reply.send(self.1.clone()),
            Msg::Update(cents) => {
                let (version, by) = (self.1.version + 1, self.0);
                self.1 = Price { version, by, cents };
                CHANGES.broadcast_from(cx.pid(), "price", self.1.clone());
            }
            Msg::Changed(price) => self.1 = price.max(self.1.clone()),
        }
        Next::Loop
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut tree = Supervisor::new(Strategy::OneForOne);
    for (number, name) in REPLICAS.iter().enumerate() {
        tree = tree.child(Child::server::<Replica>(name.as_str(), number).name(name));
    }
    let tree = tree.start()?;
    REPLICAS[2].cast(Msg::Update(995));
    println!("replica three has {:?}", REPLICAS[2].call(Msg::Get)?);

    let mut death = process::watch(&REPLICAS[1]);
    process::exit(death.pid(), ExitReason::Kill);
    death.wait(Duration::from_secs(5)).ok_or("it lives on")?;
    REPLICAS[0].cast(Msg::Update(1050)); // while replica two is down, or has just come back
    let now = REPLICAS[0].call(Msg::Get)?;
    supervisor::which_children(&tree)?; // answered when the restart is through
    println!("replica two has {:?}", REPLICAS[1].call(Msg::Get)?);
    for replica in &REPLICAS {
        assert_eq!(replica.call(Msg::Get)?, now);
    }
    Ok(supervisor::stop(&tree)?)
}
