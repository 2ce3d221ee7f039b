//! How sessions of long poll end, and what they may cost: the rest of the cases of `channel_long_poll`.

use crate::channel_long_poll::{Session, WINDOW, get, house, read, reply, request, socket};
use crate::channel_mount::{House, all};
use crate::support::eventually;
use perennial::web::Router;
use perennial::web::channel::{Connecting, LongPoll, endpoint};
use perennial::{Pid, process};
use serde_json::json;
use std::time::Duration;

#[test]
fn too_many_topics_are_refused_over_long_poll_too() {
    // E40.
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    for refs in 1..=101 {
        let join = json!([
            refs.to_string(),
            refs.to_string(),
            format!("room:{refs}"),
            "phx_join",
            {}
        ]);
        assert_eq!(anna.say(&[&join.to_string()]), json!(200));
        let (status, response) = match refs {
            101 => ("error", json!({"reason": "too many channels joined"})),
            _ => ("ok", json!({})),
        };
        let refs = refs.to_string();
        assert_eq!(
            anna.messages(1),
            [reply(
                &refs,
                &refs,
                &format!("room:{refs}"),
                status,
                response
            )]
        );
    }
}

#[test]
fn session_that_nobody_asks_ends_and_all_its_channels() {
    // E39.
    let (house, behind, hand) = house();
    let mut anna = Session::open(&house);
    assert_eq!(
        anna.say(&[r#"["1","1","room:1","phx_join",{}]"#]),
        json!(200)
    );
    behind
        .channels
        .recv_timeout(crate::support::PATIENCE)
        .expect("a channel");
    eventually("nothing is left of it", || {
        hand.advance(WINDOW);
        house.runtime.counts().processes == 0
    });
    assert_eq!(
        anna.say(&[r#"["1","2","room:1","new_msg",{}]"#]),
        json!(410)
    );
    // A poll begins another one.
    let again = anna.poll();
    assert_eq!(again["status"], json!(410));
    assert_ne!(again["token"], json!(anna.token));
}

#[test]
fn crash_and_end_of_a_channel_are_heard_on_the_next_poll() {
    // E46, E47.
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    anna.join("room:1");
    assert_eq!(anna.say(&[r#"["1","2","room:1","crash",{}]"#]), json!(200));
    assert_eq!(
        anna.messages(1),
        [json!(["1", "1", "room:1", "phx_error", {}])]
    );
    anna.join("room:1");
    assert_eq!(anna.say(&[r#"["1","2","room:1","stop",{}]"#]), json!(200));
    assert_eq!(
        anna.messages(1),
        [json!(["1", "1", "room:1", "phx_close", {}])]
    );
}

#[test]
fn disconnected_session_answers_its_poll_and_is_gone() {
    // E48.
    let (house, _behind, _hand) = house();
    let mut anna = Session::at(&house, "/socket/longpoll?vsn=2.0.0&user=7", "");
    anna.join("room:1");
    anna.ask();
    house.server.sync();
    {
        let _guard = house.runtime.enter();
        endpoint::disconnect("users:7");
    }
    assert_eq!(anna.hear()["status"], json!(410));
    eventually("nothing is left of it", || {
        house.runtime.counts().processes == 0
    });
    assert_eq!(
        anna.say(&[r#"["1","2","room:1","new_msg",{}]"#]),
        json!(410)
    );
}

/// The process of the only client there is that runs this.
fn process_of(what: &str) -> Pid {
    let is_it = |pid: &Pid| {
        let info = process::info(*pid);
        info.is_some_and(|info| info.initial.contains(what))
    };
    let mut all = process::processes().into_iter().filter(is_it);
    all.next().expect("it is there")
}

#[test]
fn session_that_ends_says_what_was_still_to_be_said() {
    let (house, _behind, _hand) = house();
    let mut anna = Session::at(&house, "/socket/longpoll?vsn=2.0.0&user=7", "");
    anna.join("room:1");
    anna.ask();
    house.server.sync();
    let _guard = house.runtime.enter();
    let session = process_of("Session");
    perennial::sys::suspend(session).expect("it lives");
    endpoint::broadcast("room:1", "last", json!({})).expect("an object");
    endpoint::disconnect("users:7");
    eventually("the message and the end have come", || {
        process::info(session).is_some_and(|info| info.message_queue_len >= 2)
    });
    perennial::sys::resume(session).expect("it lives");
    let heard = anna.hear();
    let last = json!([null, null, "room:1", "last", {}]).to_string();
    assert_eq!(
        (&heard["status"], &heard["messages"]),
        (&json!(200), &json!([last]))
    );
}

#[test]
fn message_for_a_poll_whose_client_has_gone_waits_for_the_next() {
    let (house, _behind, _hand) = house();
    let mut anna = Session::open(&house);
    anna.join("room:1");
    let mut gone = anna.again(&house);
    gone.ask();
    house.server.sync();
    // Reset: what is only closed for sending may still be answered.
    let socket = socket2::SockRef::from(&gone.client.stream);
    socket.set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(gone);
    eventually("only the other connection is left", || {
        house.server.listener.connections() == 1
    });
    {
        let _guard = house.runtime.enter();
        endpoint::broadcast("room:1", "news", json!({})).expect("an object");
        // Behind the message at the connection, behind it at the session, and behind what the session tells itself.
        for who in ["connection::", "Session", "Session"] {
            perennial::sys::get_status(process_of(who)).expect("it lives");
        }
    }
    assert_eq!(
        anna.messages(1),
        [json!([null, null, "room:1", "news", {}])]
    );
}

#[test]
fn what_is_no_message_ends_the_session() {
    let (house, _behind, _hand) = house();
    for line in ["{", "no base64!", "[1]", "AAEC"] {
        let mut anna = Session::open(&house);
        let status = anna.say(&[line]);
        assert!(
            status == json!(200) || status == json!(410),
            "{line}: {status}"
        );
        eventually("nothing is left of it", || {
            house.runtime.counts().processes == 0
        });
        assert_eq!(
            anna.say(&[r#"[null,"1","phoenix","heartbeat",{}]"#]),
            json!(410),
            "{line}"
        );
    }
}

#[test]
fn message_that_is_not_taken_within_the_window_is_late() {
    // E41: a connection that is busy elsewhere.
    let (house, _behind, hand) = house();
    let mut anna = Session::open(&house);
    let connection = {
        let _guard = house.runtime.enter();
        let labelled = |pid: &Pid| {
            perennial::process::info(*pid)
                .is_some_and(|it| it.label.as_deref() == Some("connection"))
        };
        let pid = perennial::process::processes()
            .into_iter()
            .find(labelled)
            .expect("a connection");
        perennial::sys::suspend(pid).expect("suspended");
        pid
    };
    anna.client.write(request(
        "POST",
        &format!("{}&token={}", anna.path, anna.token),
        "",
        r#"[null,"1","phoenix","heartbeat",{}]"#,
    ));
    house.server.sync();
    // Requests are taken in their order: the first poll is answered when the second comes, both after the message.
    let [mut first, mut second] = [anna.again(&house), anna.again(&house)];
    for poll in [&mut first, &mut second] {
        poll.ask();
        house.server.sync();
    }
    assert_eq!(first.hear()["status"], json!(204));
    hand.advance(WINDOW);
    assert_eq!(anna.hear()["status"], json!(408));
    let _guard = house.runtime.enter();
    perennial::sys::resume(connection).expect("resumed");
}

#[test]
fn sessions_are_limited_and_so_is_what_waits_for_one() {
    let (socket, _behind) = socket();
    let limits = LongPoll {
        sessions_max: 2,
        bytes_max: 10_000,
        window: WINDOW * 60,
    };
    let socket = socket.long_poll_config(limits);
    let house = House::new(|router: Router| {
        socket.mount(router, "/socket", |client: &Connecting<'_>| Ok(all(client)))
    });
    let [mut anna, _bob] = [Session::open(&house), Session::open(&house)];
    let mut client = house.server.client();
    assert_eq!(
        read(&get(&mut client, "/socket/longpoll?vsn=2.0.0", "")),
        json!({"status": 500})
    );
    // One that does not fetch what waits for it makes room.
    anna.join("room:1");
    {
        let _guard = house.runtime.enter();
        for _ in 0..20 {
            endpoint::broadcast("room:1", "wide", json!({"x": "x".repeat(1_000)}))
                .expect("an object");
        }
    }
    eventually("one has ended", || house.runtime.counts().processes == 2);
    assert_eq!(
        read(&get(&mut client, "/socket/longpoll?vsn=2.0.0", ""))["status"],
        json!(410)
    );
}
