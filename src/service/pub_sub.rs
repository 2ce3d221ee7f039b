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
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, RwLock};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// What the node is called where no [`Adapter`] has a name for it, as in Erlang.
const NO_NODE: &str = "nonode@nohost";

/// Topics with events of type `T`, and subscriptions with metadata of type `V`. See the [module](self) for an example.
pub struct PubSub<T, V = ()> {
    name: Cow<'static, str>,
    types: PhantomData<fn(T, V)>,
}

/// A subscription.
#[derive(Debug)]
#[non_exhaustive]
pub struct Subscriber<T, V = ()> {
    /// Where events go.
    pub recipient: Recipient<T>,
    /// What was given when it subscribed.
    pub metadata: V,
}

impl<T, V: Clone> Clone for Subscriber<T, V> {
    fn clone(&self) -> Self {
        Subscriber {
            recipient: self.recipient.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

/// Brings an event to the subscribers of this node, in place of a cast to each: for those who do something once for
/// all of them, as encoding, or choose by the metadata.
///
/// ```
/// use perennial::pub_sub::{Dispatcher, PubSub, Subscriber};
/// use perennial::process;
/// struct Loud;
/// impl Dispatcher<u32, u32> for Loud {
///     fn dispatch(&self, _topic: &str, subscribers: &[&Subscriber<u32, u32>], event: u32) {
///         for subscriber in subscribers {
///             if event >= subscriber.metadata {
///                 subscriber.recipient.cast(event);
///             }
///         }
///     }
/// }
/// static NOISE: PubSub<u32, u32> = PubSub::new("noise");
/// NOISE.set_dispatcher(Loud);
/// process::run::<u32, _>(|cx| {
///     NOISE.subscribe_with("street", cx.me().recipient(|noise| noise), 50);
///     NOISE.broadcast("street", 40);
///     NOISE.broadcast("street", 60);
///     assert_eq!(cx.receive().message(), Some(60));
/// }).unwrap();
/// ```
pub trait Dispatcher<T, V>: Send + Sync + 'static {
    /// Brings an event to these, of whom there is at least one; whoever is left out of a
    /// [`broadcast_from`](PubSub::broadcast_from) is not among them. Runs on the thread of whoever broadcasts.
    fn dispatch(&self, topic: &str, subscribers: &[&Subscriber<T, V>], event: T);
}

/// A broadcast to one node did not leave: there is no connection to a node of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoConnection;

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broadcasting to a node that is not connected")
    }
}

impl Error for NoConnection {}

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

    /// Sends an event to one other node. Without this there is none to be reached by name.
    ///
    /// # Errors
    /// [`NoConnection`] if there is no such node.
    fn direct_broadcast(&self, node: &str, topic: &str, event: &T) -> Result<(), NoConnection> {
        let _ = (node, topic, event);
        Err(NoConnection)
    }

    /// What this node is called among the others.
    fn node_name(&self) -> &str {
        NO_NODE
    }
}

/// The subscriptions of one runtime.
struct Topics<T, V> {
    subscribers: Arc<Entries<Arc<str>, Subscriber<T, V>>>,
    /// A leaf lock.
    adapter: RwLock<Option<Arc<dyn Adapter<T>>>>,
    /// Equals `true` once there is a dispatcher, so that nobody locks for none.
    dispatched: AtomicBool,
    /// A leaf lock.
    dispatcher: RwLock<Option<Arc<dyn Dispatcher<T, V>>>>,
}

impl<T, V> Default for Topics<T, V> {
    fn default() -> Self {
        Topics {
            subscribers: Arc::default(),
            adapter: RwLock::new(None),
            dispatched: AtomicBool::new(false),
            dispatcher: RwLock::new(None),
        }
    }
}

impl<T, V> Topics<T, V> {
    fn dispatcher(&self) -> Option<Arc<dyn Dispatcher<T, V>>> {
        if self.dispatched.load(Ordering::Acquire) {
            self.dispatcher.read().clone()
        } else {
            None
        }
    }
}

impl<T, V> PubSub<T, V> {
    /// Topics for a `static`. Two of one name and the same types are the same.
    pub const fn new(name: &'static str) -> Self {
        PubSub {
            name: Cow::Borrowed(name),
            types: PhantomData,
        }
    }

