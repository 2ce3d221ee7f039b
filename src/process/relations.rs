//! PURE: who a process is linked to, whom it watches, who watches it, and which of the signals that it was
//! sent still wait in its mailbox.
//!
//! Picture a notice board at a process's door. Links and monitors are pinned there; a neighbour who dies
//! takes his own notice down and, in the same moment, leaves the obituary in the letter box. Because both
//! happen under one lock (the board's), a process that unpins a notice knows for sure: either the obituary is
//! already in the box, or it will never come.
//!
//! Every process has one board behind one lock. The board of the *receiver* is the authority on what it is
//! still owed; the board of the one who dies is only an index of whom to tell.

use crate::pid::{MonitorRef, Pid};
use crate::process::alias::AliasState;
use crate::process::call::PendingCall;
use crate::process::dictionary::Dictionary;
use crate::process::few::Few;
use crate::process::lineage::Family;
use crate::process::links::Links;
use crate::process::signal::{Down, Exit, Tag};
use crate::process::unwind::By;
use crate::reason::ExitReason;
use crate::sync::Arc;
use std::collections::VecDeque;

/// What an exit signal does to the process that meets it.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Deliver(Exit),
    Die(ExitReason),
    Ignore,
}

/// An exit signal on its way: sent, its mark in the mailbox, not yet met.
#[derive(Debug)]
pub(crate) struct QueuedExit {
    id: u64,
    exit: Exit,
    origin: Origin,
    /// Equals `true` once the process met it, or stopped trapping, while it was a message: it stays one.
    trapped: bool,
}

impl QueuedExit {
    pub(crate) fn reason(&self) -> &ExitReason {
        &self.exit.reason
    }
}

/// Where an exit signal comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Origin {
    /// A linked process ended.
    Link,
    /// `process::exit(pid, reason)`.
    Sent,
    /// The process itself raised it; it waits here, without a mark, until the kernel has caught the unwind.
    Raised,
}

/// Whom to tell when a process ends.
pub(crate) enum Watcher {
    /// A process, by `process::monitor`.
    Process(Pid),
    /// A caller that waits for an answer, or a plain thread that watches.
    Call(Arc<dyn PendingCall>),
}

/// Cleans up what a service keeps about a process; runs in the death path before anybody is told.
pub(crate) trait AtDeath: Send + Sync {
    fn at_death(&self, pid: Pid);
}

/// The board of one process.
#[derive(Default)]
pub(crate) struct Relations {
    /// Why the process ended, once it has.
    ended: Option<Box<ExitReason>>,
    links: Links,
    more: Option<Box<More>>,
    /// Equals `true` once the names were given back: from then on none may be taken.
    nameless: bool,
    /// Equals `true` once all whom the end concerns have heard of it.
    told: bool,
}

/// What most processes never need.
#[derive(Default)]
struct More {
    /// Monitors that this process holds: reference → whom it watches, under which name.
    watching: Few<Watched>,
    /// Monitors held on this process.
    watchers: Few<Watcher>,
    exits: VecDeque<QueuedExit>,
    exit_next: u64,
    /// How many of `exits` the process raised itself: as a rule none, and then nobody looks at all of them for those.
    raised: usize,
    downs: Few<QueuedDown>,
    name: Option<Arc<str>>,
    /// The name that was given back, for the crash report.
    had_name: Option<Arc<str>>,
    label: Option<Arc<str>>,
    at_death: Vec<Arc<dyn AtDeath>>,
    dictionary: Dictionary,
    /// What the children of this process descend from.
    family: Option<Arc<Family>>,
    /// On whose behalf the process runs, the newest first; only tasks have any.
    callers: Option<Arc<[Pid]>>,
}

impl More {
    /// Equals `true` if it says nothing that its absence would not.
    fn is_blank(&self) -> bool {
        let named = self.name.is_some() || self.had_name.is_some() || self.label.is_some();
        let related = !self.watching.is_empty() || !self.watchers.is_empty();
        let descent = self.family.is_some() || self.callers.is_some();
        let kept = !self.at_death.is_empty() || !self.dictionary.is_empty();
        let signals = self.exit_next > 0 || !self.downs.is_empty();
        !(named || related || descent || kept || signals)
    }
}

/// The other end of a monitor that this process holds.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) pid: Pid,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) tag: Option<Tag>,
    /// The alias that was made with the monitor, and may go with it.
    pub(crate) alias: Option<Arc<AliasState>>,
}

impl Watched {
    /// The end of the one who is watched, as its watcher is to be told.
    pub(crate) fn down(self, monitor: MonitorRef, pid: Pid, reason: ExitReason) -> QueuedDown {
        QueuedDown {
            down: Down {
                monitor,
                pid,
                name: self.name,
                reason,
                tag: self.tag,
            },
            alias: self.alias,
        }
    }
}

