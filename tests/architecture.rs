//! The rules of the code base: which module may depend on which, which modules do I/O, how long a file may be, and how
//! types are named.
//!
//! A new dependency between modules is a design decision: add it here, with its reason.

#![expect(clippy::unwrap_used, reason = "a failing test shows its location")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The stages, in the order data flows. A stage may name the types of earlier stages, never of later ones.
const STAGES: [&str; 7] = ["inventory", "identify", "resolve", "judge", "report", "rebuild", "notify"];

/// The adapters. An adapter never names a stage.
const ADAPTERS: [&str; 4] = ["registry", "store", "aws", "webhook"];

/// Which modules each top-level module may name, besides itself.
const EDGES: &[(&str, &[&str])] = &[
    // Vocabulary and utilities: no dependencies.
    ("glob", &[]),
    ("single_flight", &[]),
    ("address", &[]),
    ("redact", &[]),
    ("rate_limiter", &[]),
    ("retry", &[]),
    // Where a secret is: by the ARN of AWS Secrets Manager.
    ("secret", &["image"]),
    ("schedule", &[]),
    ("image", &[]),
    // Parses image references in Dockerfiles.
    ("dockerfile", &["image"]),
    // Reads tags and manifests through the SDK, and images through registry and catalog.
    ("inventory", &["glob", "single_flight", "image", "registry", "store", "aws"]),
    ("identify", &["glob", "image", "inventory"]),
    // Reads lines from registries and caches them in the catalog.
    ("resolve", &["glob", "single_flight", "schedule", "image", "inventory", "identify", "registry", "store"]),
    ("judge", &["glob", "schedule", "image", "inventory", "identify", "resolve"]),
    ("report", &["image", "inventory", "identify", "resolve", "judge"]),
    // Knows neither what is sent nor how. Its records are stored in the document of each kind of entry.
    ("outbox", &["image", "store"]),
    // Requests builds through webhooks. The host of a registry contains the account of a repository.
    ("rebuild", &["glob", "image", "inventory", "judge", "report", "outbox", "secret", "registry", "webhook"]),
    // Sends messages to topics and webhooks; the ledger records rebuilds too.
    (
        "notify",
        &[
            "glob",
            "image",
            "inventory",
            "judge",
            "report",
            "outbox",
            "rebuild",
            "secret",
            "registry",
            "store",
            "aws",
            "webhook",
        ],
    ),
    ("registry", &["glob", "address", "rate_limiter", "redact", "retry", "secret", "image"]),
    // Fetches through the `Registry` port; S3 is reached through `aws`.
    ("store", &["image", "registry", "aws"]),
    // Crawls through the `Registry` port; a catalog may be published as an object in S3.
    ("release_catalog", &["glob", "secret", "image", "registry", "store"]),
    // Implements the logins of the `registry` port, within API quotas.
    ("aws", &["glob", "single_flight", "rate_limiter", "secret", "image", "registry"]),
    ("webhook", &["address", "rate_limiter", "redact", "retry", "secret", "registry"]),
    // Holds the settings type of each module.
    (
        "config",
        &[
            "glob",
            "address",
            "secret",
            "schedule",
            "image",
            "inventory",
            "identify",
            "resolve",
            "judge",
            "rebuild",
            "notify",
            "registry",
            "store",
            "release_catalog",
            "aws",
            "webhook",
        ],
    ),
    // Runs the pipeline; adapters are passed in through their ports.
    ("audit", &["image", "inventory", "identify", "resolve", "judge", "report", "registry", "store", "config"]),
    ("telemetry", &[]),
    // Parses arguments into the types of the stages.
    ("cli", &["glob", "image", "inventory", "judge", "report", "release_catalog", "config"]),
    // Builds all components once and passes them in.
    ("run", EVERYTHING),
    ("main", EVERYTHING),
    ("lib", &[]),
];

const EVERYTHING: &[&str] = &[
    "glob",
    "address",
    "redact",
    "single_flight",
    "rate_limiter",
    "retry",
    "image",
    "inventory",
    "identify",
    "resolve",
    "judge",
    "report",
    "outbox",
    "rebuild",
    "notify",
    "registry",
    "store",
    "release_catalog",
    "aws",
    "webhook",
    "secret",
    "schedule",
    "dockerfile",
    "config",
    "audit",
    "telemetry",
    "cli",
    "run",
];

/// Crates that do I/O or bring a runtime, by the start of their name; and who may name them.
const IO_CRATES: [&str; 4] = ["aws_", "reqwest", "tokio", "axum"];
const MAY_DO_IO: [&str; 11] = [
    "address",
    "rate_limiter",
    "registry",
    "aws",
    "store",
    "webhook",
    "inventory",
    "notify",
    "run",
    "main",
    "telemetry",
];

