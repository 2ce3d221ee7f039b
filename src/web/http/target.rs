//! PURE. The request target: a path of segments and a query (RFC 9112 §3.2, RFC 3986).
//!
//! A path is cut at its slashes first and percent-decoded after, once. So `%2F` is a character of a segment and
//! never a border, and `..` cannot appear by decoding: dot segments are refused in either spelling.

use super::{Method, RequestError};
use std::borrow::Cow;

/// Where a request goes.
///
/// ```
/// use perennial::web::http::{Method, Target};
/// let target = Target::parse(Method::Get, "/rooms/caf%C3%A9?after=3").unwrap();
/// assert_eq!(target.path(), "/rooms/caf%C3%A9");
/// assert_eq!(target.segments(), ["rooms", "café"]);
/// assert_eq!(target.query(), Some("after=3"));
/// assert!(Target::parse(Method::Get, "/static/%2e%2e/secret").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: String,
    segments: Vec<String>,
    query: Option<String>,
    authority: Option<String>,
}

impl Target {
    /// Reads a target: origin-form, absolute-form, or `*` for OPTIONS.
    ///
    /// # Errors
    /// [`RequestError`] with the status to answer.
    pub fn parse(method: Method, raw: &str) -> Result<Self, RequestError> {
        if !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("target has a character outside visible ASCII"));
        }
        if raw.contains('#') {
            return Err(malformed("target has a fragment"));
        }
        if raw == "*" {
            return if method == Method::Options {
                Ok(Target::from_parts("*", Vec::new(), None, None))
            } else {
                Err(malformed("asterisk target"))
            };
        }
        let (authority, origin) = match split_absolute(raw)? {
            Some((authority, rest)) => (Some(authority.to_owned()), rest),
            None => (None, raw),
        };
        let (path, query) = match origin.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (origin, None),
        };
        // RFC 9112 §3.2.2: an absolute-form without a path means the root.
        let path = if path.is_empty() && authority.is_some() {
            "/"
        } else {
            path
        };
        let Some(inner) = path.strip_prefix('/') else {
            return Err(malformed("target is not a path"));
        };
        let segments = inner.split('/').map(segment).collect::<Result<_, _>>()?;
        if let Some(query) = query {
            check_query(query)?;
        }
        Ok(Target::from_parts(
            path,
            segments,
            query.map(str::to_owned),
            authority,
        ))
    }

    fn from_parts(
        path: &str,
        segments: Vec<String>,
        query: Option<String>,
        authority: Option<String>,
    ) -> Self {
        Target {
            path: path.to_owned(),
            segments,
            query,
            authority,
        }
    }

    /// The path as it was sent, percent-encoded, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path's segments, each percent-decoded to UTF-8. `/` is one empty segment, as `/api/` ends with one.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The query as it was sent, without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Host and port of an absolute-form target.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The query's pairs in their order, decoded.
    pub fn query_pairs(&self) -> QueryPairs<'_> {
        QueryPairs {
            rest: self.query.as_deref(),
        }
    }
}

fn malformed(what: &'static str) -> RequestError {
    RequestError::Malformed(what)
}

/// Takes `http://authority` off an absolute-form target.
fn split_absolute(raw: &str) -> Result<Option<(&str, &str)>, RequestError> {
    if raw.starts_with('/') {
        return Ok(None);
    }
    let Some((scheme, rest)) = raw.split_once("://") else {
        return Err(malformed("target is not a path"));
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(malformed("target has an unknown scheme"));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at(end);
    if authority.is_empty() || authority.contains('@') {
        return Err(malformed("target has no host, or names a user"));
    }
    Ok(Some((authority, origin)))
}

fn segment(raw: &str) -> Result<String, RequestError> {
    let decoded = percent_decode(raw).ok_or(malformed("path is not percent-encoded UTF-8"))?;
    if decoded == "." || decoded == ".." {
        return Err(malformed("path has a dot segment"));
    }
    if decoded.chars().any(char::is_control) {
        return Err(malformed("path has a control character"));
    }
    Ok(decoded.into_owned())
}

fn check_query(raw: &str) -> Result<(), RequestError> {
    match percent_decode(raw) {
        Some(decoded) if !decoded.contains('\0') => Ok(()),
        _ => Err(malformed("query is not percent-encoded UTF-8")),
    }
}

/// Decodes `%XX`, once. `None` if an escape is cut or not hexadecimal, or if the bytes are not UTF-8.
///
/// ```
/// use perennial::web::http::percent_decode;
/// assert_eq!(percent_decode("a%20b").as_deref(), Some("a b"));
/// assert_eq!(percent_decode("%2525").as_deref(), Some("%25"));
/// assert_eq!(percent_decode("%zz"), None);
/// assert_eq!(percent_decode("%ff"), None);
/// ```
pub fn percent_decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = hex(bytes.next()?)?;
            let low = hex(bytes.next()?)?;
            decoded.push(high << 4 | low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The value of one hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Pairs of a query: cut at `&` and `=`, `+` read as a space, then percent-decoded. Empty pieces are skipped.
///
/// ```
/// use perennial::web::http::{Method, Target};
/// let target = Target::parse(Method::Get, "/?q=a+b&&vsn=2.0.0&flag").unwrap();
/// let pairs: Vec<_> = target.query_pairs().collect();
/// assert_eq!(pairs, [("q".into(), "a b".into()), ("vsn".into(), "2.0.0".into()), ("flag".into(), "".into())]);
/// ```
#[derive(Clone, Debug)]
pub struct QueryPairs<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for QueryPairs<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.take()?;
            let piece = match rest.split_once('&') {
                Some((piece, rest)) => {
                    self.rest = Some(rest);
                    piece
                }
                None => rest,
            };
            if piece.is_empty() {
                continue;
            }
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            return Some((decode_form(key), decode_form(value)));
        }
    }
}

/// Decodes one half of a pair. Cutting a checked query at ASCII characters leaves each part decodable but for
/// one case, a character whose bytes stand on both sides of the cut; such a half is kept as it was sent.
fn decode_form(raw: &str) -> Cow<'_, str> {
    let spaced = if raw.contains('+') {
        Cow::Owned(raw.replace('+', " "))
    } else {
        Cow::Borrowed(raw)
    };
    match spaced {
        Cow::Borrowed(text) => percent_decode(text).unwrap_or(Cow::Borrowed(text)),
        Cow::Owned(text) => {
            let decoded = percent_decode(&text).map(Cow::into_owned);
            Cow::Owned(decoded.unwrap_or(text))
        }
    }
}
