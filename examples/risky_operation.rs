//! An operation that fails half the time, in tasks of its own: whoever asked for it is told, and goes on.
//!
//! Run `cargo run --example risky_operation`. You will see eight tasks, each with a result or with the reason of
//! its crash, and then one that is tried until it succeeds. Every crash is reported on stderr as well.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::supervisor::{self, DynamicMsg};
use perennial::{Ref, Task, TaskError, TaskSupervisor};
use std::error::Error;
use std::hash::{BuildHasher, RandomState};

/// How often the last operation is tried: all of them fail once in a million runs.
const ATTEMPTS_MAX: u32 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let tasks = TaskSupervisor::new().start()?;

    // All are started before the first is waited for, so they run side by side.
    let started: Vec<Task<u32>> = (1..=8)
        .map(|number| TaskSupervisor::spawn_nolink(&tasks, move || toss(number)))
        .collect::<Result<_, _>>()?;
    for (number, task) in (1..).zip(started) {
        match task.join() {
            Ok(value) => println!("task {number}: {value}"),
            Err(TaskError::Exit(reason)) => println!("task {number} failed: {reason}"),
            Err(other) => return Err(other.into()),
        }
    }

    let (attempts, value) = retry(&tasks, 9)?;
    println!("task 9: {value}, at attempt {attempts}");
    assert_eq!(value, 81);

    supervisor::stop(&tasks)?;
    Ok(())
}

/// Squares a number, or panics: as a coin falls.
fn toss(number: u32) -> u32 {
    let coin = RandomState::new().hash_one(number);
    assert!(
        coin.is_multiple_of(2),
        "the coin for {number} fell on its wrong side"
    );
    number * number
}

/// Tries until it succeeds; the attempts it took, and the value.
fn retry(tasks: &Ref<DynamicMsg>, number: u32) -> Result<(u32, u32), Box<dyn Error>> {
    for attempt in 1..=ATTEMPTS_MAX {
        let task = TaskSupervisor::spawn_nolink(tasks, move || toss(number))?;
        if let Ok(value) = task.join() {
            return Ok((attempt, value));
        }
    }
    Err("the coin never fell on its right side".into())
}
