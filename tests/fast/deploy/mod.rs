//! The templates in `deploy/` match basewatch: permissions, metrics, fields, commands and configurations.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

mod grafana;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use basewatch::{
    cli::Cli,
    config::{CliOverrides, EnvironmentVariables, load},
    serve::openapi,
};
use clap::Parser as _;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder with this extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|is| is == extension) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

// ---- Permissions ---------------------------------------------------------------------------------------------

/// The actions in a text, such as `ecr:DescribeImages`, without condition keys of the same form.
fn actions(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || ":-*".contains(c)));
    let action = |word: &&str| {
        word.split_once(':').is_some_and(|(service, operation)| {
            let is_service =
                service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            let is_operation = operation.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'*');
            is_service
                && is_operation
                && !service.is_empty()
                && !["aws:", "iam:PassedTo"].iter().any(|key| word.starts_with(key))
                && !operation.contains(':')
        })
    };
    words.filter(action).map(str::to_owned).collect()
}

/// Actions of a role of basewatch beyond reading: the store, the topic, and those for optional configuration.
const REMEMBERING: [&str; 7] = [
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:DeleteObject",
    "sns:Publish",
    "secretsmanager:GetSecretValue",
    "sts:AssumeRole",
];

#[test]
fn the_terraform_modules_use_the_generated_policy() {
    let copy = text("deploy/terraform/foundation/audit-policy.json");
    assert!(
        copy == text("config/iam-policy.json"),
        "cp config/iam-policy.json deploy/terraform/foundation/audit-policy.json"
    );
}

#[test]
fn templates_allow_the_required_actions_only() {
    let of_key = ["kms:*", "kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"];
    let uses_key = ["kms:Decrypt", "kms:GenerateDataKey", "organizations:ListAccounts"];
    let denied = ["s3:*"];
    let function = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", "lambda:InvokeFunction"];
    let task = [
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",
        "kms:Decrypt",
        "sts:AssumeRole",
    ];
    let shipped: Vec<_> = actions(&text("config/iam-policy.json")).into_iter().collect();
    let shipped: Vec<_> = shipped.iter().map(String::as_str).collect();
    let table: [(&str, Vec<&[&str]>); 7] = [
        ("deploy/cloudformation/lambda.yaml", vec![&shipped, &REMEMBERING, &of_key, &uses_key, &denied, &function]),
        ("deploy/terraform/foundation/main.tf", vec![&REMEMBERING, &of_key, &uses_key, &denied]),
        ("deploy/terraform/lambda/main.tf", vec![&function, &["sts:AssumeRole"]]),
        ("deploy/terraform/task/main.tf", vec![&task]),
        ("deploy/terraform/ecs-task/main.tf", vec![&["ecs:RunTask", "iam:PassRole"]]),
        ("deploy/terraform/schedule/main.tf", vec![&["sqs:SendMessage", "sts:AssumeRole"]]),
        ("deploy/terraform/ecs-service/main.tf", vec![]),
    ];
    for (file, expected) in table {
        let expected: BTreeSet<_> = expected.into_iter().flatten().map(|action| (*action).to_owned()).collect();
        // Comments on skipped checks are not permissions.
        let is_checked = |line: &&str| !line.contains("checkov:skip") && !line.contains("comment:");
        let found = text(file).lines().filter(is_checked).flat_map(actions).collect::<BTreeSet<_>>();
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn iam_actions_are_recognized_in_templates() {
    let text = "Type: AWS::IAM::Role, arn:aws:ecr:*:*:x, \"aws:SecureTransport\", [s3:GetObject, \"kms:*\"] s3:prefix";
    assert_eq!(actions(text).into_iter().collect::<Vec<_>>(), ["kms:*", "s3:GetObject"]);
}

#[test]
fn templates_restrict_role_assumption_and_store_listing() {
    let (template, module) = (text("deploy/cloudformation/lambda.yaml"), text("deploy/terraform/foundation/main.tf"));
    for (text, accounts) in
        [(&template, "\"aws:ResourceAccount\": !Ref AuditAccountIds"), (&module, "iam::${id}:role/")]
    {
        assert!(text.contains(accounts), "{accounts}");
        assert_eq!(text.matches("iam::*:role/").count(), text.matches("aws:ResourceOrgID").count());
        assert!(!text.contains("s3:prefix"), "see docs/store.md");
    }
}

#[test]
fn every_role_accepts_a_permissions_boundary() {
    let mut roles = 0;
    let mut check = |text: &str, begin: &str, end: &str, boundary: &str| {
        for role in text.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap()) {
            assert!(role.contains(boundary), "{role}");
            roles += 1;
        }
    };
    let template = text("deploy/cloudformation/lambda.yaml");
    check(&template, "Type: AWS::IAM::Role\n", "\n\n", "PermissionsBoundary: !If [HasBoundary");
    for file in files("deploy/terraform", "tf") {
        let module = fs::read_to_string(file).unwrap();
        check(&module, "resource \"aws_iam_role\" ", "\n}\n", "permissions_boundary = var.permissions_boundary");
    }
    assert_eq!(roles, 6);
}

// ---- Metrics -------------------------------------------------------------------------------------------------

/// The Prometheus metrics of `serve` that the sources register.
fn prometheus_metrics() -> BTreeSet<String> {
    let source = text("src/serve/metrics.rs");
    let counters: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_suffix("Counter>,")?.split_once(':'))
        .map(|(field, _)| field.to_owned())
        .collect();
    let registered = source.split("registry.register(").skip(1).map(|rest| {
        let name = rest.split('"').nth(1).unwrap();
        let call = rest.split(';').next().unwrap();
        let field = call.split("self.").nth(1).map(|rest| rest.split('.').next().unwrap());
        let ending = match field {
            Some(field) if counters.contains(field) => "_total",
            None => "_info",
            Some(_) => "",
        };
        format!("basewatch_{name}{ending}")
    });
    registered.collect()
}

