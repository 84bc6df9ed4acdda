//! What the documentation promises is what the program does.
#![expect(clippy::panic, reason = "what steps of tests share fails as tests do")]

use std::{fs, path::Path, process::Command};

/// The text of a file of the repository.
fn page(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The fenced block after the comment `<!-- marker -->`.
fn block(page: &str, marker: &str) -> String {
    let comment = format!("<!-- {marker} -->");
    let (_, after) = page.split_once(&comment).unwrap_or_else(|| panic!("no {comment}"));
    let (_, after) = after.split_once("```").unwrap_or_else(|| panic!("no block after {comment}"));
    let (_, after) = after.split_once('\n').unwrap_or_else(|| panic!("no block after {comment}"));
    let (block, _) = after.split_once("```").unwrap_or_else(|| panic!("an open block after {comment}"));
    block.to_owned()
}

#[test]
fn the_readme_shows_the_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_basewatch"))
        .arg("--help")
        .env_remove("COLUMNS")
        .output()
        .expect("the program starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&block(&page("README.md"), "help")), trimmed(&help));
}

#[test]
fn the_readme_is_found_by_its_markers() {
    assert_eq!(block("x\n<!-- a -->\n```text\none\ntwo\n```\n<!-- b -->\n```\nthree\n```", "b"), "three\n");
    assert_eq!(block("<!-- a -->\n```text\none\ntwo\n```\n", "a"), "one\ntwo\n");
}
