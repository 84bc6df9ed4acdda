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
const ADAPTERS: [&str; 5] = ["http", "registry", "store", "aws", "webhook"];

/// Which modules each top-level module may name, besides itself.
const EDGES: &[(&str, &[&str])] = &[
    // Vocabulary and utilities: no dependencies.
    ("glob", &[]),
    ("single_flight", &[]),
    // Limits every outgoing request; knows neither registries nor webhooks.
    ("http", &[]),
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
    // The report as a web page, for `serve` and for a file.
    ("dashboard", &["judge", "resolve", "report"]),
    // Knows neither what is sent nor how. Its records are stored in the document of each kind of entry.
    ("outbox", &["image", "store"]),
    // Requests builds through webhooks. The host of a registry contains the account of a repository.
    ("rebuild", &["glob", "image", "inventory", "judge", "report", "outbox", "secret", "registry", "webhook"]),
    // Sends messages to topics and webhooks; the ledger records rebuilds too. A summary may have a schedule.
    (
        "notify",
        &[
            "glob",
            "schedule",
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
    ("registry", &["http", "secret", "image"]),
    // Fetches through the `Registry` port; S3 is reached through `aws`.
    ("store", &["image", "registry", "aws"]),
    // Crawls through the `Registry` port; a catalog may be published as an object in S3.
    ("release_catalog", &["glob", "secret", "image", "registry", "store"]),
    // Implements the logins of the `registry` port, within API quotas.
    ("aws", &["glob", "single_flight", "http", "secret", "image", "registry"]),
    ("webhook", &["http", "secret"]),
    // Holds the settings type of each module.
    (
        "config",
        &[
            "glob",
            "http",
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
    ("audit", &["image", "inventory", "identify", "resolve", "judge", "report", "store"]),
    ("telemetry", &[]),
    // Parses arguments into the types of the stages.
    ("cli", &["glob", "image", "inventory", "judge", "release_catalog"]),
    // Builds all components once and passes them in.
    (
        "app",
        &[
            "secret",
            "image",
            "inventory",
            "report",
            "dashboard",
            "notify",
            "registry",
            "store",
            "release_catalog",
            "aws",
            "webhook",
            "http",
            "config",
            "audit",
            "cli",
        ],
    ),
    // Only dispatches to its own code. The demo has a registry and a cloud of its own.
    (
        "commands",
        &[
            "glob",
            "image",
            "inventory",
            "identify",
            "resolve",
            "judge",
            "report",
            "notify",
            "registry",
            "store",
            "release_catalog",
            "aws",
            "http",
            "secret",
            "schedule",
            "dockerfile",
            "config",
            "audit",
            "cli",
            "app",
        ],
    ),
    // Performs one run: audit, record, notify, rebuild.
    (
        "run",
        &[
            "image",
            "judge",
            "report",
            "outbox",
            "rebuild",
            "notify",
            "store",
            "aws",
            "webhook",
            "secret",
            "config",
            "audit",
            "telemetry",
            "cli",
            "app",
        ],
    ),
    // Perform runs on a schedule and on events.
    (
        "serve",
        &[
            "image",
            "inventory",
            "judge",
            "report",
            "dashboard",
            "notify",
            "store",
            "aws",
            "secret",
            "schedule",
            "config",
            "audit",
            "app",
            "run",
        ],
    ),
    (
        "lambda",
        &[
            "glob",
            "image",
            "inventory",
            "judge",
            "report",
            "http",
            "store",
            "aws",
            "config",
            "audit",
            "cli",
            "app",
            "run",
        ],
    ),
    // Dispatches to the commands and the run modes.
    ("main", &["telemetry", "config", "cli", "app", "commands", "run", "serve", "lambda"]),
    ("lib", &[]),
];

/// Crates that do I/O or bring a runtime, by the start of their name; and who may name them.
const IO_CRATES: [&str; 4] = ["aws_", "reqwest", "tokio", "axum"];
const MAY_DO_IO: [&str; 13] = [
    "http",
    "registry",
    "aws",
    "store",
    "webhook",
    "inventory",
    "notify",
    "app",
    "run",
    "serve",
    "lambda",
    "main",
    "telemetry",
];

/// A command that may do I/O itself.
const DEMO: [&str; 2] = ["commands", "demo"];

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

/// The paths of a `use` declaration from `tokens[place]` on, without the keyword and aliases, and the position after it.
fn use_paths(tokens: &[String], mut place: usize) -> (Vec<Vec<String>>, usize) {
    let at = |place: usize| tokens.get(place).map_or("", String::as_str);
    let mut path = Vec::new();
    loop {
        match at(place) {
            "{" => {
                let mut paths = Vec::new();
                place += 1;
                while !matches!(at(place), "}" | "") {
                    let (inner, end) = use_paths(tokens, place);
                    paths.extend(inner.into_iter().map(|inner| [path.as_slice(), inner.as_slice()].concat()));
                    place = if at(end) == "," { end + 1 } else { end };
                }
                return (paths, place + 1);
            }
            name => path.push(name.to_owned()),
        }
        match (at(place + 1), at(place + 2)) {
            ("::", _) => place += 2,
            ("as", _) => return (vec![path], place + 3),
            _ => return (vec![path], place + 1),
        }
    }
}

/// The paths that a source names, from the crate's root on: of its `use` declarations, and in its code.
struct NamedPaths {
    /// By `use` declarations.
    used: Vec<Vec<String>>,
    in_code: Vec<Vec<String>>,
}

impl NamedPaths {
    fn new(source: &Source, modules: &BTreeSet<Vec<String>>) -> Self {
        let tokens = tokens(source.code());
        let (mut used, mut in_code) = (Vec::new(), Vec::new());
        let mut place = 0;
        while place < tokens.len() {
            let is_start = place == 0 || tokens[place - 1] != "::";
            let (paths, end, list) = match tokens[place].as_str() {
                "use" => {
                    let (paths, end) = use_paths(&tokens, place + 1);
                    (paths, end, &mut used)
                }
                _ if is_start && tokens.get(place + 1).is_some_and(|next| next == "::") => {
                    let names = tokens[place..].iter().step_by(2);
                    let count = tokens[place + 1..].iter().step_by(2).take_while(|token| *token == "::").count() + 1;
                    (vec![names.take(count).cloned().collect()], place + 2 * count - 1, &mut in_code)
                }
                _ => (Vec::new(), place + 1, &mut in_code),
            };
            list.extend(paths.into_iter().filter_map(|path| absolute(source, &path, modules)));
            place = end;
        }
        Self { used, in_code }
    }
}

/// `path` in `source`, from the crate's root on; `None` if it leads to another crate.
fn absolute(source: &Source, path: &[String], modules: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let here = &source.module[..source.depth()];
    let first = path.first()?;
    let base: &[String] = match first.as_str() {
        "crate" => &[],
        "self" => here,
        "super" => &here[..here.len().checked_sub(supers)?],
        _ if modules.contains(&[here, std::slice::from_ref(first)].concat()) => here,
        _ => return None,
    };
    let rest = path.iter().filter(|name| !matches!(name.as_str(), "crate" | "self" | "super"));
    Some(base.iter().chain(rest).cloned().collect())
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

/// The module that defines `path`, through the re-exports of the folders on the way.
fn defining_module(
    path: &[String],
    modules: &BTreeSet<Vec<String>>,
    re_exports: &BTreeMap<Vec<String>, Vec<String>>,
) -> Vec<String> {
    let depth = (0..=path.len()).rev().find(|depth| modules.contains(&path[..*depth])).unwrap_or_default();
    match path.get(..=depth).and_then(|item| re_exports.get(item)) {
        Some(item) if !path.starts_with(item) => {
            defining_module(&[item.as_slice(), &path[depth + 1..]].concat(), modules, re_exports)
        }
        _ => path[..depth].to_vec(),
    }
}

/// The edges between the direct children of each folder: files and folders. What a folder's `mod.rs` defines belongs to
/// all of them, so it is no child.
fn edges_between_siblings(sources: &[Source]) -> BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> {
    let modules: BTreeSet<_> = sources.iter().map(|source| source.module[..source.depth()].to_vec()).collect();
    let named: Vec<_> = sources.iter().map(|source| (source, NamedPaths::new(source, &modules))).collect();
    let mut re_exports = BTreeMap::new();
    for (source, paths) in named.iter().filter(|(source, _)| source.path.ends_with("mod.rs")) {
        for path in &paths.used {
            let name = path.last().cloned();
            re_exports.insert(source.module.iter().cloned().chain(name).collect(), path.clone());
        }
    }
    let mut edges = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
    for (source, paths) in &named {
        for path in paths.used.iter().chain(&paths.in_code) {
            let target = defining_module(path, &modules, &re_exports);
            let shared = source.module.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (source.module.get(shared), target.get(shared)) {
                let folder = edges.entry(target[..shared].to_vec()).or_default();
                folder.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    edges
}

/// The circles among `edges`: each a set of names that lead to each other.
fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<BTreeSet<&str>> {
    let reachable = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(next) = open.pop() {
            let further = edges.get(next).into_iter().flatten().map(String::as_str);
            open.extend(further.filter(|name| reached.insert(*name)).collect::<Vec<_>>());
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|from| (from.as_str(), reachable(from))).collect();
    let circle = |from: &&str| -> BTreeSet<&str> {
        let to = &reached[from];
        to.iter().copied().filter(|name| reached.get(name).is_some_and(|back| back.contains(from))).collect()
    };
    reached.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn no_files_of_a_folder_import_each_other_in_a_circle() {
    let edges = edges_between_siblings(&sources());
    let of_report = &edges[&["report".to_owned()][..]];
    assert!(of_report["format"].contains("finding"), "the edges were not found: {of_report:?}");
    let mut wrong = Vec::new();
    for (folder, edges) in &edges {
        wrong.extend(circles(edges).into_iter().map(|circle| format!("{}: {circle:?}", folder.join("/"))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn circles_are_found_through_re_exports_and_paths() {
    let source = |path: &str, text: &str| {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').map(str::to_owned).collect();
        Source { path: PathBuf::from(path), module, text: text.to_owned() }
    };
    let found = |one: &str, two: &str| {
        let folder = "mod one;\nmod two;\npub use self::{one::One, two::Two};\npub struct Shared;";
        let sources = [source("a/mod.rs", folder), source("a/one.rs", one), source("a/two.rs", two)];
        edges_between_siblings(&sources).values().map(|edges| circles(edges).len()).sum::<usize>()
    };
    let table = [
        ("use super::Shared;", "use super::{One, Shared};", 0),
        ("use super::two;", "use super::One;", 1),
        ("fn f() { crate::a::two::f() }", "use crate::a::{self, One};", 1),
        ("use super::two::{self, g};", "fn f() -> super::one::One {}", 1),
        ("// use super::two;\nuse std::two;", "use super::One;", 0),
    ];
    for (one, two, count) in table {
        assert_eq!(found(one, two), count, "{one} | {two}");
    }
}

#[test]
fn only_adapters_and_entry_points_use_io_crates() {
    let mut wrong = Vec::new();
    // The registry and the AWS account of the demo are servers.
    let may =
        |source: &Source| MAY_DO_IO.contains(&source.top()) || source.module.starts_with(&DEMO.map(str::to_owned));
    for source in sources().iter().filter(|source| !may(source)) {
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
    for folder in
        ["src", "tests", "benches", "testbed"].map(|folder| root().join(folder)).iter().filter(|folder| folder.is_dir())
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
