//! Rooms.

use crate::desk::Desk;
use perennial::chat::store::{CreateRoom, FindRoom, ListRooms, NameTaken, ROOMS_LISTED_MAX};
use perennial::store::WriteError;

fn create(name: &str) -> CreateRoom {
    CreateRoom {
        name: name.into(),
        at: 5,
    }
}

#[test]
fn a_room_is_found_by_name_and_is_empty_at_first() {
    let mut desk = Desk::new();
    let id = desk.write(create("lobby")).unwrap();
    let room = desk
        .read(FindRoom {
            name: "lobby".into(),
        })
        .unwrap();
    assert_eq!((room.id, &*room.name, room.seq), (id, "lobby", 0));
    assert_eq!(
        desk.read(FindRoom {
            name: "Lobby".into()
        }),
        None
    );
    assert_eq!(
        desk.write(create("lobby")),
        Err(WriteError::Refused(NameTaken))
    );
}

#[test]
fn rooms_are_listed_by_name_in_pages() {
    let mut desk = Desk::new();
    let names = ["거실", "a", "Z", "b-2", "b", "_"];
    desk.write_all(names.map(create));
    let list = |desk: &mut Desk, after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(Into::into);
        let rooms = desk.read(ListRooms { after, limit });
        rooms.iter().map(|room| room.name.to_string()).collect()
    };
    assert_eq!(
        list(&mut desk, None, 50),
        ["Z", "_", "a", "b", "b-2", "거실"]
    );
    assert_eq!(list(&mut desk, None, 2), ["Z", "_"]);
    assert_eq!(list(&mut desk, Some("_"), 2), ["a", "b"]);
    assert_eq!(list(&mut desk, Some("b"), 50), ["b-2", "거실"]);
    assert_eq!(list(&mut desk, Some("거실"), 50), [""; 0]);
}

#[test]
fn a_list_of_rooms_has_an_end() {
    let mut desk = Desk::new();
    desk.write_all(
        (0..=ROOMS_LISTED_MAX)
            .map(|n| create(&n.to_string()))
            .collect::<Vec<_>>(),
    );
    let rooms = desk.read(ListRooms {
        after: None,
        limit: usize::MAX,
    });
    assert_eq!(rooms.len(), ROOMS_LISTED_MAX);
}
