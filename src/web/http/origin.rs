//! PURE. Which page caused a request: the Origin field against what is allowed (RFC 6454, RFC 9110 §7.2).
//!
//! A browser lets any page open a WebSocket to any server and sends the cookies along; the Origin field is all
//! that tells the server. So it is compared as a whole, scheme, host and port, and `null` matches nothing.

use super::Request;
use std::fmt;

/// The origins that may use cookies here: the server's own, and those on the list.
///
/// ```
/// use perennial::web::http::{Event, Limits, Origin, Origins, RequestDecoder};
/// let origins = Origins::new(["https://chat.example"]).unwrap();
/// let mut decoder = RequestDecoder::new(Limits::default());
/// decoder.feed(b"GET / HTTP/1.1\r\nHost: h:4000\r\nOrigin: http://h:4000\r\n\r\n");
/// let Ok(Some(Event::Request(request))) = decoder.next() else { panic!("complete") };
/// assert_eq!(origins.check(&request), Origin::Allowed);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    listed: Vec<String>,
}

/// What the Origin field of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There is none: not a browser's cross-site request, or no browser at all. Only good enough where no cookie counts.
    Missing,
    /// The server's own origin over plain HTTP, or one on the list.
    Allowed,
    /// Any other, `null`, or more than one.
    Refused,
}

impl Origins {
    /// Reads a list of origins such as `https://chat.example` or `http://10.0.0.5:8080`.
    ///
    /// # Errors
    /// [`InvalidOrigin`] with the first entry that is none.
    pub fn new<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Result<Self, InvalidOrigin> {
        let read = |entry: T| {
            normalise(entry.as_ref()).ok_or_else(|| InvalidOrigin(entry.as_ref().to_owned()))
        };
        let listed = entries.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Origins { listed })
    }

    /// Compares the Origin of a request with `http://` and its Host, then with the list.
    pub fn check(&self, request: &Request) -> Origin {
        let headers = request.headers();
        match headers.count("origin") {
            0 => return Origin::Missing,
            1 => {}
            _ => return Origin::Refused,
        }
        let Some(origin) = headers.get("origin").and_then(normalise) else {
            return Origin::Refused;
        };
        let own = headers
            .get("host")
            .and_then(|host| normalise(&format!("http://{host}")));
        if own.as_ref() == Some(&origin) || self.listed.contains(&origin) {
            Origin::Allowed
        } else {
            Origin::Refused
        }
    }
}

/// Lower case, without the scheme's own port; `None` if it is no `scheme://host[:port]`.
fn normalise(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://")?;
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let is_host = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']')
    };
    if authority.is_empty() || authority.starts_with(':') || !authority.bytes().all(is_host) {
        return None;
    }
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    Some(format!("{scheme}://{authority}"))
}

/// An entry of a list that is no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOrigin(pub String);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reading {:?} as an origin such as https://chat.example:8443",
            self.0
        )
    }
}

impl std::error::Error for InvalidOrigin {}
