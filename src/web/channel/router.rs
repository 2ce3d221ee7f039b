//! PURE: which channel serves a topic.

/// The channels of a socket, by the topics they serve.
///
/// The first pattern that fits wins, in the order of declaration (phoenix#4618 tells what happens otherwise).
///
/// ```
/// use perennial::web::channel::Routes;
/// let routes = Routes::new().channel("room:lobby", "lobby").channel("room:*", "room");
/// assert_eq!(routes.find("room:lobby"), Some(&"lobby"));
/// assert_eq!(routes.find("room:7"), Some(&"room"));
/// assert_eq!(routes.find("game:7"), None);
/// ```
#[derive(Clone, Debug)]
pub struct Routes<H> {
    routes: Vec<(Pattern, H)>,
}

#[derive(Clone, Debug)]
enum Pattern {
    Exact(Box<str>),
    Prefix(Box<str>),
}

impl<H> Routes<H> {
    /// No channel for any topic.
    pub fn new() -> Self {
        Routes { routes: Vec::new() }
    }

    /// Adds a channel for one topic (`"room:lobby"`), or for all with a prefix (`"room:*"`).
    ///
    /// # Panics
    /// If there is a `*` anywhere but at the end.
    #[must_use]
    pub fn channel(mut self, pattern: &str, handler: H) -> Self {
        let stem = pattern.strip_suffix('*');
        assert!(
            !stem.unwrap_or(pattern).contains('*'),
            "Routes::channel({pattern:?}): a * stands for the rest of the topic and must be at the end, as in \"room:*\""
        );
        let pattern = match stem {
            Some(prefix) => Pattern::Prefix(prefix.into()),
            None => Pattern::Exact(pattern.into()),
        };
        self.routes.push((pattern, handler));
        self
    }

    /// The channel that serves a topic.
    pub fn find(&self, topic: &str) -> Option<&H> {
        let fits = |pattern: &Pattern| match pattern {
            Pattern::Exact(exact) => topic == &**exact,
            Pattern::Prefix(prefix) => topic.starts_with(&**prefix),
        };
        let route = self.routes.iter().find(|(pattern, _)| fits(pattern));
        route.map(|(_, handler)| handler)
    }
}

impl<H> Default for Routes<H> {
    fn default() -> Self {
        Routes::new()
    }
}
