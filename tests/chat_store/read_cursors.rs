//! Read cursors, and a database from before there were any.

use crate::desk::{Desk, post};
use crate::scratch::Scratch;
use perennial::chat::store::{
    CannotRead, CreateRoom, CreateUser, EnterRoom, Expiry, ListRoomsOf, MarkRead, OpenSession,
    Page, ReadCursor, RoomId, SCHEMA, TokenHash, UserId,
};
use perennial::store::{Config, Database, Item, ReaderCore, Schema, WriteError, WriterCore};
use proptest::prelude::*;
use std::collections::HashMap;

fn mark(room: &str, user: UserId, seq: u64) -> MarkRead {
    MarkRead {
        room: room.into(),
        user,
        seq,
    }
}

fn say(desk: &mut Desk, room: RoomId, user: UserId, count: usize) {
    let posts: Vec<_> = (0..count).map(|_| post(room, user, "x")).collect();
    desk.write_all(posts);
}

fn of(desk: &mut Desk, user: UserId) -> Vec<(String, u64, u64, u64)> {
    let list = ListRoomsOf {
        user,
        after: None,
        limit: 100,
    };
    let row = |(room, cursor): &(perennial::chat::store::Room, ReadCursor)| {
        assert_eq!(room.seq, cursor.last_seq);
        let name = room.name.to_string();
        (name, cursor.read_seq, cursor.last_seq, cursor.unread())
    };
    desk.read(list).iter().map(row).collect()
}

#[test]
fn a_cursor_is_refused_above_the_last_message_and_where_there_is_no_room() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    say(&mut desk, lobby, ada, 3);
    for seq in [4, u64::MAX] {
        let refused = desk.write(mark("lobby", ada, seq));
        assert_eq!(refused, Err(WriteError::Refused(CannotRead::AboveLast(3))));
    }
    let refused = desk.write(mark("attic", ada, 0));
    assert_eq!(refused, Err(WriteError::Refused(CannotRead::NoSuchRoom)));
    assert_eq!(of(&mut desk, ada), [("lobby".to_owned(), 0, 3, 3)]);
    desk.write(mark("lobby", ada, 3)).unwrap();
    assert_eq!(of(&mut desk, ada), [("lobby".to_owned(), 3, 3, 0)]);
}

#[test]
fn who_enters_is_told_the_cursor_of_the_same_moment() {
    let mut desk = Desk::new();
    let (ada, bob, lobby) = (desk.user("ada"), desk.user("bob"), desk.room("lobby"));
    say(&mut desk, lobby, ada, 3);
    desk.write(mark("lobby", ada, 2)).unwrap();
    for (user, read_seq) in [(ada, 2), (bob, 0)] {
        let session = TokenHash::of(format!("{user:?}").as_bytes());
        desk.write(OpenSession {
            token: session,
            user,
            at: 7,
        })
        .unwrap();
        let enter = EnterRoom {
            name: "lobby".into(),
            user,
            session,
            expiry: Expiry {
                opened_before: 0,
                seen_before: 0,
            },
            page: Page::Newest,
            limit: 1,
        };
        let entered = desk.read(enter).unwrap();
        assert_eq!(entered.seen_at, 7);
        assert_eq!((entered.head, entered.read_seq), (3, read_seq));
    }
}

#[test]
fn a_database_of_the_version_before_opens_with_all_that_was_in_it() {
    static FIRST: Schema = Schema {
        application_id: SCHEMA.application_id,
        migrations: &[SCHEMA.migrations[0]],
    };
    let scratch = Scratch::new();
    let old = Database::open(Config::new(scratch.data()), &FIRST).unwrap();
    let mut writer = WriterCore::open(&old).unwrap();
    let user = CreateUser {
        name: "ada".into(),
        password_hash: "$hash$".into(),
        at: 1,
    };
    let room = CreateRoom {
        name: "lobby".into(),
        at: 1,
    };
    let (tell, answers) = std::sync::mpsc::channel();
    let told = tell.clone();
    writer.drain_and_commit(vec![
        Item::new(user, move |user| _ = tell.send((user.ok(), None))),
        Item::new(room, move |room| _ = told.send((None, room.ok()))),
    ]);
    let (ada, _) = answers.recv().unwrap();
    let (_, lobby) = answers.recv().unwrap();
    let (ada, lobby) = (ada.unwrap(), lobby.unwrap());
    let posts =
        (0..3).map(|_| Item::new(post(lobby, ada, "old"), |posted| assert!(posted.is_ok())));
    writer.drain_and_commit(posts.collect());
    drop((writer, old));

    let new = Database::open(Config::new(scratch.data()), &SCHEMA).unwrap();
    let mut desk = Desk {
        writer: WriterCore::open(&new).unwrap(),
        reader: ReaderCore::open(&new).unwrap(),
        scratch,
    };
    assert_eq!(of(&mut desk, ada), [("lobby".to_owned(), 0, 3, 3)]);
    assert_eq!(&*desk.history(lobby, Page::Newest, 50)[2].body, "old");
    desk.write(mark("lobby", ada, 2)).unwrap();
    assert_eq!(desk.post(lobby, ada, "new").seq, 4);
    assert_eq!(of(&mut desk, ada), [("lobby".to_owned(), 2, 4, 2)]);
    // The database as it was is kept.
    assert!(desk.scratch.data().join("backups/schema-1.db").exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn cursors_are_the_largest_number_that_was_given(
        marks in proptest::collection::vec((0usize..2, 0usize..2, 0u64..8), 1..40),
    ) {
        let mut desk = Desk::new();
        let users = [desk.user("ada"), desk.user("bob")];
        let names = ["attic", "lobby"];
        for name in names {
            let room = desk.room(name);
            say(&mut desk, room, users[0], 6);
        }
        let mut model: HashMap<(usize, usize), u64> = HashMap::new();
        let written: Vec<MarkRead> = marks.iter().map(|(user, room, seq)| mark(names[*room], users[*user], *seq)).collect();
        for (answer, (user, room, seq)) in desk.write_all(written).into_iter().zip(&marks) {
            let largest = model.entry((*user, *room)).or_default();
            if *seq > 6 {
                prop_assert_eq!(answer, Err(WriteError::Refused(CannotRead::AboveLast(6))));
                continue;
            }
            *largest = (*largest).max(*seq);
            prop_assert_eq!(answer, Ok(ReadCursor { read_seq: *largest, last_seq: 6 }));
        }
        for (n, user) in users.into_iter().enumerate() {
            let expected: Vec<_> = names.iter().enumerate().map(|(room, name)| {
                let read_seq = model.get(&(n, room)).copied().unwrap_or(0);
                ((*name).to_owned(), read_seq, 6, 6 - read_seq)
            }).collect();
            prop_assert_eq!(of(&mut desk, user), expected);
        }
    }
}