/// A down on its way: its mark is in the mailbox, not yet met.
pub(crate) struct QueuedDown {
    down: Down,
    alias: Option<Arc<AliasState>>,
}

/// What a process gives back before anybody is told of its end: its name, and the clean-ups of services.
pub(crate) type Belongings = (Option<Arc<str>>, Vec<Arc<dyn AtDeath>>);

/// Whom a process that just ended has to tell.
#[derive(Default)]
pub(crate) struct Obituary {
    pub(crate) links: Links,
    pub(crate) watchers: Few<Watcher>,
    /// Monitors that it held: those it watched may forget it.
    pub(crate) watching: Few<Watched>,
    /// What it never met. Reasons are the user's, so they are dropped where no lock is held.
    pub(crate) unmet: (VecDeque<QueuedExit>, Few<QueuedDown>),
    /// What it kept in its dictionary.
    pub(crate) dictionary: Dictionary,
}

impl Relations {
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(crate) fn ended(&self) -> Option<&ExitReason> {
        self.ended.as_deref()
    }

    // ## Links

    /// Records a link; `false` if it was there.
    pub(crate) fn link(&mut self, pid: Pid) -> bool {
        self.links.insert(pid)
    }

    /// Removes a link; `false` if there was none.
    pub(crate) fn unlink(&mut self, pid: Pid) -> bool {
        self.links.remove(pid)
    }

    pub(crate) fn links(&self) -> Vec<Pid> {
        self.links.to_vec()
    }

    // ## Monitors

    /// Records that this process watches another.
    pub(crate) fn watch(&mut self, monitor: MonitorRef, watched: Watched) {
        self.more().watching.insert(monitor, watched);
    }

    /// Forgets a monitor that this process holds; the other end if it had not fired.
    pub(crate) fn unwatch(&mut self, monitor: MonitorRef) -> Option<Watched> {
        self.more.as_mut()?.watching.remove(monitor)
    }

    pub(crate) fn watching(&self) -> Vec<Pid> {
        self.more
            .iter()
            .flat_map(|more| more.watching.iter().map(|(_, watched)| watched.pid))
            .collect()
    }

    /// Records a watcher of this process; the reason of its end if it is too late.
    pub(crate) fn add_watcher(
        &mut self,
        monitor: MonitorRef,
        watcher: Watcher,
    ) -> Result<(), ExitReason> {
        if let Some(reason) = self.ended() {
            return Err(reason.clone());
        }
        self.more().watchers.insert(monitor, watcher);
        Ok(())
    }

    /// Records a caller whose request may have arrived before the end: as long as those who are linked are being told,
    /// it is not too late, so that it hears after them as if it had watched from the beginning.
    pub(crate) fn add_caller(
        &mut self,
        monitor: MonitorRef,
        call: Arc<dyn PendingCall>,
    ) -> Result<(), ExitReason> {
        match self.ended() {
            Some(reason) if self.told => Err(reason.clone()),
            _ => {
                self.more().watchers.insert(monitor, Watcher::Call(call));
                Ok(())
            }
        }
    }

    pub(crate) fn remove_watcher(&mut self, monitor: MonitorRef) -> Option<Watcher> {
        let more = self.more.as_mut()?;
        let watcher = more.watchers.remove(monitor);
        if more.is_blank() {
            self.more = None;
        }
        watcher
    }

    /// Forgets all monitors that a process holds on this one.
    pub(crate) fn remove_watchers_of(&mut self, pid: Pid) -> Vec<MonitorRef> {
        let Some(more) = &mut self.more else {
            return Vec::new();
        };
        let is_its = |watcher: &Watcher| matches!(watcher, Watcher::Process(held) if *held == pid);
        let its = more.watchers.iter().filter(|(_, watcher)| is_its(watcher));
        let its: Vec<_> = its.map(|(monitor, _)| monitor).collect();
        for monitor in &its {
            more.watchers.remove(*monitor);
        }
        its
    }

    pub(crate) fn watchers(&self) -> Vec<Pid> {
        let watchers = self.more.iter().flat_map(|more| more.watchers.iter());
        watchers
            .filter_map(|(_, watcher)| {
                if let Watcher::Process(pid) = watcher {
                    Some(*pid)
                } else {
                    None
                }
            })
            .collect()
    }

    // ## Exit signals that wait in the mailbox

    /// Keeps an exit signal; the number of its mark.
    pub(crate) fn queue_exit(&mut self, exit: Exit, origin: Origin) -> u64 {
        let more = self.more();
        let id = more.exit_next;
        more.exit_next += 1;
        more.raised += usize::from(origin == Origin::Raised);
        if more.exits.capacity() == 0 {
            // As a rule there is one at a time.
            more.exits.reserve_exact(1);
        }
        more.exits.push_back(QueuedExit {
            id,
            exit,
            origin,
            trapped: false,
        });
        id
    }

