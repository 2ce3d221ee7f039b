//! Posts and history.

use crate::desk::{Desk, post};
use perennial::chat::store::{
    CreateRoom, FindRoom, HISTORY_MAX, HistoryOfRoom, Message, NoSuchRoom, Page, Post, Posted,
    RoomId, UserId,
};
use perennial::store::{ErrorKind, WriteError};
use proptest::prelude::*;

fn with_client_id(room: RoomId, user: UserId, client_id: &str, body: &str, at: i64) -> Post {
    Post {
        client_id: Some(client_id.into()),
        at,
        ..post(room, user, body)
    }
}

#[test]
fn messages_are_numbered_from_one_in_each_room() {
    let mut desk = Desk::new();
    let (ada, lobby, attic) = (desk.user("ada"), desk.room("lobby"), desk.room("attic"));
    let posts = [lobby, attic, lobby, lobby, attic].map(|room| post(room, ada, "hello"));
    let seqs: Vec<u64> = desk
        .write_all(posts)
        .into_iter()
        .map(|posted| posted.unwrap().seq)
        .collect();
    assert_eq!(seqs, [1, 1, 2, 3, 2]);
    assert_eq!(
        desk.read(FindRoom {
            name: "lobby".into()
        })
        .unwrap()
        .seq,
        3
    );
    assert_eq!(
        desk.read(FindRoom {
            name: "attic".into()
        })
        .unwrap()
        .seq,
        2
    );
}

#[test]
fn a_message_reads_back_as_it_was_posted() {
    let mut desk = Desk::new();
    let (user, room) = (desk.user("아다"), desk.room("거실"));
    let body = "안녕하세요\n\t🌱 'quotes' \"and\" \u{0} %_";
    let posted = desk
        .write(with_client_id(room, user, "c-1", body, 1_764_000_000_123))
        .unwrap();
    assert_eq!(
        posted,
        Posted {
            seq: 1,
            at: 1_764_000_000_123,
            is_new: true
        }
    );
    let expected = Message {
        seq: 1,
        user: "아다".into(),
        body: body.into(),
        at: 1_764_000_000_123,
        client_id: Some("c-1".into()),
    };
    assert_eq!(desk.history(room, Page::Newest, 50), [expected]);
}

#[test]
fn a_repeated_post_is_one_message_and_is_answered_as_the_first() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    let first = Posted {
        seq: 1,
        at: 10,
        is_new: true,
    };
    let again = Posted {
        is_new: false,
        ..first
    };
    let both = [10, 20].map(|at| with_client_id(lobby, ada, "c", "once", at));
    let answers: Vec<_> = desk
        .write_all(both)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(answers, [first, again], "in one batch");
    let later = desk
        .write(with_client_id(lobby, ada, "c", "another body", 30))
        .unwrap();
    assert_eq!(later, again, "in a later one");
    assert_eq!(
        desk.post(lobby, ada, "next").seq,
        2,
        "repetitions take no number"
    );
    let bodies: Vec<_> = desk
        .history(lobby, Page::Newest, 50)
        .into_iter()
        .map(|m| m.body)
        .collect();
    assert_eq!(bodies, ["once".into(), "next".into()]);
}

#[test]
fn a_client_id_belongs_to_one_user_in_one_room() {
    let mut desk = Desk::new();
    let (ada, bob) = (desk.user("ada"), desk.user("bob"));
    let (lobby, attic) = (desk.room("lobby"), desk.room("attic"));
    for (room, user) in [(lobby, ada), (lobby, bob), (attic, ada)] {
        assert!(
            desk.write(with_client_id(room, user, "same", "x", 1))
                .unwrap()
                .is_new
        );
    }
    for _ in 0..2 {
        assert!(
            desk.post(lobby, ada, "without").is_new,
            "no client id, no repetition"
        );
    }
}

#[test]
fn a_post_into_no_room_is_refused_and_takes_no_number() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    // A room whose making is taken back gives its identity to nobody.
    let mut other = Desk::new();
    other.room("first");
    let nowhere = other.room("second");
    for lost in [
        post(nowhere, ada, "x"),
        with_client_id(nowhere, ada, "c", "x", 1),
    ] {
        assert_eq!(desk.write(lost), Err(WriteError::Refused(NoSuchRoom)));
    }
    assert_eq!(desk.post(lobby, ada, "x").seq, 1);
    assert_eq!(desk.history(nowhere, Page::Newest, 50), []);
}

#[test]
fn a_post_of_nobody_fails_alone() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    let mut other = Desk::new();
    other.user("first");
    let nobody = other.user("second");
    let answers = desk.write_all([
        post(lobby, ada, "a"),
        post(lobby, nobody, "b"),
        post(lobby, ada, "c"),
    ]);
    assert_eq!(answers[0].as_ref().unwrap().seq, 1);
    match &answers[1] {
        Err(WriteError::Store(error)) => assert_eq!(*error.kind(), ErrorKind::Statement),
        other => panic!("{other:?}"),
    }
    assert_eq!(answers[2].as_ref().unwrap().seq, 2);
}

#[test]
fn a_starting_room_that_asks_the_writer_counts_all_that_was_accepted_before() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    let (tell, answer) = std::sync::mpsc::channel();
    let find = FindRoom {
        name: "lobby".into(),
    };
    let items = vec![
        perennial::store::Item::new(post(lobby, ada, "accepted"), |_| ()),
        perennial::store::Item::new(find, move |room| tell.send(room).unwrap()),
        perennial::store::Item::new(post(lobby, ada, "later"), |_| ()),
    ];
    desk.writer.drain_and_commit(items);
    assert_eq!(answer.try_recv().unwrap().unwrap().unwrap().seq, 1);
}

