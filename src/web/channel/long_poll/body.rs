//! PURE: what long poll puts into bodies. An answer is always 200 for HTTP, and says how it is in itself.

use crate::web::channel::message::{Frame, FrameKind};
use crate::web::channel::request::decode_base64;
use crate::web::http::{HeaderName, HeaderValue, Request, Response, Status};

/// Messages of one request that are read; the official client sends no more.
const LINES_MAX: usize = 100;

/// What a client sends in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    Binary(Vec<u8>),
    /// Neither a message nor base64.
    Broken,
}

/// The messages of a request: one in each line, JSON as it is and bytes in base64.
pub(super) fn lines(body: &[u8]) -> Vec<Line> {
    let lines = body
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    lines.take(LINES_MAX).map(line).collect()
}

fn line(line: &[u8]) -> Line {
    let Ok(text) = std::str::from_utf8(line) else {
        return Line::Broken;
    };
    if text.starts_with(['[', '{']) {
        return Line::Text(text.to_owned());
    }
    let base64 = text.trim_end_matches(['\r', '=']);
    decode_base64(base64).map_or(Line::Broken, Line::Binary)
}

/// How a request ended, in the words of the protocol.
pub(super) mod status {
    pub(in crate::web::channel::long_poll) const OK: u16 = 200;
    pub(in crate::web::channel::long_poll) const NOTHING: u16 = 204;
    pub(in crate::web::channel::long_poll) const REFUSED: u16 = 403;
    pub(in crate::web::channel::long_poll) const LATE: u16 = 408;
    /// There is no such session; or a new one.
    pub(in crate::web::channel::long_poll) const GONE: u16 = 410;
    /// Come later: the one word for it after which every client does.
    pub(in crate::web::channel::long_poll) const BUSY: u16 = 500;
}

/// An answer without messages.
pub(super) fn answer(status: u16) -> Response {
    with_fields(Response::new(Status::OK).json(format!("{{\"status\":{status}}}")))
}

/// The answer to a poll.
pub(super) fn messages<'f>(
    status: u16,
    token: &str,
    frames: impl Iterator<Item = &'f Frame>,
) -> Response {
    let mut json = String::from("{\"messages\":[");
    for (at, frame) in frames
        .filter(|frame| frame.kind() == FrameKind::Text)
        .enumerate()
    {
        if at > 0 {
            json.push(',');
        }
        let text = String::from_utf8_lossy(frame.bytes());
        json.push_str(&serde_json::Value::from(text).to_string());
    }
    json.push_str(&format!("],\"status\":{status},\"token\":\"{token}\"}}"));
    with_fields(Response::new(Status::OK).json(json))
}

const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");
const ALLOW_HEADERS: HeaderName = HeaderName::from_static("access-control-allow-headers");
const ALLOW_METHODS: HeaderName = HeaderName::from_static("access-control-allow-methods");
const MAX_AGE: HeaderName = HeaderName::from_static("access-control-max-age");

/// A page of another origin may read the answer if it was let in; its browser keeps cookies out of it.
fn with_fields(response: Response) -> Response {
    response
        .header(ALLOW_ORIGIN, HeaderValue::from_static("*"))
        .header(
            HeaderName::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        )
}

/// The answer to a browser that asks whether a page of another origin may ask.
pub(super) fn preflight(request: &Request) -> Response {
    let response = with_fields(Response::new(Status::OK))
        .header(
            ALLOW_METHODS,
            HeaderValue::from_static("get, post, options"),
        )
        .header(MAX_AGE, HeaderValue::from_static("3600"));
    let asked = request
        .header("access-control-request-headers")
        .unwrap_or("");
    match HeaderValue::new(asked) {
        Ok(asked) => response.header(ALLOW_HEADERS, asked),
        Err(_) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_text_or_base64_and_at_most_a_hundred() {
        let read = lines("[1]\n{\"a\":1}\n\nAAEC/w==\r\nAAEC_w\n?\nA".as_bytes());
        let bytes = Line::Binary(vec![0, 1, 2, 255]);
        let text = |text: &str| Line::Text(text.to_owned());
        let expected = [
            text("[1]"),
            text("{\"a\":1}"),
            bytes.clone(),
            bytes,
            Line::Broken,
            Line::Broken,
        ];
        assert_eq!(read, expected);
        assert_eq!(lines(b"\xff"), [Line::Broken]);
        assert_eq!(lines("[]\n".repeat(101).as_bytes()).len(), 100);
        assert_eq!(lines(b""), []);
    }
}
