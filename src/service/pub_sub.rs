//! Publish and subscribe: events on topics, to whichever processes want them.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::{PubSub, process};
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct Posted(u64);
//! static ROOMS: PubSub<Posted> = PubSub::new("rooms");
//!
//! process::run::<Posted, _>(|cx| {
//!     ROOMS.subscribe("room:lobby", cx.me().recipient(|posted| posted));
//!     ROOMS.broadcast("room:lobby", Posted(1));
//!     ROOMS.broadcast("room:attic", Posted(2));
//!     assert_eq!(cx.receive().message(), Some(Posted(1)));
//! }).unwrap();
//! ```
//!
//! A broadcast runs on the thread of whoever broadcasts: it clones the event for each subscriber and puts it into
//! that one's mailbox. So what one process broadcasts, every subscriber gets in that order. An event that is
//! large, or has to be encoded, should be shared bytes (`Arc<[u8]>`) inside, so that a clone costs nothing and the
//! work is done once.
//!
//! Each [`Runtime`](crate::Runtime) has subscriptions of its own; a `PubSub` in a `static` is only a name with a
//! type. There is no process that keeps them, so none can fail.
//!
//! # How subscriptions die
//! With their process, before anybody hears of its death. An event that waits in the mailbox of a process which dies
//! is lost with it, and so is one that finds a mailbox full. Where none may be missed, events carry numbers, and a
//! subscriber asks for those that it has not seen.
//!
//! # Options
//! [`broadcast_from`](PubSub::broadcast_from) leaves its author out, [`local_broadcast`](PubSub::local_broadcast) the
//! other nodes, which an [`Adapter`] reaches. A [`Recipient`] turns the event into the message of each subscriber.

use crate::pid::Pid;
use crate::process::{Recipient, runtime};
use crate::service::entries::{self, Entries, Keys};
use crate::sync::{Arc, RwLock};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Topics with events of type `T`. See the [module](self) for an example.
pub struct PubSub<T> {
    name: Cow<'static, str>,
    event: PhantomData<fn(T)>,
}

/// Carries broadcasts to the same [`PubSub`] on other nodes, where they end in
/// [`local_broadcast`](PubSub::local_broadcast).
///
/// ```
/// use perennial::{PubSub, pub_sub::Adapter};
/// use std::sync::mpsc::{Sender, channel};
/// struct Wire(Sender<(String, u32)>);
/// impl Adapter<u32> for Wire {
///     fn broadcast(&self, topic: &str, event: &u32) {
///         let _ = self.0.send((topic.to_owned(), *event));
///     }
/// }
/// let events: PubSub<u32> = PubSub::new("carried events");
/// let (send, receive) = channel();
/// events.set_adapter(Wire(send));
/// events.broadcast("numbers", 7);
/// assert_eq!(receive.recv().unwrap(), ("numbers".to_owned(), 7));
/// ```
pub trait Adapter<T>: Send + Sync + 'static {
    /// Sends an event to the other nodes. Runs on the thread of whoever broadcasts, so it must not wait.
    fn broadcast(&self, topic: &str, event: &T);
}

/// The subscriptions of one runtime.
struct Topics<T> {
    subscribers: Arc<Entries<Arc<str>, Recipient<T>>>,
    /// A leaf lock.
    adapter: RwLock<Option<Arc<dyn Adapter<T>>>>,
}

impl<T> Default for Topics<T> {
    fn default() -> Self {
        Topics {
            subscribers: Arc::default(),
            adapter: RwLock::new(None),
        }
    }
}

impl<T> PubSub<T> {
    /// Topics for a `static`. Two of one name and type are the same.
    pub const fn new(name: &'static str) -> Self {
        PubSub {
            name: Cow::Borrowed(name),
            event: PhantomData,
        }
    }

    /// Topics whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        PubSub {
            name: Cow::Owned(name.into()),
            event: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Clone + Send + 'static> PubSub<T> {
    fn topics(&self) -> Arc<Topics<T>> {
        entries::table(&runtime::current(), &self.name)
    }

