//! Process: as many as the configuration says, each on a thread of its own, because a hash takes a core for tens of
//! milliseconds. Started by the chat's supervisor, linked to it alone. Dies only with it.

use super::password::Password;
use crate::behaviour::gen_server::{Cx, GenServer, Init, Next};
use crate::process::ReplyTo;
use crate::sync::Arc;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::fmt;

/// Bytes of salt: 128 random bits (RFC 9106 §3.1).
const SALT_LEN: usize = 16;

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
    /// What argon2 works in, made by the first hash and kept. Allocated anew for each, 19 MiB at a time, such blocks
    /// leave holes between them that the next does not fit into, and a day of sign-ins ends at hundreds of MiB.
    memory: Vec<Block>,
    /// The hash of no password.
    nobody: Option<Arc<str>>,
}

impl GenServer for Hasher {
    type Args = ();
    type Msg = HasherMsg;

    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Hasher {
            memory: Vec::new(),
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
    fn hash(&mut self, password: &[u8]) -> Option<Arc<str>> {
        let mut salt = [0; SALT_LEN];
        if let Err(error) = getrandom::fill(&mut salt) {
            log::error!(target: "perennial::chat", "no random numbers for a salt: {error}");
            return None;
        }
        match self.hash_with(password, &salt) {
            Ok(hash) => Some(hash.to_string().into()),
            Err(error) => {
                log::error!(target: "perennial::chat", "a password could not be hashed: {error}");
                None
            }
        }
    }

    fn hash_with(
        &mut self,
        password: &[u8],
        salt: &[u8],
    ) -> argon2::password_hash::Result<PasswordHash> {
        let (algorithm, version, params) = (Algorithm::Argon2id, Version::V0x13, Params::default());
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(Salt::new(salt)?),
            hash: None,
        };
        self.derive(
            &Argon2::new(algorithm, version, params),
            password,
            salt,
            &mut output,
        )?;
        Ok(PasswordHash {
            hash: Some(Output::new(&output)?),
            ..hash
        })
    }

    fn verify(&mut self, password: &Password, hash: &str) -> bool {
        PasswordHash::new(hash).is_ok_and(|hash| self.is_of(password, &hash).unwrap_or(false))
    }

    /// Hashes as the stored hash was made, whose parameters are in it, and compares in constant time.
    fn is_of(
        &mut self,
        password: &Password,
        stored: &PasswordHash,
    ) -> argon2::password_hash::Result<bool> {
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
            return Ok(false);
        };
        let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
        let version = stored
            .version
            .map_or(Ok(Version::default()), Version::try_from)?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(stored)?);
        let mut output = vec![0; expected.len()];
        self.derive(&argon2, password.as_bytes(), salt, &mut output)?;
        Ok(Output::new(&output)? == *expected)
    }

    fn derive(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = argon2.params().block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        argon2.hash_password_into_with_memory(password, salt, output, &mut self.memory[..blocks])
    }
}
