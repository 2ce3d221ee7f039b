//! PURE. Names and values of the fields we send. A value with a line end cannot be built, so no answer can be split.

use std::borrow::Cow;
use std::fmt;

/// The name of a response field, in lower case, known when the program is compiled.
///
/// ```
/// use perennial::web::http::HeaderName;
/// const RETRY: HeaderName = HeaderName::from_static("retry-after");
/// assert_eq!(RETRY.as_str(), "retry-after");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeaderName(&'static str);

macro_rules! names {
    ($($name:ident $text:literal;)+) => {
        impl HeaderName {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: HeaderName = HeaderName::from_static($text);
            )+
        }
    };
}

names! {
    ALLOW "allow";
    CACHE_CONTROL "cache-control";
    CLEAR_SITE_DATA "clear-site-data";
    CONTENT_DISPOSITION "content-disposition";
    CONTENT_SECURITY_POLICY "content-security-policy";
    CONTENT_TYPE "content-type";
    CROSS_ORIGIN_OPENER_POLICY "cross-origin-opener-policy";
    CROSS_ORIGIN_RESOURCE_POLICY "cross-origin-resource-policy";
    ETAG "etag";
    LAST_MODIFIED "last-modified";
    LOCATION "location";
    PERMISSIONS_POLICY "permissions-policy";
    REFERRER_POLICY "referrer-policy";
    RETRY_AFTER "retry-after";
    SEC_WEBSOCKET_VERSION "sec-websocket-version";
    SET_COOKIE "set-cookie";
    STRICT_TRANSPORT_SECURITY "strict-transport-security";
    VARY "vary";
    WWW_AUTHENTICATE "www-authenticate";
    X_CONTENT_TYPE_OPTIONS "x-content-type-options";
    X_FRAME_OPTIONS "x-frame-options";
}

/// Names that describe the frame of a message: only the encoder may write them, or a body could be cut elsewhere
/// than where its length says.
const FRAMING: [&str; 5] = [
    "connection",
    "content-length",
    "date",
    "transfer-encoding",
    "trailer",
];

impl HeaderName {
    /// A name that is a token in lower case.
    ///
    /// # Panics
    /// If `name` is none, or one of those that the encoder writes itself (`content-length` and the like).
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(
            !bytes.is_empty(),
            "a header name has at least one character"
        );
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                is_token(bytes[at]) && !bytes[at].is_ascii_uppercase(),
                "a header name is a token in lower case"
            );
            at += 1;
        }
        let mut at = 0;
        while at < FRAMING.len() {
            assert!(
                !same(bytes, FRAMING[at].as_bytes()),
                "the encoder writes this header itself"
            );
            at += 1;
        }
        HeaderName(name)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// RFC 9110 §5.6.2: `tchar`.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// The value of a response field: visible ASCII, spaces and tabs, nothing else.
///
/// ```
/// use perennial::web::http::HeaderValue;
/// assert!(HeaderValue::new("/rooms").is_ok());
/// assert!(HeaderValue::new("/rooms\r\nset-cookie: sid=1").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderValue(Cow<'static, str>);

impl HeaderValue {
    /// A value made at run time.
    ///
    /// # Errors
    /// [`InvalidHeaderValue`] if it holds a character that may not stand in a field, a line end above all.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidHeaderValue> {
        let value = value.into();
        if value.bytes().all(is_value) {
            Ok(HeaderValue(Cow::Owned(value)))
        } else {
            Err(InvalidHeaderValue)
        }
    }

    /// A value known when the program is compiled.
    ///
    /// # Panics
    /// If it has any other character than visible ASCII, space and tab; in a `const` the compiler says so.
    pub const fn from_static(value: &'static str) -> Self {
        let bytes = value.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                is_value(bytes[at]),
                "a header value is visible ASCII, spaces and tabs"
            );
            at += 1;
        }
        HeaderValue(Cow::Borrowed(value))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u64> for HeaderValue {
    fn from(number: u64) -> Self {
        HeaderValue(Cow::Owned(number.to_string()))
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cookies and tokens are sent in fields, and a debug print must not become the place where they leak.
        write!(f, "HeaderValue({} bytes)", self.0.len())
    }
}

const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte <= b'~')
}

/// The text holds a character that may not stand in a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeaderValue;

impl fmt::Display for InvalidHeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("building a header value from text with a control or non-ASCII character")
    }
}

impl std::error::Error for InvalidHeaderValue {}
