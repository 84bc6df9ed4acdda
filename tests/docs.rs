//! What the documentation promises is what the program does.
#![expect(clippy::panic, reason = "what steps of tests share fails as tests do")]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use basewatch::{cli::Cli, config, run::Exit};
use clap::{Parser as _, error::ErrorKind};

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

/// The commands in the fenced `console` blocks of a page: what follows `$ `, up to a pipe or a redirection.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("console\n"));
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("$ "));
    lines.map(|line| line.split(['|', '>', '&', '#']).next().unwrap_or_default().trim().to_owned()).collect()
}

/// The arguments of a command that runs basewatch; `None` for any other.
fn arguments(command: &str) -> Option<Vec<&str>> {
    let is_assignment = |word: &&str| word.split_once('=').is_some_and(|(name, _)| !name.contains(['-', '/']));
    let words: Vec<_> = command.split_whitespace().skip_while(is_assignment).collect();
    match words.as_slice() {
        ["basewatch", rest @ ..] | ["cargo", "run", "--", rest @ ..] => Some(rest.to_vec()),
        ["docker", "run", options @ ..] => {
            let image = options.iter().position(|word| *word == "basewatch")?;
            Some(options[image + 1..].to_vec())
        }
        _ => None,
    }
}

/// The codes in the first column of the table below `heading`.
fn codes(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    rows.map(|(code, _)| code.to_owned()).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

#[test]
fn every_command_in_the_documentation_is_one() {
    for name in
        ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/formats.md", "docs/recording-the-base.md"]
    {
        let page = page(name);
        let commands = commands(&page);
        let ours: Vec<_> = commands.iter().filter_map(|command| arguments(command)).collect();
        assert!(name != "README.md" || ours.len() > 8, "only {} commands were found", ours.len());
        for arguments in ours {
            match Cli::try_parse_from([&["basewatch"], arguments.as_slice()].concat()) {
                Err(error) if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                    panic!("{name}: {arguments:?}: {error}")
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_configuration_in_the_readme_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let readme = page("README.md");
    let blocks: Vec<_> =
        readme.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("toml\n")).collect();
    assert!(!blocks.is_empty(), "no configuration was found");
    for block in blocks {
        let file = folder.path().join("basewatch.toml");
        fs::write(&file, block).expect("a writable folder");
        let flags = config::Flags { config: Some(file), ..config::Flags::default() };
        let secrets = ["AUDIT_EXTERNAL_ID", "HOOK_SECRET", "GITHUB_TOKEN"];
        let secrets = secrets.into_iter().filter(|name| block.contains(name));
        let secrets = secrets.map(|name| (name.to_owned(), "x".to_owned()));
        if let Err(problems) = config::load(&flags, &secrets.collect(), folder.path()) {
            panic!("{problems}\n{block}");
        }
    }
}

#[test]
fn every_exit_code_is_explained_and_no_other() {
    let exits: BTreeSet<_> = Exit::ALL.iter().map(|exit| exit.code().to_string()).collect();
    for name in ["README.md", "docs/verdicts.md"] {
        assert_eq!(codes(&page(name), "\n## Exit codes\n"), exits, "{name}");
    }
}

#[test]
fn every_statement_of_the_iam_policy_is_explained() {
    let policy: serde_json::Value = serde_json::from_str(&page("config/iam-policy.json")).expect("JSON");
    let readme = page("README.md");
    for name in ["`StoreList`, `StoreReadWrite`", "`TopicsPublish`", "`SecretsRead`"] {
        assert!(readme.contains(&format!("| {name} |")), "{name} is not in the README");
    }
    for statement in policy["Statement"].as_array().expect("a list") {
        let name = statement["Sid"].as_str().expect("a text");
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the README");
    }
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let pages = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "docs/ARCHITECTURE.md",
        "docs/alerts.md",
        "docs/catalog.md",
        "docs/formats.md",
        "docs/recording-the-base.md",
        "docs/webhooks.md",
    ];
    for name in pages.into_iter().chain(["docs/verdicts.md", "docs/configuration.md"]) {
        let text = page(name);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).parent().expect("a folder").to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn every_path_that_the_map_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = page("docs/ARCHITECTURE.md");
    let quoted = map.split('`').skip(1).step_by(2);
    let is_source = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "rs");
    let is_path = |name: &&str| name.contains('/') && is_source(name) && !name.contains(char::is_whitespace);
    let paths: Vec<_> = quoted.filter(is_path).collect();
    assert!(paths.len() > 40, "only {} paths were found", paths.len());
    for path in paths {
        assert!(root.join(path).exists() || root.join("src").join(path).exists(), "{path}");
    }
}

#[test]
fn the_picture_shows_what_the_demo_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_basewatch")).arg("demo").output().expect("the program starts");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let picture = page("docs/demo.svg");
    let (_, screen) = picture.split_once("<g id=\"screen\">").expect("a screen");
    let drawn: String = screen
        .split('<')
        .filter_map(|element| element.split_once('>'))
        .map(|(_, text)| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") + " ")
        .collect();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words(&drawn), words(&printed), "scripts/picture says how it is drawn anew");
}

#[test]
fn commands_and_codes_are_found_in_a_page() {
    let page = "a\n```console\n$ X=1 basewatch audit a/b:1 --fail-on stale | jq .\nout\n$ cargo run -- demo\n```\n\
                b\n```text\n$ basewatch no\n```\n\n## Exit codes\n\n| code | means |\n|---|---|\n| 0 | a |\n| 12 | b |\n\n## C\n| 3 | c |";
    let commands = commands(page);
    assert_eq!(commands, ["X=1 basewatch audit a/b:1 --fail-on stale", "cargo run -- demo"]);
    assert_eq!(arguments(&commands[0]), Some(vec!["audit", "a/b:1", "--fail-on", "stale"]));
    assert_eq!(arguments("docker run --rm -v a:b basewatch audit"), Some(vec!["audit"]));
    assert_eq!(arguments("cargo install --path ."), None);
    assert_eq!(codes(page, "\n## Exit codes\n"), BTreeSet::from(["0".to_owned(), "12".to_owned()]));
}

#[test]
fn the_readme_is_found_by_its_markers() {
    assert_eq!(block("x\n<!-- a -->\n```text\none\ntwo\n```\n<!-- b -->\n```\nthree\n```", "b"), "three\n");
    assert_eq!(block("<!-- a -->\n```text\none\ntwo\n```\n", "a"), "one\ntwo\n");
}