    /// Sends each event on a topic to a subscriber from now on. One that subscribes twice gets each twice, and one
    /// that has ended nothing.
    pub fn subscribe(&self, topic: &str, subscriber: Recipient<T>) {
        let shared = runtime::current();
        let Some(process) = shared.process(subscriber.pid()) else {
            return;
        };
        let topics: Arc<Topics<T>> = entries::table(&shared, &self.name);
        // A process that is dying has subscribed to its last event.
        let _ = topics
            .subscribers
            .add(&process, topic.into(), subscriber, Keys::Duplicate);
    }

    /// Ends all subscriptions of a process to a topic; how many there were.
    pub fn unsubscribe(&self, topic: &str, subscriber: impl Into<Pid>) -> usize {
        self.topics().subscribers.remove(topic, subscriber.into())
    }

    /// Sends an event to all subscribers of a topic, on all nodes.
    pub fn broadcast(&self, topic: &str, event: T) {
        self.publish(topic, event, None, true);
    }

    /// [`broadcast`](PubSub::broadcast) to all but one, who is the author as a rule.
    ///
    /// ```
    /// use perennial::{PubSub, process};
    /// let typing: PubSub<&str> = PubSub::new("typing");
    /// process::run::<&str, _>(|cx| {
    ///     typing.subscribe("lobby", cx.me().recipient(|event| event));
    ///     typing.broadcast_from(cx.pid(), "lobby", "I type");
    ///     typing.broadcast("lobby", "somebody types");
    ///     assert_eq!(cx.receive().message(), Some("somebody types"));
    /// }).unwrap();
    /// ```
    pub fn broadcast_from(&self, from: impl Into<Pid>, topic: &str, event: T) {
        self.publish(topic, event, Some(from.into()), true);
    }

    /// Sends an event to the subscribers of a topic on this node only.
    pub fn local_broadcast(&self, topic: &str, event: T) {
        self.publish(topic, event, None, false);
    }

    /// [`local_broadcast`](PubSub::local_broadcast) to all but one.
    pub fn local_broadcast_from(&self, from: impl Into<Pid>, topic: &str, event: T) {
        self.publish(topic, event, Some(from.into()), false);
    }

    fn publish(&self, topic: &str, event: T, except: Option<Pid>, everywhere: bool) {
        let topics = self.topics();
        if everywhere {
            let adapter = topics.adapter.read().clone();
            if let Some(adapter) = adapter {
                adapter.broadcast(topic, &event);
            }
        }
        // A snapshot: nothing is sent under a lock, and whoever is called may subscribe.
        let Some(subscribers) = topics.subscribers.get(topic) else {
            return;
        };
        let mut wanted = subscribers
            .iter()
            .filter(|entry| Some(entry.pid) != except)
            .peekable();
        while let Some(subscriber) = wanted.next() {
            if wanted.peek().is_none() {
                return subscriber.value.cast(event);
            }
            subscriber.value.cast(event.clone());
        }
    }

    /// Carries broadcasts to other nodes from now on, in the current runtime; the one before is dropped.
    pub fn set_adapter(&self, adapter: impl Adapter<T>) {
        let adapter: Arc<dyn Adapter<T>> = Arc::new(adapter);
        let before = self.topics().adapter.write().replace(adapter);
        drop(before);
    }

    /// The topics that have subscribers on this node, in no order.
    ///
    /// ```
    /// use perennial::{PubSub, process};
    /// let rooms: PubSub<()> = PubSub::new("rooms that somebody listens to");
    /// process::run::<(), _>(|cx| {
    ///     rooms.subscribe("lobby", cx.me().recipient(|()| ()));
    ///     assert_eq!(rooms.subscribed(), ["lobby".into()]);
    /// }).unwrap();
    /// ```
    pub fn subscribed(&self) -> Vec<Arc<str>> {
        let all = self.topics().subscribers.all();
        all.into_iter().map(|(topic, _)| topic).collect()
    }

    /// How many subscriptions a topic has on this node.
    pub fn subscribers(&self, topic: &str) -> usize {
        let entries = self.topics().subscribers.get(topic);
        entries.map_or(0, |entries| entries.len())
    }

    /// How many subscriptions there are on this node.
    pub fn count(&self) -> usize {
        self.topics().subscribers.len()
    }
}

impl<T> Clone for PubSub<T> {
    fn clone(&self) -> Self {
        PubSub {
            name: self.name.clone(),
            event: PhantomData,
        }
    }
}

impl<T> fmt::Debug for PubSub<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PubSub({:?})", self.name)
    }
}
