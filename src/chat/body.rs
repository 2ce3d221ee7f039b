//! PURE. What a post carries: the text, and the id under which its sender may repeat it.
//!
//! A body is kept as it was written, with three exceptions that no reader can miss: control characters other
//! than tab and line feed are dropped (a terminal would obey them), and every line end becomes one line feed.
//! It is *not* put in NFC: that would replace the compatibility ideographs (U+FA19 by U+795E) with which many
//! Japanese and Korean names are written. Whoever searches can fold what he compares. White space at the ends
//! stays, it may be code.

use std::fmt;

use super::text;
use crate::sync::Arc;

/// The text of a message: not blank, at most 4,000 code points and 16 KiB unless other limits are given. Cheap to
/// clone.
///
/// ```
/// use perennial::chat::body::{Body, BodyError};
/// assert_eq!(Body::new("one\r\ntwo\u{7}").unwrap().as_str(), "one\ntwo");
/// assert_eq!(Body::new(" \n "), Err(BodyError::Blank));
/// assert_eq!(Body::new(&"x".repeat(4_001)), Err(BodyError::TooLong));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Body(Arc<str>);

/// Why a text is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// There is nothing in it that a reader would see.
    Blank,
    /// It has more code points or bytes than it may.
    TooLong,
}

impl Body {
    /// The longest body in code points: two dense pages; what is longer is a document.
    pub const LETTERS_MAX: usize = 4_000;

    /// The longest body in bytes of UTF-8: four for each code point, rounded up. It bounds what a row, a frame
    /// and the queue of a slow reader take.
    pub const BYTES_MAX: usize = 16 * 1024;

    /// Cleans and checks `text`. The limits hold for what is left after cleaning, as that is what is stored.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn new(text: &str) -> Result<Body, BodyError> {
        Body::within(text, Self::LETTERS_MAX, Self::BYTES_MAX)
    }

    /// As [`new`](Body::new), with other limits of code points and bytes; `usize::MAX` is none.
    ///
    /// ```
    /// use perennial::chat::body::{Body, BodyError};
    /// assert_eq!(Body::within("four", 3, usize::MAX), Err(BodyError::TooLong));
    /// assert!(Body::within(&"x".repeat(100_000), usize::MAX, usize::MAX).is_ok());
    /// ```
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn within(text: &str, letters_max: usize, bytes_max: usize) -> Result<Body, BodyError> {
        let body = clean(text);
        if body.len() > bytes_max || body.chars().count() > letters_max {
            return Err(BodyError::TooLong);
        }
        if body.chars().all(text::is_blank) {
            return Err(BodyError::Blank);
        }
        Ok(Body(body.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Body {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl BodyError {
    /// The `reason` with which a channel refuses the post.
    pub fn reason(self) -> &'static str {
        match self {
            BodyError::Blank => "invalid",
            BodyError::TooLong => "too_long",
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::Blank => f.write_str("a message needs something to read"),
            BodyError::TooLong => f.write_str("the message is too long"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The id that a sender gives to a post, so that repeating the post does not post twice: 1 to 64 bytes, opaque,
/// compared exactly.
///
/// The empty text is refused although it is short enough: a program that sends it with every post has forgotten
/// to fill it in, and all its posts but the first would be taken for repetitions and be lost.
///
/// ```
/// use perennial::chat::body::ClientId;
/// assert_eq!(ClientId::new("3f2a-17").unwrap().as_str(), "3f2a-17");
/// assert!(ClientId::new(&"x".repeat(65)).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Arc<str>);

/// The client id was empty or longer than [`ClientId::BYTES_MAX`]. A channel answers `invalid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIdError;

impl ClientId {
    /// The longest id in bytes: room for a UUID and a word in front. It is stored with each message, in an index.
    pub const BYTES_MAX: usize = 64;

    /// Checks the length.
    ///
    /// # Errors
    /// [`ClientIdError`] if it is empty or too long.
    pub fn new(text: &str) -> Result<ClientId, ClientIdError> {
        match text.len() {
            1..=Self::BYTES_MAX => Ok(ClientId(text.into())),
            _ => Err(ClientIdError),
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ClientId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ClientIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a client id has 1 to {} bytes", ClientId::BYTES_MAX)
    }
}

impl std::error::Error for ClientIdError {}

fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // CR LF is one line end, a lone CR is one too.
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'),
            '\n' | '\t' => clean.push(c),
            _ if c.is_control() => {}
            _ => clean.push(c),
        }
    }
    clean
}
