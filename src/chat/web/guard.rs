//! PURE. Who asks, and whether a page may ask for them.
//!
//! A browser sends the cookie along whatever page makes it ask, so a request by cookie counts only if it says that it
//! comes from our own page. A token in the `Authorization` field nobody sends by accident.

use crate::chat::account::Token;
use crate::web::http::{Method, Origin, Origins, Request, Response, Status, cookies};

/// The name of the cookie that holds the token.
pub(super) const COOKIE: &str = "sid";

/// What a request shows to say who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// `Authorization: Bearer`.
    Bearer(Token),
    Cookie(Token),
    /// Nothing, or nothing that could be a token.
    None,
}

/// A page of another origin made the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign;

impl Proof {
    pub(super) fn of(request: &Request) -> Proof {
        if let Some(authorization) = request.header("authorization") {
            let token = authorization
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            return token
                .and_then(|(_, token)| Token::parse(token.trim()))
                .map_or(Proof::None, Proof::Bearer);
        }
        let sid = cookies(request).find(|(name, _)| *name == COOKIE);
        sid.and_then(|(_, token)| Token::parse(token))
            .map_or(Proof::None, Proof::Cookie)
    }

    pub(super) fn token(&self) -> Option<Token> {
        match self {
            Proof::Bearer(token) | Proof::Cookie(token) => Some(token.clone()),
            Proof::None => None,
        }
    }
}

/// Whether a request may count: by token always, by cookie from our own page, without either from anywhere but a
/// page that is not ours.
pub(super) fn check(request: &Request, proof: &Proof, origins: &Origins) -> Result<(), Foreign> {
    match (proof, origins.check(request)) {
        (Proof::Bearer(_), _) | (_, Origin::Allowed) | (Proof::None, Origin::Missing) => Ok(()),
        (_, Origin::Refused) => Err(Foreign),
        (Proof::Cookie(_), Origin::Missing) => {
            if is_own_read(request) {
                Ok(())
            } else {
                Err(Foreign)
            }
        }
    }
}

/// Browsers send no Origin with what our own page reads by GET. They say otherwise where it comes from, in fields that
/// no page can set: `Sec-Fetch-Site` (where the connection is trusted), and `Referer`.
fn is_own_read(request: &Request) -> bool {
    if !matches!(request.method(), Method::Get | Method::Head)
        || request.header("upgrade").is_some()
    {
        return false;
    }
    if let Some(site) = request.header("sec-fetch-site") {
        // `none`: the user typed the address.
        return matches!(site, "same-origin" | "none");
    }
    let (Some(referer), Some(host)) = (request.header("referer"), request.header("host")) else {
        return false;
    };
    let rest = referer
        .strip_prefix("http://")
        .or_else(|| referer.strip_prefix("https://"));
    rest.is_some_and(|rest| rest.split('/').next() == Some(host))
}

impl Foreign {
    pub(super) fn response(self) -> Response {
        Response::error(
            Status::FORBIDDEN,
            "origin",
            "this page may not ask in your name",
        )
    }
}

/// The answer to a request that shows no valid session.
pub(super) fn unauthorized() -> Response {
    Response::error(Status::UNAUTHORIZED, "unauthorized", "sign in first")
}
