//! The parts of the server are killed one after the other while people talk, and R1 to R6 hold.

use crate::checker::{Acknowledged, Heard, Log, assert_faultless};
use crate::faults::{WRITER, eventually, kill, labelled};
use crate::server::{PATIENCE, Server, User};
use crate::talker::{Stage, talk};
use perennial::Pid;
use perennial::chat::body::{Body, ClientId};
use perennial::chat::name::Name;
use perennial::chat::store::Page;
use perennial::process;
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

/// How many kills there are, if not the small number that every run can afford.
const KILLS: &str = "PERENNIAL_TEST_KILLS";
const KILLS_FEW: usize = 120;

const ROOMS: [&str; 2] = ["lobby", "방"];

/// Between two kills so many posts are acknowledged, so that each kill finds the server at work.
const POSTS_BETWEEN: u64 = 8;

/// The supervisor of the store gives up above 100 restarts within 5 s.
const STORE_KILLS_MAX: usize = 90;
const STORE_PERIOD: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Room,
    Writer,
    Reader,
    Channel,
    Connection,
}

use Victim::{Channel, Connection, Reader, Room, Writer};

/// Two of three are the room and the writer, where messages are between two hands.
const ORDER: [Victim; 9] = [
    Room, Writer, Channel, Room, Writer, Connection, Room, Writer, Reader,
];

struct Killer<'a> {
    server: &'a Server,
    random: u64,
    store_kills: VecDeque<Instant>,
    counts: [usize; 5],
}

impl Killer<'_> {
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// Kills one of a kind; `false` if there is none now, or too many of them died lately.
    fn strike(&mut self, victim: Victim) -> bool {
        if matches!(victim, Writer | Reader) {
            while self
                .store_kills
                .front()
                .is_some_and(|at| at.elapsed() > STORE_PERIOD)
            {
                self.store_kills.pop_front();
            }
            if self.store_kills.len() >= STORE_KILLS_MAX {
                return false;
            }
            self.store_kills.push_back(Instant::now());
        }
        let all = self.all(victim);
        if all.is_empty() {
            return false;
        }
        let one = all[self.random(all.len())];
        kill(self.server, one);
        self.counts[victim as usize] += 1;
        true
    }

    fn all(&self, victim: Victim) -> Vec<Pid> {
        let chat = self.server.program().chat();
        let topics = ROOMS.map(|room| format!("room:{room}"));
        self.server.inside(|| match victim {
            Room => {
                let running = ROOMS.iter().filter_map(|room| chat.running_room(room));
                running.map(|room| room.pid()).collect()
            }
            Writer => WRITER.whereis().iter().map(|writer| writer.pid()).collect(),
            Reader => ["chat.store.reader-1", "chat.store.reader-2"]
                .into_iter()
                .filter_map(process::whereis)
                .collect(),
            Channel => topics
                .iter()
                .flat_map(|topic| labelled(self.server, topic))
                .collect(),
            Connection => labelled(self.server, "connection"),
        })
    }
}

/// Posts past the network, as a program does that embeds the chat.
fn post(server: &Server, stage: &Stage, user: &User, room: &str) -> Log {
    let mut log = Log::new(room, &user.account.name);
    let chat = server.program().chat();
    let name = Name::new(room).unwrap();
    let _entered = server.runtime().enter();
    let mut n = 0;
    while !stage.is_over() {
        n += 1;
        let client_id = format!("{room}-{n}");
        let body = format!("{} says {client_id}", user.account.name);
        let deadline = Instant::now() + PATIENCE;
        let seq = loop {
            let (body, id) = (
                Body::new(&body).unwrap(),
                ClientId::new(&client_id).unwrap(),
            );
            match chat.post(&user.account, &name, body, Some(id)) {
                Ok(posted) => break posted.seq,
                Err(error) => {
                    assert!(Instant::now() < deadline, "{client_id}: {error}");
                    log.refusals += 1;
                    thread::yield_now();
                }
            }
        };
        stage.count();
        log.acknowledged.push(Acknowledged {
            client_id,
            body,
            seq,
        });
    }
    log
}

fn history(server: &Server, room: &str) -> Vec<Heard> {
    let (chat, name) = (server.program().chat(), Name::new(room).unwrap());
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(0, |last: &Heard| last.seq);
        let page = server.inside(|| chat.history(&name, Page::After(after), 200));
        let page = page.unwrap().unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.into_iter().map(|message| Heard {
            seq: message.seq,
            user: message.user.to_string(),
            body: message.body.to_string(),
            client_id: message.client_id.unwrap().to_string(),
        }));
    }
}

#[test]
fn nothing_acknowledged_is_lost_doubled_or_out_of_order_whatever_is_killed() {
    let kills = std::env::var(KILLS).map_or(KILLS_FEW, |kills| kills.parse().unwrap());
    let server = Server::start();
    let users = ["ada", "bob", "cem", "dan"].map(|name| server.user(name));
    let posters = ["eve", "fay"].map(|name| server.user(name));
    ROOMS.iter().for_each(|room| server.room(room));
    let supervisor = labelled(&server, "rooms");
    let stage = Stage::new(server.addr());
    let began = Instant::now();

    let mut killer = Killer {
        server: &server,
        random: 0x2545_f491_4f6c_dd1d,
        store_kills: VecDeque::new(),
        counts: [0; 5],
    };
    let logs: Vec<Log> = thread::scope(|scope| {
        let in_rooms = || ROOMS.iter().cycle();
        let talkers: Vec<_> = users
            .iter()
            .zip(in_rooms())
            .map(|(user, room)| talk(&stage, &user.account.name, &user.token, room))
            .collect();
        let posters: Vec<_> = posters
            .iter()
            .zip(in_rooms())
            .map(|(user, room)| scope.spawn(|| post(&server, &stage, user, room)))
            .collect();
        // However this ends, the others are told.
        let over = Over(&stage);
        stage.progress(100);
        let mut order = ORDER.iter().cycle();
        for _ in 0..kills {
            let one = *order.next().unwrap();
            // Rooms can die any time.
            if !killer.strike(one) && !killer.strike(Room) {
                continue;
            }
            stage.progress(POSTS_BETWEEN);
        }
        drop(over);
        let mut logs: Vec<Log> = posters.into_iter().map(|one| one.join().unwrap()).collect();
        eventually("nobody says anything more", || stage.is_silent());
        for room in ROOMS {
            let last = history(&server, room).last().map_or(0, |last| last.seq);
            stage.head(room, last);
        }
        logs.extend(talkers.into_iter().map(|talker| talker.join().unwrap()));
        logs
    });

    let mut messages = 0;
    for room in ROOMS {
        let history = history(&server, room);
        messages += history.len();
        let logs: Vec<Log> = logs
            .iter()
            .filter(|log| log.room == room)
            .cloned()
            .collect();
        assert_faultless(&history, &logs);
    }
    let sum = |of: fn(&Log) -> usize| logs.iter().map(of).sum::<usize>();
    println!(
        "{} kills {:?} (room, writer, reader, channel, connection) in {:.1?}: {messages} messages, {} refusals, \
         {} joins, {} crashes of channels, {} connections",
        killer.counts.iter().sum::<usize>(),
        killer.counts,
        began.elapsed(),
        sum(|log| log.refusals),
        sum(|log| log.joins),
        sum(|log| log.crashes),
        sum(|log| log.connections),
    );
    assert_eq!(
        labelled(&server, "rooms"),
        supervisor,
        "no supervisor gave up"
    );
}

/// Tells everybody that it is over, when the test ends or fails.
struct Over<'a>(&'a Stage);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
