//! Rooms under their names: found by whoever knows the name, gone when they die, and followed by a listener.
//!
//! Run `cargo run --example registry`. You will see three rooms opened, a name that is taken, a message that reaches
//! a room by its name, how many rooms have guests, and what the listener was told, up to the death of a room.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::registry::Event;
use perennial::{ExitReason, Registry, process};
use std::error::Error;
use std::time::Duration;

/// What a room is sent: who comes in, and how many are there then.
struct Enter(&'static str, ReplyTo<usize>);

struct Room(Vec<&'static str>);

impl GenServer for Room {
    type Args = ();
    type Msg = Enter;

    fn init((): (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Room(Vec::new()))
    }

    fn handle(&mut self, Enter(guest, reply): Enter, _: &mut Cx<Self>) -> Next<Enter> {
        self.0.push(guest);
        reply.send(self.0.len());
        Next::Loop
    }
}

/// Each room has a name, and a number of guests beside it.
static ROOMS: Registry<&str, Enter, usize> = Registry::new("rooms");

fn main() -> Result<(), Box<dyn Error>> {
    let told = process::run::<Event<&str, Enter, usize>, _>(|cx| -> Result<(), Box<dyn Error>> {
        ROOMS.add_listener(cx.me().recipient(|event| event))?;
        for name in ["attic", "cellar", "lobby"] {
            gen_server::spec::<Room>(()).via(ROOMS.via(name)).start()?;
        }
        let again = gen_server::spec::<Room>(()).via(ROOMS.via("lobby")).start();
        println!("a second lobby: {}", again.expect_err("the name is taken"));

        // The name is looked up at each call, so it leads to whoever has it then.
        let lobby = ROOMS.via("lobby");
        for guest in ["anna", "ben"] {
            let there = lobby.call(|reply| Enter(guest, reply))?;
            let room = lobby.whereis().ok_or("the lobby is there")?;
            ROOMS.update_value("lobby", &room, |_| there);
            println!("{guest} came into the lobby: {there} there");
        }
        println!(
            "rooms with guests: {}",
            ROOMS.count_select(|_, _, guests| *guests > 0)
        );

        let room = lobby.whereis().ok_or("the lobby is there")?;
        let mut watch = process::watch(&room);
        process::exit(&room, ExitReason::Kill);
        watch.wait(Duration::from_secs(5)).ok_or("the lobby ends")?;
        println!(
            "the lobby was killed; under its name: {:?}",
            lobby.whereis()
        );
        while let Some(event) = cx.receive().message() {
            println!("the listener was told: {event:?}");
            if matches!(event, Event::Unregister { .. }) {
                break;
            }
        }
        Ok(())
    });
    told?
}
