//! A small chat in one program: an application with rooms that come and go, and with users.
//!
//! Run `cargo run --example chat_room`. You will see a room killed and come back empty, while the other one and the
//! users have not noticed, and an orderly stop. A chat that loses nothing is the `embedded_chat` example.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::supervisor::{DynamicMsg, dynamic_supervisor};
use perennial::{Application, ExitReason, Registry, application, prelude::*, process};
use std::collections::HashSet;
use std::time::Duration;

static ROOM_SUPERVISOR: Name<DynamicMsg> = Name::new("room_supervisor");
static ROOMS: Registry<&str, RoomMsg> = Registry::new("rooms");
static USERS: Name<UsersMsg> = Name::new("users");

enum RoomMsg {
    Add(&'static str),
    Messages(ReplyTo<Vec<&'static str>>),
}

struct Room(Vec<&'static str>);
impl GenServer for Room {
    type Args = ();
    type Msg = RoomMsg;
    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Room(Vec::new()))
    }
    fn handle(&mut self, msg: RoomMsg, _cx: &mut Cx<Self>) -> Next<RoomMsg> {
        match msg {
            RoomMsg::Add(text) => self.0.push(text),
            RoomMsg::Messages(reply) => reply.send(self.0.clone()),
        }
        Next::Loop
    }
}

/// A name to register; answered with whether it was free.
type UsersMsg = (&'static str, ReplyTo<bool>);
struct Users(HashSet<&'static str>);
impl GenServer for Users {
    type Args = ();
    type Msg = UsersMsg;
    fn init((): (), _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Users(HashSet::new()))
    }
    fn handle(&mut self, (name, reply): UsersMsg, _cx: &mut Cx<Self>) -> Next<UsersMsg> {
        reply.send(self.0.insert(name));
        Next::Loop
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tree = || {
        let rooms = DynamicSupervisor::new().name(&ROOM_SUPERVISOR);
        let tree = Supervisor::new(Strategy::OneForOne).child(rooms.child("rooms"));
        Ok(tree.child(Child::server::<Users>("users", ()).name(&USERS)))
    };
    application::load(Application::new("chat_app", tree).permanent())?;
    application::ensure_all_started("chat_app")?;
    assert!(USERS.call(|reply| ("anna", reply))?);
    let (lobby, attic) = (ROOMS.via("lobby"), ROOMS.via("attic"));
    for room in [&lobby, &attic] {
        let child = Child::server::<Room>(*room.key(), ()).via(room.clone());
        dynamic_supervisor::start_child(&ROOM_SUPERVISOR, child.transient())?;
        room.cast(RoomMsg::Add("hello"));
        println!("{}: {:?}", room.key(), room.call(RoomMsg::Messages)?);
    }
    let mut death = process::watch(&lobby.whereis().ok_or("no lobby")?);
    process::exit(death.pid(), ExitReason::Kill);
    let death = death.wait(Duration::from_secs(5)).ok_or("it lives on")?;
    println!("the lobby is {}", death.reason);
    dynamic_supervisor::which_children(&ROOM_SUPERVISOR)?; // answered when it is back
    assert!(lobby.call(RoomMsg::Messages)?.is_empty());
    assert_eq!(attic.call(RoomMsg::Messages)?, ["hello"]);
    assert!(!USERS.call(|reply| ("anna", reply))?);
    println!("the lobby is back and empty, the attic is as it was, anna is still known");
    application::halt(Duration::from_secs(5));
    println!("{:?}", application::wait());
    Ok(())
}
