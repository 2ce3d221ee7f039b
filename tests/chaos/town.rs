//! Who lives in the chat: users, rooms, and the witnesses in them.

use crate::history::Log;
use crate::http_client::post;
use crate::server::PASSWORD;
use crate::witness::{Crowd, Habits, Witness, bear_witness};
use serde_json::json;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) const CLIENTS: u32 = 200;
pub(crate) const ROOMS: u32 = 20;

/// Several clients to a user: a password takes long to hash.
const USERS: u32 = 10;

/// Posts of all clients in a second, if the machine can.
const POSTS_PER_SECOND: u32 = 900;

pub(crate) struct Town {
    tokens: Vec<String>,
}

/// The name of the user behind a client.
pub(crate) fn name_of(client: u32) -> String {
    format!("user{}", client % USERS)
}

pub(crate) fn room(number: u32) -> String {
    format!("room{number}")
}

/// Who is in it.
pub(crate) fn room_of(client: u32) -> u32 {
    // Two clients of one user may be in one room.
    client / 3 % ROOMS
}

impl Town {
    /// Signs all users up and in, and makes the rooms.
    pub(crate) fn found(server: SocketAddr) -> Self {
        let sign = |client| {
            let credentials = json!({"username": name_of(client), "password": PASSWORD});
            post("/api/users", &credentials).send(server).ok(201);
            let session = post("/api/session", &credentials).send(server).ok(200);
            session["token"].as_str().unwrap().to_owned()
        };
        let town = Town {
            tokens: (0..USERS).map(sign).collect(),
        };
        for number in 0..ROOMS {
            let make = post("/api/rooms", &json!({"name": room(number)}));
            make.bearer(town.token(0)).send(server).ok(201);
        }
        town
    }

    pub(crate) fn token(&self, client: u32) -> &str {
        &self.tokens[(client % USERS) as usize]
    }

    /// All clients begin to talk.
    pub(crate) fn talk(&self, crowd: &Crowd, seed: u64) -> Vec<JoinHandle<Log>> {
        let habits = Habits {
            pace: Duration::from_secs(1) * CLIENTS / POSTS_PER_SECOND,
            window: 4,
            bad_fate: 2,
            newest: 10,
            look: 400,
            give_up: 12,
            refused: 100,
        };
        let witness = |client| Witness {
            client,
            room: room(room_of(client)),
            token: self.token(client).to_owned(),
            name_of,
            habits,
            seed: seed.wrapping_add(u64::from(client)).wrapping_mul(31),
        };
        (0..CLIENTS)
            .map(|client| bear_witness(crowd, witness(client)))
            .collect()
    }
}
