//! HTTP/1.1 (RFC 9110, RFC 9112) without a socket: bytes in, requests out; responses in, bytes out.
//!
//! Everything here is PURE. The manner is strict: whatever two parsers could read in two ways (a bare line
//! feed, a folded field, two lengths) is refused, because request smuggling lives exactly there.
//!
//! ```
//! use perennial::web::http::{Event, Limits, RequestDecoder};
//!
//! let mut decoder = RequestDecoder::new(Limits::default());
//! decoder.feed(b"GET /api/rooms/%EB%B0%A9?limit=5 HTTP/1.1\r\nHost: chat\r\n\r\n");
//! let Ok(Some(Event::Request(request))) = decoder.next() else { panic!("a whole request was fed") };
//! assert_eq!(request.segments(), ["api", "rooms", "방"]);
//! assert_eq!(request.query_value("limit").as_deref(), Some("5"));
//! ```
//!
//! Reading order: [`Limits`], `head`, `target`, `chunked`, `decoder`, [`Request`], [`Response`], `cookie`.

mod chunked;
mod cookie;
mod date;
mod decoder;
mod error;
mod head;
mod header;
mod limits;
mod origin;
mod request;
mod response;
mod status;
mod target;

pub use cookie::{InvalidCookie, SameSite, SetCookie, cookies};
pub use date::imf_fixdate;
pub use decoder::{Event, Progress, RequestDecoder};
pub use error::RequestError;
pub use header::{HeaderName, HeaderValue, InvalidHeaderValue};
pub use limits::Limits;
pub use origin::{InvalidOrigin, Origin, Origins};
pub use request::{Headers, Method, Request, Version};
pub use response::{Body, Encoded, Framing, Response};
pub use status::Status;
pub use target::{QueryPairs, Target, percent_decode};
