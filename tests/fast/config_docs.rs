//! Checks the schema, the example and the reference page of the configuration against the raw structs.
//! `UPDATE_SCHEMA=1` writes the schema and the page.
#![expect(clippy::panic, reason = "what steps of tests share fails as tests do")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use basewatch::config::{EXAMPLE, schema, variables};
use serde_json::Value;

/// The root of the repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_schema_is_up_to_date() {
    let generated = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    assert_up_to_date("schema/config.schema.json", &generated);
}

#[test]
fn the_reference_page_is_up_to_date() {
    assert_up_to_date("docs/configuration.md", &reference());
}

#[test]
fn the_example_is_valid_as_it_is_and_with_all_keys_uncommented() {
    let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
    for text in [EXAMPLE.to_owned(), switched_on(EXAMPLE)] {
        let instance: Value = toml::from_str(&text).expect("TOML");
        let errors: Vec<_> = validator.iter_errors(&instance).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let unknown: Value = toml::from_str("[policy]\nmaxage = \"1d\"").expect("TOML");
    assert!(!validator.is_valid(&unknown));
}

#[test]
fn the_example_shows_every_key() {
    let example: Value = toml::from_str(&switched_on(EXAMPLE)).expect("TOML");
    let mut shown = Vec::new();
    paths(&example, "", &mut shown);
    // The example shows severities in `[policy.severity]`, and secrets in `password`.
    let elsewhere = [
        "policy.override.severity.",
        "accounts.external_id.",
        "serve.token.",
        "serve.write_token.",
        "watch.heartbeat",
        "notify.email.password.",
    ];
    for key in keys().iter().filter(|key| !elsewhere.iter().any(|start| key.path.starts_with(start))) {
        assert!(shown.contains(&key.path), "{} is not in config/basewatch.toml", key.path);
    }
}

#[test]
fn the_example_begins_with_the_schema_for_editors_and_then_the_inventory() {
    let cargo: Value =
        toml::from_str(&fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("Cargo.toml")).expect("TOML");
    let repository = cargo["package"]["repository"].as_str().expect("a repository");
    let raw = repository.replace("https://github.com/", "https://raw.githubusercontent.com/");
    assert_eq!(EXAMPLE.lines().next(), Some(&*format!("#:schema {raw}/main/schema/config.schema.json")));
    let tables = EXAMPLE.lines().filter_map(|line| line.strip_prefix('[')?.split([']', '.']).next());
    let mut order: Vec<_> = tables.collect();
    order.dedup();
    let expected = [
        "inventory",
        "owners",
        "policy",
        "identify",
        "retention",
        "notify",
        "watch",
        "rebuilds",
        "serve",
        "catalog",
        "network",
    ];
    assert_eq!(order, expected);
}

#[test]
fn every_key_is_explained() {
    for key in keys() {
        assert!(!key.description.is_empty(), "{} has no doc comment", key.path);
    }
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_example() {
    let example: Value = toml::from_str(EXAMPLE).expect("TOML");
    let shown = keys().into_iter().filter_map(|key| {
        let pointer = format!("/{}", key.path.replace('.', "/"));
        Some((key.default?, example.pointer(&pointer)?.clone(), key.path))
    });
    let shown: Vec<_> = shown.collect();
    assert!(shown.len() > 15, "only {} defaults were compared", shown.len());
    for (default, written, path) in shown {
        assert_eq!(default, written, "{path}");
    }
}

fn assert_up_to_date(path: &str, generated: &str) {
    let file = Path::new(ROOT).join(path);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&file, generated).expect("a writable repository");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == generated, "{path} is out of date: UPDATE_SCHEMA=1 cargo nextest run --test fast config_docs");
}

/// One key of the schema.
struct Key {
    /// Dotted path without indices, with `HOST` for the host of a registry: `registry.HOST.rate`.
    path: String,
    kind: String,
    description: String,
    default: Option<Value>,
    is_required: bool,
}

fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    for_each_table(&mut |path, _, table| keys.extend(keys_of(path, table)));
    keys
}

