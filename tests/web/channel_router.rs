//! Topic patterns.

use perennial::web::channel::Routes;

#[test]
fn patterns_fit_exactly_or_by_prefix() {
    // E92.
    let routes = Routes::new()
        .channel("room:*", "rooms")
        .channel("lobby", "lobby")
        .channel("a:b*", "ab");
    let table = [
        ("room:1", Some("rooms")),
        ("room:", Some("rooms")),
        ("room:a:b", Some("rooms")),
        ("room:*", Some("rooms")),
        ("room", None),
        ("Room:1", None),
        (" room:1", None),
        ("lobby", Some("lobby")),
        ("lobby:1", None),
        ("a:bc", Some("ab")),
        ("a:c", None),
        ("", None),
    ];
    for (topic, expected) in table {
        assert_eq!(routes.find(topic).copied(), expected, "{topic:?}");
    }
}

#[test]
fn first_declared_pattern_wins() {
    // phoenix#4618.
    let routes = Routes::new()
        .channel("a:*", 1)
        .channel("a:b", 2)
        .channel("*", 3);
    assert_eq!(routes.find("a:b"), Some(&1));
    assert_eq!(routes.find("anything"), Some(&3));
    let routes = Routes::new().channel("a:b", 2).channel("a:*", 1);
    assert_eq!(routes.find("a:b"), Some(&2));
}

#[test]
#[should_panic(expected = "must be at the end")]
fn star_in_the_middle_is_refused() {
    let _ = Routes::new().channel("a:*:b", ());
}
