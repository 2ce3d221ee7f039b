//! The page that browsers load: a few plain files, part of the binary, without a build step.
//!
//! `index.html` is the whole document; `app.js` ties the modules together. `socket.js` (Phoenix Channels), `room.js`
//! (messages, cursor, unsent posts) and `presence.js` know no elements; the other modules each own a part of the
//! page. Text reaches the page as text nodes only, and [`CONTENT_SECURITY_POLICY`] lets a browser enforce that.

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Where it is served: `/app.js`. The document is at `/`.
    pub path: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The value of `ETag`, with its quotes. It changes with the content, so that a browser that asks again each
    /// time (`Cache-Control: no-cache`) never runs modules of two versions.
    pub etag: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

/// What a browser may do with the page: load scripts, styles and pictures from here, talk to here, nothing else. No
/// inline code, no markup made from text, no frames.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The file at a path of a URL, if there is one. Paths are compared exactly: nothing is decoded or resolved, so
/// nothing but these files can be named.
///
/// ```
/// use perennial::chat::assets;
/// assert_eq!(assets::find("/").unwrap().content_type, "text/html; charset=utf-8");
/// assert!(assets::find("/../Cargo.toml").is_none());
/// ```
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Every file, the document first.
pub static ASSETS: &[Asset] = &[
    asset!("/", "index.html", HTML),
    asset!("/base.css", "base.css", CSS),
    asset!("/app.css", "app.css", CSS),
    asset!("/sides.css", "sides.css", CSS),
    asset!("/room.css", "room.css", CSS),
    asset!("/icon.svg", "icon.svg", SVG),
    asset!("/app.js", "app.js", JS),
    asset!("/api.js", "api.js", JS),
    asset!("/composer.js", "composer.js", JS),
    asset!("/dom.js", "dom.js", JS),
    asset!("/gate.js", "gate.js", JS),
    asset!("/member_list.js", "member_list.js", JS),
    asset!("/memory.js", "memory.js", JS),
    asset!("/message_list.js", "message_list.js", JS),
    asset!("/presence.js", "presence.js", JS),
    asset!("/room.js", "room.js", JS),
    asset!("/room_list.js", "room_list.js", JS),
    asset!("/socket.js", "socket.js", JS),
    asset!("/timers.js", "timers.js", JS),
    asset!("/words.js", "words.js", JS),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml; charset=utf-8";

macro_rules! asset {
    ($path:literal, $file:literal, $content_type:expr) => {
        Asset {
            path: $path,
            content_type: $content_type,
            etag: {
                const TAG: [u8; 18] = tag(include_bytes!($file));
                match std::str::from_utf8(&TAG) {
                    Ok(tag) => tag,
                    Err(_) => unreachable!(),
                }
            },
            bytes: include_bytes!($file),
        }
    };
}
use asset;

/// FNV-1a over the content, in hexadecimal between quotes. It need not withstand an enemy: the content is ours.
const fn tag(bytes: &[u8]) -> [u8; 18] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    let mut tag = [b'"'; 18];
    let mut digit = 0;
    while digit < 16 {
        tag[1 + digit] = b"0123456789abcdef"[(hash >> (60 - 4 * digit)) as usize & 15];
        digit += 1;
    }
    tag
}
