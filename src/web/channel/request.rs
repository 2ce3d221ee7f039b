//! PURE: what a client says in its upgrade request: the version of the serializer, and perhaps a token.

use crate::web::http::Request;

/// Whether a `vsn` of the query is one that is spoken here: Phoenix's requirement `~> 2.0.0`, so 2.0 and any patch
/// of it. A client that names none speaks 1.0.0, which had no `join_ref`.
///
/// ```
/// use perennial::web::channel::request;
/// assert!(request::speaks(Some("2.0.0")) && request::speaks(Some("2.0.1")));
/// assert!(!request::speaks(Some("2.1.0")) && !request::speaks(None));
/// ```
pub fn speaks(vsn: Option<&str>) -> bool {
    let mut parts = vsn.unwrap_or("1.0.0").split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.next() == Some("2")
        && parts.next() == Some("0")
        && parts.next().is_some_and(is_number)
        && parts.next().is_none()
}

/// What precedes a token among the subprotocols that a client offers.
const BEARER: &str = "base64url.bearer.phx.";

/// How long a token may be. 1 KiB: ours have 64 characters, signed ones of others a few hundred.
const TOKEN_LEN_MAX: usize = 1024;

/// The token that the official client, from 1.8 on, sends as `authToken`: not in the URL, where it would end up in
/// logs, but as a subprotocol. `None` if there is none, or none that is base64 of UTF-8.
pub fn auth_token(request: &Request) -> Option<String> {
    let mut offered = request.headers().members("sec-websocket-protocol");
    decode_token(offered.find_map(|name| name.strip_prefix(BEARER))?)
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
    String::from_utf8(bytes).ok()
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