    /// Topics whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        PubSub {
            name: Cow::Owned(name.into()),
            types: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Clone + Send + 'static, V: Clone + Send + Sync + 'static> PubSub<T, V> {
    fn topics(&self) -> Arc<Topics<T, V>> {
        entries::table(&runtime::current(), &self.name)
    }

    /// Sends each event on a topic to a subscriber from now on. One that subscribes twice gets each twice, and one
    /// that has ended nothing.
    pub fn subscribe(&self, topic: &str, subscriber: Recipient<T>)
    where
        V: Default,
    {
        self.subscribe_with(topic, subscriber, V::default());
    }

    /// [`subscribe`](PubSub::subscribe) with metadata for the [`Dispatcher`].
    pub fn subscribe_with(&self, topic: &str, recipient: Recipient<T>, metadata: V) {
        let shared = runtime::current();
        let Some(process) = shared.process(recipient.pid()) else {
            return;
        };
        let topics: Arc<Topics<T, V>> = entries::table(&shared, &self.name);
        let subscriber = Subscriber {
            recipient,
            metadata,
        };
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
            .map(|entry| &entry.value)
            .peekable();
        if let Some(dispatcher) = topics.dispatcher() {
            let wanted: Vec<&Subscriber<T, V>> = wanted.collect();
            if !wanted.is_empty() {
                dispatcher.dispatch(topic, &wanted, event);
            }
            return;
        }
        while let Some(subscriber) = wanted.next() {
            if wanted.peek().is_none() {
                return subscriber.recipient.cast(event);
            }
            subscriber.recipient.cast(event.clone());
        }
    }

    /// Sends an event to the subscribers of a topic on one node, by its name; on this one it is a
    /// [`local_broadcast`](PubSub::local_broadcast).
    ///
    /// # Errors
    /// [`NoConnection`] if there is no such node.
    pub fn direct_broadcast(&self, node: &str, topic: &str, event: T) -> Result<(), NoConnection> {
        let adapter = self.topics().adapter.read().clone();
        let own = adapter
            .as_ref()
            .map_or(NO_NODE, |adapter| adapter.node_name());
        if node == own {
            self.local_broadcast(topic, event);
            return Ok(());
        }
        let adapter = adapter.as_ref().ok_or(NoConnection)?;
        adapter.direct_broadcast(node, topic, &event)
    }

    /// What this node is called among the others; `nonode@nohost` where there are none.
    ///
    /// ```
    /// use perennial::PubSub;
    /// let alone: PubSub<()> = PubSub::new("alone");
    /// assert_eq!(alone.node_name(), "nonode@nohost");
    /// assert!(alone.direct_broadcast(&alone.node_name(), "topic", ()).is_ok());
    /// assert!(alone.direct_broadcast("other@host", "topic", ()).is_err());
    /// ```
    pub fn node_name(&self) -> String {
        let adapter = self.topics().adapter.read().clone();
        adapter.map_or(NO_NODE.to_owned(), |adapter| adapter.node_name().to_owned())
    }

    /// Brings events to the subscribers by this from now on, in the current runtime; the one before is dropped.
    pub fn set_dispatcher(&self, dispatcher: impl Dispatcher<T, V>) {
        let dispatcher: Arc<dyn Dispatcher<T, V>> = Arc::new(dispatcher);
        let topics = self.topics();
        let before = topics.dispatcher.write().replace(dispatcher);
        topics.dispatched.store(true, Ordering::Release);
        drop(before);
    }

    /// Carries broadcasts to other nodes from now on, in the current runtime; the one before is dropped.
    pub fn set_adapter(&self, adapter: impl Adapter<T>) {
        let adapter: Arc<dyn Adapter<T>> = Arc::new(adapter);
        let before = self.topics().adapter.write().replace(adapter);
        drop(before);
    }

    /// The topics that have subscribers on this node, in order.
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
        let mut topics: Vec<_> = all.into_iter().map(|(topic, _)| topic).collect();
        topics.sort_unstable();
        topics
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

impl<T, V> Clone for PubSub<T, V> {
    fn clone(&self) -> Self {
        PubSub {
            name: self.name.clone(),
            types: PhantomData,
        }
    }
}

impl<T, V> fmt::Debug for PubSub<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PubSub({:?})", self.name)
    }
}
