//! A team chat inside a sync program: users, rooms and history on a disk, and no network.
//!
//! Run `cargo run --example embedded_chat --features chat-core`. You will see a listener hear two messages, though
//! the room is killed between them, and both still there when the chat is opened a second time.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::chat::body::{Body, ClientId};
use perennial::chat::{Account, Chat, PostError, RoomEvent};
use perennial::chat::{config::Config, name::Name, password::Password, store::Page};
use perennial::process::{self, Received};
use perennial::{ExitReason, supervisor};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let data = std::env::temp_dir().join(format!("embedded-chat-{}", std::process::id()));
    let config = Config {
        data: data.clone(),
        ..Config::default()
    };
    let (ada, lobby) = (Name::new("ada")?, Name::new("lobby")?);
    let chat = Chat::open(&config)?;
    let tree = chat.start()?;
    chat.sign_up(ada.clone(), Password::new("correct horse")?)?;
    let (_token, ada) = chat.sign_in(ada, Password::new("correct horse")?)?;
    chat.create_room(lobby.clone())?;
    // Rooms speak to processes: the main thread is one while it listens.
    process::run::<RoomEvent, _>(|me| -> Result<()> {
        chat.subscribe(&lobby, me.me().recipient(|event| event));
        say(&chat, &ada, &lobby, "hello")?;
        process::exit(chat.open_room(&lobby)?.pid(), ExitReason::Kill);
        println!("the room is killed");
        say(&chat, &ada, &lobby, "still here")?;
        let mut last = 0;
        while last < 2 {
            // Of its last message a killed room may have told nobody. Its successor says how far the room is, and
            // the history has what was missed.
            let now = match me.receive() {
                Received::Message(RoomEvent::Messages(said)) => {
                    said.messages().last().map_or(0, |last| last.seq)
                }
                Received::Message(RoomEvent::Sync(seq)) => seq,
                _ => continue,
            };
            if now > last {
                last += show("heard", &chat, &lobby, Page::After(last))?.len() as u64;
            }
        }
        Ok(())
    })??;
    supervisor::stop(&tree)?;
    drop(chat);
    let chat = Chat::open(&config)?;
    let tree = chat.start()?;
    let kept = show("kept", &chat, &lobby, Page::Newest)?;
    supervisor::stop(&tree)?;
    std::fs::remove_dir_all(data)?;
    assert_eq!(kept, ["ada: hello", "ada: still here"]);
    Ok(())
}

/// Says something until it is on the disk. By its client id it is there once, however often it is said.
fn say(chat: &Chat, who: &Account, room: &Name, text: &str) -> Result<()> {
    let (id, body) = (ClientId::new(text)?, Body::new(text)?);
    let post = || chat.post(who, room, body.clone(), Some(id.clone()));
    let mut posted = post();
    while posted == Err(PostError::Storage) {
        posted = post();
    }
    println!("on the disk as number {}", posted?.seq);
    Ok(())
}

/// Prints a page of the history; its lines.
fn show(what: &str, chat: &Chat, room: &Name, page: Page) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for said in chat.history(room, page, 50)?.ok_or("no such room")? {
        println!("{what}: {} {}: {}", said.seq, said.user, said.body);
        lines.push(format!("{}: {}", said.user, said.body));
    }
    Ok(lines)
}
