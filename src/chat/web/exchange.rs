//! Process: one per request that asks others before it is answered, pooled. Started by the site, linked to none. Dies
//! when it has answered; if it crashes, dropping its responder answers 500.

use super::guard::{self, COOKIE, Proof};
use super::json;
use super::room_channel::Client;
use super::route::Route;
use super::site::{Inner, respond};
use crate::behaviour::gen_server::{Cx, GenServer, Init, Next};
use crate::chat::account::{Account, Token};
use crate::chat::name::Name;
use crate::chat::password::Password;
use crate::chat::rooms::{CreateRoomError, RoomsMsg};
use crate::chat::store::{HISTORY_MAX, HistoryOfRoom, ListRoomsOf, Page, ROOMS_LISTED_MAX};
use crate::chat::users::{SignInError, SignUpError, UsersMsg};
use crate::reason::ExitReason;
use crate::store::ReaderMsg;
use crate::sync::Arc;
use crate::web::http::{HeaderName, HeaderValue, Request, Response, SameSite, SetCookie, Status};
use crate::web::net::{Responder, network_of};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Messages of a page that does not say how many.
const LIMIT: usize = 50;

/// How long a sign-up or sign-in may take, the queue before the hashers included.
const SIGN_TIMEOUT: Duration = Duration::from_secs(20);

/// One request and its answer to be.
pub(super) struct Exchange {
    site: Arc<Inner>,
    route: Route,
    proof: Proof,
    request: Request,
    responder: Option<Responder>,
}

impl Exchange {
    pub(super) fn new(
        site: Arc<Inner>,
        route: Route,
        proof: Proof,
        request: Request,
        responder: Responder,
    ) -> Self {
        Exchange {
            site,
            route,
            proof,
            request,
            responder: Some(responder),
        }
    }

    fn answer(&mut self, response: Response) -> Next<()> {
        if let Some(responder) = self.responder.take() {
            respond(responder, response);
        }
        Next::Stop(ExitReason::Normal)
    }
}

impl GenServer for Exchange {
    type Args = Exchange;
    type Msg = ();

    fn init(exchange: Exchange, _cx: &mut Cx<Self>) -> Init<Self> {
        // The reactor waits for this init.
        Init::Continue(exchange, ())
    }

    fn handle(&mut self, (): (), cx: &mut Cx<Self>) -> Next<()> {
        match self.route {
            Route::SignUp => self.sign_up(cx),
            Route::SignIn => self.sign_in(cx),
            Route::SignOut => self.sign_out(cx),
            // Whoever has the token of a session was known when that began.
            Route::LongPoll if self.site.sockets.has_session(&self.request) => self.refuse(),
            _ => self.authenticate(cx),
        }
    }
}

impl Exchange {
    fn sign_up(&mut self, cx: &mut Cx<Self>) -> Next<()> {
        let credentials = match self.credentials() {
            Ok(credentials) => credentials.check().map_err(|why| invalid(&why)),
            Err(response) => Err(response),
        };
        let (name, password) = match credentials {
            Ok(credentials) => credentials,
            Err(response) => return self.answer(response),
        };
        let shown = name.clone();
        cx.request_for(
            SIGN_TIMEOUT,
            self.site.users(),
            |reply| UsersMsg::SignUp(name, password, reply),
            move |exchange, answer, _| {
                let response = match answer.unwrap_or(Err(SignUpError::Unavailable)) {
                    Ok(()) => {
                        let user = json!({"user": {"name": shown.as_str()}});
                        Response::new(Status::CREATED).json(user.to_string())
                    }
                    Err(error @ SignUpError::NameTaken) => {
                        Response::error(Status::CONFLICT, "taken", &error.to_string())
                    }
                    Err(SignUpError::Busy) => busy(),
                    Err(SignUpError::Unavailable) => unavailable(),
                };
                exchange.answer(response)
            },
        );
        Next::Loop
    }

    fn sign_in(&mut self, cx: &mut Cx<Self>) -> Next<()> {
        let credentials = match self.credentials() {
            // What could never be signed up cannot sign in; which of the two is wrong is not told.
            Ok(credentials) => credentials.check().map_err(|_| wrong()),
            Err(response) => Err(response),
        };
        let (name, password) = match credentials {
            Ok(credentials) => credentials,
            Err(response) => return self.answer(response),
        };
        cx.request_for(
            SIGN_TIMEOUT,
            self.site.users(),
            |reply| UsersMsg::SignIn(name, password, reply),
            |exchange, answer, _| {
                let response = match answer.unwrap_or(Err(SignInError::Unavailable)) {
                    Ok((token, account)) => signed_in(&token, &account),
                    Err(SignInError::WrongNameOrPassword) => wrong(),
                    Err(SignInError::Busy) => busy(),
                    Err(SignInError::Unavailable) => unavailable(),
                };
                exchange.answer(response)
            },
        );
        Next::Loop
    }

