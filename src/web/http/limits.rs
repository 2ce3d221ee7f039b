//! PURE. What a request may cost before it is refused.

/// The bounds of one request; every one of them is checked before the memory is taken.
///
/// ```
/// use perennial::web::http::Limits;
/// let limits = Limits { body_max: 1024, ..Limits::default() };
/// assert_eq!(limits.request_line_max, 8_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line without its CR LF; a longer one is answered 414. RFC 9112 §3 asks for at least 8,000.
    pub request_line_max: usize,
    /// Bytes of all header fields with their line ends; more is answered 431. Browsers stay below 8 KiB, so 16 KiB is ample.
    pub head_max: usize,
    /// Header fields; more is answered 431. A browser sends about 20.
    pub fields_max: usize,
    /// Bytes of the body after decoding; more is answered 413 before it is read. A chat message is at most 16 KiB,
    /// and JSON can escape each byte to six.
    pub body_max: usize,
    /// Bytes of all chunk extensions of a body together: nobody uses them, and an unbounded one is free work for an attacker.
    pub chunk_extension_max: usize,
    /// Bytes of all trailer fields, which are read and discarded.
    pub trailer_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_line_max: 8_000,
            head_max: 16 * 1024,
            fields_max: 100,
            body_max: 128 * 1024,
            chunk_extension_max: 256,
            trailer_max: 8 * 1024,
        }
    }
}
