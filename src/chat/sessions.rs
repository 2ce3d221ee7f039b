//! Sessions while the chat runs: how they begin and end, and what ends with them.
//!
//! A session ends when its user signs out, when a newer one needs its place, when it is old, and when it is not used
//! for long. Its sockets go with it: they are told once what ends it is on the disk, or, where that is time, before the
//! session is forgotten, so that a crash in between has it told again. A socket that opens in that very moment hears
//! nothing, but enters no room: who enters is signed in at the moment of the page that is read then.

use super::account::{Account, Token};
use super::config::Sessions;
use super::store::{
    CloseSession, Expiry, FindSession, FindSessionsOver, OpenSession, PurgeSessions,
    SESSIONS_OVER_MAX, TokenHash, TouchSession,
};
use super::users::{SignInError, Unavailable, Users, UsersMsg};
use crate::behaviour::gen_server::{Cx, Next};
use crate::process::{Dest, ReplyTo};
use crate::store::{Item, ReaderMsg, Store, WriterMsg};
use crate::time::Clock;
use std::time::Duration;

/// A session's use is noted no more often: each note is a write.
const TOUCH_EVERY_MS: i64 = 60_000;

/// How often sessions that are over are looked for: within a minute of its end nothing is said by one any more.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Which sessions are over now.
pub(super) fn expiry(sessions: &Sessions, clock: &Clock) -> Expiry {
    let now = clock.unix_ms();
    let before =
        |age: Duration| now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    Expiry {
        opened_before: before(sessions.lifetime),
        seen_before: before(sessions.idle_timeout),
    }
}

/// Notes that a session is in use at `now`, if the last such note, made `seen_at`, is old enough; the moment of the
/// last note. Nothing hangs on it: a note that is lost is made at a later use.
pub(super) fn touch(store: &Store, session: TokenHash, seen_at: i64, now: i64) -> i64 {
    if now - seen_at < TOUCH_EVERY_MS {
        return seen_at;
    }
    let touch = TouchSession {
        token: session,
        at: now,
    };
    store
        .writer()
        .cast(WriterMsg::from(Item::new(touch, |_| {})));
    now
}

/// What the sockets of a session are called.
#[cfg(feature = "chat")]
pub(super) fn socket_id(session: &TokenHash) -> String {
    format!("sessions:{}", session.to_hex())
}

/// Closes the sockets of a session that is over.
#[cfg(feature = "chat")]
pub(super) fn disconnect(session: &TokenHash, why: &str) {
    use crate::web::channel::endpoint;
    use crate::web::websocket::CloseCode;
    endpoint::disconnect_with(&socket_id(session), CloseCode::AWAY, why);
}

/// Without a network there is nobody to tell.
#[cfg(not(feature = "chat"))]
fn disconnect(_session: &TokenHash, _why: &str) {}

impl Users {
    pub(super) fn open_session(
        &self,
        account: Account,
        reply: ReplyTo<Result<(Token, Account), SignInError>>,
        cx: &mut Cx<Self>,
    ) {
        let mut random = [0; 32];
        if let Err(error) = getrandom::fill(&mut random) {
            log::error!(target: "perennial::chat", "no random numbers for a token: {error}");
            return reply.send(Err(SignInError::Unavailable));
        }
        let token = Token::new(random);
        let open = OpenSession {
            token: token.hash(),
            user: account.id,
            at: self.0.clock.unix_ms(),
        };
        let writer = self.0.store.writer().clone();
        cx.request(
            writer,
            |answer| WriterMsg::write(open, answer),
            |_, answer, _| {
                reply.send(match answer {
                    Ok(Ok(left)) => {
                        for session in &left {
                            disconnect(session, "signed in too often");
                        }
                        Ok((token, account))
                    }
                    Ok(Err(_)) | Err(_) => Err(SignInError::Unavailable),
                });
                Next::Loop
            },
        );
    }

    pub(super) fn sign_out(
        &self,
        token: &Token,
        reply: ReplyTo<Result<bool, Unavailable>>,
        cx: &mut Cx<Self>,
    ) {
        let session = token.hash();
        let close = CloseSession { token: session };
        let writer = self.0.store.writer().clone();
        cx.request(
            writer,
            |answer| WriterMsg::write(close, answer),
            move |_, answer, _| {
                reply.send(match answer {
                    Ok(Ok(was_open)) => {
                        // Also if it was not: whoever closed it may have had no time to say so.
                        disconnect(&session, "signed out");
                        Ok(was_open)
                    }
                    Ok(Err(_)) | Err(_) => Err(Unavailable),
                });
                Next::Loop
            },
        );
    }

    pub(super) fn authenticate(
        &self,
        token: &Token,
        reply: ReplyTo<Result<Option<Account>, Unavailable>>,
        cx: &mut Cx<Self>,
    ) {
        let token = token.hash();
        let find = FindSession {
            token,
            expiry: expiry(&self.0.sessions, &self.0.clock),
        };
        let reader = self.0.store.reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(find, answer),
            move |users, answer, _| {
                reply.send(match answer {
                    Ok(Ok(Some(session))) => {
                        let now = users.0.clock.unix_ms();
                        touch(&users.0.store, token, session.seen_at, now);
                        Ok(Some(session.into()))
                    }
                    Ok(Ok(None)) => Ok(None),
                    Ok(Err(_)) | Err(_) => Err(Unavailable),
                });
                Next::Loop
            },
        );
    }

    /// Looks for sessions that are over, tells their sockets, and forgets them.
    pub(super) fn purge(&self, cx: &mut Cx<Self>) {
        let expiry = expiry(&self.0.sessions, &self.0.clock);
        let reader = self.0.store.reader().clone();
        cx.request(
            reader,
            |answer| ReaderMsg::read(FindSessionsOver { expiry }, answer),
            move |users, answer, cx| {
                match answer {
                    Ok(Ok(sessions)) if !sessions.is_empty() => {
                        for session in &sessions {
                            disconnect(session, "the session has expired");
                        }
                        users.forget(PurgeSessions { sessions, expiry }, cx);
                    }
                    _ => look_later(cx),
                }
                Next::Loop
            },
        );
    }

    fn forget(&self, purge: PurgeSessions, cx: &mut Cx<Self>) {
        let may_be_more = purge.sessions.len() == SESSIONS_OVER_MAX;
        let writer = self.0.store.writer().clone();
        cx.request(
            writer,
            |answer| WriterMsg::write(purge, answer),
            move |_, answer, cx| {
                match answer {
                    Ok(Ok(_)) if may_be_more => cx.me().cast(UsersMsg::Purge),
                    _ => look_later(cx),
                }
                Next::Loop
            },
        );
    }
}

fn look_later(cx: &mut Cx<Users>) {
    cx.send_after(LOOK_EVERY, UsersMsg::Purge);
}