    fn sign_out(&mut self, cx: &mut Cx<Self>) -> Next<()> {
        let Some(token) = self.proof.token() else {
            return self.answer(signed_out());
        };
        cx.request(
            self.site.users(),
            |reply| UsersMsg::SignOut(token, reply),
            |exchange, answer, _| {
                exchange.answer(match answer {
                    Ok(Ok(_)) => signed_out(),
                    Ok(Err(_)) | Err(_) => unavailable(),
                })
            },
        );
        Next::Loop
    }

    /// `{"username","password"}`, within the limits of its address.
    fn credentials(&self) -> Result<Credentials, Response> {
        if let Some(responder) = &self.responder
            && let Err(retry) = self
                .site
                .sign_ins
                .check(network_of(responder.peer_addr().ip()))
        {
            return Err(too_many(retry.retry_after));
        }
        let body = self.object()?;
        Ok(Credentials {
            username: text(&body, "username")?.to_owned(),
            password: text(&body, "password")?.to_owned(),
        })
    }

    /// The body, which must be a JSON object and say so: no form of another page can.
    fn object(&self) -> Result<Map<String, Value>, Response> {
        let content_type = self.request.header("content-type").unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = "the body must be application/json";
            return Err(Response::error(
                Status::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                message,
            ));
        }
        match serde_json::from_slice(self.request.body()) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(invalid("the body must be a JSON object")),
            Err(_) => Err(Response::error(
                Status::BAD_REQUEST,
                "bad_json",
                "the body is no JSON",
            )),
        }
    }

    fn authenticate(&mut self, cx: &mut Cx<Self>) -> Next<()> {
        let offered = || crate::web::channel::request::auth_token(&self.request);
        let by_subprotocol = || offered().and_then(|token| Token::parse(&token));
        let token = match self.route {
            // The official client cannot set fields of a WebSocket; from 1.8 on it sends a token along as a subprotocol,
            // and by long poll in a field of its own.
            Route::Socket | Route::LongPoll => by_subprotocol().or_else(|| self.proof.token()),
            _ => self.proof.token(),
        };
        let Some(token) = token else {
            return self.refuse();
        };
        let session = token.hash();
        cx.request(
            self.site.users(),
            |reply| UsersMsg::Authenticate(token, reply),
            move |exchange, answer, cx| match answer {
                Ok(Ok(Some(account))) => exchange.serve(Client { account, session }, cx),
                Ok(Ok(None)) => exchange.refuse(),
                Ok(Err(_)) | Err(_) => exchange.answer(unavailable()),
            },
        );
        Next::Loop
    }

    /// The request of somebody whom nobody knows.
    fn refuse(&mut self) -> Next<()> {
        match self.route {
            Route::LongPoll => self.long_poll(|| Err(guard::unauthorized())),
            _ => self.answer(guard::unauthorized()),
        }
    }

    fn long_poll(&mut self, connect: impl FnOnce() -> Result<Client, Response>) -> Next<()> {
        if let Some(responder) = self.responder.take() {
            let request = self.request.clone();
            self.site
                .sockets
                .long_poll(request, responder, |_| connect());
        }
        Next::Stop(ExitReason::Normal)
    }

    /// The request of somebody who is signed in.
    fn serve(&mut self, client: Client, cx: &mut Cx<Self>) -> Next<()> {
        match &self.route {
            Route::Socket => {
                if let Some(responder) = self.responder.take() {
                    self.site.sockets.upgrade(client, &self.request, responder);
                }
                Next::Stop(ExitReason::Normal)
            }
            Route::LongPoll => self.long_poll(|| Ok(client)),
            Route::ListRooms => self.list_rooms(&client.account, cx),
            Route::CreateRoom => self.create_room(cx),
            Route::Messages(name) => {
                let name = name.clone();
                self.messages(&name, cx)
            }
            _ => self.answer(Response::error(
                Status::NOT_FOUND,
                "not_found",
                "there is nothing here",
            )),
        }
    }

    fn list_rooms(&mut self, account: &Account, cx: &mut Cx<Self>) -> Next<()> {
        let after = self.request.query_value("after").map(Arc::from);
        let list = ListRoomsOf {
            user: account.id,
            after,
            limit: ROOMS_LISTED_MAX,
        };
        let reader = self.site.chat.store().reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(list, answer),
            |exchange, answer, _| {
                exchange.answer(match answer {
                    Ok(Ok(rooms)) => {
                        let rooms: Value = rooms.iter().map(json::room).collect();
                        Response::new(Status::OK).json(json!({"rooms": rooms}).to_string())
                    }
                    Ok(Err(_)) | Err(_) => unavailable(),
                })
            },
        );
        Next::Loop
    }

    fn create_room(&mut self, cx: &mut Cx<Self>) -> Next<()> {
        let name = self.object().and_then(|body| {
            Name::new(text(&body, "name")?).map_err(|error| invalid(&error.to_string()))
        });
        let name = match name {
            Ok(name) => name,
            Err(response) => return self.answer(response),
        };
        let shown = name.clone();
        cx.request(
            self.site.chat.rooms().clone(),
            |answer| RoomsMsg::Create(name, answer),
            move |exchange, answer, _| {
                let response = match answer.unwrap_or(Err(CreateRoomError::Storage)) {
                    Ok(()) => {
                        let room = json!({"room": {"name": shown.as_str(), "seq": 0}});
                        Response::new(Status::CREATED).json(room.to_string())
                    }
                    Err(error @ CreateRoomError::NameTaken) => {
                        Response::error(Status::CONFLICT, "taken", &error.to_string())
                    }
                    Err(CreateRoomError::Storage) => unavailable(),
                };
                exchange.answer(response)
            },
        );
        Next::Loop
    }

    fn messages(&mut self, room: &str, cx: &mut Cx<Self>) -> Next<()> {
        // What cannot be a room's name is no room's.
        let Ok(name) = Name::new(room) else {
            return self.answer(no_room());
        };
        let (page, limit) = match self.page() {
            Ok(page) => page,
            Err(response) => return self.answer(response),
        };
        let history = HistoryOfRoom {
            name: name.as_str().into(),
            page,
            limit,
        };
        let reader = self.site.chat.store().reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(history, answer),
            |exchange, answer, _| {
                exchange.answer(match answer {
                    Ok(Ok(Some(messages))) => {
                        let messages = json!({"messages": json::messages(&messages)});
                        Response::new(Status::OK).json(messages.to_string())
                    }
                    Ok(Ok(None)) => no_room(),
                    Ok(Err(_)) | Err(_) => unavailable(),
                })
            },
        );
        Next::Loop
    }

    /// `?before|after=SEQ&limit=`.
    fn page(&self) -> Result<(Page, usize), Response> {
        let number = |key: &str| match self.request.query_value(key) {
            None => Ok(None),
            Some(value) => {
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let parsed = value.parse::<u64>().ok().filter(|_| is_number);
                parsed
                    .map(Some)
                    .ok_or_else(|| invalid(&format!("{key} must be a whole number")))
            }
        };
        let limit = match number("limit")? {
            None => LIMIT,
            Some(limit @ 1..) if limit <= HISTORY_MAX as u64 => limit as usize,
            Some(_) => return Err(invalid(&format!("limit must be from 1 to {HISTORY_MAX}"))),
        };
        let page = match (number("before")?, number("after")?) {
            (None, None) => Page::Newest,
            (Some(before), None) => Page::Before(before),
            (None, Some(after)) => Page::After(after),
            (Some(_), Some(_)) => return Err(invalid("before and after exclude each other")),
        };
        Ok((page, limit))
    }
}