/// The CloudWatch metrics of the Lambda function in the sources.
fn cloudwatch_metrics() -> BTreeSet<String> {
    let is_name = |word: &&str| {
        word.len() > 2
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && word.bytes().any(|byte| byte.is_ascii_lowercase())
    };
    let sources = ["metrics.rs", "handler.rs", "image_push.rs", "direct.rs"];
    let sources = sources.map(|name| text(&format!("src/lambda/{name}")));
    let quoted = sources
        .iter()
        .flat_map(|source| source.split("#[cfg(test)]").next().unwrap().split('"').skip(1).step_by(2).filter(is_name));
    let no_metrics = ["Count", "Milliseconds", "None", "FunctionName", "Namespace", "Dimensions", "Metrics", "Name"];
    let others = ["Unit", "Timestamp", "CloudWatchMetrics"];
    quoted.filter(|word| !no_metrics.contains(word) && !others.contains(word)).map(str::to_owned).collect()
}

#[test]
fn the_metrics_are_found_in_the_sources() {
    let metrics = prometheus_metrics();
    for name in [
        "basewatch_build_info",
        "basewatch_deployments",
        "basewatch_runs_total",
        "basewatch_http_requests_total",
        "basewatch_last_run_timestamp_seconds",
    ] {
        assert!(metrics.contains(name), "{name} is not among {metrics:?}");
    }
    let metrics = cloudwatch_metrics();
    for name in ["Deployments", "OutOfDate", "BaseAgeP90Days", "RunSucceeded", "RunDuration", "Requests"] {
        assert!(metrics.contains(name), "{name} is not among {metrics:?}");
    }
}

/// Every string in a document.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

/// The values of `key` at any depth.
fn values_of(document: &Value, key: &str) -> BTreeSet<String> {
    match document {
        Value::Array(values) => values.iter().flat_map(|value| values_of(value, key)).collect(),
        Value::Object(fields) => {
            let here = fields.get(key).and_then(Value::as_str).map(str::to_owned);
            here.into_iter().chain(fields.values().flat_map(|value| values_of(value, key))).collect()
        }
        _ => BTreeSet::new(),
    }
}

fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(prefix)).map(str::to_owned).collect()
}

#[test]
fn dashboards_and_alarms_use_existing_metrics() {
    let mut queries = Vec::new();
    strings(&json("deploy/grafana/prometheus.json"), &mut queries);
    let used: BTreeSet<_> = queries.iter().flat_map(|query| words(query, "basewatch_")).collect();
    assert_eq!(used, prometheus_metrics(), "those of the dashboard, and those of serve");
    let used = values_of(&json("deploy/grafana/cloudwatch.json"), "metricName");
    let unknown: Vec<_> = used.difference(&cloudwatch_metrics()).cloned().collect();
    assert!(unknown.is_empty() && used.len() > 15, "{unknown:?} of {used:?}");
    let named = |files: &[&str], key: &str| -> BTreeSet<String> {
        let lines = files.iter().map(|file| text(file)).collect::<String>();
        let named = lines.lines().filter_map(|line| line.trim().strip_prefix(key));
        // The shared module takes its metric from a variable.
        let named = named.map(|name| name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned());
        named.filter(|name| !name.starts_with("var.")).collect()
    };
    let expected =
        BTreeSet::from(["ApproximateNumberOfMessagesVisible", "RunFailed", "RunSucceeded"].map(str::to_owned));
    assert_eq!(named(&["deploy/cloudformation/lambda.yaml"], "MetricName: "), expected);
    let modules = ["deploy/terraform/lambda/main.tf", "deploy/terraform/schedule/main.tf"];
    assert_eq!(named(&modules, "metric_name "), expected);
    for name in ["RunFailed", "RunSucceeded"] {
        assert!(cloudwatch_metrics().contains(name), "{name}");
    }
}

