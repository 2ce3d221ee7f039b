//! Files that were damaged while nobody looked, and disks that are really full: refused or repaired, and told.

use crate::exit_codes::assert_ends;
use crate::history::{Id, Post};
use crate::http_client::get;
use crate::killed_program::{make_room, sign_in};
use crate::program::{Program, run, serve};
use crate::server::{PATIENCE, Scratch};
use crate::socket_client::Socket;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROOM: &str = "lobby";

// ## A full disk

/// A file system of a few megabytes, unmounted with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not permitted.
    fn mount(scratch: &Scratch) -> Option<Self> {
        let at = scratch.data();
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(&at)
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(SmallDisk(at))
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Says something until it is taken, or refused; its number.
fn post(socket: &mut Socket, id: Id) -> Option<u64> {
    let payload =
        json!({"body": format!("{id} {}", "x".repeat(3_000)), "client_id": id.to_string()});
    let (status, response) = socket.post(ROOM, &payload);
    socket.forget();
    if status == "ok" {
        return response["seq"].as_u64();
    }
    assert_eq!(response, json!({"reason": "storage"}));
    None
}

fn id(nth: u32) -> Id {
    Id { client: 0, nth }
}

/// The room as everybody can read it.
fn read(program: &Program, token: &str) -> Vec<Post> {
    let mut all: Vec<Post> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.seq);
        let page = format!("/api/rooms/{ROOM}/messages?after={after}&limit=200");
        let page = get(&page).bearer(token).send(program.addr()).ok(200);
        let page = page["messages"].as_array().unwrap().clone();
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().map(|message| Post {
            seq: message["seq"].as_u64().unwrap(),
            id: Id::parse(message["client_id"].as_str().unwrap()).unwrap(),
        }));
    }
}

#[test]
fn a_disk_without_room_is_told_and_nothing_acknowledged_is_lost() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(&scratch) else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    let program = Program::start(serve(&disk.data()));
    let token = sign_in(program.addr(), "ada");
    make_room(program.addr(), &token, ROOM);
    let mut socket = Socket::connect(program.addr(), &token).unwrap();
    socket.join(ROOM, &json!({}));
    let mut taken = Vec::new();
    let mut nth = 0;
    for _ in 0..20 {
        nth += 1;
        let seq = post(&mut socket, id(nth)).expect("there is room");
        taken.push(Post { seq, id: id(nth) });
    }
    for _ in 0..3 {
        disk.fill();
        let refused = loop {
            nth += 1;
            match post(&mut socket, id(nth)) {
                Some(seq) => taken.push(Post { seq, id: id(nth) }),
                None => break nth,
            }
        };
        get("/health").send(program.addr()).refused(503, "storage");
        assert_eq!(read(&program, &token), taken, "what is there can be read");
        disk.free();
        // The same post again, until there is room.
        let deadline = Instant::now() + PATIENCE;
        let seq = loop {
            if let Some(seq) = post(&mut socket, id(refused)) {
                break seq;
            }
            assert!(
                Instant::now() < deadline,
                "there is room, and none is taken"
            );
        };
        taken.push(Post {
            seq,
            id: id(refused),
        });
        get("/health").send(program.addr()).ok(200);
        assert_eq!(read(&program, &token), taken);
    }
    // It dies while there is no room, and its successor has none either.
    disk.fill();
    while let Some(seq) = {
        nth += 1;
        post(&mut socket, id(nth))
    } {
        taken.push(Post { seq, id: id(nth) });
    }
    program.kill();
    let program = Program::start(serve(&disk.data()));
    get("/health").send(program.addr()).refused(503, "storage");
    assert_eq!(read(&program, &token), taken);
    disk.free();
    let deadline = Instant::now() + PATIENCE;
    while get("/health").send(program.addr()).status != 200 {
        assert!(Instant::now() < deadline, "there is room, and it stays ill");
    }
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_disk_that_is_full_from_the_start_is_refused_with_words() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(&scratch) else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    disk.fill();
    assert_ends(&run(serve(&disk.data())), 1, "full");
    disk.free();
    let program = Program::start(serve(&disk.data()));
    get("/health").send(program.addr()).ok(200);
}

/// A program whose files may not grow beyond so many blocks of 1,024 bytes, and which is not ended for trying.
fn with_files_up_to(blocks: u32, data: &Path) -> Command {
    let serve = serve(data);
    let mut command = Command::new("bash");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    command
        .args(["-c", &script])
        .arg(serve.get_program())
        .args(serve.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn a_limit_on_files_is_told_and_nothing_acknowledged_is_lost() {
    let scratch = Scratch::new();
    let program = Program::start(with_files_up_to(600, &scratch.data()));
    let token = sign_in(program.addr(), "ada");
    make_room(program.addr(), &token, ROOM);
    let mut socket = Socket::connect(program.addr(), &token).unwrap();
    socket.join(ROOM, &json!({}));
    let mut taken = Vec::new();
    let refused = loop {
        let nth = taken.len() as u32 + 1;
        match post(&mut socket, id(nth)) {
            Some(seq) => taken.push(Post { seq, id: id(nth) }),
            None => break id(nth),
        }
    };
    assert!(taken.len() > 20, "{} were taken", taken.len());
    assert_eq!(read(&program, &token), taken);
    program.kill();
    let program = Program::start(serve(&scratch.data()));
    let mut socket = Socket::connect(program.addr(), &token).unwrap();
    socket.join(ROOM, &json!({}));
    let seq = post(&mut socket, refused).expect("there is room");
    taken.push(Post { seq, id: refused });
    assert_eq!(read(&program, &token), taken);
}
