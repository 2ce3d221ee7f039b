//! PURE. Which request is what.

use crate::web::http::{HeaderName, Method, Response, Status};

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    Socket,
    LongPoll,
    SignUp,
    SignIn,
    SignOut,
    ListRooms,
    CreateRoom,
    Messages(String),
    /// A file of the page.
    Asset,
}

/// Why a request is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    NotFound,
    /// The path takes these.
    Method(&'static [Method]),
}

const LONG_POLL: &[Method] = &[Method::Get, Method::Post, Method::Options];
const GET: &[Method] = &[Method::Get, Method::Head];

/// Which route a method and the decoded segments of a path are.
pub(super) fn find(method: Method, path: &[&str]) -> Result<Route, NoRoute> {
    let get = |route| {
        if GET.contains(&method) {
            Ok(route)
        } else {
            Err(NoRoute::Method(GET))
        }
    };
    match path {
        ["health"] => get(Route::Health),
        ["socket", "websocket"] => get(Route::Socket),
        ["socket", "longpoll"] => match method {
            Method::Get | Method::Post | Method::Options => Ok(Route::LongPoll),
            _ => Err(NoRoute::Method(LONG_POLL)),
        },
        ["api", "users"] => match method {
            Method::Post => Ok(Route::SignUp),
            _ => Err(NoRoute::Method(&[Method::Post])),
        },
        ["api", "session"] => match method {
            Method::Post => Ok(Route::SignIn),
            Method::Delete => Ok(Route::SignOut),
            _ => Err(NoRoute::Method(&[Method::Post, Method::Delete])),
        },
        ["api", "rooms"] => match method {
            Method::Get | Method::Head => Ok(Route::ListRooms),
            Method::Post => Ok(Route::CreateRoom),
            _ => Err(NoRoute::Method(&[Method::Get, Method::Head, Method::Post])),
        },
        ["api", "rooms", name, "messages"] => get(Route::Messages((*name).to_owned())),
        ["api", ..] => Err(NoRoute::NotFound),
        _ => get(Route::Asset),
    }
}

impl NoRoute {
    pub(super) fn response(&self) -> Response {
        match self {
            NoRoute::NotFound => {
                Response::error(Status::NOT_FOUND, "not_found", "there is nothing here")
            }
            NoRoute::Method(allowed) => Response::error(
                Status::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this cannot be done here",
            )
            .header(HeaderName::ALLOW, Method::allow(allowed.iter().copied())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found() {
        let messages = Route::Messages("방".to_owned());
        for (method, path, route) in [
            (Method::Get, &["health"][..], Ok(Route::Health)),
            (Method::Post, &["health"], Err(NoRoute::Method(GET))),
            (Method::Post, &["api", "users"], Ok(Route::SignUp)),
            (
                Method::Get,
                &["api", "users"],
                Err(NoRoute::Method(&[Method::Post])),
            ),
            (Method::Delete, &["api", "session"], Ok(Route::SignOut)),
            (Method::Head, &["api", "rooms"], Ok(Route::ListRooms)),
            (
                Method::Get,
                &["api", "rooms", "방", "messages"],
                Ok(messages),
            ),
            (Method::Get, &["api", "rooms", "방"], Err(NoRoute::NotFound)),
            (Method::Get, &["socket", "websocket"], Ok(Route::Socket)),
            (Method::Post, &["socket", "longpoll"], Ok(Route::LongPoll)),
            (
                Method::Put,
                &["socket", "longpoll"],
                Err(NoRoute::Method(LONG_POLL)),
            ),
            (Method::Get, &[""], Ok(Route::Asset)),
            (Method::Put, &["app.js"], Err(NoRoute::Method(GET))),
        ] {
            assert_eq!(find(method, path), route, "{method:?} {path:?}");
        }
    }
}
