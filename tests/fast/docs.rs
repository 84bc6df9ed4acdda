//! The documentation matches the program: commands, configurations, exit codes, permissions, links.
#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use basewatch::{app::ExitStatus, cli::Cli, config};
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

/// The files below `folder` whose names end in `.md`, relative to the repository.
fn pages_below(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(pages_below(&name));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// Every page of the documentation: those in the root folder, and all below `docs` and `deploy`.
fn pages() -> Vec<String> {
    let root = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned);
    root.into_iter().chain(pages_below("docs")).chain(pages_below("deploy")).collect()
}

#[test]
fn the_command_line_page_shows_the_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_basewatch"))
        .arg("--help")
        .env_remove("COLUMNS")
        .output()
        .expect("the program starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let help = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let shown = block(&page("docs/cli.md"), "help");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let fenced = |text: &str| format!("<!-- help -->\n```text\n{text}```");
        fs::write(path, page("docs/cli.md").replace(&fenced(&shown), &fenced(&help))).expect("a writable page");
    } else {
        assert_eq!(shown, help, "UPDATE_SCHEMA=1 cargo nextest run --test fast docs writes it");
    }
}

/// The fenced blocks of a page in `language`.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// The commands in the fenced `console` blocks of a page (what follows `$ `) and `bash` blocks (each line, with
/// continuation lines joined), up to a pipe or a redirection.
fn commands(page: &str) -> Vec<String> {
    let console: Vec<_> =
        blocks(page, "console").into_iter().flat_map(str::lines).filter_map(|line| line.strip_prefix("$ ")).collect();
    let bash = blocks(page, "bash").join("\n").replace("\\\n", " ");
    let lines = console.into_iter().chain(bash.lines());
    lines.map(|line| line.split(['|', '>', '&', '#']).next().unwrap_or_default().trim().to_owned()).collect()
}

/// The arguments of a command that runs basewatch; `None` for any other.
fn arguments(command: &str) -> Option<Vec<&str>> {
    let is_assignment = |word: &&str| word.split_once('=').is_some_and(|(name, _)| !name.contains(['-', '/']));
    let words: Vec<_> = command.split_whitespace().skip_while(is_assignment).collect();
    match words.as_slice() {
        ["basewatch", rest @ ..] | ["cargo", "run", "--", rest @ ..] => Some(rest.to_vec()),
        ["docker", "run", options @ ..] => {
            let image = options.iter().position(|word| ["basewatch", "\"$IMAGE_URI\""].contains(word))?;
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
fn every_documented_command_is_accepted_by_the_parser() {
    let mut checked = 0;
    for name in pages() {
        let commands = commands(&page(&name));
        for arguments in commands.iter().filter_map(|command| arguments(command)) {
            match Cli::try_parse_from([&["basewatch"], arguments.as_slice()].concat()) {
                Err(error) if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                    panic!("{name}: {arguments:?}: {error}")
                }
                _ => checked += 1,
            }
        }
    }
    assert!(checked > 50, "only {checked} commands were found");
}

#[test]
fn every_complete_configuration_in_the_pages_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for name in pages() {
        let page = page(&name);
        // A block that does not start with a table or the store is part of one.
        for block in blocks(&page, "toml").into_iter().filter(|block| block.starts_with(['[', 's'])) {
            if block.starts_with("secret") {
                continue;
            }
            let (file, secret) = (folder.path().join("basewatch.toml"), folder.path().join("secret"));
            fs::write(&secret, "x").expect("a writable folder");
            let block = block.replace("/run/secrets/gitlab-trigger", &secret.to_string_lossy());
            fs::write(&file, &block).expect("a writable folder");
            let flags = config::CliOverrides { config: Some(file), ..config::CliOverrides::default() };
            let secrets = [
                "AUDIT_EXTERNAL_ID",
                "HOOK_SECRET",
                "GITHUB_TOKEN",
                "SMTP_PASSWORD",
                "PAGERDUTY_KEY",
                "HEARTBEAT_URL",
                "HOOK_URL",
            ];
            let value = |name: &str| if name.ends_with("_URL") { "https://example.com/ping" } else { "x" };
            let secrets = secrets.into_iter().filter(|name| block.contains(name));
            let secrets = secrets.map(|name| (name.to_owned(), value(name).to_owned()));
            if let Err(problems) = config::load(&flags, &secrets.collect(), folder.path()) {
                panic!("{name}: {problems}\n{block}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} configurations were found");
}

#[test]
fn every_exit_code_is_documented_and_no_other() {
    let exits: BTreeSet<_> = ExitStatus::ALL.iter().map(|exit| exit.code().to_string()).collect();
    assert_eq!(codes(&page("docs/cli.md"), "\n## Exit codes\n"), exits);
}

#[test]
fn every_statement_of_the_iam_policy_is_documented() {
    let policy: serde_json::Value = serde_json::from_str(&page("config/iam-policy.json")).expect("JSON");
    let table = page("docs/audit.md");
    for name in ["`StoreList`, `StoreReadWrite`", "`TopicsPublish`", "`SecretsRead`"] {
        assert!(table.contains(&format!("| {name} |")), "{name} is not in docs/audit.md");
    }
    for statement in policy["Statement"].as_array().expect("a list") {
        let name = statement["Sid"].as_str().expect("a text");
        assert!(table.contains(&format!("| `{name}` |")), "{name} is not in docs/audit.md");
    }
}

#[test]
fn the_readme_has_at_most_1500_words() {
    let words = page("README.md").split_whitespace().count();
    assert!(words <= 1500, "{words} words");
}

/// The targets of the links in a page, without those in fenced blocks.
fn links(page: &str) -> Vec<String> {
    let text: Vec<_> = page.split("\n```").step_by(2).collect();
    let links = text.iter().flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    links.map(str::to_owned).collect()
}

/// The anchors of the headings in a page, by GitHub's rule: lower case, hyphens for blanks, no punctuation.
fn anchors(page: &str) -> BTreeSet<String> {
    let text: Vec<_> = page.split("\n```").step_by(2).collect();
    let headings = text
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    for name in pages() {
        let text = page(&name);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name).parent().expect("a folder").to_owned();
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = folder.join(file);
            assert!(file.is_empty() || target.exists(), "{name} links to {link}");
            if !anchor.is_empty() && (file.is_empty() || target.extension().is_some_and(|is| is == "md")) {
                let linked = if file.is_empty() { text.clone() } else { fs::read_to_string(target).expect("a page") };
                assert!(anchors(&linked).contains(anchor), "{name} links to {link}");
            }
        }
    }
}

#[test]
fn the_index_links_to_every_page() {
    let index = links(&page("docs/README.md"));
    for name in pages_below("docs") {
        let path = name.trim_start_matches("docs/");
        assert!(path == "README.md" || index.iter().any(|link| link == path), "docs/README.md does not link to {path}");
    }
}

#[test]
fn every_source_path_on_the_architecture_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let architecture = page("docs/ARCHITECTURE.md");
    let quoted = architecture.split('`').skip(1).step_by(2);
    let is_source = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "rs");
    let is_path = |name: &&str| name.contains('/') && is_source(name) && !name.contains(char::is_whitespace);
    let paths: Vec<_> = quoted.filter(is_path).collect();
    assert!(paths.len() > 40, "only {} paths were found", paths.len());
    for path in paths {
        assert!(root.join(path).exists() || root.join("src").join(path).exists(), "{path}");
    }
}