#[test]
fn dashboards_have_unique_panels_and_a_selectable_data_source() {
    let mut uids = BTreeSet::new();
    for file in files("deploy/grafana", "json") {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let file = file.display();
        assert!(uids.insert(dashboard["uid"].to_string()), "{file}: its uid is that of another");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let source = variables.iter().find(|variable| variable["name"] == "datasource").unwrap();
        assert_eq!(source["type"], "datasource", "{file}");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeMap::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {} has the id of another", panel["title"]);
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                assert!(x < 24, "{file}: {} is too wide", panel["title"]);
                let other = taken.insert((x, y), panel["title"].clone());
                assert_eq!(other, None, "{file}: {} lies over it", panel["title"]);
            }
            let targets = panel["targets"].as_array().into_iter().flatten();
            let sources = targets.map(|target| &target["datasource"]).chain(panel.get("datasource"));
            assert!(sources.into_iter().all(|source| source["uid"] == "${datasource}"), "{file}: {}", panel["title"]);
        }
    }
    assert_eq!(uids.len(), 3);
}

/// The schema of the field at `path` below `schema`, including items of lists.
fn field<'a>(document: &'a Value, mut schema: &'a Value, path: &str) -> Option<&'a Value> {
    for name in path.split('.').filter(|name| !name.is_empty()) {
        schema = &of_object(document, schema)?["properties"][name];
    }
    (!schema.is_null()).then_some(schema)
}

/// The object schema behind references, lists and nullable types.
fn of_object<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return of_object(document, document.pointer(reference.strip_prefix('#')?)?);
    }
    if schema.get("items").is_some() {
        return of_object(document, &schema["items"]);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().find_map(|choice| of_object(document, choice));
    }
    schema.get("properties").map(|_| schema)
}

#[test]
fn the_api_dashboard_queries_existing_fields() {
    let api = openapi::document();
    let dashboard = json("deploy/grafana/json.json");
    let mut checked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let path = target["url"].as_str().unwrap().strip_prefix("${url}").unwrap();
            let operation = &api["paths"][path]["get"];
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for parameter in target["url_options"]["params"].as_array().into_iter().flatten() {
                assert!(parameters.iter().any(|known| known["name"] == parameter["key"]), "{path}: {parameter}");
            }
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            let root = target["root_selector"].as_str().unwrap();
            let below = field(&api, schema, root).unwrap_or_else(|| panic!("{path} has no {root}"));
            for column in target["columns"].as_array().unwrap() {
                let selector = column["selector"].as_str().unwrap();
                // Counts by verdict are a map.
                let selector = selector.strip_prefix("by_verdict.").map_or(selector, |_| "by_verdict");
                let is_there = root.ends_with("by_verdict") || field(&api, below, selector).is_some();
                assert!(is_there, "{path}: {root} has no {selector}");
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "only {checked} fields");
}

// ---- Pages ----------------------------------------------------------------------------------------------------

/// The fenced blocks of a page in `language`.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n"))).map(str::to_owned).collect()
}

/// The arguments of each basewatch command in a script, directly or in a container.
fn calls(script: &str) -> Vec<Vec<String>> {
    let lines = script.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in lines.lines() {
        let words: Vec<_> = line.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
        let is_image = |word: &&str| ["$BASEWATCH", "$IMAGE", "$IMAGE_URI"].contains(word);
        let start = match words.iter().position(|word| *word == "docker") {
            Some(at) if words.get(at + 1) == Some(&"run") => words.iter().position(is_image).map(|at| at + 1),
            Some(_) => None,
            None => words.iter().position(|word| word.ends_with("/basewatch") || *word == "basewatch").map(|at| at + 1),
        };
        let is_command =
            |word: &str| ["audit", "run", "serve", "config", "explain", "base", "notify", "alerts"].contains(&word);
        let Some(start) = start.filter(|start| words.get(*start).is_some_and(|word| is_command(word))) else {
            continue;
        };
        let is_argument = |word: &&&str| !["|", ">", ">>", "||", "&&", "#", ";"].contains(*word);
        found.push(words[start..].iter().take_while(is_argument).map(|word| (*word).to_owned()).collect());
    }
    found
}

