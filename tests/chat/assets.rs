//! The files of the page: all of them are served, what they name exists, and nothing in them makes markup of text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use perennial::chat::assets::{self, ASSETS, CONTENT_SECURITY_POLICY};

fn text(path: &str) -> &'static str {
    let asset = assets::find(path).unwrap_or_else(|| panic!("{path} is not served"));
    std::str::from_utf8(asset.bytes).expect("the files of the page are UTF-8")
}

fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    ASSETS
        .iter()
        .map(|asset| asset.path)
        .filter(|path| path.ends_with(".js"))
        .map(|path| (path, text(path)))
}

/// What stands between `before` and the next `after`, for each place where `before` stands.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before)
        .skip(1)
        .map(move |rest| rest.split(after).next().unwrap_or_default())
}

#[test]
fn every_file_of_the_folder_is_served_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat/assets");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "mod.rs")
        .map(|name| {
            if name == "index.html" {
                "/".into()
            } else {
                format!("/{name}")
            }
        })
        .collect();
    let served: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
    assert_eq!(served, files);
    assert_eq!(served.len(), ASSETS.len(), "a path is served twice");
}

#[test]
fn content_types_follow_the_ending_and_name_the_charset() {
    for asset in ASSETS {
        let expected = match asset.path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(asset.content_type, expected, "{}", asset.path);
    }
}

#[test]
fn etags_tell_contents_apart() {
    let tags: BTreeMap<&str, &str> = ASSETS
        .iter()
        .map(|asset| (asset.etag, asset.path))
        .collect();
    assert_eq!(tags.len(), ASSETS.len());
    for tag in tags.keys() {
        assert!(
            tag.len() == 18 && tag.starts_with('"') && tag.ends_with('"'),
            "{tag}"
        );
    }
}

#[test]
fn paths_are_compared_exactly() {
    for path in [
        "",
        "/index.html",
        "/app.js/",
        "//app.js",
        "/APP.JS",
        "/%61pp.js",
        "/../assets/app.js",
        "/app.js?x",
        "/mod.rs",
    ] {
        assert!(assets::find(path).is_none(), "{path}");
    }
}

#[test]
fn everything_the_document_names_is_served() {
    let document = text("/");
    for attribute in ["href=\"", "src=\""] {
        for target in between(document, attribute, "\"").filter(|target| target.starts_with('/')) {
            assert!(assets::find(target).is_some(), "{target} is not served");
        }
    }
    assert!(between(document, "src=\"", "\"").any(|target| target == "/app.js"));
}

#[test]
fn every_module_that_is_imported_is_served_and_announced() {
    let announced: BTreeSet<&str> =
        between(text("/"), "rel=\"modulepreload\" href=\"", "\"").collect();
    let mut imported = BTreeSet::new();
    for (path, script) in scripts() {
        for module in between(script, "from \"./", "\"") {
            let module = format!("/{module}");
            let (module, _) = scripts()
                .find(|(path, _)| *path == module)
                .unwrap_or_else(|| panic!("{path} imports {module}"));
            imported.insert(module);
        }
    }
    // Else a browser would learn of each module only after the one that imports it.
    assert_eq!(announced, imported);
}

#[test]
fn every_element_that_a_module_looks_up_is_in_the_document_once() {
    let ids: Vec<&str> = between(text("/"), " id=\"", "\"").collect();
    let once: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), once.len(), "an id is there twice");
    for (path, script) in scripts() {
        for id in between(script, "byId(\"", "\"") {
            assert!(once.contains(id), "{path} looks for #{id}");
        }
    }
    for id in ["for=\"", "aria-controls=\"", "aria-labelledby=\""] {
        for id in between(text("/"), id, "\"") {
            assert!(once.contains(id), "the document refers to #{id}");
        }
    }
}

#[test]
fn nothing_is_inline() {
    let document = text("/");
    for tag in between(document, "<script", ">") {
        assert!(tag.contains(" src=\"/"), "<script{tag}>");
    }
    assert!(!document.contains("<style"));
    for tag in between(document, "<", ">") {
        for word in tag.split_whitespace().skip(1) {
            let handler = word.starts_with("on") && word.contains('=');
            assert!(!handler && !word.starts_with("style="), "<{tag}>");
        }
    }
}

#[test]
fn text_never_becomes_markup_or_code() {
    let banned = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "setHTML",
        "eval(",
        "new Function",
        "javascript:",
        ".style.",
        "\"style\"",
        "srcdoc",
        "import(",
    ];
    for (path, script) in scripts() {
        for word in banned {
            assert!(!script.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn no_address_of_another_machine_is_loaded() {
    for asset in ASSETS {
        let text = text(asset.path);
        for address in ["//cdn", "@import", "url("] {
            assert!(!text.contains(address), "{} has {address}", asset.path);
        }
    }
    let only_here = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ];
    for directive in only_here {
        assert!(
            CONTENT_SECURITY_POLICY
                .split("; ")
                .any(|part| part == directive),
            "{directive}"
        );
    }
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
}
