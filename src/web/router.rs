//! Which handler serves which path.
//!
//! Matching is pure: methods and decoded segments in, a handler and its parameters out.

use super::http::{HeaderName, Method, Request, Response, Status};
use super::net::{Responder, Service};
use std::fmt;
use std::ops::Index;

/// A table of routes, and the [`Service`] that answers by it. Routes are tried in the order in which they were added.
///
/// A pattern is a path whose segments are literal or `{name}`; the last may be `{*name}`, which takes all that is left.
/// No parameter is ever empty. What matches no path is answered 404, no method 405 with `Allow`; HEAD is served by the
/// route for GET, and OPTIONS by telling what is allowed.
///
/// ```
/// use perennial::web::http::{Request, Response, Status};
/// use perennial::web::net::Responder;
/// use perennial::web::router::{Params, Router};
///
/// let router = Router::new()
///     .get("/health", |_: Request, _: Params, responder: Responder| {
///         responder.send(Response::new(Status::OK).json(r#"{"status":"ok"}"#));
///     })
///     .get("/rooms/{name}", |_: Request, params: Params, responder: Responder| {
///         responder.send(Response::new(Status::OK).text(&params["name"]));
///     });
/// # let _ = router;
/// ```
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
}

type Handler = Box<dyn Fn(Request, Params, Responder) + Send + Sync>;

struct Route {
    method: Method,
    pattern: Pattern,
    handler: Handler,
}

struct Pattern(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    One(String),
    /// Only as the last.
    Rest(String),
}

/// What the parameters of a pattern matched, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The value of a parameter of the pattern.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Index<&str> for Params {
    type Output = str;

    /// # Panics
    /// If the pattern has no such parameter: that is a bug of the handler.
    fn index(&self, name: &str) -> &str {
        match self.get(name) {
            Some(value) => value,
            None => panic!("the route's pattern has no parameter {name:?}"),
        }
    }
}

impl Router {
    /// A router that answers 404 to everything.
    pub fn new() -> Self {
        Router::default()
    }

    /// Adds a route for GET, and so for HEAD.
    #[must_use]
    pub fn get(
        self,
        pattern: &str,
        handler: impl Fn(Request, Params, Responder) + Send + Sync + 'static,
    ) -> Self {
        self.route(Method::Get, pattern, handler)
    }

    /// Adds a route for POST.
    #[must_use]
    pub fn post(
        self,
        pattern: &str,
        handler: impl Fn(Request, Params, Responder) + Send + Sync + 'static,
    ) -> Self {
        self.route(Method::Post, pattern, handler)
    }

    /// Adds a route for DELETE.
    #[must_use]
    pub fn delete(
        self,
        pattern: &str,
        handler: impl Fn(Request, Params, Responder) + Send + Sync + 'static,
    ) -> Self {
        self.route(Method::Delete, pattern, handler)
    }

    /// Adds a route. The handler runs on the reactor's thread, as [`Service::call`] does.
    ///
    /// # Panics
    /// If the pattern is none: it begins with a slash, a parameter has a name of its own, and `{*name}` is last.
    #[must_use]
    pub fn route(
        mut self,
        method: Method,
        pattern: &str,
        handler: impl Fn(Request, Params, Responder) + Send + Sync + 'static,
    ) -> Self {
        self.routes.push(Route {
            method,
            pattern: Pattern::read(pattern),
            handler: Box::new(handler),
        });
        self
    }

    fn find(&self, method: Method, segments: &[String]) -> Found<'_> {
        let mut allowed = Vec::new();
        for route in &self.routes {
            let Some(params) = route.pattern.matches(segments) else {
                continue;
            };
            let serves_head = method == Method::Head && route.method == Method::Get;
            if route.method == method || serves_head {
                return Found::Route(&route.handler, params);
            }
            allowed.push(route.method);
        }
        if allowed.is_empty() {
            return Found::NoPath;
        }
        if allowed.contains(&Method::Get) {
            allowed.push(Method::Head);
        }
        allowed.push(Method::Options);
        Found::NoMethod(allowed)
    }
}

enum Found<'a> {
    Route(&'a Handler, Params),
    NoPath,
    /// The methods that the path has.
    NoMethod(Vec<Method>),
}

impl Service for Router {
    fn call(&self, request: Request, responder: Responder) {
        match self.find(request.method(), request.target().segments()) {
            Found::Route(handler, params) => handler(request, params, responder),
            Found::NoPath => {
                let message = "there is nothing here";
                responder.send(Response::error(Status::NOT_FOUND, "not_found", message));
            }
            Found::NoMethod(allowed) => {
                let response = if request.method() == Method::Options {
                    Response::new(Status::NO_CONTENT)
                } else {
                    let message = "this path has other methods";
                    let status = Status::METHOD_NOT_ALLOWED;
                    Response::error(status, "method_not_allowed", message)
                };
                let methods = Method::ALL.into_iter();
                let methods = methods.filter(|method| allowed.contains(method));
                responder.send(response.header(HeaderName::ALLOW, Method::allow(methods)));
            }
        }
    }
}

impl Pattern {
    fn read(pattern: &str) -> Self {
        let Some(path) = pattern.strip_prefix('/') else {
            panic!("the pattern {pattern:?} does not begin with a slash");
        };
        let pieces: Vec<Piece> = path.split('/').map(Piece::read).collect();
        let names: Vec<_> = pieces.iter().filter_map(Piece::name).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(
                !name.is_empty() && !names[..at].contains(name),
                "a parameter of {pattern:?} has no name of its own"
            );
        }
        let rest = pieces
            .iter()
            .position(|piece| matches!(piece, Piece::Rest(_)));
        assert!(
            rest.is_none_or(|at| at + 1 == pieces.len()),
            "something follows the rest in {pattern:?}"
        );
        Pattern(pieces)
    }

    fn matches(&self, segments: &[String]) -> Option<Params> {
        let mut params = Params::default();
        let mut left = segments;
        for piece in &self.0 {
            let (first, rest) = left.split_first()?;
            match piece {
                Piece::Literal(literal) if literal == first => {}
                Piece::One(name) if !first.is_empty() => {
                    params.0.push((name.clone(), first.clone()));
                }
                Piece::Rest(name) if !left.concat().is_empty() => {
                    params.0.push((name.clone(), left.join("/")));
                    return Some(params);
                }
                _ => return None,
            }
            left = rest;
        }
        left.is_empty().then_some(params)
    }
}

impl Piece {
    fn read(text: &str) -> Self {
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        match inner.map(|name| (name, name.strip_prefix('*'))) {
            None => Piece::Literal(text.to_owned()),
            Some((_, Some(name))) => Piece::Rest(name.to_owned()),
            Some((name, None)) => Piece::One(name.to_owned()),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Piece::Literal(_) => None,
            Piece::One(name) | Piece::Rest(name) => Some(name),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.iter();
        f.debug_list()
            .entries(routes.map(|route| (route.method, &route.pattern.0)))
            .finish()
    }
}