/// The longest file, in lines without its test module.
const MOST_LINES: usize = 400;

/// Type names that several modules define and that are always reached through their module.
const QUALIFIED_NAMES: [&str; 3] = ["Error", "Result", "Settings"];
const MOST_HOMONYMS_PERCENT: usize = 5;
const MOST_ONE_WORD_NAMES_PERCENT: usize = 40;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One source file.
struct Source {
    path: PathBuf,
    /// `["report", "table"]`; `["main"]` and `["lib"]` for the roots.
    module: Vec<String>,
    text: String,
}

impl Source {
    fn top(&self) -> &str {
        &self.module[0]
    }

    fn is_root(&self) -> bool {
        matches!(self.top(), "main" | "lib") && self.module.len() == 1
    }

    /// How many `super` lead to the crate.
    fn depth(&self) -> usize {
        if self.is_root() { 0 } else { self.module.len() }
    }

    /// Everything before the test module.
    fn code(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        &self.text[..end]
    }
}

/// The files below `folder` that `is_selected` accepts.
fn files(folder: &Path, is_selected: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy();
            if !matches!(name.as_ref(), ".git" | "node_modules") && !name.starts_with("target") {
                files(&path, is_selected, found);
            }
        } else if is_selected(&path) {
            found.push(path);
        }
    }
}

/// All of `src`, files that are tests as a whole left out.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    files(&src, &|path| path.extension().is_some_and(|extension| extension == "rs"), &mut paths);
    let sources: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&src).unwrap().with_extension("");
            let mut module: Vec<_> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            Source { text: fs::read_to_string(&path).unwrap(), path, module }
        })
        .filter(|source| source.module.iter().all(|part| part != "tests"))
        .collect();
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// Rust tokens: identifiers, `::`, and other single characters. Comments and literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let at = |place: usize| characters.get(place).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut place = 0;
    while place < characters.len() {
        let c = at(place);
        let start = place;
        match (c, at(place + 1)) {
            ('/', '/') => place = skip_until(&characters, place, "\n"),
            ('/', '*') => place = skip_until(&characters, place + 2, "*/"),
            ('"', _) => place = skip_string(&characters, place + 1),
            ('r', '#' | '"') if raw_string_end(&characters, place).is_some() => {
                place = raw_string_end(&characters, place).unwrap();
            }
            ('\'', '\\') => place = skip_until(&characters, place + 3, "'"),
            ('\'', _) if at(place + 2) == '\'' => place += 3,
            (':', ':') => {
                tokens.push("::".to_owned());
                place += 2;
            }
            _ if is_word(c) => {
                while is_word(at(place)) {
                    place += 1;
                }
                tokens.push(characters[start..place].iter().collect());
            }
            _ => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                place += 1;
            }
        }
    }
    tokens
}

/// The position after the next `end` from `place`.
fn skip_until(characters: &[char], place: usize, end: &str) -> usize {
    let end: Vec<char> = end.chars().collect();
    let rest = characters.get(place..).unwrap_or_default();
    rest.windows(end.len()).position(|window| window == end).map_or(characters.len(), |found| place + found + end.len())
}

/// The position after the quote that ends the string from `place`.
fn skip_string(characters: &[char], mut place: usize) -> usize {
    while place < characters.len() && characters[place] != '"' {
        place += if characters[place] == '\\' { 2 } else { 1 };
    }
    place + 1
}

/// The position after the raw string at `place`, if there is one.
fn raw_string_end(characters: &[char], place: usize) -> Option<usize> {
    let hashes = characters[place + 1..].iter().take_while(|c| **c == '#').count();
    let quote = place + 1 + hashes;
    (characters.get(quote) == Some(&'"'))
        .then(|| skip_until(characters, quote + 1, &format!("\"{}", "#".repeat(hashes))))
}