fn keys_of(path: &str, table: &Value) -> Vec<Key> {
    let schema = schema();
    let required: Vec<_> = table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = table["properties"].as_object().into_iter().flatten();
    let leaves = properties.filter(|(_, property)| table_in(&schema, property).is_none());
    leaves
        .map(|(name, property)| Key {
            path: if path.is_empty() { name.clone() } else { format!("{path}.{name}") },
            kind: kind(&schema, property),
            description: text(&property["description"]),
            default: property.get("default").cloned(),
            is_required: required.contains(&name.as_str()),
        })
        .collect()
}

/// Calls `visit` with the path, heading and schema of each table, in the order of the schema. A table type that several
/// keys share is visited once for each.
fn for_each_table(visit: &mut dyn FnMut(&str, &str, &Value)) {
    let schema = schema();
    walk(&schema, &schema, "", "", visit);
}

fn walk(schema: &Value, table: &Value, path: &str, heading: &str, visit: &mut dyn FnMut(&str, &str, &Value)) {
    visit(path, heading, table);
    for (name, property) in table["properties"].as_object().into_iter().flatten() {
        let Some((form, inner)) = table_in(schema, property) else { continue };
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (below, heading) = match form {
            Form::Table => (below.clone(), format!("[{below}]")),
            Form::List => (below.clone(), format!("[[{below}]]")),
            Form::Map => (format!("{below}.HOST"), format!("[{below}.\"HOST\"]")),
        };
        walk(schema, inner, &below, &heading, visit);
    }
}

enum Form {
    Table,
    List,
    Map,
}

/// The table schema of `property`, if it is a table, a list of tables or a map of tables.
fn table_in<'a>(schema: &'a Value, property: &'a Value) -> Option<(Form, &'a Value)> {
    let target = target(schema, property);
    let is_table = |value: &Value| value["properties"].is_object();
    let items = self::target(schema, &target["items"]);
    let values = self::target(schema, &target["additionalProperties"]);
    match () {
        () if is_table(target) => Some((Form::Table, target)),
        () if is_table(items) => Some((Form::List, items)),
        () if is_table(values) => Some((Form::Map, values)),
        () => None,
    }
}

fn target<'a>(schema: &'a Value, property: &'a Value) -> &'a Value {
    match property["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        Some(name) => &schema["$defs"][name],
        None => property,
    }
}

