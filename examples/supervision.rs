//! A worker that crashes and returns, until it crashes too often.
//!
//! Run `cargo run --example supervision`. You will see a printer run out of paper twice and come back each time
//! with a full tray, and its supervisor give up when it fails a third time. A crash is reported on stderr.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::process;
use perennial::supervisor::SupervisorEvent;
use std::error::Error;
use std::time::Duration;

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(5);

// A name leads to whoever has it at the moment, so it survives restarts.
static PRINTER: Name<PrinterMsg> = Name::new("printer");

enum PrinterMsg {
    Print(ReplyTo<u32>),
    Jam,
}

/// Holds the sheets that are left in the tray.
struct Printer(u32);

impl GenServer for Printer {
    type Args = u32;
    type Msg = PrinterMsg;

    fn init(sheets: u32, _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Printer(sheets))
    }

    fn handle(&mut self, msg: PrinterMsg, _cx: &mut Cx<Self>) -> Next<PrinterMsg> {
        match msg {
            PrinterMsg::Print(reply) => {
                self.0 -= 1;
                reply.send(self.0);
            }
            PrinterMsg::Jam => panic!("out of paper"),
        }
        Next::Loop
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    process::attach(|event: &SupervisorEvent| println!("  {}: {:?}", event.child, event.what));
    let office = Supervisor::new(Strategy::OneForOne)
        .intensity(2, SOON)
        .child(Child::server::<Printer>("printer", 3).name(&PRINTER))
        .start()?;
    let mut end = process::watch(&office);

    for round in 1..=2 {
        let left = PRINTER.call(PrinterMsg::Print)?;
        println!("round {round}: printed, {left} sheets left, then a jam");
        assert_eq!(left, 2, "each printer begins with a full tray");

        let mut crash = process::watch(&PRINTER);
        PRINTER.cast(PrinterMsg::Jam);
        crash.wait(SOON).ok_or("the printer does not crash")?;
        // Asked now, the supervisor answers when the restart is through.
        supervisor::which_children(&office)?;
    }

    println!("round 3: a jam too many");
    PRINTER.cast(PrinterMsg::Jam);
    let end = end.wait(SOON).ok_or("the supervisor does not give up")?;
    println!("the office is closed: {}", end.reason);
    Ok(())
}