    /// Meets the exit signal of a mark; `None` if it was taken back. A deadly one stays: whoever catches the
    /// unwind that it starts meets it again.
    pub(crate) fn meet_exit(&mut self, me: Pid, id: u64, trapping: bool) -> Option<Effect> {
        let more = self.more.as_mut()?;
        let at = more.exits.iter().position(|queued| queued.id == id)?;
        let effect = effect(me, &more.exits[at], trapping);
        if !matches!(effect, Effect::Die(_)) {
            more.exits.remove(at);
        }
        Some(effect)
    }

    /// Looks at the exit signal of a mark without consuming it: a process that traps has now received it as
    /// a message, and only that is reported here. `None` if the mark stands for nothing any more.
    pub(crate) fn peek_exit(&mut self, me: Pid, id: u64, trapping: bool) -> Option<Effect> {
        let more = self.more.as_mut()?;
        let at = more.exits.iter().position(|queued| queued.id == id)?;
        if trapping || more.exits[at].trapped {
            more.exits[at].trapped = true;
            return Some(Effect::Deliver(more.exits[at].exit.clone()));
        }
        self.meet_exit(me, id, trapping)
    }

    /// The reason of the first queued exit signal that ends a process that traps or does not, and how it did.
    pub(crate) fn first_deadly(&self, me: Pid, trapping: bool) -> Option<(ExitReason, By)> {
        let more = self.more.as_ref()?;
        if trapping && more.raised == 0 {
            return None;
        }
        let deadly = more
            .exits
            .iter()
            .find(|queued| matches!(verdict(me, queued, trapping), Verdict::Die))?;
        let by = match deadly.origin {
            Origin::Raised => By::Itself,
            Origin::Link | Origin::Sent => By::Signal,
        };
        Some((deadly.exit.reason.clone(), by))
    }

    /// Takes the exits that the process raised itself, of which the first counts; to be dropped with no lock held.
    pub(crate) fn take_raised(&mut self) -> Vec<QueuedExit> {
        let more = self.more.as_mut();
        if more.is_none_or(|more| std::mem::take(&mut more.raised) == 0) {
            return Vec::new();
        }
        self.take_exits(|queued| queued.origin == Origin::Raised)
    }

    fn take_exits(&mut self, wanted: impl Fn(&QueuedExit) -> bool) -> Vec<QueuedExit> {
        let Some(more) = &mut self.more else {
            return Vec::new();
        };
        if !more.exits.iter().any(&wanted) {
            return Vec::new();
        }
        let (taken, left) = std::mem::take(&mut more.exits)
            .into_iter()
            .partition(wanted);
        more.exits = left;
        Vec::from(taken)
    }

    /// Makes messages of the exit signals that a process got while it trapped exits, which it stops doing.
    pub(crate) fn trap_queued(&mut self) {
        for queued in self.more.iter_mut().flat_map(|more| &mut more.exits) {
            queued.trapped = true;
        }
    }

    pub(crate) fn has_exits(&self) -> bool {
        self.more
            .as_ref()
            .is_some_and(|more| !more.exits.is_empty())
    }

    /// Takes back what a link to `pid` left in the mailbox; to be dropped with no lock held.
    pub(crate) fn flush_exits(&mut self, pid: Pid) -> Vec<QueuedExit> {
        self.take_exits(|queued| queued.exit.from == pid && queued.origin == Origin::Link)
    }

    // ## Downs that wait in the mailbox

    pub(crate) fn queue_down(&mut self, queued: QueuedDown) {
        self.more().downs.insert(queued.down.monitor, queued);
    }

    /// Takes the down of a mark, and with it the alias of its monitor; `None` if it was taken back.
    pub(crate) fn take_down(&mut self, monitor: MonitorRef) -> Option<Down> {
        let queued = self.more.as_mut()?.downs.remove(monitor)?;
        if let Some(alias) = queued.alias {
            alias.monitor_is_gone();
        }
        Some(queued.down)
    }

    pub(crate) fn peek_down(&self, monitor: MonitorRef) -> Option<Down> {
        let queued = self.more.as_ref()?.downs.get(monitor)?;
        Some(queued.down.clone())
    }

    // ## Descent

    /// What the children of this process descend from, made when the first one starts.
    pub(crate) fn family(&mut self, make: impl FnOnce() -> Arc<Family>) -> Arc<Family> {
        self.more().family.get_or_insert_with(make).clone()
    }

    pub(crate) fn callers(&self) -> Option<&Arc<[Pid]>> {
        self.more.as_ref()?.callers.as_ref()
    }