/// The type of a key, for the reference page.
fn kind(schema: &Value, property: &Value) -> String {
    let target = target(schema, property);
    if let Some(variants) = target["anyOf"].as_array() {
        let is_secret = |variant: &Value| is_secret(self::target(schema, variant));
        let kinds =
            variants.iter().map(|variant| if is_secret(variant) { "secret".to_owned() } else { kind(schema, variant) });
        return kinds.collect::<Vec<_>>().join(" or ");
    }
    let words = target["enum"].as_array().into_iter().flatten();
    let documented = target["oneOf"].as_array().into_iter().flatten().map(|one| &one["const"]);
    let words: Vec<_> = words.chain(documented).filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
    let limits = match (target["minimum"].as_f64(), target["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        _ => String::new(),
    };
    match target["type"].as_str() {
        _ if !words.is_empty() => words.join(", "),
        Some("string") if target["format"] == "date" => "date".to_owned(),
        Some("string") if target["title"].is_string() => "duration".to_owned(),
        Some("string") => "string".to_owned(),
        Some("array") => "list of strings".to_owned(),
        Some("integer") => format!("integer{limits}"),
        Some("number") => format!("number{limits}"),
        Some("boolean") => "boolean".to_owned(),
        Some("object") => match self::kind(schema, &target["additionalProperties"]).as_str() {
            "string" => "map of strings".to_owned(),
            other => format!("map of {other}"),
        },
        other => panic!("{other:?} in {target}"),
    }
}

fn text(description: &Value) -> String {
    description.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `table` is a reference to a secret, which the introduction describes.
fn is_secret(table: &Value) -> bool {
    table["properties"]["env"].is_object() && table["properties"]["file"].is_object()
}

/// The content of `docs/configuration.md`.
fn reference() -> String {
    let variables: BTreeMap<String, String> =
        variables().into_iter().map(|(name, path)| (path.to_string(), name)).collect();
    let (mut page, schema) = (INTRODUCTION.to_owned(), schema());
    for_each_table(&mut |path, heading, table| {
        let keys = keys_of(path, table);
        // Secrets have one section for all, and the severities of an override are those of the policy.
        if path.ends_with(".override.severity") || is_secret(table) {
            return;
        }
        let secrets = table["properties"].as_object().into_iter().flatten();
        let secrets: Vec<_> = secrets
            .filter(|(_, property)| is_secret(target(&schema, property)))
            .map(|(name, property)| (name, text(&property["description"])))
            .collect();
        if keys.is_empty() && secrets.is_empty() {
            return;
        }
        let title = if heading.is_empty() { "Top level".to_owned() } else { format!("`{heading}`") };
        write!(page, "\n## {title}\n\n{}\n\n", text(&table["description"])).expect("a string");
        page += "| Key | Type | Default | Description |\n|---|---|---|---|\n";
        for key in keys {
            let name = key.path.rsplit('.').next().expect("a name");
            let default = match &key.default {
                Some(default) => format!("`{default}`"),
                None if key.is_required => "required".to_owned(),
                None => String::new(),
            };
            let variable = variables.get(&key.path).map(|name| format!(" `{name}`")).unwrap_or_default();
            writeln!(page, "| `{name}` | {} | {default} | {}{variable} |", key.kind, key.description)
                .expect("a string");
        }
        for (name, description) in secrets {
            writeln!(page, "| `{name}` | secret |  | {description} |").expect("a string");
        }
    });
    page
}

const INTRODUCTION: &str = "\
<!-- Generated from the doc comments in src/config: UPDATE_SCHEMA=1 cargo nextest run --test fast config_docs -->
# Configuration

basewatch reads a TOML file, then `BASEWATCH_…` environment variables, then command-line flags; later values override
earlier ones. The file is `--config`, else `BASEWATCH_CONFIG`, else `basewatch.toml` in the working folder, else
`basewatch/basewatch.toml` in `$XDG_CONFIG_HOME` or `~/.config`. Without a file, the defaults apply.
`basewatch config init` writes a commented example. `basewatch config check` reports all errors of a file, or what it
would audit; [`--online`](cli.md#checking-a-configuration-online) also tries what the file names.

- **Durations** are an integer and `s`, `m`, `h`, `d` or `w`: `\"14d\"`.
- **Dates** are written `\"2027-01-31\"`, with or without quotes. They last until midnight UTC.
- **Patterns** match the whole value: `*` matches any characters including `/`, `?` one character, `[…]` and `{a,b}` as
in a shell. A missing pattern matches everything.
- **References** need a registry and a tag or digest; `latest` is never assumed.
- **Relative paths** are relative to the file that contains them; in a variable or flag, to the working folder.
- **Environment variables** are listed with the keys that they set. Separate list elements with commas. An unknown
variable that starts with `BASEWATCH_` is an error. `BASEWATCH_LOG` is the log filter (`info`, `warn,basewatch=debug`),
and `BASEWATCH_LOG_FORMAT=json` writes log lines as JSON.
- **Secrets** are references: `{ env = \"HOOK_SECRET\" }`, `{ file = \"./hook-secret\" }`, or, except for `external_id`, the
`password` of a registry and the `url` of a rebuild, `{ secretsmanager = \"ARN\" }` for AWS Secrets Manager. Append `#KEY`
to the ARN for one key of a JSON secret. Leading and trailing white space is removed; other control characters are an
error. Names of secret variables must not start with `BASEWATCH_`.
";

/// The dotted paths of all keys in `value`, as [`Key::path`] has them.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let name = if path == "registry" { "HOST" } else { name };
                let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                found.push(below.clone());
                paths(value, &below, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| paths(value, path, found)),
        _ => {}
    }
}

/// The example with all keys and tables uncommented.
fn switched_on(example: &str) -> String {
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', ':']) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}