#[test]
fn the_picture_in_the_readme_shows_the_output_of_demo() {
    let output = Command::new(env!("CARGO_BIN_EXE_basewatch")).arg("demo").output().expect("the program starts");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let picture = page("docs/demo.svg");
    let (_, screen) = picture.split_once("<g id=\"screen\">").expect("a screen");
    let drawn: String = screen
        .split('<')
        .filter_map(|element| element.split_once('>'))
        .map(|(_, text)| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") + " ")
        .collect();
    // An image that is compared after a similar one needs fewer requests, so their number depends on the order.
    let words = |text: &str| {
        let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        for end in 2..words.len() {
            if words[end] == "public.ecr.aws" && words[end - 1] == "to" {
                "N".clone_into(&mut words[end - 2]);
            }
        }
        words.join(" ")
    };
    assert!(words(&drawn).contains("N to public.ecr.aws"), "the number of requests is found");
    assert_eq!(words(&drawn), words(&printed), "redraw it with scripts/picture");
}

#[test]
fn commands_and_exit_codes_are_found_in_a_page() {
    let page = "a\n```console\n$ X=1 basewatch audit a/b:1 --fail-on stale | jq .\nout\n$ cargo run -- demo\n```\n\
                b\n```text\n$ basewatch no\n```\n```bash\nbasewatch \\\n  run\n```\n\n\
                ## Exit codes\n\n| code | means |\n|---|---|\n| 0 | a |\n| 12 | b |\n\n## C\n| 3 | c |";
    let commands = commands(page);
    assert_eq!(commands, ["X=1 basewatch audit a/b:1 --fail-on stale", "cargo run -- demo", "basewatch    run"]);
    assert_eq!(arguments(&commands[0]), Some(vec!["audit", "a/b:1", "--fail-on", "stale"]));
    assert_eq!(arguments("docker run --rm -v a:b basewatch audit"), Some(vec!["audit"]));
    assert_eq!(arguments("cargo install --path ."), None);
    assert_eq!(codes(page, "\n## Exit codes\n"), BTreeSet::from(["0".to_owned(), "12".to_owned()]));
}

#[test]
fn links_and_anchors_are_found_in_a_page() {
    let page = "# `--fail-on`: a_b\n[a](x.md#y) and [b](#z)\n```toml\n# no\n[c](no)\n```\n## C, d\n";
    assert_eq!(links(page), ["x.md#y", "#z"]);
    assert_eq!(anchors(page), BTreeSet::from(["--fail-on-a_b".to_owned(), "c-d".to_owned()]));
}

#[test]
fn a_block_is_found_by_its_marker() {
    assert_eq!(block("x\n<!-- a -->\n```text\none\ntwo\n```\n<!-- b -->\n```\nthree\n```", "b"), "three\n");
    assert_eq!(block("<!-- a -->\n```text\none\ntwo\n```\n", "a"), "one\ntwo\n");
}