    pub(crate) fn set_callers(&mut self, callers: Arc<[Pid]>) {
        self.more().callers = Some(callers);
    }

    // ## Dictionary

    /// What the process keeps beside its state; only that process looks there.
    pub(crate) fn dictionary(&mut self) -> &mut Dictionary {
        &mut self.more().dictionary
    }

    // ## Name, label, services

    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.more.as_ref()?.name.clone()
    }

    /// The name that it gave back when it ended.
    pub(crate) fn last_name(&self) -> Option<Arc<str>> {
        self.more.as_ref()?.had_name.clone()
    }

    /// Takes a name; the one it has, or nothing if it may take none any more.
    pub(crate) fn take_name(&mut self, name: Arc<str>) -> Result<(), Option<Arc<str>>> {
        if self.nameless {
            return Err(None);
        }
        let more = self.more();
        match &more.name {
            Some(name) => Err(Some(name.clone())),
            None => {
                more.name = Some(name);
                Ok(())
            }
        }
    }

    pub(crate) fn drop_name(&mut self) {
        if let Some(more) = &mut self.more {
            more.name = None;
        }
    }

    pub(crate) fn label(&self) -> Option<Arc<str>> {
        self.more.as_ref()?.label.clone()
    }

    pub(crate) fn set_label(&mut self, label: Arc<str>) {
        self.more().label = Some(label);
    }

    /// Adds a clean-up, once each; `false` if the process has begun to give back what it had.
    pub(crate) fn at_death(&mut self, cleanup: &Arc<dyn AtDeath>) -> bool {
        if self.nameless {
            return false;
        }
        let more = self.more();
        if !more
            .at_death
            .iter()
            .any(|known| Arc::ptr_eq(known, cleanup))
        {
            more.at_death.push(cleanup.clone());
        }
        true
    }

    // ## The end

    /// Gives back the name and the clean-ups; from now on none can be added. `None` if they have been given back:
    /// whoever does that first ends the process, and so nobody hears of the end before it is done.
    pub(crate) fn give_back(&mut self) -> Option<Belongings> {
        if std::mem::replace(&mut self.nameless, true) {
            return None;
        }
        let Some(more) = &mut self.more else {
            return Some(Belongings::default());
        };
        let name = more.name.take();
        if name.is_some() {
            more.had_name.clone_from(&name);
        }
        Some((name, std::mem::take(&mut more.at_death)))
    }

    /// Marks the process as ended and hands out whom to tell; `None` if it had ended before.
    pub(crate) fn end(&mut self, reason: ExitReason) -> Option<Obituary> {
        if self.ended.is_some() {
            return None;
        }
        self.ended = Some(Box::new(reason));
        let links = std::mem::take(&mut self.links);
        self.nameless = true;
        let Some(more) = &mut self.more else {
            return Some(Obituary {
                links,
                ..Obituary::default()
            });
        };
        let obituary = Obituary {
            links,
            watchers: std::mem::take(&mut more.watchers),
            watching: std::mem::take(&mut more.watching),
            unmet: (
                std::mem::take(&mut more.exits),
                std::mem::take(&mut more.downs),
            ),
            dictionary: std::mem::take(&mut more.dictionary),
        };
        (more.raised, more.exit_next) = (0, 0);
        more.family = None;
        // What reports and observers still ask for stays.
        if more.is_blank() {
            self.more = None;
        }
        Some(obituary)
    }

    /// Whom else to tell of the end: those who came meanwhile. From now on nobody is added.
    pub(crate) fn told(&mut self) -> Few<Watcher> {
        self.told = true;
        let late = self.more.as_mut();
        late.map(|more| std::mem::take(&mut more.watchers))
            .unwrap_or_default()
    }
}

enum Verdict {
    Deliver,
    Die,
    Ignore,
}

/// OTP's table of exit signals (kill apart, which never waits in a mailbox).
fn verdict(me: Pid, queued: &QueuedExit, trapping: bool) -> Verdict {
    if queued.origin == Origin::Raised {
        return Verdict::Die;
    }
    if trapping || queued.trapped {
        return Verdict::Deliver;
    }
    let to_itself = queued.origin == Origin::Sent && queued.exit.from == me;
    if queued.exit.reason == ExitReason::Normal && !to_itself {
        return Verdict::Ignore;
    }
    Verdict::Die
}

fn effect(me: Pid, queued: &QueuedExit, trapping: bool) -> Effect {
    match verdict(me, queued, trapping) {
        Verdict::Deliver => Effect::Deliver(queued.exit.clone()),
        Verdict::Die => Effect::Die(queued.exit.reason.clone()),
        Verdict::Ignore => Effect::Ignore,
    }
}
