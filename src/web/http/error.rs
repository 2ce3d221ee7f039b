//! PURE. Why a request was refused before anybody above saw it.

use super::Status;
use std::fmt;

/// A request that the decoder refuses. The connection is closed after the answer, always: once the two sides
/// disagree about where a request ends, nothing that follows can be trusted.
///
/// ```
/// use perennial::web::http::{RequestError, Status};
/// assert_eq!(RequestError::BodyTooLarge.status(), Status::CONTENT_TOO_LARGE);
/// assert_eq!(RequestError::Malformed("bare line feed").to_string(), "malformed request: bare line feed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The bytes are not a request that can be read in one way only; says what was wrong. 400.
    Malformed(&'static str),
    /// The method is known and served by nobody (TRACE, CONNECT). 405.
    MethodNotAllowed,
    /// The body is longer than [`Limits::body_max`](super::Limits::body_max). 413.
    BodyTooLarge,
    /// The request line is longer than [`Limits::request_line_max`](super::Limits::request_line_max). 414.
    TargetTooLong,
    /// An expectation other than `100-continue`. 417.
    ExpectationFailed,
    /// More or longer header fields (or trailers) than the limits allow. 431.
    HeadTooLarge,
    /// A method nobody has heard of. 501.
    UnknownMethod,
    /// A transfer coding other than `chunked`. 501.
    UnknownTransferCoding,
    /// A version other than HTTP/1.0 and HTTP/1.1. 505.
    UnsupportedVersion,
}

impl RequestError {
    /// The status to answer with.
    pub fn status(self) -> Status {
        match self {
            RequestError::Malformed(_) => Status::BAD_REQUEST,
            RequestError::MethodNotAllowed => Status::METHOD_NOT_ALLOWED,
            RequestError::BodyTooLarge => Status::CONTENT_TOO_LARGE,
            RequestError::TargetTooLong => Status::URI_TOO_LONG,
            RequestError::ExpectationFailed => Status::EXPECTATION_FAILED,
            RequestError::HeadTooLarge => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            RequestError::UnknownMethod | RequestError::UnknownTransferCoding => {
                Status::NOT_IMPLEMENTED
            }
            RequestError::UnsupportedVersion => Status::HTTP_VERSION_NOT_SUPPORTED,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Malformed(what) => write!(f, "malformed request: {what}"),
            RequestError::MethodNotAllowed => f.write_str("method is not allowed"),
            RequestError::BodyTooLarge => f.write_str("body is too large"),
            RequestError::TargetTooLong => f.write_str("request line is too long"),
            RequestError::ExpectationFailed => f.write_str("expectation cannot be met"),
            RequestError::HeadTooLarge => f.write_str("header fields are too large"),
            RequestError::UnknownMethod => f.write_str("method is not implemented"),
            RequestError::UnknownTransferCoding => {
                f.write_str("transfer coding is not implemented")
            }
            RequestError::UnsupportedVersion => f.write_str("version is not supported"),
        }
    }
}

impl std::error::Error for RequestError {}
