//! PURE. A whole request, as a service receives it.

use super::target::{QueryPairs, Target};
use super::{Framing, HeaderValue};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The methods that are served. TRACE and CONNECT are refused before anybody sees them.
///
/// ```
/// use perennial::web::http::Method;
/// assert!(Method::Head.is_safe() && !Method::Post.is_safe());
/// assert_eq!(Method::Delete.as_str(), "DELETE");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`: as GET, answered without content.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// Every method, in the order in which `Allow` lists them.
    pub const ALL: [Method; 7] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Options,
    ];

    /// The method's token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }

    /// Equals `true` if the method may not change anything (RFC 9110 §9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options)
    }

    /// The value of an `Allow` field for these methods.
    pub fn allow(methods: impl IntoIterator<Item = Method>) -> HeaderValue {
        let names: Vec<_> = methods.into_iter().map(Method::as_str).collect();
        HeaderValue::new(names.join(", ")).expect("method names are visible ASCII")
    }
}

/// The version that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`: closed after each response unless the client asked to keep it.
    Http10,
    /// `HTTP/1.1`
    Http11,
}

/// One request: head and whole body.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) version: Version,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The path as it was sent; see [`Target::path`].
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The path's decoded segments; see [`Target::segments`].
    pub fn segments(&self) -> Vec<&str> {
        self.target.segments().iter().map(String::as_str).collect()
    }

    /// The query's decoded pairs; see [`Target::query_pairs`].
    pub fn query_pairs(&self) -> QueryPairs<'_> {
        self.target.query_pairs()
    }

    /// The value of the first pair of the query that has this key.
    pub fn query_value(&self, key: &str) -> Option<Cow<'_, str>> {
        self.query_pairs()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The value of the first field of this name, if it is UTF-8; see [`Headers::get`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The content of the body, decoded from its chunks if it had any.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the body without copying it.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Equals `true` if the client wants to send another request on this connection (RFC 9112 §9.3).
    pub fn keep_alive(&self) -> bool {
        match self.version {
            Version::Http11 => !self.headers.has_token("connection", "close"),
            Version::Http10 => self.headers.has_token("connection", "keep-alive"),
        }
    }

    /// How the answer to this request must be framed; `keep_alive` is the server's own wish.
    pub fn framing(&self, keep_alive: bool) -> Framing {
        Framing {
            version: self.version,
            head_only: self.method == Method::Head,
            keep_alive: keep_alive && self.keep_alive(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the query nor the fields nor the body: all three carry secrets of users.
        write!(
            f,
            "Request({} {}, {} bytes)",
            self.method.as_str(),
            self.path(),
            self.body.len()
        )
    }
}

/// The header fields of a request: one buffer and the places of the fields in it.
#[derive(Clone, Default)]
pub struct Headers {
    pub(super) bytes: Vec<u8>,
    pub(super) fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Headers {
    /// The value of the first field of this name (in any case), if it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields of this name, in order; values that are not UTF-8 are left out.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// How many fields there are of this name, readable or not.
    pub fn count(&self, name: &str) -> usize {
        self.iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .count()
    }

    /// Equals `true` if one of the comma-separated members of the named fields is `token`, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.members(name)
            .any(|member| member.eq_ignore_ascii_case(token))
    }

    /// The comma-separated members of all fields of this name, trimmed, empty ones left out (RFC 9110 §5.6.1).
    pub fn members<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.all(name)
            .flat_map(|value| value.split(','))
            .map(|member| member.trim_matches([' ', '\t']))
            .filter(|member| !member.is_empty())
    }

    /// All fields in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| {
            let name = std::str::from_utf8(&self.bytes[name.clone()]);
            let name = name.expect("field names are ASCII tokens");
            (name, &self.bytes[value.clone()])
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Equals `true` if there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}
