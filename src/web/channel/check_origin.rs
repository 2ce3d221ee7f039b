//! PURE: which pages may connect.
//!
//! Like the porter of a house who asks visitors where they come from. A browser always says so, and cannot lie; what is
//! no browser says nothing, and passes: it has no cookies of others to abuse. Whoever comes from nowhere (`null`, a
//! file) is sent away, unless nobody is asked.

use crate::sync::Arc;
use crate::web::http::{InvalidOrigin, Request};
use std::fmt;

/// Which origins a socket accepts, Phoenix's `check_origin`.
///
/// ```
/// use perennial::web::channel::CheckOrigin;
/// use perennial::web::http::{Event, Limits, RequestDecoder};
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed(b"GET / HTTP/1.1\r\nHost: h:4000\r\nOrigin: https://app.example.com\r\n\r\n");
/// let Ok(Some(Event::Request(request))) = decoder.next() else { panic!("complete") };
/// assert!(CheckOrigin::list(["//*.example.com"])?.allows(&request));
/// assert!(!CheckOrigin::conn().allows(&request));
/// # Ok::<(), perennial::web::http::InvalidOrigin>(())
/// ```
#[derive(Clone)]
pub struct CheckOrigin(Rule);

#[derive(Clone)]
enum Rule {
    Off,
    Conn,
    List(Arc<[Entry]>),
    With(Arc<dyn Fn(&OriginUri<'_>) -> bool + Send + Sync>),
}

/// The Origin field of a request, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginUri<'a> {
    /// The field as it came.
    pub text: &'a str,
    /// `https`, in the client's spelling.
    pub scheme: Option<&'a str>,
    /// A name or an address, without the brackets of IPv6.
    pub host: Option<&'a str>,
    /// The port that was named, else that of the scheme.
    pub port: Option<u16>,
}

/// One entry of a list; what is `None` matches anything.
#[derive(Debug)]
struct Entry {
    scheme: Option<String>,
    host: String,
    /// Subdomains of the host are meant too.
    is_wild: bool,
    port: Option<u16>,
}

impl CheckOrigin {
    /// Everybody may connect, from any page: for sockets on which nobody acts by a cookie.
    pub fn off() -> Self {
        CheckOrigin(Rule::Off)
    }

    /// Pages of this server: scheme, host and port are those of the request itself, which is plain HTTP here. The
    /// default. A server behind a proxy that speaks TLS names its origins by [`list`](CheckOrigin::list).
    pub fn conn() -> Self {
        CheckOrigin(Rule::Conn)
    }

    /// Pages of this host, whatever their scheme and port.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if it is none.
    pub fn host(host: &str) -> Result<Self, InvalidOrigin> {
        CheckOrigin::list([format!("//{host}")])
    }

    /// Pages of these: `https://example.com`, `//example.com:888`, `//*.example.com`. What an entry leaves out matches
    /// anything; a `*.` is the host itself and every host below it.
    ///
    /// # Errors
    /// [`InvalidOrigin`] with the first entry that is none, one without a host above all.
    pub fn list<T: AsRef<str>>(
        entries: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidOrigin> {
        let read = |entry: T| {
            Entry::read(entry.as_ref()).ok_or_else(|| InvalidOrigin(entry.as_ref().to_owned()))
        };
        let entries = entries.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(CheckOrigin(Rule::List(entries)))
    }

    /// Pages of which this says so. It is asked about origins without a host too.
    pub fn with(allows: impl Fn(&OriginUri<'_>) -> bool + Send + Sync + 'static) -> Self {
        CheckOrigin(Rule::With(Arc::new(allows)))
    }

    /// Whether the page that made the request may connect.
    pub fn allows(&self, request: &Request) -> bool {
        let headers = request.headers();
        let text = match (&self.0, headers.count("origin")) {
            (Rule::Off, _) | (_, 0) => return true,
            (_, 1) => headers.get("origin"),
            _ => None,
        };
        let Some(origin) = text.map(OriginUri::read) else {
            return false;
        };
        match &self.0 {
            Rule::With(allows) => return allows(&origin),
            _ if origin.host.is_none() => return false,
            _ => {}
        }
        match &self.0 {
            Rule::Off | Rule::With(_) => true,
            Rule::List(entries) => entries.iter().any(|entry| entry.matches(&origin)),
            Rule::Conn => headers.get("host").is_some_and(|host| {
                let own = format!("http://{host}");
                let own = OriginUri::read(&own);
                same(origin.scheme, own.scheme)
                    && same(origin.host, own.host)
                    && origin.port == own.port
            }),
        }
    }
}

impl Default for CheckOrigin {
    fn default() -> Self {
        CheckOrigin::conn()
    }
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one.eq_ignore_ascii_case(other))
}

impl<'a> OriginUri<'a> {
    /// Takes an origin apart; what is not there, or is none, is `None`.
    pub fn read(text: &'a str) -> Self {
        let (scheme, rest) = match text.split_once("//") {
            Some(("", rest)) => (None, rest),
            Some((scheme, rest)) => (scheme.strip_suffix(':'), rest),
            None => {
                return OriginUri {
                    text,
                    scheme: None,
                    host: None,
                    port: None,
                };
            }
        };
        let (host, port) = authority(rest).unwrap_or((None, None));
        let of_scheme = match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => Some(80),
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => Some(443),
            _ => None,
        };
        OriginUri {
            text,
            scheme,
            host,
            port: port.or(of_scheme),
        }
    }
}

/// Host and port of what stands behind the slashes; `None` if it is more than that.
fn authority(rest: &str) -> Option<(Option<&str>, Option<u16>)> {
    let end = match rest.strip_prefix('[') {
        Some(inner) => inner.find(']')? + 2,
        None => rest.find(':').unwrap_or(rest.len()),
    };
    let (host, port) = rest.split_at(end);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_host =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port.parse().ok()?),
        None if port.is_empty() => None,
        None => return None,
    };
    if !host.bytes().all(is_host) {
        return None;
    }
    Some(((!host.is_empty()).then_some(host), port))
}

impl Entry {
    fn read(text: &str) -> Option<Entry> {
        let (before, host) = text.split_once("//")?;
        let (is_wild, host) = match host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, host),
        };
        let scheme = match before {
            "" => None,
            _ => Some(before.strip_suffix(':')?.to_owned()),
        };
        let (host, port) = authority(host)?;
        let of_scheme = OriginUri::read(&format!("{before}//h")).port;
        Some(Entry {
            scheme,
            host: host?.to_ascii_lowercase(),
            is_wild,
            port: port.or(of_scheme),
        })
    }

    fn matches(&self, origin: &OriginUri<'_>) -> bool {
        let host = origin.host.unwrap_or("").to_ascii_lowercase();
        let is_below = || {
            let above = host.strip_suffix(&self.host);
            self.is_wild && above.is_some_and(|above| above.ends_with('.'))
        };
        (self.scheme.is_none() || same(self.scheme.as_deref(), origin.scheme))
            && (self.port.is_none() || self.port == origin.port)
            && (host == self.host || is_below())
    }
}

impl fmt::Debug for CheckOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Off => f.write_str("CheckOrigin::off"),
            Rule::Conn => f.write_str("CheckOrigin::conn"),
            Rule::List(entries) => write!(f, "CheckOrigin::list({entries:?})"),
            Rule::With(_) => f.write_str("CheckOrigin::with"),
        }
    }
}
