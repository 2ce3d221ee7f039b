//! PURE. The head of a request: where it ends, and what it says.
//!
//! Two steps. [`Scan`] walks the bytes as they come and finds the end of the head, with the limits and the line
//! discipline; it never looks at a byte twice, so a client that sends one byte at a time costs no more than one
//! that sends all at once. [`parse`] then reads the whole head with httparse and adds what httparse leaves open.

use super::request::{Headers, Method, Request, Version};
use super::target::Target;
use super::{Limits, RequestError};
use std::ops::Range;

/// How far the bytes of a head have been looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// Bytes looked at.
    at: usize,
    /// Where the current line begins.
    line: usize,
    /// Where the request line begins: 2 after a leading empty line, else 0.
    start: usize,
    /// Where the fields begin, once the request line is complete.
    fields: Option<usize>,
    /// How many complete field lines there are.
    count: usize,
}

impl Scan {
    /// Looks at what is new in `buf`; the range is that of the whole head with its last empty line.
    pub(super) fn run(
        &mut self,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<Range<usize>>, RequestError> {
        while self.at < buf.len() {
            let byte = buf[self.at];
            let after_return = self.at > self.line && buf[self.at - 1] == b'\r';
            self.at += 1;
            self.check_len(byte, limits)?;
            if byte == b'\n' && after_return {
                if let Some(head) = self.line_end(buf, limits)? {
                    return Ok(Some(head));
                }
                continue;
            }
            // RFC 9112 §2.2 lets a recipient read a bare LF as a line end. Not every recipient does, and a proxy
            // that reads it otherwise is how requests are smuggled, so both bare characters are refused.
            match byte {
                _ if after_return => return Err(RequestError::Malformed("bare carriage return")),
                b'\n' => return Err(RequestError::Malformed("bare line feed")),
                0 => return Err(RequestError::Malformed("NUL")),
                _ => {}
            }
        }
        Ok(None)
    }

    fn check_len(&self, byte: u8, limits: &Limits) -> Result<(), RequestError> {
        match self.fields {
            None => {
                let is_end = byte == b'\r' || byte == b'\n';
                if !is_end && self.at - self.line > limits.request_line_max {
                    return Err(RequestError::TargetTooLong);
                }
            }
            Some(fields) => {
                if self.at - fields > limits.head_max {
                    return Err(RequestError::HeadTooLarge);
                }
            }
        }
        Ok(())
    }

    fn line_end(
        &mut self,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<Range<usize>>, RequestError> {
        let line = self.line..self.at - 2;
        self.line = self.at;
        match self.fields {
            // RFC 9112 §2.2: one empty line before the request line is ignored, for old clients that end a body so.
            None if line.is_empty() && self.start == 0 => self.start = self.at,
            None if line.is_empty() => return Err(RequestError::Malformed("empty lines")),
            None => {
                check_request_line(&buf[line.start..self.at])?;
                self.fields = Some(self.at);
            }
            Some(_) if line.is_empty() => return Ok(Some(self.start..self.at)),
            Some(_) => {
                self.count += 1;
                if self.count > limits.fields_max {
                    return Err(RequestError::HeadTooLarge);
                }
            }
        }
        Ok(None)
    }
}

/// Refuses a bad request line as soon as it is complete: an HTTP/0.9 client sends nothing after it and would wait.
fn check_request_line(line: &[u8]) -> Result<(), RequestError> {
    let mut none = [];
    let mut request = httparse::Request::new(&mut none);
    match request.parse(line) {
        Ok(_) => Ok(()),
        Err(httparse::Error::Version) if has_version(line) => Err(RequestError::UnsupportedVersion),
        Err(_) => Err(RequestError::Malformed("request line")),
    }
}

/// Equals `true` if the line has three parts and the last is a well-formed version, whichever it is.
fn has_version(line: &[u8]) -> bool {
    let parts: Vec<_> = line.split(|&byte| byte == b' ').collect();
    matches!(
        parts[..],
        [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b'\r', b'\n']]
            if major.is_ascii_digit() && minor.is_ascii_digit()
    )
}

/// How the body of a request is delimited (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    Length(usize),
    Chunked,
}

