//! The command line: help, exit codes, configuration commands, completions, pipes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use tempfile::TempDir;

/// The program in an empty folder, without the environment variables of the tests.
fn basewatch(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || text.starts_with("BASEWATCH_") || text.starts_with("XDG_") {
            command.env_remove(&name);
        }
    }
    for name in ["NO_COLOR", "COLUMNS", "LINES"] {
        command.env_remove(name);
    }
    command.env("HOME", folder).current_dir(folder).stdin(Stdio::null());
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn run(folder: &Path, args: &[&str]) -> Output {
    basewatch(folder).args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Standard output of a run that must succeed.
fn stdout(args: &[&str]) -> String {
    let output = run(folder().path(), args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of a run that cannot start and prints nothing.
fn refusal(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "", "{args:?}");
    text(&output.stderr)
}

#[test]
fn help_texts_match_their_snapshots() {
    for command in
        ["audit", "base", "stamp", "explain", "catalog", "demo", "convert", "config", "completions", "man", "version"]
    {
        insta::assert_snapshot!(format!("help_{command}"), stdout(&[command, "--help"]));
    }
    insta::assert_snapshot!("help", stdout(&["--help"]));
    for command in ["build", "update", "stats", "keygen", "verify", "import", "export"] {
        insta::assert_snapshot!(format!("help_catalog_{command}"), stdout(&["catalog", command, "--help"]));
    }
    insta::assert_snapshot!("help_config_check", stdout(&["config", "check", "--help"]));
    insta::assert_snapshot!("help_config_init", stdout(&["config", "init", "--help"]));
    insta::assert_snapshot!("help_config_iam", stdout(&["config", "iam", "--help"]));
    assert_eq!(stdout(&["--version"]), format!("basewatch {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn usage_errors_exit_with_2_and_a_hint() {
    let here = folder();
    for (args, hint) in [
        (vec![], "Usage: basewatch"),
        (vec!["audti"], "audit"),
        (vec!["audit", "python:3.12"], "name the registry first"),
        (vec!["audit", "public.ecr.aws/lambda/python"], "add a tag"),
        (vec!["audit", "oci:"], "oci:DIR"),
        (vec!["audit", "oci:./nope"], "there is no folder ./nope: an OCI image layout is a folder with index.json"),
        (vec!["audit", "oci:.:v1"], ". has no index.json: an OCI image layout is a folder with"),
        (vec!["explain", "oci:./nope"], "there is no folder ./nope"),
        (vec!["demo", "--serve", "-o", "report.html"], "cannot be used with"),
        (vec!["demo", "--listen", "127.0.0.1:0"], "--serve"),
        (vec!["convert"], "<REPORT>"),
        (vec!["base", "a.io/x:1", "-o", "base.csv"], "use .json, .txt or .table"),
        (vec!["audit", "--output", "report.xml"], ".json, .md, .html, .csv, .sarif, .txt or .table"),
        (vec!["audit", "--as-of", "yesterday"], "2026-11-20"),
        (vec!["audit", "--fail-on", "out-of-dat"], "out-of-date"),
        (vec!["audit", "--format", "xml"], "table, json, markdown, html, csv, sarif"),
        (vec!["run", "--format", "csv"], "table, json"),
        (vec!["demo", "orders:421", "--format", "sarif"], "table or json"),
        (vec!["base"], "<REF>"),
        (vec!["base", "oci:./layout"], "must be in a registry"),
        (vec!["base", "public.ecr.aws/x:1", "--platform", "arm64"], "linux/arm64"),
        (vec!["explain", "a.io/x:1", "a.io/y:1"], "unexpected argument"),
        (vec!["stamp"], "<REF|FILE>"),
        (vec!["stamp", "python:3.12"], "name the registry first"),
        (vec!["stamp", "a.io/x:1;id"], "is not a tag"),
        (vec!["stamp", "a.io/x:1", "a.io/y:1"], "add --check"),
        (vec!["stamp", "a.io/x:1", "--format", "sarif"], "docker, buildah, dockerfile, sbt, gradle, cdk, env or json"),
        (vec!["stamp", "--check", "Dockerfile", "--format", "docker"], "table, json or sarif"),
        (vec!["stamp", "a.io/x:1", "--target", "x"], "require --check or --fix"),
        (vec!["stamp", "--check", "Dockerfile", "--build-arg", "X"], "NAME=VALUE"),
        (vec!["stamp", "--check", "no/Dockerfile"], "cannot read no/Dockerfile"),
        (vec!["stamp", "--check", "*.none"], "no file matches"),
        (vec!["completions", "cmd"], "bash"),
        (vec!["-v", "-q", "demo"], "cannot be used with"),
    ] {
        let message = refusal(here.path(), &args);
        assert!(message.contains(hint), "{args:?}: {message}");
    }
}

#[test]
fn commands_reject_an_invalid_configuration() {
    let here = folder();
    fs::write(here.path().join("basewatch.toml"), "[policy]\ngrace = 14\n").expect("a writable folder");
    let expected = "error: basewatch.toml:2: policy.grace: expected a duration such as \"14d\", found an integer\n";
    for args in [
        vec!["audit"],
        vec!["base", "public.ecr.aws/lambda/java:21"],
        vec!["explain", "orders"],
        vec!["config", "check"],
    ] {
        assert_eq!(refusal(here.path(), &args), expected, "{args:?}");
    }
    for args in [vec!["completions", "bash"], vec!["man"], vec!["config", "init", "other.toml"]] {
        assert_eq!(run(here.path(), &args).status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn config_check_reports_all_problems_of_the_file_the_environment_and_the_flags() {
    let here = folder();
    let file = "[policy]\nmax_age = \"45\"\n[[inventory.ecr]]\nregion = [\"eu-west-1\"]\n\
                [registry.\"quay.io\"]\nauth = \"basic\"\npassword = \"hunter2\"\n";
    fs::write(here.path().join("bad.toml"), file).expect("a writable folder");
    let output = basewatch(here.path())
        .args(["config", "check", "bad.toml"])
        .envs([("BASEWATCH_POLICY__GRACE", "soon"), ("BASEWATCH_COLOR", "never")])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("config_check_problems", text(&output.stderr));
}

#[test]
fn config_check_prints_what_would_be_audited() {
    let here = folder();
    let file = "[policy]\nmax_age = \"36h\"\n[[policy.override]]\nname = \"x\"\naccount = \"1*\"\ngrace = \"1d\"\n\
                [[inventory.ecr]]\nregions = [\"eu-west-1\", \"us-east-1\"]\nexclude = [\"sandbox/*\"]\nnewest = 3\n\
                [[inventory.images]]\nreferences = [\"ghcr.io/a/b:1\", \"oci:layout:v1\", \"oci:all\"]\n\
                [catalog]\npath = \"/var/cache/basewatch\"\n";
    fs::write(here.path().join("good.toml"), file).expect("a writable folder");
    let output = run(here.path(), &["config", "check", "--config", "good.toml"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    insta::assert_snapshot!("config_check_valid", text(&output.stdout));
}

#[test]
fn config_check_without_a_file_lists_the_locations() {
    let message = refusal(folder().path(), &["config", "check"]);
    assert!(message.contains("found at basewatch.toml, ") && message.contains("config init"), "{message}");
}

#[test]
fn config_init_writes_a_valid_file_once() {
    let here = folder();
    assert_eq!(run(here.path(), &["config", "init"]).status.code(), Some(0));
    let file = here.path().join("basewatch.toml");
    let written = fs::read_to_string(&file).expect("the file is there");
    assert_eq!(written, basewatch::config::EXAMPLE);
    assert_eq!(run(here.path(), &["config", "check"]).status.code(), Some(0));
    fs::write(&file, "# mine\n").expect("a writable file");
    assert!(refusal(here.path(), &["config", "init"]).contains("--force"));
    assert_eq!(fs::read_to_string(&file).expect("the file is there"), "# mine\n");
    assert_eq!(run(here.path(), &["config", "init", "--force"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&file).expect("the file is there"), written);
    assert!(refusal(here.path(), &["config", "init", "no/such/folder.toml"]).contains("cannot write"));
    assert_eq!(stdout(&["config", "init", "-"]), written);
}

#[test]
fn an_unknown_basewatch_variable_is_an_error() {
    let here = folder();
    let output = basewatch(here.path())
        .arg("audit")
        .env("BASEWATCH_POLICY__MAXAGE", "30d")
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("did you mean BASEWATCH_POLICY__MAX_AGE?"), "{message}");
}

#[test]
fn a_malformed_log_filter_is_an_error() {
    let here = folder();
    let output = basewatch(here.path())
        .args(["completions", "bash"])
        .env("BASEWATCH_LOG", "basewatch=loud")
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("error: BASEWATCH_LOG"), "{}", text(&output.stderr));
}

#[test]
fn completions_contain_all_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("explain") && script.contains("fail-on"), "{shell}");
    }
}

#[test]
fn completions_offer_the_values_of_options() {
    let script = stdout(&["completions", "bash"]);
    for values in [
        "table json markdown html csv sarif",
        "never fresh superseded out-of-date stale deprecated unknown",
        "lambda ecs ecr image layout",
    ] {
        assert!(script.contains(&format!("compgen -W \"{values}\"")), "{values}");
    }
}

#[test]
fn short_options_are_those_of_long_ones() {
    let here = folder();
    let written = run(here.path(), &["demo", "-o", "report.csv", "-o", "page.html", "-o", "-", "-f", "csv"]);
    let printed = text(&written.stdout);
    assert!(printed.starts_with("id,verdict,severity,action,"), "{printed}");
    assert!(fs::read_to_string(here.path().join("report.csv")).expect("a report") == printed, "the same report");
    assert!(fs::read_to_string(here.path().join("page.html")).expect("a page").starts_with("<!doctype html>"));
}

#[test]
fn the_version_names_the_target_of_the_build() {
    let version = env!("CARGO_PKG_VERSION");
    let printed = stdout(&["version"]);
    assert!(printed.starts_with(&format!("basewatch {version}\n")), "{printed}");
    let json: serde_json::Value = serde_json::from_str(&stdout(&["version", "-f", "json"])).expect("JSON");
    assert_eq!(json["version"], version);
    let target = json["target"].as_str().expect("a target");
    assert!(target.starts_with(std::env::consts::ARCH) && printed.contains(&format!("target {target}\n")), "{target}");
}

#[test]
fn a_misspelt_region_is_suggested_and_a_new_one_accepted() {
    let here = folder();
    let file = "[[inventory.lambda]]\nregions = [\"eu-wst-1\", \"eu-west-9\"]\n";
    fs::write(here.path().join("basewatch.toml"), file).expect("a writable folder");
    let output = run(here.path(), &["config", "check"]);
    let warnings = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{warnings}");
    assert!(warnings.contains("eu-wst-1 is not a known AWS region; did you mean eu-west-1?"), "{warnings}");
    assert!(!warnings.contains("eu-west-9"), "{warnings}");
    let refused = refusal(here.path(), &["audit", "--region", "us-eats-1"]);
    assert!(refused.contains("us-eats-1 is not a known AWS region; did you mean us-east-1?"), "{refused}");
    assert!(refused.contains("--region excludes everything"), "{refused}");
}

#[test]
fn config_check_warns_of_a_folder_that_is_no_layout() {
    let here = folder();
    let file = "[[inventory.images]]\nreferences = [\"oci:nope:v1\"]\n";
    fs::write(here.path().join("basewatch.toml"), file).expect("a writable folder");
    let printed = text(&run(here.path(), &["config", "check"]).stdout);
    assert!(printed.contains("nope is not an OCI image layout: it has no index.json"), "{printed}");
}

#[test]
fn manual_pages_are_printed_or_written() {
    let page = stdout(&["man"]);
    assert!(page.contains(".TH basewatch 1") && page.contains(".SH \"EXIT CODES\"\n.nf\n"), "{page}");
    let here = folder();
    assert_eq!(run(here.path(), &["man", "--folder", "."]).status.code(), Some(0));
    let written = fs::read_to_string(here.path().join("basewatch-audit.1")).expect("a page per command");
    assert!(written.contains("fail\\-on"), "{written}");
    for page in fs::read_dir(here.path()).expect("a folder") {
        let page = fs::read_to_string(page.expect("an entry").path()).expect("a page");
        assert!(!page.contains(".SH EXTRA"), "{page}");
        let Some((_, examples)) = page.split_once(".SH \"EXAMPLES\"\n.nf\n") else { continue };
        // Each example is a line that is not filled.
        let examples: Vec<_> = examples.split_once(".fi").expect("an end").0.lines().collect();
        assert!(!examples.is_empty() && examples.iter().all(|line| !line.starts_with([' ', '.'])), "{examples:?}");
    }
    assert!(refusal(here.path(), &["man", "--folder", "no/such"]).contains("cannot write manual pages"));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let here = folder();
    for args in [&["config", "init", "-"][..], &["completions", "bash"], &["--help"], &["man"]] {
        let mut child = basewatch(here.path())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // Closed before the first byte: every write fails.
        drop(child.stdout.take());
        let mut message = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut message).expect("UTF-8");
        assert_eq!(child.wait().expect("the program ends").code(), Some(0), "{args:?}: {message}");
        assert_eq!(message, "", "{args:?}");
    }
}

/// A configuration of deployments in two accounts.
const RUNNING: &str = r#"
[[inventory.lambda]]
regions = ["eu-west-1"]
exclude = ["sandbox-*"]

[[inventory.ecs]]
regions = ["eu-west-1", "us-east-1"]
clusters = ["prod-*"]
resource_tags = ["env=prod"]

[accounts]
role = "arn:aws:iam::{account}:role/basewatch-audit"
external_id = { file = "external-id" }
ids = ["123456789012", "210987654321"]

[owners]
tags = ["team"]
rules = [{ match = "*", owner = "platform" }]
"#;

fn running() -> TempDir {
    let folder = folder();
    fs::write(folder.path().join("basewatch.toml"), RUNNING).expect("a writable folder");
    fs::write(folder.path().join("external-id"), "hunter2\n").expect("a writable folder");
    folder
}

#[test]
fn filters_that_exclude_everything_are_an_error() {
    let folder = running();
    for (args, expected) in [
        (["--kind", "ecr"], "--kind excludes everything: the configuration has no such inventory"),
        (["--region", "mars"], "--region excludes everything: the configuration has the regions eu-west-1, us-east-1"),
        (
            ["--account", "3*"],
            "--account excludes everything: the configuration has the accounts 123456789012, 210987654321",
        ),
        (["--owner", "["], "\"[\" is not a pattern"),
        (["--kind", "pod"], "invalid value 'pod'"),
    ] {
        let refusal = refusal(folder.path(), &[&["audit"], &args[..]].concat());
        assert!(refusal.contains(expected), "{args:?}: {refusal}");
    }
    let both = refusal(folder.path(), &["audit", "ghcr.io/a/b:1", "--owner", "payments"]);
    assert!(both.contains("cannot be used with"), "{both}");
}

#[test]
fn config_check_prints_the_audited_workloads() {
    let output = run(running().path(), &["config", "check"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for line in [
        "  lambda    eu-west-1: functions *; except sandbox-*\n",
        "  ecs       eu-west-1, us-east-1: clusters prod-*; services *; with tags env=prod\n",
        "  accounts  123456789012, 210987654321; role arn:aws:iam::{account}:role/basewatch-audit\n",
        "  owners    by tag team, 1 rule\n",
    ] {
        assert!(printed.contains(line), "{line}{printed}");
    }
}

#[test]
fn config_iam_prints_the_required_permissions_without_secrets() {
    let folder = running();
    let principal = ["--principal", "arn:aws:iam::111111111111:role/basewatch"];
    let iam = |args: &[&str]| {
        let output = run(folder.path(), &[&["config", "iam"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    insta::assert_snapshot!("iam_policy", iam(&[]));
    insta::assert_snapshot!("iam_runner", iam(&["runner"]));
    insta::assert_snapshot!("iam_trust", iam(&[&["trust"], &principal[..]].concat()));
    let commands = iam(&[&["commands"], &principal[..]].concat());
    assert!(!commands.contains("hunter2"), "{commands}");
    insta::assert_snapshot!("iam_commands", commands);
    let everywhere = RUNNING.replace("[\"eu-west-1\"]", "[\"*\"]").replace("role/", "role/audit/");
    fs::write(folder.path().join("basewatch.toml"), everywhere).expect("a writable folder");
    let commands = iam(&[&["commands"], &principal[..]].concat());
    assert!(commands.contains("--role-name basewatch-audit --path /audit/ ") && commands.contains("list-regions"));
    let unsaid = refusal(folder.path(), &["config", "iam", "trust"]);
    assert!(unsaid.contains("--principal is required"), "{unsaid}");
    let wrong = refusal(folder.path(), &["config", "iam", "trust", "--principal", "basewatch"]);
    assert!(wrong.contains("is not a role or user ARN"), "{wrong}");
    fs::write(folder.path().join("basewatch.toml"), "").expect("a writable folder");
    let nothing = refusal(folder.path(), &["config", "iam"]);
    assert!(nothing.contains("the configuration does not use AWS"), "{nothing}");
}

#[test]
fn the_commands_of_config_iam_are_a_shell_script() {
    let folder = running();
    let args = ["config", "iam", "commands", "--principal", "arn:aws:iam::111111111111:role/basewatch"];
    let script = run(folder.path(), &args).stdout;
    let file = folder.path().join("commands.sh");
    fs::write(&file, script).expect("a writable folder");
    let checked = Command::new("sh").arg("-n").arg(&file).output().expect("a shell");
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

/// Standard error of an audit of private ECR with `variables`, which cannot start.
fn failing_stderr(folder: &Path, variables: &[(&str, &str)]) -> String {
    let file = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n";
    fs::write(folder.join("basewatch.toml"), file).expect("a writable folder");
    let mut command = basewatch(folder);
    command.args(["audit", "--no-catalog"]).env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied());
    let output = command.output().expect("the program starts");
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(!printed.contains("panicked") && output.stdout.is_empty(), "{printed}");
    printed
}

#[test]
fn an_access_key_with_a_line_break_is_rejected_with_a_message() {
    let here = folder();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"] {
        let mut variables = vec![("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        variables.retain(|(known, _)| *known != name);
        variables.push((name, "hunter2\n"));
        let printed = failing_stderr(here.path(), &variables);
        assert!(printed.contains(&format!("{name}: ends in a line feed (U+000A)")), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    // A configuration in a bucket is fetched before anything is checked.
    let output = basewatch(here.path())
        .args(["config", "check", "s3://bucket/basewatch.toml"])
        .envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n"), ("AWS_SECRET_ACCESS_KEY", "hunter2")])
        .output()
        .expect("the program starts");
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("AWS_ACCESS_KEY_ID ends in a line feed (U+000A)"), "{printed}");
}

#[test]
fn a_profile_access_key_that_is_invalid_in_a_header_is_rejected_with_a_message() {
    let here = folder();
    fs::create_dir(here.path().join(".aws")).expect("a writable folder");
    let file = "[default]\naws_access_key_id = AKIDÉXAMPLE\naws_secret_access_key = hunter2\n";
    fs::write(here.path().join(".aws/credentials"), file).expect("a writable folder");
    let printed = failing_stderr(here.path(), &[]);
    assert!(printed.contains("the access key id holds a character outside ASCII"), "{printed}");
}

#[test]
fn credential_errors_name_the_cause_and_the_fix() {
    let here = folder();
    fs::create_dir(here.path().join(".aws")).expect("a writable folder");
    let profiles = "[profile people]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = audit\n\
                    [profile console]\nlogin_session = arn:aws:iam::123456789012:user/x\n\
                    [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n";
    fs::write(here.path().join(".aws/config"), profiles).expect("a writable folder");
    let token = here.path().join("token");
    let token = token.to_str().expect("UTF-8");
    for (variables, expected) in [
        (
            vec![("AWS_PROFILE", "peopel")],
            "AWS_PROFILE names the profile \"peopel\", which does not exist: the profiles are console, people",
        ),
        (vec![("AWS_PROFILE", "people")], "sign in: aws sso login --profile people"),
        (vec![("AWS_PROFILE", "console")], "sign in: aws login --profile console"),
        (
            vec![("AWS_WEB_IDENTITY_TOKEN_FILE", token), ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")],
            "token\", named by AWS_WEB_IDENTITY_TOKEN_FILE, cannot be read: No such file",
        ),
    ] {
        let printed = failing_stderr(here.path(), &variables);
        assert!(printed.contains(expected), "{variables:?}: {printed}");
    }
}

#[test]
fn config_check_prints_the_next_runs() {
    let here = folder();
    let file = "time_zone = \"Europe/Berlin\"\n[serve]\nschedule = \"30 6 * * mon-fri\"\n";
    fs::write(here.path().join("basewatch.toml"), file).expect("a writable folder");
    let output = run(here.path(), &["config", "check"]);
    let printed = text(&output.stdout);
    let expected = "schedule  at 06:30 on Monday to Friday (`basewatch serve`): 30 6 * * mon-fri (Europe/Berlin)\n";
    assert!(printed.contains(expected), "{printed}");
    let next = printed.lines().find_map(|line| line.trim().strip_prefix("next ")).expect("the next runs");
    assert_eq!(next.matches(" 06:30 CE").count(), 3, "{next}");
}

#[test]
fn a_proxy_error_names_the_proxy() {
    for (response, expected) in [
        ("407 Proxy Authentication Required", "the proxy requires a login (407); check the user name and password"),
        ("403 Forbidden", "the proxy refused to connect to it; check HTTPS_PROXY and NO_PROXY"),
    ] {
        let here = folder();
        let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", proxy.local_addr().expect("an address"));
        let head = format!("HTTP/1.1 {response}\r\nContent-Length: 0\r\n\r\n");
        // More connections than the program makes; the thread ends with the test's process.
        thread::spawn(move || {
            for mut connection in proxy.incoming().take(64).flatten() {
                let mut request = [0; 1024];
                let _ = connection.read(&mut request).and_then(|_| connection.write_all(head.as_bytes()));
            }
        });
        let output = basewatch(here.path())
            .args(["audit", "--no-catalog", "--format", "json", "public.ecr.aws/lambda/python:3.12"])
            .envs([("HTTPS_PROXY", address.as_str()), ("AWS_EC2_METADATA_DISABLED", "true"), ("NO_PROXY", "")])
            .output()
            .expect("the program starts");
        let report = text(&output.stdout);
        assert!(report.contains(expected), "{report}{}", text(&output.stderr));
        assert!(report.contains("registry-unreachable"), "{report}");
    }
}