/// What somebody typed who signs up or in. There is no `Debug`: a password is for no log.
struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// The two if they can be a name and a password, else why not.
    fn check(&self) -> Result<(Name, Password), String> {
        let name = Name::new(&self.username).map_err(|error| error.to_string())?;
        let password = Password::new(&self.password).map_err(|error| error.to_string())?;
        Ok((name, password))
    }
}

fn text<'a>(body: &'a Map<String, Value>, key: &str) -> Result<&'a str, Response> {
    let value = body.get(key).and_then(Value::as_str);
    value.ok_or_else(|| invalid(&format!("{key} must be a text")))
}

fn invalid(message: &str) -> Response {
    Response::error(Status::UNPROCESSABLE_CONTENT, "invalid", message)
}

fn wrong() -> Response {
    let error = SignInError::WrongNameOrPassword;
    Response::error(
        Status::UNAUTHORIZED,
        "wrong_name_or_password",
        &error.to_string(),
    )
}

fn no_room() -> Response {
    Response::error(Status::NOT_FOUND, "not_found", "there is no such room")
}

fn unavailable() -> Response {
    Response::error(
        Status::SERVICE_UNAVAILABLE,
        "storage",
        "the store does not answer; try again",
    )
}

fn busy() -> Response {
    let message = "too many sign up or in at the moment; try again";
    Response::error(Status::SERVICE_UNAVAILABLE, "busy", message)
}

fn too_many(retry_after: Duration) -> Response {
    let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
    let response = Response::error(
        Status::TOO_MANY_REQUESTS,
        "rate_limited",
        "too many attempts; wait a little",
    );
    match HeaderValue::new(seconds.to_string()) {
        Ok(value) => response.header(HeaderName::RETRY_AFTER, value),
        Err(_) => response,
    }
}

fn signed_in(token: &Token, account: &Account) -> Response {
    let body = json!({"token": token.to_string(), "user": {"name": &*account.name}});
    with_cookie(
        Response::new(Status::OK).json(body.to_string()),
        cookie(token.to_string()),
    )
}

fn signed_out() -> Response {
    with_cookie(
        Response::new(Status::NO_CONTENT),
        cookie(String::new()).max_age(Duration::ZERO),
    )
}

fn cookie(value: String) -> SetCookie {
    SetCookie::new(COOKIE, value)
        .http_only()
        .same_site(SameSite::Lax)
        .path("/")
}

fn with_cookie(response: Response, cookie: SetCookie) -> Response {
    match cookie.build() {
        Ok(value) => response.header(HeaderName::SET_COOKIE, value),
        Err(_) => unreachable!("a token is hexadecimal"),
    }
}
