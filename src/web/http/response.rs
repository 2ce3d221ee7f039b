//! PURE. Answers, and how they become bytes.

use super::request::Version;
use super::{HeaderName, HeaderValue, RequestError, Status};
use crate::sync::Arc;
use std::fmt;

/// The content of a response. Shared and static bytes are never copied on their way to the socket.
#[derive(Clone, Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// Bytes in the program itself: its static files.
    Static(&'static [u8]),
    /// Bytes that others hold too.
    Shared(Arc<[u8]>),
    /// Bytes made for this response.
    Owned(Vec<u8>),
}

impl Body {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Body::Empty => &[],
            Body::Static(bytes) => bytes,
            Body::Shared(bytes) => bytes,
            Body::Owned(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.as_bytes().len())
    }
}

/// A response: status, header fields, content.
///
/// ```
/// use perennial::web::http::{HeaderName, HeaderValue, Response, Status};
/// let response = Response::new(Status::CREATED)
///     .header(HeaderName::LOCATION, HeaderValue::from_static("/api/rooms/1"))
///     .json(r#"{"room":{"name":"1"}}"#);
/// assert_eq!(response.status(), Status::CREATED);
/// ```
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
    close: bool,
}

/// What the encoder must know of the request it answers; see [`Request::framing`](super::Request::framing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The client's version.
    pub version: Version,
    /// Equals `true` for HEAD: the fields speak of the content, and the content stays here.
    pub head_only: bool,
    /// Equals `true` if the connection stays open after this response.
    pub keep_alive: bool,
}

impl Framing {
    /// For an answer to something that was no readable request.
    pub const CLOSE: Framing = Framing {
        version: Version::Http11,
        head_only: false,
        keep_alive: false,
    };
}

/// A response as bytes: a head, and content to be sent right after it.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Status line, header fields, empty line.
    pub head: Vec<u8>,
    /// The content; empty if the framing or the status has none.
    pub body: Body,
    /// Equals `true` if the connection is to be closed when all is sent.
    pub close: bool,
}

impl Response {
    /// A response without fields or content.
    pub fn new(status: Status) -> Self {
        Response {
            status,
            headers: Vec::new(),
            body: Body::Empty,
            close: false,
        }
    }

    /// A response that says `{"error":{"code":CODE,"message":MESSAGE}}`, the form of all our errors.
    ///
    /// ```
    /// use perennial::web::http::{Response, Status};
    /// let response = Response::error(Status::CONFLICT, "taken", "this name is taken");
    /// assert_eq!(response.body().as_bytes(), br#"{"error":{"code":"taken","message":"this name is taken"}}"#);
    /// ```
    pub fn error(status: Status, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"error": {"code": code, "message": message}});
        Response::new(status).json(body.to_string())
    }

    /// The answer to a request that was refused; it closes the connection.
    pub fn refusal(error: RequestError) -> Self {
        let code = error.status().reason().to_lowercase().replace(' ', "_");
        let response = Response::error(error.status(), &code, &error.to_string()).close();
        match error {
            RequestError::MethodNotAllowed => {
                response.header(HeaderName::ALLOW, super::Method::allow(super::Method::ALL))
            }
            _ => response,
        }
    }

    /// Adds a field; fields of the same name are all sent.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds a field unless one of this name is there: for what a server adds to every response.
    pub fn default_header(mut self, name: HeaderName, value: &HeaderValue) -> Self {
        if !self.headers.iter().any(|(field, _)| *field == name) {
            self.headers.push((name, value.clone()));
        }
        self
    }

    /// Sets the content and its type, which must name the charset of anything that is text.
    pub fn content(self, content_type: HeaderValue, body: Body) -> Self {
        let mut response = self.header(HeaderName::CONTENT_TYPE, content_type);
        response.body = body;
        response
    }

    /// Sets JSON as the content.
    pub fn json(self, json: impl Into<String>) -> Self {
        const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
        self.content(JSON, Body::Owned(json.into().into_bytes()))
    }

    /// Sets plain text as the content.
    pub fn text(self, text: impl Into<String>) -> Self {
        const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
        self.content(TEXT, Body::Owned(text.into().into_bytes()))
    }

    /// Closes the connection after this response.
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The content.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The value of the first field of this name.
    pub fn header_value(&self, name: HeaderName) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
    }

    /// Makes bytes of it. `date` is the value of the Date field ([`imf_fixdate`](super::imf_fixdate)).
    ///
    /// ```
    /// use perennial::web::http::{Framing, Response, Status};
    /// let encoded = Response::new(Status::NO_CONTENT).encode(Framing::CLOSE, "Sun, 06 Nov 1994 08:49:37 GMT");
    /// assert_eq!(
    ///     encoded.head,
    ///     b"HTTP/1.1 204 No Content\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nconnection: close\r\n\r\n",
    /// );
    /// ```
    pub fn encode(self, framing: Framing, date: &str) -> Encoded {
        let close = self.close || !framing.keep_alive;
        let mut head = Vec::with_capacity(256);
        let mut line = |parts: [&str; 4]| {
            for part in parts {
                head.extend_from_slice(part.as_bytes());
            }
            head.extend_from_slice(b"\r\n");
        };
        let code = self.status.code().to_string();
        // RFC 9110 §2.5: a server answers with its own version, whatever the client's minor one is.
        line(["HTTP/1.1 ", &code, " ", self.status.reason()]);
        line(["date: ", date, "", ""]);
        for (name, value) in &self.headers {
            line([name.as_str(), ": ", value.as_str(), ""]);
        }
        // RFC 9110 §8.6: no Content-Length where there is no content, but HEAD gets the length that GET would have.
        if !self.status.is_bodiless() {
            let length = self.body.as_bytes().len().to_string();
            line(["content-length: ", &length, "", ""]);
        }
        match framing.version {
            _ if close => line(["connection: close", "", "", ""]),
            Version::Http10 => line(["connection: keep-alive", "", "", ""]),
            Version::Http11 => {}
        }
        line(["", "", "", ""]);
        let body = if framing.head_only || self.status.is_bodiless() {
            Body::Empty
        } else {
            self.body
        };
        Encoded { head, body, close }
    }
}
