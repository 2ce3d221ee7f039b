//! Sessions.

use crate::desk::Desk;
use perennial::chat::store::{
    CannotEnter, CloseSession, CloseSessionsOf, EnterRoom, Expiry, FindSession, FindSessionsOver,
    OpenSession, Page, PurgeSessions, SESSIONS_MAX, SESSIONS_OVER_MAX, Session, TokenHash,
    TouchSession, UserId,
};

const NEVER: Expiry = Expiry {
    opened_before: i64::MIN,
    seen_before: i64::MIN,
};

fn token(n: usize) -> TokenHash {
    TokenHash::of(format!("token {n}").as_bytes())
}

/// Which sessions had to make room.
fn open(desk: &mut Desk, user: UserId, n: usize, at: i64) -> Vec<TokenHash> {
    desk.write(OpenSession {
        token: token(n),
        user,
        at,
    })
    .unwrap()
}

fn find(desk: &mut Desk, n: usize, expiry: Expiry) -> Option<Session> {
    desk.read(FindSession {
        token: token(n),
        expiry,
    })
}

#[test]
fn a_session_is_found_by_its_token_until_it_is_closed() {
    let mut desk = Desk::new();
    let (ada, bob) = (desk.user("ada"), desk.user("bob"));
    open(&mut desk, ada, 1, 100);
    open(&mut desk, bob, 2, 200);
    let expected = Session {
        user: ada,
        name: "ada".into(),
        opened_at: 100,
        seen_at: 100,
    };
    assert_eq!(find(&mut desk, 1, NEVER), Some(expected));
    assert_eq!(find(&mut desk, 3, NEVER), None);
    assert!(desk.write(CloseSession { token: token(1) }).unwrap());
    assert!(!desk.write(CloseSession { token: token(1) }).unwrap());
    assert_eq!(find(&mut desk, 1, NEVER), None);
    assert_eq!(find(&mut desk, 2, NEVER).unwrap().user, bob);
}

#[test]
fn a_session_is_over_when_it_is_old_or_idle() {
    let mut desk = Desk::new();
    let ada = desk.user("ada");
    open(&mut desk, ada, 1, 100);
    let expiry = |opened_before, seen_before| Expiry {
        opened_before,
        seen_before,
    };
    assert!(find(&mut desk, 1, expiry(100, 100)).is_some());
    assert!(find(&mut desk, 1, expiry(101, 0)).is_none());
    assert!(find(&mut desk, 1, expiry(0, 101)).is_none());
    for at in [150, 120] {
        desk.write(TouchSession {
            token: token(1),
            at,
        })
        .unwrap();
    }
    assert_eq!(
        find(&mut desk, 1, expiry(100, 150)).unwrap().seen_at,
        150,
        "time does not go back"
    );
    assert!(
        find(&mut desk, 1, expiry(101, 0)).is_none(),
        "use does not make it younger"
    );
}

#[test]
fn a_user_signs_out_everywhere_and_nobody_else() {
    let mut desk = Desk::new();
    let (ada, bob) = (desk.user("ada"), desk.user("bob"));
    for n in 0..3 {
        open(&mut desk, ada, n, 1);
    }
    open(&mut desk, bob, 9, 1);
    assert_eq!(desk.write(CloseSessionsOf { user: ada }).unwrap(), 3);
    assert!((0..3).all(|n| find(&mut desk, n, NEVER).is_none()));
    assert!(find(&mut desk, 9, NEVER).is_some());
}

#[test]
fn the_oldest_session_makes_room_for_one_too_many() {
    let mut desk = Desk::new();
    let (ada, bob) = (desk.user("ada"), desk.user("bob"));
    open(&mut desk, bob, 10_000, 0);
    for n in 0..SESSIONS_MAX + 2 {
        let left = open(&mut desk, ada, n, n as i64);
        let oldest = n.checked_sub(SESSIONS_MAX).map(token);
        assert_eq!(left, oldest.into_iter().collect::<Vec<_>>());
    }
    assert!(find(&mut desk, 0, NEVER).is_none() && find(&mut desk, 1, NEVER).is_none());
    assert!((2..SESSIONS_MAX + 2).all(|n| find(&mut desk, n, NEVER).is_some()));
    assert!(
        find(&mut desk, 10_000, NEVER).is_some(),
        "the others' sessions stay"
    );
}