#[test]
fn pages_by_table() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    desk.write_all(
        (1..=250)
            .map(|n| post(lobby, ada, &n.to_string()))
            .collect::<Vec<_>>(),
    );
    let table = [
        (Page::Newest, 3, 248..=250),
        (Page::Newest, 1_000, 51..=250),
        (Page::Before(10), 3, 7..=9),
        (Page::Before(3), 50, 1..=2),
        (Page::Before(251), 1, 250..=250),
        (Page::Before(u64::MAX), 1, 250..=250),
        (Page::After(0), 3, 1..=3),
        (Page::After(10), 3, 11..=13),
        (Page::After(249), 50, 250..=250),
        (Page::After(0), 1_000, 1..=200),
    ];
    for (page, limit, expected) in table {
        let seqs: Vec<u64> = desk
            .history(lobby, page, limit)
            .iter()
            .map(|m| m.seq)
            .collect();
        assert_eq!(seqs, expected.collect::<Vec<_>>(), "{page:?} {limit}");
    }
    for (page, limit) in [
        (Page::Newest, 0),
        (Page::Before(0), 50),
        (Page::Before(1), 50),
        (Page::After(250), 50),
        (Page::After(u64::MAX), 50),
    ] {
        assert_eq!(desk.history(lobby, page, limit), [], "{page:?} {limit}");
    }
}

#[test]
fn history_of_a_room_by_name_tells_an_empty_room_from_none() {
    let mut desk = Desk::new();
    let ada = desk.user("ada");
    let ask = |desk: &mut Desk, name: &str| {
        desk.read(HistoryOfRoom {
            name: name.into(),
            page: Page::Newest,
            limit: 50,
        })
    };
    assert_eq!(ask(&mut desk, "lobby"), None);
    let lobby = desk.room("lobby");
    assert_eq!(ask(&mut desk, "lobby"), Some(vec![]));
    desk.post(lobby, ada, "hello");
    assert_eq!(ask(&mut desk, "lobby").unwrap().len(), 1);
}

#[test]
fn a_room_may_be_made_and_used_in_one_batch() {
    let mut desk = Desk::new();
    let answers = desk.write_all([
        CreateRoom {
            name: "a".into(),
            at: 0,
        },
        CreateRoom {
            name: "b".into(),
            at: 0,
        },
        CreateRoom {
            name: "a".into(),
            at: 0,
        },
    ]);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
}

/// What one user may say in a room, and whether it is a repetition.
#[derive(Clone, Debug)]
struct Said {
    room: usize,
    user: usize,
    client_id: Option<u8>,
}

fn said() -> impl Strategy<Value = Said> {
    (0usize..2, 0usize..2, proptest::option::of(0u8..4)).prop_map(|(room, user, client_id)| Said {
        room,
        user,
        client_id,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_posts_leave_what_a_list_would_hold(
        batches in proptest::collection::vec(proptest::collection::vec(said(), 1..10), 1..8),
        limit in 1usize..8,
    ) {
        let mut desk = Desk::new();
        let users = [desk.user("ada"), desk.user("bob")];
        let rooms = [desk.room("lobby"), desk.room("attic")];
        // For each room what was said first under each key; `None` is a message without one.
        let mut model: [Vec<(usize, Option<u8>)>; 2] = Default::default();
        for batch in batches {
            let posts: Vec<Post> = batch.iter().map(|said| Post {
                client_id: said.client_id.map(|id| id.to_string().into()),
                ..post(rooms[said.room], users[said.user], "x")
            }).collect();
            for (answer, said) in desk.write_all(posts).into_iter().zip(&batch) {
                let room = &mut model[said.room];
                let key = (said.user, said.client_id);
                let found = said.client_id.and_then(|_| room.iter().position(|other| *other == key));
                let expected = found.unwrap_or(room.len());
                if found.is_none() {
                    room.push(key);
                }
                let posted = answer.unwrap();
                prop_assert_eq!(posted.seq, expected as u64 + 1);
                prop_assert_eq!(posted.is_new, found.is_none());
            }
        }
        for (room, messages) in rooms.into_iter().zip(&model) {
            // All of it, page after page, from either end.
            let (mut forward, mut seq) = (Vec::new(), 0);
            loop {
                let page = desk.history(room, Page::After(seq), limit);
                let Some(last) = page.last() else { break };
                seq = last.seq;
                forward.extend(page);
            }
            let (mut backward, mut page) = (Vec::new(), desk.history(room, Page::Newest, limit));
            while let Some(first) = page.first().map(|first| first.seq) {
                backward.splice(0..0, page);
                page = desk.history(room, Page::Before(first), limit);
            }
            prop_assert_eq!(&forward, &backward);
            prop_assert_eq!(forward.len(), messages.len());
            for (n, (message, (user, id))) in forward.iter().zip(messages).enumerate() {
                prop_assert_eq!(message.seq, n as u64 + 1);
                prop_assert_eq!(&*message.user, ["ada", "bob"][*user]);
                let id = id.map(|id| id.to_string());
                prop_assert_eq!(message.client_id.as_deref(), id.as_deref());
            }
        }
    }
}

#[test]
fn the_longest_page_is_what_it_says() {
    let mut desk = Desk::new();
    let (ada, lobby) = (desk.user("ada"), desk.room("lobby"));
    desk.write_all(
        (0..=HISTORY_MAX)
            .map(|_| post(lobby, ada, "x"))
            .collect::<Vec<_>>(),
    );
    assert_eq!(
        desk.history(lobby, Page::After(0), usize::MAX).len(),
        HISTORY_MAX
    );
}
