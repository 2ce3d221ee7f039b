//! Process: one, pooled. Started by the chat's supervisor, linked to it alone; asks the hashers and the store, and
//! waits for neither. Dies only on a crash; sessions live in the store.

use super::account::{Account, Token};
use super::config::Sessions;
use super::hasher::HasherMsg;
use super::name::Name;
use super::password::Password;
use super::store::{CreateUser, FindUser, User};
use crate::behaviour::gen_server::{Cx, GenServer, Init, Next};
use crate::process::{self, CallError, ReplyTo};
use crate::service::balancer::Balancer;
use crate::store::{ReaderMsg, Store, WriteError, WriterMsg};
use crate::sync::Arc;
use crate::time::Clock;
use std::fmt;
use std::time::Duration;

/// How long a hash may take, the queue before it included.
const HASH_TIMEOUT: Duration = Duration::from_secs(10);

/// What the users are asked.
pub enum UsersMsg {
    /// Make a user.
    SignUp(Name, Password, ReplyTo<Result<(), SignUpError>>),
    /// Open a session.
    SignIn(
        Name,
        Password,
        ReplyTo<Result<(Token, Account), SignInError>>,
    ),
    /// End a session; answers whether there was one.
    SignOut(Token, ReplyTo<Result<bool, Unavailable>>),
    /// Whose session it is, if it is one.
    Authenticate(Token, ReplyTo<Result<Option<Account>, Unavailable>>),
    /// Forget the sessions that are over.
    #[doc(hidden)]
    Purge,
}

/// The store or the hashers cannot be reached now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Why a user was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpError {
    /// The name is another's.
    NameTaken,
    /// Too many passwords wait to be hashed.
    Busy,
    /// The store or the hashers cannot be reached now.
    Unavailable,
}

/// Why nobody is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInError {
    /// There is no such user, or the password is another one: which of the two is not told.
    WrongNameOrPassword,
    /// Too many passwords wait to be hashed.
    Busy,
    /// The store or the hashers cannot be reached now.
    Unavailable,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store does not answer")
    }
}

impl fmt::Display for SignUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignUpError::NameTaken => f.write_str("this name is taken"),
            SignUpError::Busy => f.write_str("too many sign up or in at the moment"),
            SignUpError::Unavailable => Unavailable.fmt(f),
        }
    }
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignInError::WrongNameOrPassword => f.write_str("wrong name or password"),
            SignInError::Busy => f.write_str("too many sign up or in at the moment"),
            SignInError::Unavailable => Unavailable.fmt(f),
        }
    }
}

impl std::error::Error for Unavailable {}
impl std::error::Error for SignUpError {}
impl std::error::Error for SignInError {}

impl fmt::Debug for UsersMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UsersMsg::SignUp(..) => "UsersMsg::SignUp",
            UsersMsg::SignIn(..) => "UsersMsg::SignIn",
            UsersMsg::SignOut(..) => "UsersMsg::SignOut",
            UsersMsg::Authenticate(..) => "UsersMsg::Authenticate",
            UsersMsg::Purge => "UsersMsg::Purge",
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct UsersArgs {
    pub(super) store: Store,
    pub(super) hashers: Balancer<process::Name<HasherMsg>>,
    pub(super) sessions: Sessions,
    pub(super) clock: Clock,
}

/// Signs users up, in and out.
pub(super) struct Users(pub(super) UsersArgs);

impl GenServer for Users {
    type Args = UsersArgs;
    type Msg = UsersMsg;

    fn init(args: UsersArgs, _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Continue(Users(args), UsersMsg::Purge)
    }

    fn handle(&mut self, msg: UsersMsg, cx: &mut Cx<Self>) -> Next<UsersMsg> {
        match msg {
            UsersMsg::SignUp(name, password, reply) => self.sign_up(name, password, reply, cx),
            UsersMsg::SignIn(name, password, reply) => self.sign_in(&name, password, reply, cx),
            UsersMsg::SignOut(token, reply) => self.sign_out(&token, reply, cx),
            UsersMsg::Authenticate(token, reply) => self.authenticate(&token, reply, cx),
            UsersMsg::Purge => self.purge(cx),
        }
        Next::Loop
    }
}

impl Users {
    fn sign_up(
        &self,
        name: Name,
        password: Password,
        reply: ReplyTo<Result<(), SignUpError>>,
        cx: &mut Cx<Self>,
    ) {
        cx.request_for(
            HASH_TIMEOUT,
            self.0.hashers.clone(),
            |hash| HasherMsg::Hash(password, hash),
            move |users, answer, cx| {
                match answer {
                    Ok(Some(hash)) => users.create(&name, hash, reply, cx),
                    Err(CallError::Overloaded) => reply.send(Err(SignUpError::Busy)),
                    Ok(None) | Err(_) => reply.send(Err(SignUpError::Unavailable)),
                }
                Next::Loop
            },
        );
    }

    fn create(
        &self,
        name: &Name,
        password_hash: Arc<str>,
        reply: ReplyTo<Result<(), SignUpError>>,
        cx: &mut Cx<Self>,
    ) {
        let create = CreateUser {
            name: name.as_str().into(),
            password_hash,
            at: self.0.clock.unix_ms(),
        };
        let writer = self.0.store.writer().clone();
        cx.request(
            writer,
            |answer| WriterMsg::write(create, answer),
            |_, answer, _| {
                reply.send(match answer {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(WriteError::Refused(_))) => Err(SignUpError::NameTaken),
                    Ok(Err(WriteError::Store(_))) | Err(_) => Err(SignUpError::Unavailable),
                });
                Next::Loop
            },
        );
    }

    fn sign_in(
        &self,
        name: &Name,
        password: Password,
        reply: ReplyTo<Result<(Token, Account), SignInError>>,
        cx: &mut Cx<Self>,
    ) {
        let find = FindUser {
            name: name.as_str().into(),
        };
        let reader = self.0.store.reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(find, answer),
            move |users, answer, cx| {
                match answer {
                    Ok(Ok(user)) => users.verify(user, password, reply, cx),
                    Ok(Err(_)) | Err(_) => reply.send(Err(SignInError::Unavailable)),
                }
                Next::Loop
            },
        );
    }

    fn verify(
        &self,
        user: Option<User>,
        password: Password,
        reply: ReplyTo<Result<(Token, Account), SignInError>>,
        cx: &mut Cx<Self>,
    ) {
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        cx.request_for(
            HASH_TIMEOUT,
            self.0.hashers.clone(),
            |right| HasherMsg::Verify(password, hash, right),
            move |users, answer, cx| {
                match (answer, user) {
                    (Ok(true), Some(user)) => {
                        let account = Account {
                            id: user.id,
                            name: user.name,
                        };
                        users.open_session(account, reply, cx);
                    }
                    (Ok(_), _) => reply.send(Err(SignInError::WrongNameOrPassword)),
                    (Err(CallError::Overloaded), _) => reply.send(Err(SignInError::Busy)),
                    (Err(_), _) => reply.send(Err(SignInError::Unavailable)),
                }
                Next::Loop
            },
        );
    }
}