#[test]
fn sessions_that_are_over_are_forgotten() {
    let mut desk = Desk::new();
    let ada = desk.user("ada");
    for n in 0..10 {
        open(&mut desk, ada, n, n as i64);
    }
    desk.write(TouchSession {
        token: token(5),
        at: 100,
    })
    .unwrap();
    let expiry = Expiry {
        opened_before: 3,
        seen_before: 7,
    };
    let mut over = desk.read(FindSessionsOver { expiry });
    over.sort_by_key(|session| (0..10).position(|n| token(n) == *session));
    let expected: Vec<_> = [0, 1, 2, 3, 4, 6].map(token).into();
    assert_eq!(over, expected, "0 to 6, but not 5");
    // One is used meanwhile; one that is too old gains nothing by that.
    for n in [1, 6] {
        desk.write(TouchSession {
            token: token(n),
            at: 100,
        })
        .unwrap();
    }
    let purge = PurgeSessions {
        sessions: over,
        expiry,
    };
    assert_eq!(desk.write(purge.clone()).unwrap(), 5);
    assert_eq!(desk.write(purge).unwrap(), 0);
    assert!(desk.read(FindSessionsOver { expiry }).is_empty());
    let left: Vec<usize> = (0..10)
        .filter(|n| find(&mut desk, *n, NEVER).is_some())
        .collect();
    assert_eq!(left, [5, 6, 7, 8, 9]);
}

#[test]
fn so_many_sessions_are_found_to_be_over_at_a_time() {
    let mut desk = Desk::new();
    let users = SESSIONS_OVER_MAX / SESSIONS_MAX + 1;
    for user in 0..users {
        let id = desk.user(&format!("user{user}"));
        for n in 0..SESSIONS_MAX {
            open(&mut desk, id, user * SESSIONS_MAX + n, 1);
        }
    }
    let expiry = Expiry {
        opened_before: 2,
        seen_before: 2,
    };
    for expected in [SESSIONS_OVER_MAX, SESSIONS_MAX, 0] {
        let sessions = desk.read(FindSessionsOver { expiry });
        assert_eq!(sessions.len(), expected);
        let purged = desk.write(PurgeSessions { sessions, expiry }).unwrap();
        assert_eq!(purged, expected);
    }
}

#[test]
fn who_is_not_signed_in_enters_no_room() {
    let mut desk = Desk::new();
    let (ada, bob) = (desk.user("ada"), desk.user("bob"));
    desk.room("lobby");
    open(&mut desk, ada, 1, 100);
    let mut enter = |name: &str, user, n, expiry| {
        let entered = desk.read(EnterRoom {
            name: name.into(),
            user,
            session: token(n),
            expiry,
            page: Page::Newest,
            limit: 1,
        });
        entered.map(|entered| entered.seen_at)
    };
    assert_eq!(enter("lobby", ada, 1, NEVER), Ok(100));
    assert_eq!(enter("attic", ada, 1, NEVER), Err(CannotEnter::NoSuchRoom));
    let over = Expiry {
        opened_before: 101,
        seen_before: 0,
    };
    for (user, n, expiry) in [(ada, 2, NEVER), (bob, 1, NEVER), (ada, 1, over)] {
        for room in ["lobby", "attic"] {
            assert_eq!(enter(room, user, n, expiry), Err(CannotEnter::SignedOut));
        }
    }
}

#[test]
fn no_file_holds_a_token() {
    let mut desk = Desk::new();
    let ada = desk.user("ada");
    let token = b"canary-4f1d9c0e-canary";
    desk.write(OpenSession {
        token: TokenHash::of(token),
        user: ada,
        at: 1,
    })
    .unwrap();
    assert!(
        desk.read(FindSession {
            token: TokenHash::of(token),
            expiry: NEVER
        })
        .is_some()
    );
    let mut files = 0;
    for file in std::fs::read_dir(desk.scratch.data()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token));
        files += 1;
    }
    assert!(files >= 3, "database, log, index");
    assert!(!format!("{:?}", TokenHash::of(token)).contains(char::is_numeric));
}