#[test]
fn commands_in_templates_exist() {
    let mut scripts = vec![("audit.yml".to_owned(), text("deploy/github-actions/audit.yml"))];
    scripts.push(("basewatch.service".to_owned(), text("deploy/systemd/basewatch.service").replace("ExecStart=", "")));
    for page in files("docs/deploy", "md") {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        scripts
            .extend(blocks(&fs::read_to_string(&page).unwrap(), "bash").into_iter().map(|block| (name.clone(), block)));
    }
    let mut checked = 0;
    for (name, script) in scripts {
        for arguments in calls(&script) {
            let values = arguments.iter().map(|word| word.replace("$FAIL_ON", "stale"));
            let parsed = Cli::try_parse_from(["basewatch".to_owned()].into_iter().chain(values));
            assert!(parsed.is_ok(), "{name}: {arguments:?}: {}", parsed.unwrap_err());
            checked += 1;
        }
    }
    assert!(checked > 6, "only {checked} commands were found");
}

#[test]
fn configurations_in_the_pages_are_valid() {
    let mut checked = 0;
    for page in files("docs/deploy", "md") {
        for block in blocks(&fs::read_to_string(&page).unwrap(), "toml") {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("basewatch.toml"), &block).unwrap();
            let variables = [
                ("BASEWATCH_STORE", "s3://basewatch-0123/store"),
                ("DASHBOARD_TOKEN", "0123456789abcdef0123456789abcdef"),
            ];
            let environment: EnvironmentVariables =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            if let Err(problems) = load(&CliOverrides::default(), &environment, folder.path()) {
                panic!("{}: {problems}\n{block}", page.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked} configurations were found");
}

#[test]
fn the_systemd_service_uses_existing_variables() {
    let service = text("deploy/terraform/ecs-service/main.tf");
    let variables = words(&service, "BASEWATCH_");
    assert_eq!(variables.len(), 4, "{variables:?}");
    let value = |name: &str| match name {
        "BASEWATCH_SERVE__LISTEN" => "0.0.0.0:8080",
        "BASEWATCH_SERVE__SCHEDULE" => "0 6 * * *",
        "BASEWATCH_TIME_ZONE" => "UTC",
        "BASEWATCH_SERVE__TOKEN__ENV" => "DASHBOARD_TOKEN",
        other => panic!("{other}: which value?"),
    };
    let token = ("DASHBOARD_TOKEN".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    let environment: EnvironmentVariables =
        variables.iter().map(|name| (name.clone(), value(name).to_owned())).chain([token]).collect();
    let folder = tempfile::tempdir().unwrap();
    let settings = load(&CliOverrides::default(), &environment, folder.path()).unwrap().settings.serve;
    assert!(settings.token.is_some() && !settings.listen.ip().is_loopback());
    let stops = text("deploy/terraform/task/main.tf");
    let patience = stops.lines().find_map(|line| line.trim().strip_prefix("stopTimeout = ")).unwrap();
    // A shutdown takes up to 25 seconds.
    assert!(patience.parse::<u32>().unwrap() >= 30, "it is killed before it has stopped");
}

#[test]
fn third_party_actions_are_pinned_by_commit() {
    let own = format!("basewatch/basewatch@v{}", env!("CARGO_PKG_VERSION"));
    for file in files("deploy/github-actions", "yml").into_iter().chain(files(".github/workflows", "yml")) {
        let workflow = fs::read_to_string(&file).unwrap();
        let used: Vec<_> =
            workflow.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")).collect();
        assert!(!used.is_empty());
        for action in used.into_iter().filter(|action| *action != own && !action.starts_with("$/")) {
            let (pinned, version) =
                action.split_once(" # v").unwrap_or_else(|| panic!("{action}: which version is it?"));
            let (_, commit) = pinned.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
            assert!(version.split('.').count() == 3, "{action}");
        }
    }
}

#[test]
fn every_parameter_and_file_is_documented() {
    let page = text("docs/deploy/lambda.md");
    let template = text("deploy/cloudformation/lambda.yaml");
    let (_, rest) = template.split_once("\nParameters:\n").unwrap();
    let section = rest.split("\n\n").next().unwrap();
    let names = section
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with(' '));
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/deploy/lambda.md does not describe {name}");
    }
    let pages: String = files("docs/deploy", "md").iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    for extension in ["yaml", "yml", "json", "service", "timer"] {
        for file in files("deploy", extension) {
            let name = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            let is_inside = name == "deploy/terraform/foundation/audit-policy.json";
            assert!(is_inside || pages.contains(&name), "no page describes {name}");
        }
    }
    for module in ["lambda", "ecs-task", "ecs-service"] {
        assert!(pages.contains(&format!("deploy/terraform/{module}")), "no page describes {module}");
    }
}