/// What a head says.
pub(super) struct Head {
    pub(super) request: Request,
    pub(super) framing: BodyFraming,
    /// The client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

/// Reads a whole head, as [`Scan`] delimited it.
pub(super) fn parse(bytes: Vec<u8>, limits: &Limits) -> Result<Head, RequestError> {
    let mut fields = vec![httparse::EMPTY_HEADER; limits.fields_max];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(&bytes) {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(RequestError::HeadTooLarge),
        // An obs-fold, a space before the colon, an empty or odd name, a control character.
        _ => return Err(RequestError::Malformed("header field")),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(RequestError::Malformed("request line"));
    };
    let method = read_method(method)?;
    let target = Target::parse(method, target)?;
    let version = if version == 0 {
        Version::Http10
    } else {
        Version::Http11
    };
    let base = bytes.as_ptr() as usize;
    let place = |part: &[u8]| {
        let start = part.as_ptr() as usize - base;
        start..start + part.len()
    };
    let fields = parsed
        .headers
        .iter()
        .map(|field| (place(field.name.as_bytes()), place(field.value)))
        .collect();
    let headers = Headers { bytes, fields };
    check_host(&headers, &target, version)?;
    let framing = body_framing(&headers, version, limits)?;
    let expects_continue = read_expect(&headers, version)? && framing != BodyFraming::Length(0);
    let request = Request {
        method,
        target,
        version,
        headers,
        body: Vec::new(),
    };
    Ok(Head {
        request,
        framing,
        expects_continue,
    })
}

fn read_method(token: &str) -> Result<Method, RequestError> {
    if let Some(method) = Method::ALL
        .into_iter()
        .find(|method| method.as_str() == token)
    {
        return Ok(method);
    }
    match token {
        "TRACE" | "CONNECT" => Err(RequestError::MethodNotAllowed),
        _ => Err(RequestError::UnknownMethod),
    }
}

/// RFC 9112 §3.2: exactly one Host in HTTP/1.1, and no two opinions on what it is.
fn check_host(headers: &Headers, target: &Target, version: Version) -> Result<(), RequestError> {
    let host = match headers.count("host") {
        0 if version == Version::Http10 => return Ok(()),
        0 => return Err(RequestError::Malformed("no Host")),
        1 => headers.get("host").unwrap_or(""),
        _ => return Err(RequestError::Malformed("more than one Host")),
    };
    let is_host = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']')
    };
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(RequestError::Malformed("Host is not a host"));
    }
    match target.authority() {
        Some(authority) if !authority.eq_ignore_ascii_case(host) => {
            Err(RequestError::Malformed("target and Host differ"))
        }
        _ => Ok(()),
    }
}

/// RFC 9112 §6.3, with every choice taken on the strict side.
fn body_framing(
    headers: &Headers,
    version: Version,
    limits: &Limits,
) -> Result<BodyFraming, RequestError> {
    let lengths = headers.count("content-length");
    let codings = headers.count("transfer-encoding");
    if codings > 0 {
        if lengths > 0 {
            return Err(RequestError::Malformed(
                "Transfer-Encoding and Content-Length",
            ));
        }
        if version == Version::Http10 {
            return Err(RequestError::Malformed("Transfer-Encoding in HTTP/1.0"));
        }
        if codings > 1 {
            return Err(RequestError::Malformed("more than one Transfer-Encoding"));
        }
        return match headers.get("transfer-encoding") {
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => Ok(BodyFraming::Chunked),
            Some(coding) => Err(refuse_coding(coding)),
            None => Err(RequestError::Malformed("Transfer-Encoding")),
        };
    }
    match lengths {
        0 => Ok(BodyFraming::Length(0)),
        1 => read_length(headers.get("content-length").unwrap_or(""), limits),
        _ => Err(RequestError::Malformed("more than one Content-Length")),
    }
}

/// Codings we lack are 501; a list whose last is not `chunked` has no readable end and is 400 (RFC 9112 §6.3, 4.2).
fn refuse_coding(list: &str) -> RequestError {
    let mut members = list
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']));
    let is_name = |member: &str| !member.is_empty() && member.bytes().all(super::header::is_token);
    if !members.clone().all(is_name) {
        return RequestError::Malformed("Transfer-Encoding");
    }
    let chunked = |member: &str| member.eq_ignore_ascii_case("chunked");
    let times = members.clone().filter(|member| chunked(member)).count();
    match members.next_back() {
        Some(last) if times == 0 || (times == 1 && chunked(last)) => {
            RequestError::UnknownTransferCoding
        }
        _ => RequestError::Malformed("Transfer-Encoding"),
    }
}

fn read_length(value: &str, limits: &Limits) -> Result<BodyFraming, RequestError> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RequestError::Malformed("Content-Length"));
    }
    let length: u64 = value
        .parse()
        .map_err(|_| RequestError::Malformed("Content-Length"))?;
    match usize::try_from(length) {
        Ok(length) if length <= limits.body_max => Ok(BodyFraming::Length(length)),
        _ => Err(RequestError::BodyTooLarge),
    }
}

/// RFC 9110 §10.1.1: the one expectation there is; an HTTP/1.0 client cannot have it.
fn read_expect(headers: &Headers, version: Version) -> Result<bool, RequestError> {
    if version == Version::Http10 || headers.count("expect") == 0 {
        return Ok(false);
    }
    let mut members = headers.members("expect");
    match (members.next(), members.next()) {
        (Some(one), None) if one.eq_ignore_ascii_case("100-continue") => Ok(true),
        _ => Err(RequestError::ExpectationFailed),
    }
}
