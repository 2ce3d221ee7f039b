//! The parts of the page that know no elements, run by Node: the channel client, rooms, presence.

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn socket_room_and_presence_keep_their_promises() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let version = Command::new("node")
        .arg("--version")
        .stderr(Stdio::null())
        .output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("skipped: node is not installed");
        return;
    }
    let tests =
        ["presence", "room", "socket"].map(|name| format!("tests/chat/page/{name}.test.mjs"));
    let output = Command::new("node")
        // The files of the page are modules by the way they are loaded, not by their ending.
        .args([
            "--experimental-default-type=module",
            "--test",
            "--test-reporter=tap",
        ])
        .args(tests)
        .current_dir(root)
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{report}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!report.contains("# pass 0"), "no test was run:\n{report}");
}
