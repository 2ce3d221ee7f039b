//! Process: as many as the configuration says, each on a thread of its own, because a hash takes a core for tens of
//! milliseconds. Started by the chat's supervisor, linked to it alone. Dies only with it.

use super::password::Password;
use crate::behaviour::gen_server::{Cx, GenServer, Init, Next};
use crate::process::ReplyTo;
use crate::sync::Arc;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::fmt;

/// What a hasher is asked.
pub(super) enum HasherMsg {
    /// Hash a password with a new salt: the hash in PHC form; `None` if the system has no random numbers to give.
    Hash(Password, ReplyTo<Option<Arc<str>>>),
    /// Tell whether a password belongs to a hash. Without a hash the answer is no, and takes as long: who asks
    /// must not learn from the time whether there is such a user.
    Verify(Password, Option<Arc<str>>, ReplyTo<bool>),
}

impl fmt::Debug for HasherMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HasherMsg::Hash(..) => "Hash(..)",
            HasherMsg::Verify(..) => "Verify(..)",
        })
    }
}

/// Hashes passwords with argon2id at OWASP's parameters (19 MiB, two passes).
pub(super) struct Hasher {
    argon2: Argon2<'static>,
    /// The hash of no password.
    nobody: Option<Arc<str>>,
}

impl GenServer for Hasher {
    type Args = ();
    type Msg = HasherMsg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Hasher {
            argon2: Argon2::default(),
            nobody: None,
        })
    }

    fn handle(&mut self, msg: HasherMsg, _cx: &mut Cx<Self>) -> Next<HasherMsg> {
        match msg {
            // Nobody waits any more: the core is for those who do.
            HasherMsg::Hash(_, reply) if reply.is_expired() => drop(reply),
            HasherMsg::Verify(_, _, reply) if reply.is_expired() => drop(reply),
            HasherMsg::Hash(password, reply) => reply.send(self.hash(password.as_bytes())),
            HasherMsg::Verify(password, Some(hash), reply) => {
                reply.send(self.verify(&password, &hash))
            }
            HasherMsg::Verify(password, None, reply) => {
                if self.nobody.is_none() {
                    self.nobody = self.hash(b"nobody has this password");
                }
                let nobody = self.nobody.clone().unwrap_or_default();
                let _ = self.verify(&password, &nobody);
                reply.send(false);
            }
        }
        Next::Loop
    }
}

impl Hasher {
    fn hash(&self, password: &[u8]) -> Option<Arc<str>> {
        match self.argon2.hash_password(password) {
            Ok(hash) => Some(hash.to_string().into()),
            Err(error) => {
                log::error!(target: "perennial::chat", "a password could not be hashed: {error}");
                None
            }
        }
    }

    fn verify(&self, password: &Password, hash: &str) -> bool {
        PasswordHash::new(hash).is_ok_and(|hash| {
            self.argon2
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    }
}
