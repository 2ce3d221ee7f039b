//! An agent: a state in a process of its own, and closures that look at it and change it.
//!
//! Run `cargo run --example agent`. You will see a stock that two threads draw from, a look into it while it is
//! suspended, and what its supervisor begins anew with after a closure panicked. The crash is reported on stderr.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::agent::{self, Agent};
use perennial::prelude::*;
use perennial::sys::{self, Switch};
use std::collections::BTreeMap;
use std::error::Error;

type Stock = BTreeMap<&'static str, u32>;

// A name leads to whoever has it at the moment, so it survives restarts.
static STOCK: Name<agent::Msg<Stock>> = Name::new("stock");

/// Takes one, if there is one.
fn take(what: &'static str) -> bool {
    let taken = agent::get_and_update(&STOCK, move |stock| match stock.get_mut(what) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    });
    taken.unwrap_or(false)
}

fn main() -> Result<(), Box<dyn Error>> {
    let shop = Supervisor::new(Strategy::OneForOne)
        .child(Child::agent("stock", || Stock::from([("apples", 5), ("pears", 2)])).name(&STOCK))
        .start()?;

    sys::statistics(&STOCK, Switch::On)?;
    let customers = ["apples", "pears"]
        .map(|what| std::thread::spawn(move || (what, (0..4).filter(|_| take(what)).count())));
    for customer in customers {
        let (what, got) = customer.join().map_err(|_| "a customer panicked")?;
        println!("asked for 4 {what}, got {got}");
    }
    let counted = sys::get_statistics(&STOCK)?;
    println!(
        "{} requests, {} answers",
        counted.messages_in, counted.messages_out
    );

    // Suspended it answers nobody, and can be looked at all the same.
    sys::suspend(&STOCK)?;
    let left = sys::with_state(&STOCK, |stock: &Agent<Stock>| stock.state().clone())?;
    println!("left while it is suspended: {left:?}");
    sys::resume(&STOCK)?;

    let broken = agent::update(&STOCK, |_| panic!("a shelf came down"));
    println!(
        "told who asked: {}",
        broken.expect_err("the closure panics")
    );
    supervisor::which_children(&shop)?; // Answered when the restart is through.
    println!("begun anew with {:?}", agent::get(&STOCK, Stock::clone)?);
    supervisor::stop(&shop)?;
    Ok(())
}
