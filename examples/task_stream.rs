//! A stream of tasks: pages that are fetched four at a time, some of which fail and one of which never comes.
//!
//! Run `cargo run --example task_stream`. You will see twelve pages in the order of their numbers although each takes
//! as long as it takes, what became of those that failed, and then the first three of all numbers whose square ends
//! in 44, for which no more is computed than has to be. The crashes are reported on stderr as well.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::task::OnItemTimeout;
use perennial::{StreamError, TaskSupervisor, process, supervisor, task};
use std::error::Error;
use std::time::Duration;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let tasks = TaskSupervisor::new().start()?;

    // Whoever consumes is not linked to these tasks: it gets a crash as an item, and goes on.
    let pages = TaskSupervisor::stream_nolink(&tasks, 1..=12, fetch)
        .max_concurrency(4)
        .timeout(PATIENCE)
        .on_timeout(OnItemTimeout::KillTask)
        .zip_input_on_exit()
        .build()?;
    let (mut fetched, mut failed) = (0, 0);
    for page in pages {
        match page {
            Ok(text) => {
                println!("{text}");
                fetched += 1;
            }
            Err(StreamError::Exit { reason, input }) => {
                println!("page {} failed: {reason}", input.unwrap_or_default());
                failed += 1;
            }
            Err(StreamError::Timeout { input }) => {
                println!("page {} never came", input.unwrap_or_default());
                failed += 1;
            }
            Err(other) => return Err(other.into()),
        }
    }
    assert_eq!((fetched, failed), (9, 3));
    supervisor::stop(&tasks)?;

    // Linked tasks need a process. The input has no end, and is read as far as it is needed.
    let found = process::run::<(), _>(|_| {
        let squares = task::stream(1_u64.., |n| (n, n * n)).pooled().build()?;
        let ends = squares
            .filter_map(Result::ok)
            .filter(|(_, square)| square % 100 == 44);
        Ok::<Vec<_>, Box<dyn Error + Send + Sync>>(ends.take(3).collect())
    })?;
    let found = found.map_err(|error| error.to_string())?;
    println!("squares that end in 44: {found:?}");
    assert_eq!(found, [(12, 144), (38, 1444), (62, 3844)]);
    Ok(())
}

/// Every fifth page is torn, and the seventh is lost on the way.
fn fetch(page: u64) -> String {
    assert!(!page.is_multiple_of(5), "page {page} is torn");
    let takes = if page == 7 { 3_600_000 } else { 40 - 3 * page };
    process::sleep(Duration::from_millis(takes));
    format!("page {page}, after {takes} ms")
}