/// The names at `tokens[place]`, which follows the `::` of a path to the crate: one, or each of a group.
fn named(tokens: &[String], place: usize) -> Vec<String> {
    let is_word = |token: &String| token.chars().all(|c| c.is_alphanumeric() || c == '_');
    match tokens.get(place) {
        Some(open) if open == "{" => {
            let mut names = Vec::new();
            let mut depth = 0;
            for (token, before) in tokens[place..].iter().zip(&tokens[place - 1..]) {
                match token.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ if depth == 1 && matches!(before.as_str(), "{" | ",") => names.push(token.clone()),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            names
        }
        Some(name) if is_word(name) => vec![name.clone()],
        _ => Vec::new(),
    }
}

/// The top-level modules that code `depth` modules below the crate names by path.
fn modules_named(text: &str, depth: usize) -> BTreeSet<String> {
    let tokens = tokens(text);
    let mut names = BTreeSet::new();
    for (place, token) in tokens.iter().enumerate() {
        let continues = place > 0 && tokens[place - 1] == "::";
        if continues {
            continue;
        }
        let root = match token.as_str() {
            // `main` uses the library by its crate name.
            "crate" | "basewatch" => Some(place),
            "super" => {
                let last = (place..).step_by(2).take_while(|place| tokens.get(*place).is_some_and(|t| t == "super"));
                let supers: Vec<_> = last.collect();
                (supers.len() == depth).then(|| supers[supers.len() - 1])
            }
            _ => None,
        };
        if let Some(root) = root.filter(|root| tokens.get(root + 1).is_some_and(|token| token == "::")) {
            names.extend(named(&tokens, root + 2));
        }
    }
    names.remove("self");
    names
}

/// The crates for I/O that code names.
fn io_crates_named(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let is_io =
        |token: &str| IO_CRATES.iter().any(|name| token == *name || (name.ends_with('_') && token.starts_with(name)));
    let is_path = |place: usize| {
        let before = place.checked_sub(1).map(|before| tokens[before].as_str());
        let after = tokens.get(place + 1).map(String::as_str);
        !matches!(before, Some("::" | ".")) && (after == Some("::") || before == Some("use"))
    };
    let found = tokens.iter().enumerate().filter(|(place, token)| is_io(token) && is_path(*place));
    found.map(|(_, token)| token.clone()).collect()
}

#[test]
fn paths_are_found_in_code_but_not_in_comments_or_literals() {
    let names = |text: &str, depth| modules_named(text, depth).into_iter().collect::<Vec<_>>().join(" ");
    let table = [
        ("use crate::judge::Verdict;", 1, "judge"),
        ("use crate::{image::{Digest, Platform}, judge, resolve::{self, Published}};", 1, "image judge resolve"),
        ("fn f() { let x: crate::store::Catalog = super::super::config::load(); }", 2, "config store"),
        ("use super::Finding; use super::super::Thing;", 2, "Thing"),
        ("use super::{a::B, c};", 1, "a c"),
        ("use super::{a::B, c};", 2, ""),
        ("pub(crate) fn f() {} pub(super) fn g() {}", 1, ""),
        (
            "// crate::judge\n/* crate::store */ let x = \"crate::report\"; let y = r#\"crate::run \" \"#; let c = '\"';",
            1,
            "",
        ),
        ("let a: &'static str = '\\''; crate::image::x()", 1, "image"),
        ("use basewatch::run::once;", 0, "run"),
        ("use foo::crate_name; other::basewatch::x();", 1, ""),
    ];
    for (text, depth, expected) in table {
        assert_eq!(names(text, depth), expected, "{text}");
    }
    let crates = |text: &str| io_crates_named(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(crates("#[tokio::main] async fn f() { aws_sdk_ecr::Client::new() }"), "aws_sdk_ecr tokio");
    assert_eq!(crates("use reqwest; // axum::Router\nlet tokio = 1; self.axum.x(); a::tokio::b"), "reqwest");
}

#[test]
fn the_table_of_edges_follows_the_order_of_the_stages() {
    let edges: BTreeMap<_, _> = EDGES.iter().copied().collect();
    assert_eq!(edges.len(), EDGES.len(), "one row each");
    for (place, stage) in STAGES.iter().enumerate() {
        for later in &STAGES[place..] {
            assert!(!edges[stage].contains(later), "{stage} must not name {later}");
        }
    }
    for adapter in ADAPTERS {
        for stage in STAGES {
            assert!(!edges[adapter].contains(&stage), "{adapter} must not name {stage}");
        }
    }
    assert!(!edges["registry"].contains(&"store") && !edges["registry"].contains(&"aws"));
    assert!(edges["image"].is_empty() && edges["glob"].is_empty());
}

#[test]
fn the_architecture_page_shows_the_table_of_edges() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let (_, section) = page.split_once("| module | may name |\n|---|---|\n").unwrap();
    let shown: Vec<_> = section.lines().take_while(|line| line.starts_with("| ")).collect();
    let names = |allowed: &[&str]| match allowed.join(", ") {
        _ if allowed == EVERYTHING => "everything".to_owned(),
        names if names.is_empty() => "nothing".to_owned(),
        names => names,
    };
    let rows: Vec<_> = EDGES.iter().map(|(module, allowed)| format!("| `{module}` | {} |", names(allowed))).collect();
    assert_eq!(shown, rows);
}

#[test]
fn every_module_depends_only_on_the_modules_in_its_row() {
    let edges: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = edges.get(source.top()) else {
            wrong.push(format!("{} has no row in the table of edges", source.top()));
            continue;
        };
        for name in modules_named(source.code(), source.depth()) {
            if name != source.top() && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} names {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_adapters_and_entry_points_use_io_crates() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !MAY_DO_IO.contains(&source.top())) {
        for name in io_crates_named(source.code()) {
            wrong.push(format!("{} names {name}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_main_exits_the_process() {
    for source in sources().iter().filter(|source| source.top() != "main") {
        let tokens = tokens(source.code());
        let exits = tokens.windows(3).any(|three| three[0] == "process" && three[1] == "::" && three[2] == "exit");
        assert!(!exits, "{} exits", source.path.display());
    }
}

#[test]
fn every_file_begins_with_a_module_doc() {
    for folder in ["src", "tests", "benches"].map(|folder| root().join(folder)).iter().filter(|folder| folder.is_dir())
    {
        let mut paths = Vec::new();
        files(folder, &|path| path.extension().is_some_and(|extension| extension == "rs"), &mut paths);
        for path in paths {
            assert!(fs::read_to_string(&path).unwrap().starts_with("//! "), "{} has no module doc", path.display());
        }
    }
}

#[test]
fn no_file_exceeds_the_line_limit() {
    for source in sources() {
        let lines = source.code().lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", source.path.display());
    }
}

/// The types that `code` defines. Associated types, which are indented, are left out.
fn types_defined(code: &str) -> Vec<&str> {
    code.lines().filter_map(type_defined).collect()
}

/// The name of the type whose definition `line` begins.
fn type_defined(line: &str) -> Option<&str> {
    let item = line.trim_start();
    let item = item.strip_prefix("pub").map_or(item, |rest| match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or("", |(_, rest)| rest),
        None => rest,
    });
    let (keyword, rest) = item.trim_start().split_once(' ')?;
    let is_type =
        matches!(keyword, "struct" | "enum" | "trait" | "union") || (keyword == "type" && !line.starts_with(' '));
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|name| is_type && name.starts_with(char::is_uppercase))
}

/// Every type name in `src`, with the files that define it.
fn type_names(sources: &[Source]) -> BTreeMap<&str, Vec<&Path>> {
    let mut names = BTreeMap::<_, Vec<&Path>>::new();
    for source in sources {
        for name in types_defined(source.code()) {
            names.entry(name).or_default().push(&source.path);
        }
    }
    names
}

#[test]
fn type_definitions_are_found_and_associated_types_are_not() {
    let code = "pub struct A;\npub(super) enum B<T> {}\n    struct Inner(u8);\ntrait C: D {}\npub(in crate::x) type E = A;\n\
                impl F for A {\n    type G = A;\n    type_of(x)\n}\nlet structure = 1;";
    assert_eq!(types_defined(code), ["A", "B", "Inner", "C", "E"]);
}

#[test]
fn few_type_names_stand_for_more_than_one_type() {
    let sources = sources();
    let names = type_names(&sources);
    let definitions: usize = names.values().map(Vec::len).sum();
    let homonyms = names.iter().filter(|(name, files)| files.len() > 1 && !QUALIFIED_NAMES.contains(name));
    let homonyms: Vec<_> = homonyms.collect();
    let count: usize = homonyms.iter().map(|(_, files)| files.len()).sum();
    assert!(count * 100 <= definitions * MOST_HOMONYMS_PERCENT, "{count} of {definitions}: {homonyms:#?}");
}

#[test]
fn most_type_names_have_more_than_one_word() {
    let sources = sources();
    let names = type_names(&sources);
    let is_one_word = |name: &&&str| name.chars().skip(1).all(|c| !c.is_uppercase());
    let one_word: Vec<_> = names.keys().filter(is_one_word).collect();
    let all = names.len();
    assert!(one_word.len() * 100 <= all * MOST_ONE_WORD_NAMES_PERCENT, "{} of {all}: {one_word:?}", one_word.len());
}

#[test]
fn no_function_is_called_of() {
    let mut found = Vec::new();
    for source in sources() {
        let tokens = tokens(source.code());
        let count = tokens.windows(2).filter(|pair| pair[0] == "fn" && pair[1] == "of").count();
        found.extend(std::iter::repeat_n(source.path.display().to_string(), count));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_contains_a_path_outside_the_repository() {
    // In two pieces each, so that this file passes.
    let foreign =
        [concat!("..", "/shared"), concat!("/wo", "rk/"), concat!("/Us", "ers/"), concat!("/home/", "runner")];
    let mut paths = Vec::new();
    files(root(), &|path| path.extension().is_none_or(|extension| extension != "lock"), &mut paths);
    let mut wrong = Vec::new();
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
        for name in foreign {
            // In a worktree `.git` is a file.
            if text.contains(name) && path.file_name().is_some_and(|file| file != ".git") {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
