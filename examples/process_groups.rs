//! A group of workers that take different messages, and somebody who follows who is in it.
//!
//! Run `cargo run --example process_groups`. You will see two kinds of workers do the same jobs, and what the monitor
//! of the group is told while they come and go, the last because it was told to end.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::pg::{Change, Event, Scope};
use perennial::{ExitReason, process};
use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

/// What the group takes.
#[derive(Clone)]
struct Job(u64);

static WORKERS: Scope<&str, Job> = Scope::new("workers");

/// What the follower is sent.
type Told = Event<&'static str, Job>;

fn main() -> Result<(), Box<dyn Error>> {
    let (done, results) = mpsc::channel();
    let squares = done.clone();
    // One takes numbers, the other text: each says how a job becomes a message of its own.
    let squarer = process::spawn::<u64>(move |cx| {
        while let Some(n) = cx.receive().message() {
            squares
                .send(format!("{n} squared is {}", n * n))
                .unwrap_or_default();
        }
    });
    let printer = process::spawn::<String>(move |cx| {
        while let Some(text) = cx.receive().message() {
            done.send(format!("printed {text:?}")).unwrap_or_default();
        }
    });

    let followed = process::run::<Told, _>(|cx| -> Result<(), Box<dyn Error>> {
        let (_, now) = WORKERS.monitor("all", cx.me().recipient(|event| event))?;
        println!("in the group at first: {}", now.len());
        WORKERS.join("all", squarer.recipient(|job: Job| job.0))?;
        WORKERS.join(
            "all",
            printer.recipient(|job: Job| format!("job {}", job.0)),
        )?;
        for member in WORKERS.get_members("all") {
            member.cast(Job(7));
        }
        let mut lines = [0, 1].map(|_| {
            results
                .recv_timeout(Duration::from_secs(5))
                .unwrap_or_default()
        });
        lines.sort();
        println!("{}", lines.join("\n"));

        WORKERS.leave("all", &printer)?;
        process::exit(&squarer, ExitReason::other("out of paper"));
        for _ in 0..4 {
            let event = cx.receive().message().ok_or("only events come")?;
            let what = if event.change == Change::Join {
                "joined"
            } else {
                "left"
            };
            println!("{:?} {what} {:?}", event.pids(), event.group);
        }
        println!("in the group at last: {}", WORKERS.get_members("all").len());
        process::exit(&printer, ExitReason::Shutdown);
        Ok(())
    });
    followed?
}
