//! PURE. Cookies, in and out (RFC 6265).

use super::header::is_token;
use super::{HeaderValue, Request};
use std::fmt;
use std::time::Duration;

/// The cookies of a request, in the order in which they were sent. Pieces that are no `name=value` are skipped,
/// as are those with a character that no cookie has.
///
/// ```
/// use perennial::web::http::{cookies, Event, Limits, RequestDecoder};
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed(b"GET / HTTP/1.1\r\nHost: h\r\nCookie: sid=4f; theme=\"dark\"\r\n\r\n");
/// let Ok(Some(Event::Request(request))) = decoder.next() else { panic!("complete") };
/// assert_eq!(cookies(&request).collect::<Vec<_>>(), [("sid", "4f"), ("theme", "dark")]);
/// ```
pub fn cookies(request: &Request) -> impl Iterator<Item = (&str, &str)> {
    request
        .headers()
        .all("cookie")
        .flat_map(|value| value.split(';'))
        .filter_map(|piece| {
            let (name, value) = piece.trim_matches([' ', '\t']).split_once('=')?;
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .unwrap_or(value);
            (is_name(name) && value.bytes().all(is_cookie_octet)).then_some((name, value))
        })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}

/// RFC 6265 §4.1.1: visible ASCII without double quote, comma, semicolon, backslash.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// When a browser sends a cookie along with a request that another site caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only when the user follows a link.
    Lax,
}

/// A `Set-Cookie` field in the making.
///
/// ```
/// use perennial::web::http::{SameSite, SetCookie};
/// let cookie = SetCookie::new("sid", "4f").http_only().same_site(SameSite::Lax).path("/");
/// assert_eq!(cookie.build().unwrap().as_str(), "sid=4f; HttpOnly; SameSite=Lax; Path=/");
/// assert!(SetCookie::new("sid", "4f; Domain=evil").build().is_err());
/// ```
#[derive(Clone)]
pub struct SetCookie {
    name: String,
    value: String,
    attributes: String,
    valid: bool,
}

/// Bytes of name and value together: what browsers are sure to keep (RFC 6265 §6.1).
const COOKIE_MAX: usize = 4096;

impl SetCookie {
    /// A cookie for this browser session.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let valid = is_name(&name)
            && value.bytes().all(is_cookie_octet)
            && name.len() + value.len() <= COOKIE_MAX;
        SetCookie {
            name,
            value,
            attributes: String::new(),
            valid,
        }
    }

    /// Scripts of the page cannot read it.
    pub fn http_only(self) -> Self {
        self.attribute("HttpOnly")
    }

    /// Sent over TLS only.
    pub fn secure(self) -> Self {
        self.attribute("Secure")
    }

    /// See [`SameSite`].
    pub fn same_site(self, same_site: SameSite) -> Self {
        self.attribute(match same_site {
            SameSite::Strict => "SameSite=Strict",
            SameSite::Lax => "SameSite=Lax",
        })
    }

    /// Sent for this path and what is below it.
    pub fn path(mut self, path: &str) -> Self {
        self.valid &= path.starts_with('/') && !path.contains(';') && path.is_ascii();
        self.attribute(&format!("Path={path}"))
    }

    /// How long the browser keeps it, in whole seconds; zero removes it.
    pub fn max_age(self, age: Duration) -> Self {
        self.attribute(&format!("Max-Age={}", age.as_secs()))
    }

    /// The field's value.
    ///
    /// # Errors
    /// [`InvalidCookie`] if name, value or path hold what no cookie may.
    pub fn build(self) -> Result<HeaderValue, InvalidCookie> {
        if !self.valid {
            return Err(InvalidCookie);
        }
        let text = format!("{}={}{}", self.name, self.value, self.attributes);
        HeaderValue::new(text).map_err(|_| InvalidCookie)
    }

    fn attribute(mut self, attribute: &str) -> Self {
        self.attributes.push_str("; ");
        self.attributes.push_str(attribute);
        self
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value is a secret of the user.
        write!(f, "SetCookie({}{})", self.name, self.attributes)
    }
}

/// Name, value or path hold a character that no cookie may have, or are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCookie;

impl fmt::Display for InvalidCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("building a cookie from a name, value or path that no cookie may have")
    }
}

impl std::error::Error for InvalidCookie {}
