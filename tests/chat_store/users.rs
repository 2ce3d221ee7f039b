//! Users.

use crate::desk::Desk;
use perennial::chat::store::{CreateUser, FindUser, NameTaken};
use perennial::store::WriteError;

fn create(name: &str) -> CreateUser {
    CreateUser {
        name: name.into(),
        password_hash: format!("hash of {name}").into(),
        at: 5,
    }
}

#[test]
fn a_user_is_found_by_the_exact_name() {
    let mut desk = Desk::new();
    let id = desk.write(create("Ada")).unwrap();
    let user = desk.read(FindUser { name: "Ada".into() }).unwrap();
    assert_eq!(
        (user.id, &*user.name, &*user.password_hash),
        (id, "Ada", "hash of Ada")
    );
    for other in ["ada", "Ad", "Ada ", "", "Ada' OR 1=1 --"] {
        assert_eq!(desk.read(FindUser { name: other.into() }), None, "{other}");
    }
}

#[test]
fn of_two_who_want_one_name_the_first_has_it() {
    let mut desk = Desk::new();
    let answers = desk.write_all([create("ada"), create("ada"), create("Ada")]);
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert_eq!(answers[1], Err(WriteError::Refused(NameTaken)));
    assert_eq!(
        desk.write(create("ada")),
        Err(WriteError::Refused(NameTaken))
    );
}

#[test]
fn a_password_hash_is_not_printed() {
    let mut desk = Desk::new();
    desk.write(create("ada")).unwrap();
    let user = desk.read(FindUser { name: "ada".into() }).unwrap();
    assert!(!format!("{user:?} {:?}", create("ada")).contains("hash of"));
}
