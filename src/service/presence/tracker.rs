//! **Process**: one per application as a rule, pooled. Started by a supervisor; linked to every process that it
//! tracks, and traps exits. Dies with its supervisor, or of a diff handler that panics.

use crate::behaviour::gen_server::{Cx, GenServer, Info, Init, Next};
use crate::process::{ReplyTo, runtime};
use crate::service::presence::api::Msg;
use crate::service::presence::state::{Diff, Presences, State};
use crate::service::pub_sub::PubSub;
use crate::sync::Arc;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// How long after one telling of diffs the next may come: 20 in a second look like at once to people, and keep a
/// crowd that enters together from being told to itself one by one.
const EVERY: Duration = Duration::from_millis(50);

type Watcher<M> = ReplyTo<Arc<Presences<M>>>;

type HandleDiff<M> = Arc<dyn Fn(&Arc<str>, &Arc<Diff<M>>) + Send + Sync>;

/// How a tracker is to be.
pub struct Config<M> {
    every: Duration,
    handle_diff: HandleDiff<M>,
}

impl<M: Clone + Send + Sync + 'static> Config<M> {
    /// Calls `handle_diff` with each topic that changed and what changed there, in the tracker's process; so it
    /// must not wait, and what it makes of the diff, an encoded frame say, it makes once for all watchers.
    pub fn new(handle_diff: impl Fn(&Arc<str>, &Arc<Diff<M>>) + Send + Sync + 'static) -> Self {
        Config {
            every: EVERY,
            handle_diff: Arc::new(handle_diff),
        }
    }

    /// Broadcasts each diff on the topic of its name.
    pub fn pub_sub(to: &PubSub<Arc<Diff<M>>>) -> Self {
        let to = to.clone();
        Config::new(move |topic, diff| to.broadcast(topic, diff.clone()))
    }

    /// How long diffs are held back at most. Default: 50 ms. The first after a quiet time is not held back.
    pub fn every(self, every: Duration) -> Self {
        Config { every, ..self }
    }
}

impl<M> Clone for Config<M> {
    fn clone(&self) -> Self {
        Config {
            every: self.every,
            handle_diff: self.handle_diff.clone(),
        }
    }
}

impl<M> fmt::Debug for Config<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config(every {:?})", self.every)
    }
}

/// The tracker: a server, to be started with a [`Config`]. See the [module](crate::presence).
#[derive(Debug)]
pub struct Presence<M: Send + Sync + 'static> {
    config: Config<M>,
    state: State<M>,
    /// Those who wait for the state of a topic, until the diffs before it are told.
    watchers: BTreeMap<Arc<str>, Vec<Watcher<M>>>,
    /// When diffs were last told.
    told: Option<Instant>,
    /// Equals `true` while a `Flush` is on its way.
    flush_due: bool,
}

impl<M: Clone + Send + Sync + 'static> GenServer for Presence<M> {
    type Args = Config<M>;
    type Msg = Msg<M>;

    const TRAP_EXIT: bool = true;

    fn init(config: Config<M>, _: &mut Cx<Self>) -> Init<Self> {
        let shared = runtime::current();
        // Another tracker of the same millisecond has another reference.
        let reference = shared.next_reference() % 1024;
        let epoch = (shared.clock.unix_ms().cast_unsigned() << 10) | reference;
        Init::Ok(Presence {
            config,
            state: State::new(epoch),
            watchers: BTreeMap::new(),
            told: None,
            flush_due: false,
        })
    }

    fn handle(&mut self, msg: Msg<M>, cx: &mut Cx<Self>) -> Next<Msg<M>> {
        match msg {
            Msg::Track {
                pid,
                topic,
                key,
                meta,
                reply,
            } => {
                let tracked = self.state.track(pid, &topic, &key, meta);
                if tracked.is_ok() {
                    // One that is dead already is an exit in the mailbox, as this traps exits.
                    let _ = cx.link(pid);
                }
                reply.send(tracked);
            }
            Msg::Update {
                pid,
                topic,
                key,
                meta,
                reply,
            } => reply.send(self.state.update(pid, &topic, &key, |_| meta)),
            Msg::Untrack { pid, topic, key } => {
                if self.state.untrack(pid, &topic, &key) && !self.state.tracks(pid) {
                    cx.unlink(pid);
                }
            }
            Msg::UntrackAll(pid) => {
                self.state.untrack_all(pid);
                cx.unlink(pid);
            }
            Msg::State(topic, reply) => self.watchers.entry(topic).or_default().push(reply),
            Msg::List(topic, reply) => reply.send(self.state.list(&topic)),
            Msg::GetByKey(topic, key, reply) => reply.send(self.state.get_by_key(&topic, &key)),
            Msg::Flush => self.flush(cx),
        }
        self.schedule(cx);
        Next::Loop
    }

    fn handle_info(&mut self, info: Info, cx: &mut Cx<Self>) -> Next<Msg<M>> {
        if let Info::Exit(exit) = info {
            self.state.untrack_all(exit.from);
            self.schedule(cx);
        }
        Next::Loop
    }
}

impl<M: Clone + Send + Sync + 'static> Presence<M> {
    /// Sees to it that what changed is told, after all that waits now and not sooner than allowed.
    fn schedule(&mut self, cx: &Cx<Self>) {
        let due = self.state.has_diffs() || !self.watchers.is_empty();
        if !due || self.flush_due {
            return;
        }
        self.flush_due = true;
        let next = self
            .told
            .and_then(|told| told.checked_add(self.config.every));
        match next.and_then(|next| next.checked_duration_since(cx.now())) {
            Some(wait) if !wait.is_zero() => {
                cx.send_after(wait, Msg::Flush);
            }
            _ => crate::process::Dest::cast(cx.me(), Msg::Flush),
        }
    }

    /// Tells the diffs, and then the state of each topic to those who asked for it: one copy for all.
    fn flush(&mut self, cx: &Cx<Self>) {
        self.flush_due = false;
        self.told = Some(cx.now());
        for (topic, diff) in self.state.take_diffs() {
            (self.config.handle_diff)(&topic, &Arc::new(diff));
        }
        for (topic, watchers) in std::mem::take(&mut self.watchers) {
            let state = Arc::new(self.state.presence_state(&topic));
            for watcher in watchers {
                watcher.send(state.clone());
            }
        }
    }
}
