//! Watermarks: a bounded mailbox that fills says so before it is full, and says when that is over.

use crate::pid::Pid;
use crate::process::core::Core;
use crate::process::mailbox::Bound;
use crate::telemetry::Event;

/// Which mark the messages in a mailbox have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watermark {
    /// Four fifths of its bound are taken, or more.
    High,
    /// No more than half of its bound is taken, after the high mark.
    Low,
}

/// A bounded mailbox has come to one of its marks: the high one once, then the low one once, and so on.
///
/// A handler runs on the thread of whoever sent the message, or of the process that took one.
///
/// ```
/// use perennial::{prelude::*, process::{self, MailboxWatermark, Overflow, Watermark}};
/// use std::sync::mpsc;
/// # struct Printer;
/// # impl GenServer for Printer {
/// #     type Args = ();
/// #     type Msg = mpsc::Receiver<()>;
/// #     fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Printer) }
/// #     fn handle(&mut self, wait: Self::Msg, _: &mut Cx<Self>) -> Next<Self::Msg> { let _ = wait.recv(); Next::Loop }
/// # }
/// let (send, marks) = mpsc::channel();
/// process::attach(move |at: &MailboxWatermark| { let _ = send.send((at.mark, at.max)); });
/// let printer = gen_server::spec::<Printer>(()).thread().mailbox(10, Overflow::Reject).start()?;
/// let (pages, waits): (Vec<_>, Vec<_>) = (0..9).map(|_| mpsc::channel()).unzip();
/// waits.into_iter().for_each(|wait| printer.cast(wait));
/// assert_eq!(marks.recv()?, (Watermark::High, 10));
/// drop(pages); // all of them come out
/// assert_eq!(marks.recv()?, (Watermark::Low, 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MailboxWatermark {
    /// Whose mailbox it is.
    pub pid: Pid,
    /// The mark.
    pub mark: Watermark,
    /// How many messages the mailbox takes.
    pub max: usize,
}

impl Event for MailboxWatermark {}

/// The mark that a mailbox has come to, if it was not beyond it before.
pub(super) fn crossed(is_high: &mut bool, len: usize, max: usize) -> Option<Watermark> {
    // Rounded up, so that a mailbox for one message is at its mark when it is full, and below it when it is empty.
    let high = max - max / 5;
    if !*is_high && len >= high {
        *is_high = true;
        return Some(Watermark::High);
    }
    if *is_high && len <= max / 2 && len < high {
        *is_high = false;
        return Some(Watermark::Low);
    }
    None
}

/// Tells of a mark; with no lock held.
pub(super) fn tell(core: &Core, bound: Option<&Bound>, mark: Option<Watermark>) {
    if let (Some(bound), Some(mark)) = (bound, mark) {
        core.runtime.telemetry.emit(|| MailboxWatermark {
            pid: core.pid,
            mark,
            max: bound.max,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound, how many messages there are from step to step, and the marks with the steps at which they are told.
    type Row = (usize, &'static [usize], &'static [(usize, Watermark)]);

    #[test]
    fn marks_are_told_once_each_in_turn() {
        let table: [Row; 3] = [
            (
                1,
                &[0, 1, 1, 0, 1],
                &[
                    (1, Watermark::High),
                    (3, Watermark::Low),
                    (4, Watermark::High),
                ],
            ),
            (2, &[1, 2, 1], &[(1, Watermark::High), (2, Watermark::Low)]),
            (
                10,
                &[7, 8, 9, 6, 8, 5, 4, 7, 8],
                &[
                    (1, Watermark::High),
                    (5, Watermark::Low),
                    (8, Watermark::High),
                ],
            ),
        ];
        for (max, lens, expected) in table {
            let mut is_high = false;
            let marks = lens.iter().map(|len| crossed(&mut is_high, *len, max));
            let marks: Vec<_> = marks
                .enumerate()
                .filter_map(|(at, mark)| Some((at, mark?)))
                .collect();
            assert_eq!(marks, expected, "of {max}");
        }
    }
}
