//! Ping-pong between two thread processes: each has an OS thread of its own and simply waits for the ball.
//!
//! Run `cargo run --example ping_pong`. You will see a rally of six strokes, then the ball go out of play, and
//! the second player fall with the first, because the two are linked.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::process::{self, Received, ThreadContext};
use perennial::{ExitReason, Ref, prelude::*};

/// How often the ball crosses the net.
const STROKES: u32 = 6;

/// The ball, with whoever struck it last.
struct Ball {
    stroke: u32,
    from: Ref<Ball>,
}

fn main() {
    let fell = process::run::<Ball, _>(|umpire| {
        // A process that traps exits is told of the end of those it is linked to, and lives on.
        umpire.trap_exit(true);
        let pong = process::spawn_link(|cx| play("pong", cx)).expect("a thread for pong");
        let (opponent, pong_pid) = (pong.clone(), pong.pid());
        let ping = process::spawn_link(move |cx| {
            cx.link(pong_pid).expect("pong is there");
            opponent.cast(Ball {
                stroke: 1,
                from: cx.me().clone(),
            });
            play("ping", cx);
        });
        let ping = ping.expect("a thread for ping").pid();

        let mut fell = Vec::new();
        while fell.len() < 2 {
            if let Received::Exit(exit) = umpire.receive() {
                let name = if exit.from == ping { "ping" } else { "pong" };
                println!("{name} ended: {}", exit.reason);
                fell.push((name, exit.reason));
            }
        }
        fell
    });

    let fell = fell.expect("the umpire lives on");
    let lost = ExitReason::shutdown_with("the ball is lost");
    assert!(fell.iter().all(|(_, reason)| *reason == lost), "{fell:?}");
}

/// Waits for the ball and strikes it back, until the last stroke, which nobody returns.
fn play(name: &str, cx: &mut ThreadContext<Ball>) {
    while let Some(ball) = cx.receive().message() {
        println!("{name} strikes: {}", ball.stroke);
        if ball.stroke == STROKES {
            cx.exit(ExitReason::shutdown_with("the ball is lost"));
        }
        ball.from.cast(Ball {
            stroke: ball.stroke + 1,
            from: cx.me().clone(),
        });
    }
}
