//! Loading settings from file, environment and flags.
#![expect(clippy::panic, reason = "what steps of tests share fails as tests do")]

use std::{fs, path::Path, time::Duration};

use basewatch::{
    aws::AccountSelection,
    config::{CatalogLocation, CliOverrides, ConfigProblems, EXAMPLE, EnvironmentVariables, LoadedConfig, load},
    glob::Glob,
    image::AwsPartition,
    inventory::{DeploymentKind, ImageSource, InventoryFilter, RegionSelection},
    judge::{PolicySubject, ReasonCode, Severity, Verdict},
    notify::{ChannelKind, SummarySchedule},
    registry::AuthSettings,
    release_catalog::CatalogSource,
    secret::{Secret, SecretSource},
};
use tempfile::TempDir;

/// A working folder with a configuration file in it.
struct Case {
    folder: TempDir,
    variables: Vec<(String, String)>,
    flags: CliOverrides,
}

impl Case {
    fn of(file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("basewatch.toml"), file).expect("a writable folder");
        Self { folder, variables: Vec::new(), flags: CliOverrides::default() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<LoadedConfig, ConfigProblems> {
        let environment: EnvironmentVariables = self.variables.iter().cloned().collect();
        load(&self.flags, &environment, self.folder.path())
    }

    fn loaded(&self) -> LoadedConfig {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The problems, without the folder that differs from run to run.
    fn problems(&self) -> String {
        let problems = self.load().expect_err("problems");
        let folder = format!("{}/", self.folder.path().display());
        problems.to_string().replace(&folder, "")
    }
}

/// The configuration of the first user.
const AGREED: &str = r#"
[policy]
max_age = "45d"
grace = "14d"

[identify]
labels = ["sdkBaseVersion"]

[[identify.base]]                      # a repository of base images
repository = "public.ecr.aws/lambda/java"
default_tag = "latest"

[[inventory.ecr]]
regions = ["eu-west-1"]
repositories = ["*"]
tags = ["*"]

[[inventory.images]]
references = ["public.ecr.aws/lambda/python:3.12", "oci:./layout:v1"]

[registry."public.ecr.aws"]
endpoint = "http://127.0.0.1:5001"     # a mirror or stand-in; default: the registry itself
auth = "anonymous"                     # auto | anonymous | ecr-public | basic | docker-config
rate = 1                               # requests per second

[registry."123456789012.dkr.ecr.eu-west-1.amazonaws.com"]
endpoint = "http://127.0.0.1:5000"     # still authenticated as that ECR registry
"#;

#[test]
fn a_configuration_of_policy_bases_and_registries_is_loaded() {
    let case = Case::of(AGREED);
    let settings = case.loaded().settings;
    assert_eq!(settings.policy.thresholds.max_age.num_days(), 45);
    assert_eq!(settings.policy.thresholds.grace.num_days(), 14);
    assert_eq!(settings.identify.bases.as_slice()[0].default_tag.as_deref(), Some("latest"));
    assert_eq!(settings.ecr[0].regions, RegionSelection::Listed(vec!["eu-west-1".parse().unwrap()]));
    assert_eq!(settings.ecr[0].newest, None);
    let layout = ImageSource::Layout { folder: case.folder.path().join("./layout"), tag: Some("v1".into()) };
    assert_eq!(settings.images[1], layout);
    let public = &settings.network.hosts["public.ecr.aws"];
    assert_eq!(public.endpoint.as_deref(), Some("http://127.0.0.1:5001"));
    assert_eq!((&public.auth, public.rate), (&AuthSettings::Anonymous, Some(1.0)));
    assert_eq!(
        settings.network.allow,
        ["public.ecr.aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"].map(String::from)
    );
}

/// An inventory of many accounts.
const RUNNING: &str = r#"
[[inventory.lambda]]
regions = ["eu-west-1", "us-east-1"]
exclude = ["sandbox-*"]

[[inventory.ecs]]
regions = ["eu-west-1"]
clusters = ["prod-*"]

[accounts]
role = "arn:aws:iam::{account}:role/basewatch-audit"   # assumed in each account
external_id = { env = "AUDIT_EXTERNAL_ID" }
ids = ["123456789012", "210987654321"]

[owners]
tags = ["team", "owner"]               # first that is there
rules = [{ match = "payments-*", owner = "payments" }, { match = "*", owner = "platform" }]
"#;

#[test]
fn a_configuration_of_workloads_and_accounts_is_loaded() {
    let settings = Case::of(RUNNING).with("AUDIT_EXTERNAL_ID", "hunter2").loaded().settings;
    let lambda = &settings.lambda[0];
    assert_eq!(
        lambda.regions,
        RegionSelection::Listed(vec!["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()])
    );
    assert!(lambda.selector.admits_name("orders") && !lambda.selector.admits_name("sandbox-orders"));
    assert_eq!(lambda.refresh, Duration::from_hours(7 * 24));
    let ecs = &settings.ecs[0];
    assert!(ecs.clusters[0].matches("prod-1") && !ecs.clusters[0].matches("test"));
    let accounts = settings.accounts.as_ref().expect("accounts");
    assert_eq!(accounts.external_id.as_ref().map(Secret::reveal), Some("hunter2"));
    assert_eq!(
        accounts.members,
        AccountSelection::Listed(["123456789012", "210987654321"].map(|id| id.parse().unwrap()).into())
    );
    assert_eq!(settings.owners.tags, ["team", "owner"]);
    assert_eq!(settings.owners.ruled("payments-api", None), Some("payments"));
    assert_eq!(settings.owners.ruled("orders", None), Some("platform"));
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn an_organization_can_exclude_accounts_and_include_all_regions() {
    let file = "[accounts]\nrole = \"arn:aws:iam::{account}:role/x\"\nids = [\"*\"]\nexclude = [\"333333333333\"]\n\
                [[inventory.lambda]]\nregions = [\"*\"]\n\
                [[inventory.ecr]]\nregions = [\"*\"]\nresource_tags = [\"env=prod\"]";
    let settings = Case::of(file).loaded().settings;
    let members = settings.accounts.expect("accounts").members;
    assert_eq!(members, AccountSelection::Organization { exclude: ["333333333333".parse().unwrap()].into() });
    assert_eq!(
        (&settings.lambda[0].regions, &settings.ecr[0].regions),
        (&RegionSelection::Enabled, &RegionSelection::Enabled)
    );
    assert_eq!(settings.ecr[0].selector.resource_tags[0].to_string(), "env=prod");
}

#[test]
fn problems_with_accounts_are_reported() {
    let role = "role = \"arn:aws:iam::{account}:role/x\"";
    for (file, expected) in [
        (role.to_owned(), "accounts.ids: missing: write ids = [\"123456789012\",\"210987654321\"]"),
        (format!("{role}\nids = []"), "accounts.ids: is empty"),
        (format!("{role}\nids = [\"12\"]"), "accounts.ids[0]: \"12\" is not an AWS account ID: write twelve digits"),
        (
            format!("{role}\nids = [\"*\", \"123456789012\"]"),
            "accounts.ids[0]: \"*\" is not an AWS account ID: write twelve digits",
        ),
        ("ids = [\"123456789012\"]".into(), "accounts.role: "),
        (
            "role = \"x\"\nids = [\"*\"]".into(),
            "accounts.role: \"x\" is not a role ARN with {account} in place of the account ID: write it as in",
        ),
        (
            format!("{role}\nids = [\"*\"]\nexternal_id = \"plain\""),
            "accounts.external_id: expected { env = \"NAME\" } or { file = \"PATH\" }",
        ),
    ] {
        let problems = Case::of(&format!("[accounts]\n{file}")).problems();
        assert!(problems.contains(expected), "{file}\n{problems}");
    }
    let unset = Case::of(RUNNING).problems();
    assert!(unset.contains("the environment variable \"AUDIT_EXTERNAL_ID\" is not set"), "{unset}");
}

#[test]
fn problems_with_owners_selectors_and_mirrors_are_reported() {
    let lambda = "[[inventory.lambda]]\nregions = [\"eu-west-1\"]";
    for (file, expected) in [
        ("[owners]\ntags = [\"\"]".to_owned(), "owners.tags[0]: \"\" is not a tag key"),
        (
            "[owners]\nrules = [{ match = \"[\", owner = \"x\" }]".into(),
            "owners.rules[0].match: \"[\" is not a pattern",
        ),
        ("[owners]\nrules = [{ match = \"a\" }]".into(), "owners.rules[0].owner: "),
        ("[owners]\ntgas = [\"x\"]".into(), "unknown key; did you mean tags?"),
        ("[[inventory.lambda]]\nexclude = [\"a\"]".into(), "inventory.lambda[0].regions: "),
        ("[[inventory.lambda]]\nregions = []".into(), "inventory.lambda[0].regions: is empty"),
        ("[[inventory.lambda]]\nregions = [\"*\", \"eu-west-1\"]".into(), "\"*\" is not an AWS region"),
        (format!("{lambda}\ninclude = []"), "include: is empty"),
        (format!("{lambda}\nresource_tags = [\"=x\"]"), "\"=x\" is not a tag pattern"),
        ("[[inventory.ecs]]\nregions = [\"eu-west-1\"]\nclusters = []".into(), "clusters: is empty"),
        (
            "[[identify.mirror]]\nprefix = \"https://x\"\nupstream = \"public.ecr.aws\"".into(),
            "identify.mirror[0].prefix: \"https://x\" is not a registry",
        ),
        ("[[identify.mirror]]\nprefix = \"mirror.example.com\"".into(), "identify.mirror[0].upstream: "),
    ] {
        let problems = Case::of(&file).problems();
        assert!(problems.contains(expected), "{file}\n{problems}");
    }
}

#[test]
fn command_line_filters_select_a_part_of_the_inventory() {
    let mut case = Case::of(RUNNING).with("AUDIT_EXTERNAL_ID", "x");
    let accounts = vec!["1234*".parse().expect("a pattern")];
    case.flags.filter = InventoryFilter { accounts, kinds: vec![DeploymentKind::Ecs], ..InventoryFilter::default() };
    let settings = case.loaded().settings;
    assert_eq!(settings.filter, case.flags.filter);
    assert_eq!(settings.accounts.expect("accounts").only.len(), 1);
}

#[test]
fn every_problem_is_reported_with_its_line_and_a_fix() {
    let case = Case::of(BROKEN).with("BASEWATCH_POLICY__MAXAGE", "30d").with("BASEWATCH_REBUILDS__MAX_PER_RUN", "many");
    insta::assert_snapshot!(case.problems());
}

const BROKEN: &str = r#"
colour = true
[policy]
max_age = 45
grace = "14"
maxage = "45d"
severity = { stale = "hihg", broken = "low" }
[[policy.override]]
deployment = "["
grace = "1 day"
[[policy.override]]
name = "everything"
max_age = "90d"
[[policy.override]]
name = "nothing"
base = "public.ecr.aws/*"
[identify]
labels = ["sdk Base", 7]
[[identify.base]]
repository = "lambda/java"
default_tag = "latest"
[[identify.base]]
default_tag = "${TAG}"
tags = ["21", "21.2026.07.16.13", ""]
[[identify.base]]
repository = "public.ecr.aws/lambda/*"
images = "orders*"
bare = true
company = true
[[identify.base]]
repository = "team/*"
tags = []
[[inventory.ecr]]
regions = []
newest = 0
[[inventory.ecr]]
regions = ["Ireland"]
repositories = "*"
[[inventory.images]]
references = ["python:3.12", "public.ecr.aws/lambda/python", "oci:", "public.ecr.aws/x@sha256:abc"]
[catalog]
path = ""
source = "oci://registry.example.com/releases"
public_key = "RWtooshort"
[network]
allow = ["*", "https://ghcr.io", "ghcr.io"]
retries = 99999
[rebuilds]
deadline = "0s"
[registry."https://public.ecr.aws"]
[registry."ghcr.io"]
auth = "ecr-public"
endpoint = "http://mirror.example.com"
rate = 0
[registry."quay.io"]
auth = "basic"
password = "hunter2"
ca_file = "./no-such.pem"
endpoint = "https://user:hunter2@quay.io"
[registry."docker.io"]
username = "x"
password = { env = "NO_SUCH_VARIABLE" }
token_hosts = ["https://auth.docker.io"]
[registry."gcr.io"]
auth = "anonimous"
full_mirror = true
"#;

#[test]
fn secrets_do_not_appear_in_problems_or_debug_output() {
    let problems = Case::of(BROKEN).problems();
    assert!(!problems.contains("hunter2"), "{problems}");
    let file = "[registry.\"quay.io\"]\nusername = \"a\"\npassword = { env = \"QUAY\" }";
    let settings = Case::of(file).with("QUAY", "hunter2").loaded().settings;
    assert!(!format!("{settings:?}").contains("hunter2"));
    let AuthSettings::Basic { password, .. } = &settings.network.hosts["quay.io"].auth else { panic!("not basic") };
    assert_eq!(password.reveal(), "hunter2");
}

#[test]
fn a_secret_can_be_in_a_variable_or_a_relative_file() {
    let file = "[registry.\"quay.io\"]\nusername = \"a\"\npassword = { env = \"BASEWATCH_QUAY\" }\n\
                [registry.\"ghcr.io\"]\nusername = \"a\"\npassword = { file = \"secret\" }";
    let case = Case::of(file).with("BASEWATCH_QUAY", "one");
    assert!(case.problems().contains("does not hold a valid secret"));
    fs::write(case.folder.path().join("secret"), "two\r\n").expect("a writable folder");
    let settings = case.loaded().settings;
    let password = |host: &str| match &settings.network.hosts[host].auth {
        AuthSettings::Basic { password, .. } => password.reveal().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!((password("quay.io"), password("ghcr.io")), ("one".to_owned(), "two".to_owned()));
}

#[test]
fn a_release_catalog_requires_a_public_key() {
    let key = "RWQBphd2+f6eiAqBsvDZEBXBGHQBJfeG6G+wJPPKxCZMoEQYpmoysKUN";
    let source = "source = \"oci://registry.example.com/basewatch:releases\"";
    let settings = Case::of(&format!("[catalog]\n{source}\npublic_key = \"{key}\"")).loaded().settings;
    assert_eq!(settings.releases.public_key.map(|key| key.to_string()).as_deref(), Some(key));
    assert!(settings.network.allow.contains(&"registry.example.com".to_owned()));
    let problems = Case::of(&format!("[catalog]\n{source}")).problems();
    assert!(problems.contains("catalog.source: needs public_key"), "{problems}");
    let case = Case::of(&format!("[catalog]\nsource = \"releases.bin\"\npublic_key = \"{key}\""));
    let file = CatalogSource::File(case.folder.path().join("releases.bin"));
    assert_eq!(case.loaded().settings.releases.source, Some(file), "beside the configuration");
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let mut case = Case::of("[policy]\nmax_age = \"1d\"\ngrace = \"1d\"\n[policy.severity]\nstale = \"low\"")
        .with("BASEWATCH_POLICY__GRACE", "2d")
        .with("BASEWATCH_POLICY__MAX_AGE", "2d")
        .with("BASEWATCH_POLICY__SEVERITY__OUT_OF_DATE", "critical")
        .with("BASEWATCH_IDENTIFY__LABELS", "a, b")
        .with("BASEWATCH_REBUILDS__MAX_PER_RUN", "7")
        .with("BASEWATCH_CATALOG__PATH", "kept");
    case.flags.max_age = Some("3d".to_owned());
    let settings = case.loaded().settings;
    let terms = &settings.policy.thresholds;
    assert_eq!((terms.max_age.num_days(), terms.grace.num_days()), (3, 2));
    assert_eq!(terms.severities[&Verdict::Stale], Severity::Low);
    assert_eq!(terms.severities[&Verdict::OutOfDate], Severity::Critical);
    assert_eq!(settings.identify.labels, ["a", "b"]);
    assert_eq!(settings.rebuild.max_per_run, 7);
    assert_eq!(settings.catalog, CatalogLocation::Folder(case.folder.path().join("kept")));
    case.flags.no_catalog = true;
    assert_eq!(case.loaded().settings.catalog, CatalogLocation::Off);
    case.flags.grace = Some("soon".to_owned());
    assert!(case.problems().starts_with("--grace: \"soon\" is not a duration"), "{}", case.problems());
}

#[test]
fn overrides_inherit_what_they_do_not_set() {
    let file = "[policy]\ngrace = \"3d\"\nseverity = { stale = \"low\" }\n\
                [[policy.override]]\nname = \"batch\"\nrepository = \"batch/*\"\nmax_age = \"2w\"\nseverity = { unknown = \"none\" }";
    let policy = Case::of(file).loaded().settings.policy;
    let terms = &policy.overrides[0].thresholds;
    assert_eq!((terms.max_age.num_days(), terms.grace.num_days()), (14, 3));
    assert_eq!(terms.severities[&Verdict::Stale], Severity::Low);
    assert_eq!(terms.severities[&Verdict::Unknown], Severity::None);
    assert_eq!(policy.thresholds.severities[&Verdict::Unknown], Severity::Low);
}

#[test]
fn only_registries_that_the_user_names_are_allowed() {
    let file = "[[inventory.images]]\nreferences = [\"Quay.io/a/b:1\"]\n[network]\nallow = [\"*.example.com\"]";
    let mut case = Case::of(file);
    assert_eq!(case.loaded().settings.network.allow, ["public.ecr.aws", "*.example.com", "quay.io"]);
    case.flags.images = vec!["ghcr.io/a/b:1".parse().expect("a reference")];
    case.flags.registries = vec!["127.0.0.1:5000".to_owned()];
    let settings = case.loaded().settings;
    assert_eq!(settings.images, case.flags.images);
    assert!(settings.network.allow.iter().any(|host| host == "ghcr.io"));
    assert!(settings.network.allow.iter().any(|host| host == "127.0.0.1:5000"));
}

#[test]
fn an_unknown_variable_is_rejected_with_a_suggestion() {
    let problems = |name: &str| Case::of("").with(name, "x").problems();
    assert_eq!(
        problems("BASEWATCH_POLICY__GRAZE"),
        "BASEWATCH_POLICY__GRAZE: unknown variable; did you mean BASEWATCH_POLICY__GRACE?"
    );
    assert!(problems("BASEWATCH_REGISTRY__RATE").contains("only be set in the file"));
    assert!(problems("BASEWATCH_INVENTORY__ECR").contains("only be set in the file"));
    assert!(problems("BASEWATCH_").contains("unknown variable"));
    Case::of("").with("BASEWATCH_LOG", "debug").with("OTHER", "x").loaded();
}

#[test]
fn the_file_is_the_named_one_else_the_working_folder_else_the_user_folder() {
    let case = Case::of("[rebuilds]\nmax_per_run = 1");
    let home = tempfile::tempdir().expect("a temporary folder");
    let write = |file: &Path, most: u32| {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a writable folder");
        fs::write(file, format!("[rebuilds]\nmax_per_run = {most}")).expect("a writable folder");
    };
    write(&home.path().join(".config/basewatch/basewatch.toml"), 2);
    write(&home.path().join("variable.toml"), 3);
    write(&home.path().join("flag.toml"), 4);
    let mut case = case.with("HOME", &home.path().display().to_string());
    assert_eq!(case.loaded().settings.rebuild.max_per_run, 1);
    fs::remove_file(case.folder.path().join("basewatch.toml")).expect("the file is there");
    assert_eq!(case.loaded().settings.rebuild.max_per_run, 2);
    assert_eq!(case.loaded().settings.catalog, CatalogLocation::UserCache(Some(home.path().join(".cache/basewatch"))));
    case = case.with("BASEWATCH_CONFIG", &home.path().join("variable.toml").display().to_string());
    assert_eq!(case.loaded().settings.rebuild.max_per_run, 3);
    case.flags.config = Some(home.path().join("flag.toml"));
    assert_eq!(case.loaded().settings.rebuild.max_per_run, 4);
    case.flags.config = Some("missing.toml".into());
    assert!(case.problems().starts_with("missing.toml: cannot be read"), "{}", case.problems());
}

#[test]
fn without_a_file_the_defaults_apply() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let loaded =
        load(&CliOverrides::default(), &EnvironmentVariables::default(), folder.path()).expect("defaults are valid");
    assert_eq!(loaded.file, None);
    assert_eq!(loaded.settings.catalog, CatalogLocation::UserCache(None), "there is no home to keep it in");
    assert_eq!(loaded.settings.network.connect_timeout, Duration::from_secs(5));
}

#[test]
fn a_toml_syntax_error_is_reported_with_its_line() {
    assert!(Case::of("[policy]\nmax_age = \n").problems().starts_with("basewatch.toml:2: not TOML"));
    assert!(Case::of("[policy]\n[policy]\n").problems().starts_with("basewatch.toml:2: not TOML"));
    let case = Case::of("");
    fs::write(case.folder.path().join("basewatch.toml"), [0xff, 0xfe]).expect("a writable folder");
    assert!(case.problems().starts_with("basewatch.toml: cannot be read"));
}

#[test]
fn a_section_of_the_wrong_type_is_one_problem() {
    assert_eq!(Case::of("policy = 3").problems(), "basewatch.toml:1: policy: expected a table, found an integer");
    assert_eq!(
        Case::of("[inventory]\necr = { regions = [\"eu-west-1\"] }").problems(),
        "basewatch.toml:2: inventory.ecr: expected a list, found a table"
    );
    let overlaid = Case::of("policy = 3").with("BASEWATCH_POLICY__GRACE", "1d").problems();
    assert_eq!(overlaid, "basewatch.toml:1: policy: expected a table, found an integer");
}

#[test]
fn exemptions_require_a_reason_an_owner_an_end_and_a_scope() {
    let file = |day: &str| {
        format!(
            "[[policy.exemption]]\nreason = \" vendor image \"\nowner = \"payments\"\nuntil = {day}\n\
             deployment = \"legacy-*\"\ndeployment_owner = \"pay*\"\ncodes = [\"runtime-deprecated\", \"base-too-old\"]"
        )
    };
    // TOML has a date type.
    for day in ["\"2027-01-31\"", "2027-01-31"] {
        let policy = Case::of(&file(day)).loaded().settings.policy;
        let [exemption] = policy.exemptions.as_slice() else { panic!("{:?}", policy.exemptions) };
        assert_eq!((exemption.reason.as_str(), exemption.owner.as_str()), ("vendor image", "payments"));
        assert_eq!(exemption.until.to_string(), "2027-01-31");
        assert_eq!(exemption.scope.owner.as_ref().map(Glob::as_str), Some("pay*"));
        assert_eq!(exemption.codes, [ReasonCode::RuntimeDeprecated, ReasonCode::BaseTooOld]);
    }
    // The same file is valid on every day.
    for day in ["\"1999-12-31\"", "9999-12-31"] {
        Case::of(&file(day)).loaded();
    }
}

#[test]
fn all_problems_of_exemptions_are_reported_together() {
    insta::assert_snapshot!(Case::of(BROKEN_EXEMPTIONS).problems());
}

const BROKEN_EXEMPTIONS: &str = r#"
[[policy.exemption]]
[[policy.exemption]]
reason = " "
owner = ""
until = "31.1.2027"
deployment = "["
codes = []
[[policy.exemption]]
reason = "everything"
owner = "payments"
until = "2027-02-30"
codes = ["base-to-old", "ugly"]
[[policy.exemption]]
reason = "the key of overrides"
owner = "pay*"
until = 2027-01-31T12:00:00Z
[[policy.exemption]]
reason = "everything"
owner = "payments"
until = 2027-01-31
[[policy.exemption]]
reason = "no end"
owner = "payments"
until = 20270131
expires = "2027-01-31"
account = "*"
"#;

#[test]
fn the_first_matching_redeploy_rule_applies() {
    let text = "[[policy.redeploy]]\nrepository = \"team-a/*\"\ntags = []\n\
         [[policy.redeploy]]\ntags = [\"main-*\", \"release-*\"]\n";
    let policy = Case::of(text).loaded().settings.policy;
    let rule = |repository| {
        let subject = PolicySubject { deployment: "orders", repository, account: None, owner: None, base: None };
        policy.redeploy_rule_for(subject).unwrap().1
    };
    assert!(rule("orders").admits("main-7") && rule("orders").admits("release-x") && !rule("orders").admits("421"));
    assert!(!rule("team-a/orders").admits("main-7"), "an empty list admits none");
    let problems = Case::of("[[policy.redeploy]]\nrepository = \"\"\ntags = [\"x\", \"\"]\nnewest = 1\n").problems();
    for path in ["policy.redeploy[0].repository", "policy.redeploy[0].tags[1]", "newest"] {
        assert!(problems.contains(path), "{path}: {problems}");
    }
    assert!(Case::of("[[policy.redeploy]]\n").problems().contains("tags"));
}

#[test]
fn the_example_sets_the_defaults() {
    let from_example = Case::of(EXAMPLE).with("HOME", "/home/x").loaded().settings;
    let standard = Case::of("").with("HOME", "/home/x").loaded().settings;
    assert_eq!(format!("{from_example:#?}"), format!("{standard:#?}"));
}

#[test]
fn the_example_loads_with_all_keys_uncommented() {
    let variables = [
        "REGISTRY_PASSWORD",
        "AUDIT_EXTERNAL_ID",
        "HOOK_SECRET",
        "DASHBOARD_TOKEN",
        "DASHBOARD_WRITE_TOKEN",
        "GITHUB_TOKEN",
        "BUILDS_SECRET",
        "SMTP_PASSWORD",
    ];
    let case = variables.iter().fold(Case::of(&switched_on(EXAMPLE)), |case, name| case.with(name, "x"));
    let beat = "https://beats.example.com/0d338dcc";
    let case = case.with("HEARTBEAT_URL", beat).with("HOOK_URL", "https://hooks.example.com/s3cret");
    fs::write(case.folder.path().join("heartbeat-fail"), format!("{beat}/fail\n")).expect("a writable folder");
    for file in ["ca.pem", "password", "hook-secret", "trigger-token"] {
        fs::write(case.folder.path().join(file), "x\n").expect("a writable folder");
    }
    let settings = case.loaded().settings;
    assert_eq!((settings.ecr.len(), settings.images.len(), settings.network.hosts.len()), (1, 2, 3));
    assert_eq!((settings.notify.channels.len(), settings.rebuild.rules.len()), (7, 4));
    assert_eq!((settings.policy.overrides.len(), settings.policy.exemptions.len()), (1, 1));
    assert!(settings.policy.redeploy[0].admits("main-7"));
    assert!(settings.watch.heartbeat.is_some() && settings.watch.heartbeat_fail.is_some());
}

/// The example with all keys and tables uncommented.
fn switched_on(example: &str) -> String {
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', ':']) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A configuration with store, notifications and rebuilds.
const NOTIFYING: &str = r#"
store = "/var/lib/basewatch"           # or "s3://bucket/prefix"

[notify]
threshold = "medium"                   # the lowest severity with alerts
remind_every = "7d"

[[notify.sns]]
topic_arn = "arn:aws:sns:eu-west-1:123456789012:basewatch"
format = "text"                        # text | json | chatbot
owners = ["payments"]                  # default: all

[[notify.webhook]]
url = "https://hooks.example.com/basewatch"
secret = { env = "HOOK_SECRET" }     # or { file = "…" }, { secretsmanager = "arn:…" }

[[rebuild]]
repositories = ["orders", "team-a/*"]  # ECR repositories whose images this rebuilds
preset = "github-repository-dispatch"  # github-workflow-dispatch | gitlab | teamcity | cloudevents
url = "https://api.github.com/repos/acme/orders/dispatches"
secret = { env = "GITHUB_TOKEN" }
"#;

#[test]
fn a_configuration_of_notifications_is_loaded() {
    let case = Case::of(NOTIFYING).with("HOOK_SECRET", "hunter2").with("GITHUB_TOKEN", "hunter3");
    let settings = case.loaded().settings;
    assert_eq!(settings.store.as_ref().expect("a store").to_string(), "/var/lib/basewatch");
    let ids: Vec<_> = settings.notify.channels.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["arn:aws:sns:eu-west-1:123456789012:basewatch", "hooks.example.com"]);
    let topic = &settings.notify.channels[0];
    assert!(topic.is_for(Some("payments")) && !topic.is_for(Some("web")) && !topic.is_for(None));
    assert!(settings.notify.channels[1].is_for(None));
    assert_eq!(settings.rebuild.rules[0].name, "orders");
    let shown = format!("{settings:?}");
    assert!(
        ["hunter2", "hunter3", "/repos/acme", "example.com/basewatch"].iter().all(|secret| !shown.contains(secret))
    );
    let in_bucket = Case::of(&NOTIFYING.replace("/var/lib/basewatch", "s3://bucket/prefix"))
        .with("HOOK_SECRET", "x")
        .with("GITHUB_TOKEN", "x");
    assert_eq!(in_bucket.loaded().settings.store.expect("a store").to_string(), "s3://bucket/prefix");
}

const SECRET_ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf";

const MAIL: &str =
    "[[notify.email]]\nhost = \"smtp.example.com\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n";

#[test]
fn the_url_of_a_webhook_may_be_a_secret() {
    let file = r#"
[[notify.webhook]]
url = { env = "CHAT_URL" }
preset = "slack"

[[notify.webhook]]
name = "later"
url = { secretsmanager = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf#url" }

[[notify.webhook]]
preset = "pagerduty"
secret = { env = "PAGERDUTY_KEY" }

[[rebuild]]
repositories = ["orders"]
preset = "cloudevents"
url = { env = "CHAT_URL" }
"#;
    let case = Case::of(file).with("CHAT_URL", "https://hooks.example.com/hunter2\n").with("PAGERDUTY_KEY", "hunter3");
    let settings = case.loaded().settings;
    let ids: Vec<_> = settings.notify.channels.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["hooks.example.com", "later", "pagerduty"]);
    assert_eq!(settings.rebuild.rules[0].url.reveal(), "https://hooks.example.com/hunter2");
    assert_eq!(settings.secret_arns().count(), 1, "the permission to read it is in the policy");
    let shown = format!("{settings:?}");
    assert!(["hunter2", "hunter3"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    for (wrong, why) in [("http://hooks.example.com/hunter2", "write https://"), ("hunter2", "is not a webhook URL")] {
        let problems = Case::of(file).with("CHAT_URL", wrong).with("PAGERDUTY_KEY", "x").problems();
        assert!(problems.contains(why) && !problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn mail_security_hub_and_summaries_are_loaded() {
    let file = format!(
        "time_zone = \"Europe/Berlin\"\n{MAIL}user = \"x\"\npassword = {{ env = \"SMTP_PASSWORD\" }}\nsummary = true\n\
         [[notify.email]]\nname = \"weekly\"\nhost = \"127.0.0.1\"\nencryption = \"none\"\nfrom = \"Base Watch <a@example.com>\"\n\
         to = [\"b@example.com\", \"c@example.com\"]\nsummary = \"0 8 * * mon\"\n\
         [[notify.email]]\nhost = \"smtp.example.com\"\nencryption = \"tls\"\nfrom = \"a@example.com\"\nto = [\"d@example.com\"]\n\
         summary = false\n[[notify.security_hub]]\nthreshold = \"high\"\n"
    );
    let settings = Case::of(&file).with("SMTP_PASSWORD", "hunter2").loaded().settings;
    let channels = &settings.notify.channels;
    let ids: Vec<_> = channels.iter().map(|channel| channel.id.as_str()).collect();
    assert_eq!(ids, ["b@example.com", "weekly", "d@example.com", "security-hub"]);
    let ports = channels.iter().filter_map(|channel| match &channel.kind {
        ChannelKind::Email(email) => Some(email.port),
        _ => None,
    });
    assert_eq!(ports.collect::<Vec<_>>(), [587, 25, 465]);
    assert_eq!(channels[0].summary, Some(SummarySchedule::EveryRun));
    let Some(SummarySchedule::Scheduled(timetable)) = &channels[1].summary else { panic!("{:?}", channels[1]) };
    assert_eq!(timetable.to_string(), "0 8 * * mon (Europe/Berlin)");
    assert!(channels[2].summary.is_none() && channels[3].summary.is_none());
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn problems_with_notifications_are_reported_with_a_fix() {
    let hook = "[[notify.webhook]]\nurl = \"https://hooks.example.com/hunter2\"\n";
    let sns = "[[notify.sns]]\ntopic_arn = \"arn:aws:sns:eu-west-1:123456789012:x\"\n";
    let rebuild = "[[rebuild]]\nrepositories = [\"x\"]\npreset = \"gitlab\"\nurl = \"https://gitlab.example.com/x\"\n";
    let table = [
        ("store = \"s3://\"".to_owned(), "no bucket is named"),
        ("[retention]\nreports = \"1h\"".to_owned(), "too short"),
        ("[notify]\nthreshold = \"urgent\"".to_owned(), "critical"),
        ("[notify]\nquiet_hours = { from = \"18\", to = \"08:00\" }".to_owned(), "\"18:00\""),
        ("[notify]\nquiet_hours = { from = \"18:00\", to = \"18:00\" }".to_owned(), "the same as from"),
        ("time_zone = \"CET+1\"".to_owned(), "Europe/Berlin"),
        ("[notify]\nquiet_hours = { from = \"18:00\", to = \"08:00\", days = [\"caturday\"] }".to_owned(), "\"sat\""),
        ("[[notify.sns]]\ntopic_arn = \"basewatch\"".to_owned(), "not an SNS topic ARN"),
        (format!("{sns}formats = {{ pigeon = \"text\" }}"), "not an SNS protocol"),
        (format!("{sns}{sns}"), "set a unique name"),
        (format!("{hook}{hook}"), "set a unique name"),
        ("[[notify.webhook]]\nurl = \"http://hooks.example.com/hunter2\"".to_owned(), "write https://"),
        ("[[notify.webhook]]\nurl = \"https://user:hunter2@x.example.com/\"".to_owned(), "are not allowed"),
        (format!("{hook}signature = \"github\""), "set secret as well"),
        (format!("{hook}secret = {{ env = \"NOT_SET_ANYWHERE\" }}"), "not set"),
        (format!("{hook}secret = {{ secretsmanager = \"hook\" }}"), "is not a secret ARN"),
        (format!("{hook}template = \"{{{{ missing }}}}\""), "is not a valid template"),
        (format!("{hook}template = \"{{}}\"\nformat = \"text\""), "set one of them"),
        (format!("{hook}owners = [\"[\"]"), "not a pattern"),
        (format!("{hook}headers = {{ \"webhook-id\" = \"hunter2\" }}"), "set by basewatch itself"),
        (format!("{hook}headers = {{ \"a b\" = \"hunter2\" }}"), "not a header name"),
        ("[[notify.webhook]]\nname = \"x\"".to_owned(), "notify.webhook[0].url: missing"),
        ("[[notify.webhook]]\nurl = 7".to_owned(), "expected a URL, { env ="),
        (format!("[[notify.webhook]]\nurl = {{ secretsmanager = \"{SECRET_ARN}\" }}"), "write name ="),
        (format!("{hook}preset = \"slack\"\nformat = \"text\""), "set one of them"),
        (format!("{hook}preset = \"slack\"\ntemplate = \"{{}}\""), "set one of them"),
        (format!("{hook}preset = \"pagerduty\""), "write the integration key"),
        (
            format!("{hook}preset = \"pagerduty\"\nsecret = {{ secretsmanager = \"{SECRET_ARN}\" }}\nsummary = true"),
            "each alert is an incident of its own",
        ),
        (format!("{hook}summary = \"every monday\""), "notify.webhook[0].summary"),
        (format!("{hook}summary = 7"), "expected true, false or a cron expression"),
        (MAIL.replace("smtp.example.com", "smtp.example.com/x"), "is not a host name"),
        (MAIL.replace("a@example.com", "a at example.com"), "is not a mail address"),
        (MAIL.replace("[\"b@example.com\"]", "[]"), "is empty"),
        (format!("{MAIL}encryption = \"none\""), "only for a mail server on the same machine"),
        (format!("{MAIL}user = \"x\""), "set password as well"),
        (format!("{MAIL}password = {{ secretsmanager = \"{SECRET_ARN}\" }}"), "set user as well"),
        ("[[notify.security_hub]]\n[watch]\nchannels = [\"security-hub\"]".to_owned(), "not a channel for messages"),
        (rebuild.to_owned(), "ref"),
        (rebuild.replace("[\"x\"]", "[]"), "is empty"),
        (rebuild.replace("gitlab\"\n", "jenkins\"\n"), "cloudevents"),
        ("[rebuilds]\nmax_per_run = 0".to_owned(), "out of range"),
    ];
    for (file, said) in table {
        let problems = Case::of(&file).problems();
        assert!(problems.contains(said), "{file}\n{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn white_space_around_a_secret_is_removed() {
    let file = r#"
[accounts]
role = "arn:aws:iam::{account}:role/x"
external_id = { env = "AUDIT_EXTERNAL_ID" }
ids = ["123456789012"]
[registry."quay.io"]
username = "x"
password = { file = "password" }
[serve]
token = { env = "DASHBOARD_TOKEN" }
[watch]
heartbeat = { env = "HEARTBEAT_URL" }
"#;
    let case = Case::of(file)
        .with("AUDIT_EXTERNAL_ID", " hunter2\n")
        .with("DASHBOARD_TOKEN", "hunter2\r\n")
        .with("HEARTBEAT_URL", "https://beats.example.com/x\n");
    fs::write(case.folder.path().join("password"), "\t hunter2 \r\n\n").expect("a writable folder");
    let settings = case.loaded().settings;
    let hunter2 = Secret::new("hunter2".to_owned());
    assert_eq!(settings.accounts.expect("accounts").external_id, Some(hunter2.clone()));
    assert_eq!(settings.serve.token, Some(SecretSource::Here(hunter2.clone())));
    let url = Secret::new("https://beats.example.com/x".to_owned());
    assert_eq!(settings.watch.heartbeat, Some(SecretSource::Here(url)));
    let AuthSettings::Basic { password, .. } = &settings.network.hosts["quay.io"].auth else { panic!("a password") };
    assert_eq!(*password, hunter2);
}

#[test]
fn a_secret_with_a_control_character_is_rejected_without_showing_it() {
    let file = "[serve]\ntoken = { env = \"DASHBOARD_TOKEN\" }\n[watch]\nheartbeat = { file = \"beat\" }\n";
    let case = Case::of(file).with("DASHBOARD_TOKEN", "hunter\n2");
    fs::write(case.folder.path().join("beat"), "\u{feff}https://beats.example.com/x").expect("a writable folder");
    let problems = case.problems();
    assert!(
        problems.contains("\"DASHBOARD_TOKEN\" does not hold a valid secret: it contains a line feed (U+000A)"),
        "{problems}"
    );
    assert!(
        problems.contains("beat does not hold a valid secret: it contains a byte order mark (U+FEFF)"),
        "{problems}"
    );
    assert!(!problems.contains("hunter") && !problems.contains("beats.example.com"), "{problems}");
    let blank = Case::of(file).with("DASHBOARD_TOKEN", " \n").problems();
    assert!(blank.contains("\"DASHBOARD_TOKEN\" does not hold a valid secret: it is empty"), "{blank}");
}

#[test]
fn invalid_credentials_in_the_environment_are_reported() {
    let case = Case::of("").with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n").with("AWS_SECRET_ACCESS_KEY", "hunter2\r");
    let problems = case.with("AWS_REGION", "eu-west-1\n").problems();
    for expected in [
        "AWS_ACCESS_KEY_ID: ends in a line feed (U+000A); set it again without that character",
        "AWS_SECRET_ACCESS_KEY: ends in a carriage return (U+000D)",
        "AWS_REGION: ends in a line feed (U+000A)",
    ] {
        assert!(problems.contains(expected), "{problems}");
    }
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn the_first_arn_or_region_determines_the_partition() {
    let role = "[accounts]\nids = [\"*\"]\nrole = \"arn:aws-us-gov:iam::{account}:role/x\"\n";
    let topic = "[[notify.sns]]\ntopic_arn = \"arn:aws-cn:sns:cn-north-1:123456789012:x\"\n";
    let image = "[[inventory.images]]\nreferences = \
                 [\"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/orders:1\"]\n";
    for (file, region, expected) in [
        (role, "eu-west-1", Some("aws-us-gov")),
        ("[[inventory.lambda]]\nregions = [\"cn-north-1\"]\n", "eu-west-1", Some("aws-cn")),
        (topic, "eu-west-1", Some("aws-cn")),
        (image, "eu-west-1", Some("aws-eusc")),
        ("[[inventory.lambda]]\nregions = [\"*\"]\n", "us-gov-east-1", Some("aws-us-gov")),
        ("", "", None),
    ] {
        let settings = Case::of(file).with("AWS_DEFAULT_REGION", region).loaded().settings;
        assert_eq!(settings.partition(), expected.and_then(AwsPartition::from_name), "{file}");
    }
}

#[test]
fn aws_schedules_are_rejected_with_their_equivalent() {
    for (schedule, expected) in [
        ("cron(0 6 * * ? *)", "is an AWS schedule: write \"0 6 * * *\""),
        ("cron(0 6 ? * 2-6 *)", "is an AWS schedule: write \"0 6 * * 1-5\""),
        ("rate(12 hours)", "is an AWS rate: write \"0 */12 * * *\""),
        ("0 6 ? * MON-FRI *", "is an AWS schedule: write \"0 6 * * mon-fri\""),
        ("0 ? * * *", "has a ? where * is meant: write \"0 * * * *\""),
    ] {
        let problems = Case::of(&format!("[serve]\nschedule = \"{schedule}\"\n")).problems();
        assert!(problems.contains(expected), "{schedule}: {problems}");
    }
}

#[test]
fn an_arn_with_a_malformed_account_or_region_is_refused_with_its_key() {
    let secret = "[[notify.webhook]]\nurl = \"https://hooks.example.com/x\"\nsecret = { secretsmanager = \"ARN\" }";
    let topic = "[[notify.sns]]\ntopic_arn = \"ARN\"";
    for (file, arn, said) in [
        (topic, "arn:aws:sns:eu-west-1:12345678901x:basewatch", "notify.sns[0].topic_arn: "),
        (topic, "arn:aws:sns:eu-west-1:12345678901:basewatch", "notify.sns[0].topic_arn: "),
        (topic, "arn:aws:sns:EU-WEST-1:123456789012:basewatch", "notify.sns[0].topic_arn: "),
        (topic, "arn:aws:sns::123456789012:basewatch", "notify.sns[0].topic_arn: "),
        (topic, "arn:aws:sqs:eu-west-1:123456789012:basewatch", "notify.sns[0].topic_arn: "),
        (
            secret,
            "arn:aws:secretsmanager:eu-west-1:12345678901x:secret:hook",
            "notify.webhook[0].secret.secretsmanager: ",
        ),
        (
            secret,
            "arn:aws:secretsmanager:eu_west:123456789012:secret:hook#key",
            "notify.webhook[0].secret.secretsmanager: ",
        ),
    ] {
        let problems = Case::of(&file.replace("ARN", arn)).problems();
        assert!(problems.contains(said) && problems.contains("write it as in \"arn:aws:"), "{arn}\n{problems}");
    }
    let new_region = topic.replace("ARN", "arn:aws:sns:mars-north-1:123456789012:basewatch");
    Case::of(&new_region).loaded();
}
