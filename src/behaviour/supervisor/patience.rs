//! How long children that were told to end may take. All of a supervisor's are reminded of by one timer, however many they
//! are: most end long before it rings.

use crate::behaviour::supervisor::slot::{Event, remind};
use crate::pid::{Pid, TimerRef};
use crate::process::{Ref, cancel_timer};
use std::time::Instant;

/// Children that were told to end and have not.
#[derive(Default)]
pub(super) struct Patience {
    count: usize,
    /// When those have to have ended that may not take for ever. Others that have ended may be among them.
    due: Vec<(Instant, Pid)>,
    alarm: Option<(Instant, TimerRef)>,
}

impl Patience {
    /// A child was told to end, by then if there is a limit to it.
    pub(super) fn begins<M: Send + 'static>(
        &mut self,
        supervisor: &Ref<M>,
        child: Pid,
        until: Option<Instant>,
    ) {
        self.count += 1;
        if let Some(until) = until {
            self.due.push((until, child));
            self.arm(supervisor, until);
        }
    }

    /// A child has ended.
    pub(super) fn ends(&mut self) {
        self.count -= 1;
        if self.count == 0 {
            self.due.clear();
        }
    }

    /// The supervisor has done what it could at this moment: a timer that nobody needs is taken back.
    pub(super) fn rests(&mut self) {
        if self.count == 0
            && let Some((_, timer)) = self.alarm.take()
        {
            cancel_timer(timer);
        }
    }

    /// The timer rang: whose time is over, some of whom may have ended.
    pub(super) fn overdue<M: Send + 'static>(
        &mut self,
        supervisor: &Ref<M>,
        now: Instant,
    ) -> Vec<Pid> {
        // One that was taken back may have rung all the same, and not be the one that is set now.
        if self.alarm.is_some_and(|(at, _)| at <= now) {
            self.alarm = None;
        }
        let over = self.due.extract_if(.., |(until, _)| *until <= now);
        let over = over.map(|(_, child)| child).collect();
        if let Some(next) = self.due.iter().map(|(until, _)| *until).min() {
            self.arm(supervisor, next);
        }
        over
    }

    fn arm<M: Send + 'static>(&mut self, supervisor: &Ref<M>, until: Instant) {
        match self.alarm {
            Some((at, _)) if at <= until => return,
            Some((_, later)) => drop(cancel_timer(later)),
            None => {}
        }
        let now = supervisor.mailbox().core().runtime.clock.now();
        let delay = until.saturating_duration_since(now);
        self.alarm = Some((until, remind(supervisor, delay, Event::Overdue)));
    }
}
