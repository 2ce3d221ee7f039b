//! PURE. Why a WebSocket is closed (RFC 6455 §7.4).

use super::ProtocolError;
use std::fmt;

/// A close code.
///
/// The official `phoenix` client reconnects after any code but 1000, so [`NORMAL`](CloseCode::NORMAL) is never
/// right for a client that is to come back.
///
/// ```
/// use perennial::web::websocket::CloseCode;
/// assert!(CloseCode::RESTART.may_be_sent());
/// assert!(!CloseCode::ABNORMAL.may_be_sent());
/// assert_eq!(CloseCode::new(4408).to_string(), "4408");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// 1001: an end is going away; for us, a logout or a client that fell silent.
    pub const AWAY: CloseCode = CloseCode(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL: CloseCode = CloseCode(1002);
    /// 1003: a kind of data that cannot be accepted.
    pub const UNSUPPORTED: CloseCode = CloseCode(1003);
    /// 1005, never on the wire: the peer's Close named no code.
    pub const NO_STATUS: CloseCode = CloseCode(1005);
    /// 1006, never on the wire: the connection ended without a Close.
    pub const ABNORMAL: CloseCode = CloseCode(1006);
    /// 1007: text that is not UTF-8.
    pub const INVALID: CloseCode = CloseCode(1007);
    /// 1008: against a policy that has no code of its own.
    pub const POLICY: CloseCode = CloseCode(1008);
    /// 1009: a message is too big.
    pub const SIZE: CloseCode = CloseCode(1009);
    /// 1011: something failed here.
    pub const ERROR: CloseCode = CloseCode(1011);
    /// 1012: the service restarts; come back.
    pub const RESTART: CloseCode = CloseCode(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN: CloseCode = CloseCode(1013);
    /// 4408, of our own (RFC 6455 §7.4.2): the client was too slow for what it asked to receive. It may come back at
    /// once and go on after what it has.
    pub const SLOW_CONSUMER: CloseCode = CloseCode(4408);
    /// 4429, of our own: the client sent more than it may.
    pub const TOO_MANY: CloseCode = CloseCode(4429);

    /// Any code.
    pub const fn new(code: u16) -> Self {
        CloseCode(code)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Equals `true` if the code may stand in a Close frame: defined by RFC 6455 or IANA for that, registered (3xxx),
    /// or private (4xxx).
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Reads the payload of a Close frame (RFC 6455 §5.5.1).
    pub(super) fn read(payload: &[u8]) -> Result<(CloseCode, String), ProtocolError> {
        match payload {
            [] => Ok((CloseCode::NO_STATUS, String::new())),
            [_] => Err(ProtocolError::new("close payload of one byte")),
            [high, low, reason @ ..] => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                if !code.may_be_sent() {
                    return Err(ProtocolError::new("close code that must not be sent"));
                }
                match std::str::from_utf8(reason) {
                    Ok(reason) => Ok((code, reason.to_owned())),
                    Err(_) => Err(ProtocolError::not_utf8()),
                }
            }
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
