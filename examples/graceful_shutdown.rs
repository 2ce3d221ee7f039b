//! A program that is told to stop by a signal, and finishes what it has begun.
//!
//! Run `cargo run --example graceful_shutdown --features signals`. You will see a shop make sales until SIGTERM
//! comes, which it sends to itself here. Then the shop closes before the ledger it needs, and the sale in hand is
//! booked.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::{Application, ExitReason, application, signals};
use std::error::Error;
use std::process::{self, Command};
use std::sync::Mutex;
use std::time::Duration;

static LEDGER: Name<u32> = Name::new("ledger");
static ON_PAPER: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Books sales, and writes them down at the end.
struct Ledger(Vec<u32>);

impl GenServer for Ledger {
    type Args = ();
    type Msg = u32;
    // So the end of its supervisor reaches it as `terminate`.
    const TRAP_EXIT: bool = true;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Ledger(Vec::new()))
    }
    fn handle(&mut self, sale: u32, _cx: &mut Cx<Self>) -> Next<u32> {
        self.0.push(sale);
        Next::Loop
    }
    fn terminate(&mut self, _reason: &ExitReason, _cx: &mut Cx<Self>) {
        println!("the ledger is closed with sales {:?}", self.0);
        ON_PAPER.lock().expect("paper").append(&mut self.0);
    }
}

/// Makes a sale at each message; holds the number of the one in hand.
struct Shop(u32);

impl GenServer for Shop {
    type Args = ();
    type Msg = ();
    const TRAP_EXIT: bool = true;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Continue(Shop(1), ())
    }
    fn handle(&mut self, (): (), cx: &mut Cx<Self>) -> Next<()> {
        println!("sale {}", self.0);
        if self.0 < 4 {
            LEDGER.cast(self.0);
            self.0 += 1;
            cx.send_after(Duration::from_millis(50), ());
        } else {
            let kill = format!("kill -TERM {}", process::id());
            Command::new("sh").args(["-c", &kill]).status().expect("sh");
        }
        Next::Loop
    }
    fn terminate(&mut self, reason: &ExitReason, _cx: &mut Cx<Self>) {
        println!("the shop closes ({reason}), sale {} is booked", self.0);
        LEDGER.cast(self.0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let tree = |child: Child| Ok(Supervisor::new(Strategy::OneForOne).child(child));
    let ledger = move || tree(Child::server::<Ledger>("ledger", ()).name(&LEDGER).into());
    let shop = move || tree(Child::server::<Shop>("shop", ()).thread().into());
    application::load(Application::new("ledger", ledger))?;
    application::load(Application::new("shop", shop).needs("ledger"))?;
    signals::halt_on_signal(Duration::from_secs(10))?;
    application::ensure_all_started("shop")?;
    println!("{:?}", application::wait());
    assert_eq!(*ON_PAPER.lock()?, [1, 2, 3, 4]);
    Ok(())
}
