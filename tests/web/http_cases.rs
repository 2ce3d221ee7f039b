//! Raw requests and what must become of them. Used whole here, and cut in every way by `http_decoder`.

/// What a case must end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Accepted: method, path as sent, body.
    Ok(&'static str, &'static str, &'static [u8]),
    /// Accepted after a `100 Continue`.
    Continue(&'static str, &'static str, &'static [u8]),
    /// Refused with this status.
    Refused(u16),
    /// Not complete.
    Partial,
}

use Expect::{Continue, Ok, Partial, Refused};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect: Expect,
}

macro_rules! cases {
    ($($name:literal: $bytes:expr => $expect:expr;)*) => {
        vec![$(Case { name: $name, bytes: Vec::from($bytes), expect: $expect }),*]
    };
}

/// A GET with these fields after Host.
fn with_fields(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// A POST with these fields after Host, and what follows the head.
fn post(fields: &str, rest: &str) -> String {
    format!("POST /p HTTP/1.1\r\nHost: h\r\n{fields}\r\n{rest}")
}

fn chunked(rest: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", rest)
}

const GET: Expect = Ok("GET", "/", b"");

pub(crate) fn all() -> Vec<Case> {
    let mut cases = request_lines();
    cases.extend(line_discipline());
    cases.extend(fields());
    cases.extend(hosts());
    cases.extend(lengths());
    cases.extend(transfer_codings());
    cases.extend(chunks());
    cases.extend(expectations());
    cases.extend(limits());
    cases
}

/// RFC 9112 §3, and S-35, S-37, S-42.
fn request_lines() -> Vec<Case> {
    let line = |line: &str| format!("{line}\r\nHost: h\r\n\r\n");
    cases! {
        "get": line("GET / HTTP/1.1") => GET;
        "head": line("HEAD / HTTP/1.1") => Ok("HEAD", "/", b"");
        "post without body": line("POST / HTTP/1.1") => Ok("POST", "/", b"");
        "put": line("PUT /a HTTP/1.1") => Ok("PUT", "/a", b"");
        "patch": line("PATCH /a HTTP/1.1") => Ok("PATCH", "/a", b"");
        "delete": line("DELETE /a HTTP/1.1") => Ok("DELETE", "/a", b"");
        "options": line("OPTIONS /a HTTP/1.1") => Ok("OPTIONS", "/a", b"");
        "options asterisk": line("OPTIONS * HTTP/1.1") => Ok("OPTIONS", "*", b"");
        "get asterisk": line("GET * HTTP/1.1") => Refused(400);
        "trace": line("TRACE / HTTP/1.1") => Refused(405);
        "connect": line("CONNECT h:80 HTTP/1.1") => Refused(405);
        "unknown method": line("BREW / HTTP/1.1") => Refused(501);
        "method in lower case": line("get / HTTP/1.1") => Refused(501);
        "method with a colon": line("GE:T / HTTP/1.1") => Refused(400);
        "method with a parenthesis": line("GET( / HTTP/1.1") => Refused(400);
        "no method": line(" / HTTP/1.1") => Refused(400);
        "http 1.0": line("GET / HTTP/1.0") => GET;
        "http 0.9": "GET /\r\n" => Refused(400);
        "http 0.9 spelled out": line("GET / HTTP/0.9") => Refused(505);
        "http 1.2": line("GET / HTTP/1.2") => Refused(505);
        "http 2.0": line("GET / HTTP/2.0") => Refused(505);
        "http 9.9": line("GET / HTTP/9.9") => Refused(505);
        "http 2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" => Refused(505);
        "version in lower case": line("GET / http/1.1") => Refused(400);
        "version of three parts": line("GET / HTTP/1.1.1") => Refused(400);
        "version of two digits": line("GET / HTTP/1.10") => Refused(400);
        "version without minor": line("GET / HTTP/1") => Refused(400);
        "other protocol": line("GET / ICAP/1.0") => Refused(400);
        "something after the version": line("GET / HTTP/1.1 x") => Refused(400);
        "space after the version": line("GET / HTTP/1.1 ") => Refused(400);
        "two spaces before the target": line("GET  / HTTP/1.1") => Refused(400);
        "two spaces after the target": line("GET /  HTTP/1.1") => Refused(400);
        "tab as delimiter": line("GET\t/\tHTTP/1.1") => Refused(400);
        "space in the target": line("GET /a b HTTP/1.1") => Refused(400);
        "no target": line("GET HTTP/1.1") => Refused(400);
        "target without a slash": line("GET a HTTP/1.1") => Refused(400);
        "target with a fragment": line("GET /a#b HTTP/1.1") => Refused(400);
        "target in raw utf-8": line("GET /방 HTTP/1.1") => Refused(400);
        "target in raw latin-1": b"GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n" => Refused(400);
        "target with DEL": b"GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n" => Refused(400);
        "percent-encoded path": line("GET /%EB%B0%A9 HTTP/1.1") => Ok("GET", "/%EB%B0%A9", b"");
        "cut escape": line("GET /%E HTTP/1.1") => Refused(400);
        "escape that is no hex": line("GET /%zz HTTP/1.1") => Refused(400);
        "escape of no utf-8": line("GET /%ff HTTP/1.1") => Refused(400);
        "escaped surrogate": line("GET /%ED%A0%80 HTTP/1.1") => Refused(400);
        "overlong escape of a slash": line("GET /%c0%af HTTP/1.1") => Refused(400);
        "escaped NUL": line("GET /a%00 HTTP/1.1") => Refused(400);
        "escaped line end": line("GET /a%0d%0a HTTP/1.1") => Refused(400);
        "dot segment": line("GET /a/../b HTTP/1.1") => Refused(400);
        "escaped dot segment": line("GET /%2E%2e/b HTTP/1.1") => Refused(400);
        "single dot segment": line("GET /./b HTTP/1.1") => Refused(400);
        "three dots are a name": line("GET /... HTTP/1.1") => Ok("GET", "/...", b"");
        "twice encoded dots stay encoded": line("GET /%252e%252e HTTP/1.1") => Ok("GET", "/%252e%252e", b"");
        "query": line("GET /a?b=c&d HTTP/1.1") => Ok("GET", "/a", b"");
        "query with a cut escape": line("GET /a?b=%4 HTTP/1.1") => Refused(400);
        "query of no utf-8": line("GET /a?b=%ff HTTP/1.1") => Refused(400);
        "query with NUL": line("GET /a?b=%00 HTTP/1.1") => Refused(400);
        "absolute form": line("GET http://h/a HTTP/1.1") => Ok("GET", "/a", b"");
        "absolute form without path": line("GET http://h HTTP/1.1") => GET;
        "absolute form with query only": line("GET http://h?a=b HTTP/1.1") => GET;
        "absolute form in capitals": line("GET HTTP://H/a HTTP/1.1") => Ok("GET", "/a", b"");
        "absolute form of another host": line("GET http://evil/a HTTP/1.1") => Refused(400);
        "absolute form with a user": line("GET http://u@h/a HTTP/1.1") => Refused(400);
        "absolute form without a host": line("GET http:///a HTTP/1.1") => Refused(400);
        "absolute form of another scheme": line("GET ftp://h/a HTTP/1.1") => Refused(400);
        "nonsense": "hello\r\n" => Refused(400);
        "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" => Refused(400);
    }
}

/// RFC 9112 §2.2, S-37.
fn line_discipline() -> Vec<Case> {
    cases! {
        "one empty line first": "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n" => GET;
        "two empty lines first": "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n" => Refused(400);
        "bare lf after the request line": "GET / HTTP/1.1\nHost: h\r\n\r\n" => Refused(400);
        "bare lf after a field": "GET / HTTP/1.1\r\nHost: h\n\r\n" => Refused(400);
        "bare lf as the empty line": "GET / HTTP/1.1\r\nHost: h\r\n\n" => Refused(400);
        "bare lf only": "GET / HTTP/1.1\nHost: h\n\n" => Refused(400);
        "lf first": "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n" => Refused(400);
        "bare cr in the request line": "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n" => Refused(400);
        "bare cr in a value": "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n" => Refused(400);
        "two crs": "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n" => Refused(400);
        "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n" => Refused(400);
        "NUL in a value": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n" => Refused(400);
        "nothing": "" => Partial;
        "half a request line": "GET / HT" => Partial;
        "no empty line": "GET / HTTP/1.1\r\nHost: h\r\n" => Partial;
        "cr without lf yet": "GET / HTTP/1.1\r\nHost: h\r\n\r" => Partial;
    }
}

/// RFC 9112 §5, S-37.
fn fields() -> Vec<Case> {
    cases! {
        "empty value": with_fields("A:\r\n") => GET;
        "value of spaces": with_fields("A:  \t \r\n") => GET;
        "value in latin-1": b"GET / HTTP/1.1\r\nHost: h\r\nA: caf\xe9\r\n\r\n" => GET;
        "every token character": with_fields("!#$%&'*+-.^_`|~0aZ: b\r\n") => GET;
        "folded": with_fields("A: b\r\n c\r\n") => Refused(400);
        "folded by a tab": with_fields("A: b\r\n\tc\r\n") => Refused(400);
        "space before the first field": "GET / HTTP/1.1\r\n Host: h\r\n\r\n" => Refused(400);
        "space before the colon": with_fields("A : b\r\n") => Refused(400);
        "tab before the colon": with_fields("A\t: b\r\n") => Refused(400);
        "no colon": with_fields("A\r\n") => Refused(400);
        "no name": with_fields(": b\r\n") => Refused(400);
        "name with a space": with_fields("A B: c\r\n") => Refused(400);
        "name with a bracket": with_fields("A[]: c\r\n") => Refused(400);
        "name in latin-1": b"GET / HTTP/1.1\r\nHost: h\r\n\xe9: b\r\n\r\n" => Refused(400);
        "value with a control": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x01\r\n\r\n" => Refused(400);
        "value with DEL": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\x7f\r\n\r\n" => Refused(400);
    }
}

/// RFC 9112 §3.2, S-37.
fn hosts() -> Vec<Case> {
    let host = |host: &str| format!("GET / HTTP/1.1\r\n{host}\r\n");
    cases! {
        "no host": host("") => Refused(400);
        "no host in http 1.0": "GET / HTTP/1.0\r\n\r\n" => GET;
        "two hosts": host("Host: h\r\nHost: h\r\n") => Refused(400);
        "two hosts in http 1.0": "GET / HTTP/1.0\r\nHost: h\r\nHost: i\r\n\r\n" => Refused(400);
        "empty host": host("Host:\r\n") => Refused(400);
        "host and port": host("Host: example.com:4000\r\n") => GET;
        "ipv6 host": host("Host: [::1]:4000\r\n") => GET;
        "host with a path": host("Host: h/a\r\n") => Refused(400);
        "host with a user": host("Host: u@h\r\n") => Refused(400);
        "list of hosts": host("Host: h, i\r\n") => Refused(400);
        "host with a space": host("Host: h i\r\n") => Refused(400);
        "host in latin-1": b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n" => Refused(400);
    }
}

/// RFC 9112 §6.2 and §6.3, S-36.
fn lengths() -> Vec<Case> {
    let length = |value: &str, rest: &str| post(&format!("Content-Length: {value}\r\n"), rest);
    cases! {
        "length": length("2", "hi") => Ok("POST", "/p", b"hi");
        "length 0": length("0", "") => Ok("POST", "/p", b"");
        "length with zeros before": length("002", "hi") => Ok("POST", "/p", b"hi");
        "get with a body": "GET /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" => Ok("GET", "/p", b"hi");
        "body with line ends": length("4", "\r\n\r\n") => Ok("POST", "/p", b"\r\n\r\n");
        "body with NUL": length("3", "a\0b") => Ok("POST", "/p", b"a\0b");
        "body not all there": length("3", "hi") => Partial;
        "empty length": length("", "") => Refused(400);
        "length with plus": length("+2", "hi") => Refused(400);
        "length with minus": length("-2", "hi") => Refused(400);
        "length in hex": length("0x2", "hi") => Refused(400);
        "length with a point": length("2.0", "hi") => Refused(400);
        "length with a letter": length("2a", "hi") => Refused(400);
        "length of a list": length("2, 2", "hi") => Refused(400);
        "length with a space inside": length("1 2", "hi") => Refused(400);
        "length in arabic digits": length("٢", "hi") => Refused(400);
        "length above 64 bit": length("18446744073709551616", "") => Refused(400);
        "length of 64 bit": length("18446744073709551615", "") => Refused(413);
        "length above the limit": length("1025", "") => Refused(413);
        "two equal lengths": post("Content-Length: 2\r\nContent-Length: 2\r\n", "hi") => Refused(400);
        "two lengths": post("Content-Length: 2\r\ncontent-length: 3\r\n", "hi") => Refused(400);
        "length in latin-1": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \xb2\r\n\r\n" => Refused(400);
    }
}

/// RFC 9112 §6.1 and §6.3, S-36.
fn transfer_codings() -> Vec<Case> {
    let coding = |value: &str| post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n");
    cases! {
        "chunked": coding("chunked") => Ok("POST", "/p", b"");
        "chunked in capitals": coding("CHUNKED") => Ok("POST", "/p", b"");
        "te before cl": post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n") => Refused(400);
        "cl before te": post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") => Refused(400);
        "te and cl 0": post("Content-Length: 0\r\nTransfer-Encoding: identity\r\n", "") => Refused(400);
        "te in http 1.0": "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" => Refused(400);
        "two fields": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") => Refused(400);
        "chunked twice": coding("chunked, chunked") => Refused(400);
        "chunked not last": coding("chunked, gzip") => Refused(400);
        "gzip then chunked": coding("gzip, chunked") => Refused(501);
        "gzip": coding("gzip") => Refused(501);
        "identity": coding("identity") => Refused(501);
        "misspelled": coding("xchunked") => Refused(501);
        "quoted": coding("\"chunked\"") => Refused(400);
        "with a parameter": coding("chunked;q=1") => Refused(400);
        "with a vertical tab": coding("\x0bchunked") => Refused(400);
        "empty coding": coding("") => Refused(400);
        "comma before": coding(", chunked") => Refused(400);
    }
}

/// RFC 9112 §7.1, S-38. The body limit of the cases is 1,024.
fn chunks() -> Vec<Case> {
    let ok = |body| Ok("POST", "/p", body);
    cases! {
        "one chunk": chunked("2\r\nhi\r\n0\r\n\r\n") => ok(b"hi");
        "two chunks": chunked("2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n") => ok(b"hiyou");
        "size in capitals": chunked("A\r\n0123456789\r\n0\r\n\r\n") => ok(b"0123456789");
        "size in small letters": chunked("a\r\n0123456789\r\n0\r\n\r\n") => ok(b"0123456789");
        "16 digits": chunked("0000000000000002\r\nhi\r\n0\r\n\r\n") => ok(b"hi");
        "17 digits": chunked("00000000000000002\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "size of 64 bit": chunked("ffffffffffffffff\r\n") => Refused(413);
        "size that wraps": chunked("10000000000000002\r\nhi\r\n") => Refused(400);
        "size above the limit": chunked("401\r\n") => Refused(413);
        "chunks above the limit together": chunked(&format!("3ff\r\n{}\r\n2\r\n", "a".repeat(1023))) => Refused(413);
        "chunk data with line ends": chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n") => ok(b"\r\n\r\n");
        "extension": chunked("2;a=b\r\nhi\r\n0;c=\"d\"\r\n\r\n") => ok(b"hi");
        "256 bytes of extension": chunked(&format!("2;{}\r\nhi\r\n0\r\n\r\n", "e".repeat(255))) => ok(b"hi");
        "257 bytes of extension": chunked(&format!("2;{}\r\nhi\r\n0\r\n\r\n", "e".repeat(256))) => Refused(400);
        "extensions add up": chunked(&format!("1;{e}\r\nh\r\n1;{e}\r\ni\r\n", e = "e".repeat(150) )) => Refused(400);
        "bare lf in an extension": chunked("2;a\nb\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "space after the size": chunked("2 \r\nhi\r\n0\r\n\r\n") => Refused(400);
        "space before the size": chunked(" 2\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "size with 0x": chunked("0x2\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "size with plus": chunked("+2\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "size with minus": chunked("-2\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "no size": chunked("\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "extension without size": chunked(";a\r\n") => Refused(400);
        "bare lf after the size": chunked("2\nhi\r\n0\r\n\r\n") => Refused(400);
        "bare cr after the size": chunked("2\rhi\r\n0\r\n\r\n") => Refused(400);
        "data longer than said": chunked("2\r\nhip\r\n0\r\n\r\n") => Refused(400);
        "data shorter than said": chunked("3\r\nhi\r\n0\r\n\r\n") => Refused(400);
        "bare lf after data": chunked("2\r\nhi\n0\r\n\r\n") => Refused(400);
        "trailers": chunked("0\r\nA: b\r\nContent-Length: 5\r\n\r\n") => ok(b"");
        "trailer of bare lf": chunked("0\r\nA: b\n\r\n") => Refused(400);
        "trailer with NUL": chunked("0\r\nA: \0\r\n\r\n") => Refused(400);
        "trailers above the limit": chunked(&format!("0\r\nA: {}\r\n\r\n", "t".repeat(8192))) => Refused(431);
        "no last chunk": chunked("2\r\nhi\r\n") => Partial;
        "no empty line after the last chunk": chunked("0\r\n") => Partial;
    }
}

/// RFC 9110 §10.1.1, S-42.
fn expectations() -> Vec<Case> {
    let expect = |value: &str| post(&format!("Content-Length: 2\r\nExpect: {value}\r\n"), "hi");
    let none = "POST /p HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n";
    let old = "POST /p HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi";
    let large = post("Content-Length: 1025\r\nExpect: 100-continue\r\n", "");
    let chunks = "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n";
    cases! {
        "continue": expect("100-continue") => Continue("POST", "/p", b"hi");
        "continue in capitals": expect("100-Continue") => Continue("POST", "/p", b"hi");
        "continue for chunks": post(chunks, "0\r\n\r\n") => Continue("POST", "/p", b"");
        "no body, no continue": none => Ok("POST", "/p", b"");
        "no continue in http 1.0": old => Ok("POST", "/p", b"hi");
        "too large is said at once": large => Refused(413);
        "other expectation": expect("200-ok") => Refused(417);
        "two expectations": expect("100-continue, 200-ok") => Refused(417);
    }
}

/// S-35: the numbers of `Limits::default`.
fn limits() -> Vec<Case> {
    let line = |len: usize| {
        let path = "a".repeat(len - "GET / HTTP/1.1".len());
        format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n")
    };
    let block = |len: usize| {
        let value = "v".repeat(len - "Host: h\r\nA: \r\n\r\n".len());
        with_fields(&format!("A: {value}\r\n"))
    };
    let many = |count: usize| with_fields(&"A: b\r\n".repeat(count - 1));
    cases! {
        "request line of 8,001": line(8001) => Refused(414);
        "request line without an end": "G".repeat(8001) => Refused(414);
        "fields of 16 KiB and one": block(16 * 1024 + 1) => Refused(431);
        "fields without an end": format!("GET / HTTP/1.1\r\nA: {}", "v".repeat(16 * 1024)) => Refused(431);
        "fields of 16 KiB": block(16 * 1024) => GET;
        "100 fields": many(100) => GET;
        "101 fields": many(101) => Refused(431);
    }
}
