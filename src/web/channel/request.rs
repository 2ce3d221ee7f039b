//! PURE: what a client says when it asks to connect: by what, and perhaps a token.

use crate::web::http::Request;

/// By what a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// One WebSocket.
    WebSocket,
    /// One request after the other, for networks that let no WebSocket through.
    LongPoll,
}

/// What precedes a token among the subprotocols that a client offers.
const BEARER: &str = "base64url.bearer.phx.";

/// How long a token may be. 1 KiB: ours have 64 characters, signed ones of others a few hundred.
const TOKEN_LEN_MAX: usize = 1024;

/// The field that carries a token by long poll.
const TOKEN_FIELD: &str = "x-phoenix-authtoken";

/// The token that the official client, from 1.8 on, sends as `authToken`: not in the URL, where it would end up in
/// logs, but as a subprotocol, or by long poll in a field of its own. `None` if there is none, or none that is base64
/// of UTF-8.
pub fn auth_token(request: &Request) -> Option<String> {
    if let Some(token) = request.header(TOKEN_FIELD) {
        return (token.len() <= TOKEN_LEN_MAX).then(|| token.to_owned());
    }
    let mut offered = request.headers().members("sec-websocket-protocol");
    decode_token(offered.find_map(|name| name.strip_prefix(BEARER))?)
}

/// Whether a subprotocol is a token that a client sends along.
pub(super) fn is_token(offer: &str) -> bool {
    offer.starts_with(BEARER)
}

/// Reads base64 without padding (RFC 4648 §3.2), in either alphabet: the client promises the one for URLs and sends
/// the other.
///
/// ```
/// use perennial::web::channel::request::decode_token;
/// assert_eq!(decode_token("c2VjcmV0Pz4"), Some("secret?>".into()));
/// assert_eq!(decode_token("c2VjcmV0P"), None);
/// ```
pub fn decode_token(base64: &str) -> Option<String> {
    if base64.len() > TOKEN_LEN_MAX * 4 / 3 {
        return None;
    }
    String::from_utf8(decode_base64(base64)?).ok()
}

/// Bytes of base64 without padding, in either alphabet.
pub(super) fn decode_base64(base64: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64.len() * 3 / 4);
    for chunk in base64.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for &byte in chunk {
            bits = bits << 6 | sextet(byte)?;
        }
        let bytes_len = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bits <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=bytes_len]);
        // RFC 4648 §3.5: bits that are left over are zero, or one token would have several spellings.
        if bits & (0xff_ffff >> (8 * bytes_len)) != 0 {
            return None;
        }
    }
    Some(bytes)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}
