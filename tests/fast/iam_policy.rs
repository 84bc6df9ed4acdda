//! The policy in `config/` allows exactly the AWS calls that the sources make.

#![expect(clippy::unwrap_used, reason = "in the helpers of tests a failure is a failed test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use basewatch::{
    commands::config::iam::{IamPolicy, pretty, reading, running},
    config::{CliOverrides, EnvironmentVariables, Settings, load},
};
use serde_json::Value;

/// The SDK method of each AWS operation in the sources, and the actions it needs.
const CALLS: [(&str, &[&str]); 26] = [
    ("describe_repositories", &["ecr:DescribeRepositories"]),
    ("describe_images", &["ecr:DescribeImages"]),
    ("batch_get_image", &["ecr:BatchGetImage"]),
    // This operation has no separate action
    // (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html).
    ("list_image_referrers", &["ecr:BatchGetImage"]),
    ("list_functions", &["lambda:ListFunctions"]),
    ("list_aliases", &["lambda:ListAliases"]),
    // The response includes the function's tags only with the permission to list them
    // (https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html).
    ("get_function", &["lambda:GetFunction", "lambda:ListTags"]),
    ("describe_pull_through_cache_rules", &["ecr:DescribePullThroughCacheRules"]),
    ("list_tags_for_resource", &["ecr:ListTagsForResource"]),
    ("list_regions", &["account:ListRegions"]),
    ("list_accounts", &["organizations:ListAccounts"]),
    // Allowed to everyone (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
    ("get_caller_identity", &[]),
    ("list_clusters", &["ecs:ListClusters"]),
    ("list_services", &["ecs:ListServices"]),
    ("describe_services", &["ecs:DescribeServices"]),
    ("describe_service_revisions", &["ecs:DescribeServiceRevisions"]),
    ("list_tasks", &["ecs:ListTasks"]),
    ("describe_tasks", &["ecs:DescribeTasks"]),
    ("describe_task_definition", &["ecs:DescribeTaskDefinition"]),
    // ECR Public's token needs the second permission of STS as well
    // (https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html).
    (
        "get_authorization_token",
        &["ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"],
    ),
    // Paginators and calls that are a single word are not found by name: both are listed here.
    ("get_object", &["s3:GetObject", "s3:ListBucket"]),
    ("put_object", &["s3:PutObject"]),
    ("delete_object", &["s3:DeleteObject"]),
    ("publish_batch", &["sns:Publish"]),
    // Tried by `config check --online`, which accepts a refusal: nothing else needs it.
    ("get_topic_attributes", &[]),
    ("get_secret_value", &["secretsmanager:GetSecretValue"]),
];

/// Actions of a store in a bucket. `HeadObject` needs the same as `GetObject`, `HeadBucket` the same as listing
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
const STORE_ACTIONS: [&str; 4] = ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"];

/// Actions of the registry client for a blob of private ECR over HTTP
/// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-pull-iam.html).
const REGISTRY_ACTIONS: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// The first words of AWS operation names.
const VERBS: [&str; 20] = [
    "assume", "batch", "cancel", "complete", "create", "delete", "describe", "get", "initiate", "invoke", "list",
    "publish", "put", "register", "run", "start", "stop", "tag", "update", "upload",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn statements() -> Vec<Value> {
    let policy = fs::read_to_string(root().join("config/iam-policy.json")).unwrap();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    policy["Statement"].as_array().unwrap().clone()
}

fn allowed() -> BTreeSet<String> {
    let one_or_more = |action: &Value| match action {
        Value::Array(actions) => actions.clone(),
        one => vec![one.clone()],
    };
    let actions = statements().into_iter().flat_map(|statement| one_or_more(&statement["Action"]));
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Methods without arguments whose names look like AWS operations, in sources that use AWS.
fn calls(source: &str) -> BTreeSet<String> {
    if !source.contains("aws_sdk_") && !source.contains("aws::") && !source.contains("super::{Aws") {
        return BTreeSet::new();
    }
    let before_parentheses = source.split("()").map(str::trim_end);
    let name = |text: &str| {
        let start = text.rfind(|c: char| !c.is_ascii_lowercase() && c != '_')? + 1;
        text[..start].ends_with('.').then(|| text[start..].to_owned())
    };
    let is_operation = |name: &String| name.split_once('_').is_some_and(|(verb, _)| VERBS.contains(&verb));
    before_parentheses.filter_map(name).filter(is_operation).collect()
}

#[test]
fn the_policy_allows_exactly_the_calls_in_the_source_code() {
    let made: BTreeSet<_> =
        sources(&root().join("src")).iter().flat_map(|file| calls(&fs::read_to_string(file).unwrap())).collect();
    let known: BTreeSet<_> = CALLS.iter().map(|(call, _)| (*call).to_owned()).collect();
    assert_eq!(made, known, "a call in the sources has no action in this test");
    let needed = CALLS.iter().flat_map(|(_, actions)| *actions).chain(&REGISTRY_ACTIONS);
    let needed: BTreeSet<_> = needed.map(|action| (*action).to_owned()).collect();
    let notifying = format!("store = \"s3://bucket/watch\"\n[[inventory.lambda]]\nregions = [\"*\"]\n{NOTIFYING}");
    let mut of_runner = actions(&running(&everything("ids = [\"*\"]")));
    of_runner.extend(actions(&running(&settings(&notifying))));
    assert!(of_runner.contains("sts:AssumeRole"), "the SDK assumes roles, and no source names the call");
    let granted: BTreeSet<_> = allowed().union(&of_runner).filter(|it| *it != "sts:AssumeRole").cloned().collect();
    assert_eq!(granted, needed, "the actions of the policies, and those that are needed");
}

/// A configuration with all features; `accounts` is the content of `[accounts]`, if any.
fn everything(accounts: &str) -> Settings {
    let accounts = match accounts {
        "" => String::new(),
        accounts => format!("[accounts]\nrole = \"arn:aws:iam::{{account}}:role/x\"\n{accounts}\n"),
    };
    settings(&format!(
        "{accounts}[owners]\ntags = [\"team\"]\n[[inventory.lambda]]\nregions = [\"*\"]\n\
         [[inventory.ecs]]\nregions = [\"*\"]\n[[inventory.ecr]]\nregions = [\"*\"]\n"
    ))
}

/// Additional keys of a configuration with a store and notifications.
const NOTIFYING: &str = r#"
[[notify.sns]]
topic_arn = "arn:aws:sns:eu-west-1:123456789012:basewatch"
[[notify.webhook]]
url = "https://hooks.example.com/x"
secret = { secretsmanager = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hook-AbCdEf#key" }
[[rebuild]]
repositories = ["*"]
preset = "cloudevents"
url = "https://builds.example.com/x"
secret = { secretsmanager = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:builds" }
[watch]
heartbeat = { secretsmanager = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:beat-AbCdEf" }
heartbeat_fail = { secretsmanager = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:beat-AbCdEf#fail" }
[serve]
token = { secretsmanager = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf" }
"#;

fn settings(file: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("basewatch.toml"), file).unwrap();
    load(&CliOverrides::default(), &EnvironmentVariables::default(), folder.path()).unwrap().settings
}

fn actions(policy: &IamPolicy) -> BTreeSet<String> {
    let policy = serde_json::to_value(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_published_policy_covers_a_configuration_with_all_features() {
    let printed = pretty(&reading(&everything("")));
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(root().join("config/iam-policy.json"), &printed).unwrap();
    }
    let shipped = fs::read_to_string(root().join("config/iam-policy.json")).unwrap();
    assert!(shipped == printed, "UPDATE_SCHEMA=1 cargo test --test iam_policy writes it");
}

#[test]
fn a_policy_allows_only_what_its_configuration_uses() {
    let images = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetAuthorizationToken"];
    let listed = ["ecr:DescribeImages", "ecr:DescribePullThroughCacheRules"];
    let public = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"];
    let functions = ["lambda:ListFunctions", "lambda:GetFunction", "lambda:ListAliases"];
    let services = [
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:ListTasks",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeServices",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeTasks",
    ];
    let role = "[accounts]\nrole = \"arn:aws:iam::{account}:role/x\"\n";
    let named = "[[inventory.images]]\nreferences = [\"public.ecr.aws/acme/orders:421\"]";
    let base = |repository: &str| {
        format!(
            "{named}\n[[identify.base]]\nrepository = \"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{repository}\""
        )
    };
    let table: [(String, Vec<&[&str]>); 8] = [
        (base("base/java"), vec![&images, &public, &["ecr:DescribeImages"]]),
        (base("base/*"), vec![&images, &public, &["ecr:DescribeImages", "ecr:DescribeRepositories"]]),
        ("[[inventory.lambda]]\nregions = [\"eu-west-1\"]".into(), vec![&images, &listed, &public, &functions]),
        ("[[inventory.ecs]]\nregions = [\"eu-west-1\"]".into(), vec![&images, &listed, &public, &services]),
        (
            "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\nresource_tags = [\"env\"]".into(),
            vec![&images, &listed, &public, &["ecr:DescribeRepositories", "ecr:ListTagsForResource"]],
        ),
        (
            "[owners]\ntags = [\"team\"]\n[[inventory.lambda]]\nregions = [\"*\"]\n\
             [registry.\"public.ecr.aws\"]\nauth = \"anonymous\""
                .into(),
            vec![&images, &listed, &functions, &["lambda:ListTags", "ecr:ListTagsForResource", "account:ListRegions"]],
        ),
        (
            "[[inventory.images]]\nreferences = [\"123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421\"]".into(),
            vec![&images, &public],
        ),
        (
            format!("{role}ids = [\"123456789012\"]\n[[inventory.lambda]]\nregions = [\"eu-west-1\"]"),
            vec![&images, &listed, &functions],
        ),
    ];
    for (file, expected) in table {
        let expected: BTreeSet<_> = expected.into_iter().flatten().map(|action| (*action).to_owned()).collect();
        assert_eq!(actions(&reading(&settings(&file))), expected, "{file}");
    }
}

#[test]
fn resources_are_limited_to_the_regions_and_the_partition() {
    let policy = pretty(&reading(&settings("[[inventory.lambda]]\nregions = [\"cn-north-1\", \"cn-northwest-1\"]")));
    for arn in [
        "arn:aws-cn:lambda:cn-north-1:*:function:*",
        "arn:aws-cn:lambda:cn-northwest-1:*:function:*",
        "arn:aws-cn:ecr:cn-north-1:*:repository/*",
    ] {
        assert!(policy.contains(arn), "{arn}: {policy}");
    }
    assert!(!policy.contains("ecr-public"), "{policy}");
    let store = "store = \"s3://bucket\"\n[[inventory.lambda]]\nregions = [\"us-gov-west-1\"]";
    let policy = pretty(&reading(&settings(store)));
    assert!(policy.contains("arn:aws-us-gov:s3:::bucket") && !policy.contains("arn:aws:"), "{policy}");
    let narrow = "[[inventory.lambda]]\nregions = [\"eu-west-1\"]\ninclude = [\"orders\", \"payments-*\"]";
    let narrow: Value = serde_json::from_str(&pretty(&reading(&settings(narrow)))).unwrap();
    let of = |sid: &str| {
        let statements = narrow["Statement"].as_array().unwrap();
        statements.iter().find(|statement| statement["Sid"] == sid).unwrap().clone()
    };
    let arns = ["orders", "orders:*", "payments-*"].map(|name| format!("arn:aws:lambda:eu-west-1:*:function:{name}"));
    assert_eq!(of("LambdaReadFunctions")["Resource"], serde_json::json!(arns));
    let region = &of("LambdaListFunctions")["Condition"]["StringEquals"]["aws:RequestedRegion"];
    assert_eq!(*region, serde_json::json!(["eu-west-1"]));
    let runner = pretty(&running(&everything("ids = [\"123456789012\", \"210987654321\"]")));
    assert!(runner.contains("arn:aws:iam::123456789012:role/x") && !runner.contains("organizations"), "{runner}");
    let runner = pretty(&running(&everything("ids = [\"*\"]")));
    assert!(runner.contains("arn:aws:iam::*:role/x") && runner.contains("organizations:ListAccounts"), "{runner}");
}

#[test]
fn every_statement_has_an_id_and_reads_only() {
    let mut sids = BTreeSet::new();
    for statement in statements() {
        let sid = statement["Sid"].as_str().unwrap().to_owned();
        assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sid}: letters and digits only");
        assert!(sids.insert(sid), "each once");
        assert_eq!(statement["Effect"], "Allow");
    }
    for action in allowed() {
        let (_, operation) = action.split_once(':').unwrap();
        assert!(["Get", "BatchGet", "Describe", "List"].iter().any(|verb| operation.starts_with(verb)), "{action}");
        assert!(!action.contains('*'), "{action}: each by its name");
    }
}

#[test]
fn the_store_page_documents_the_required_bucket_permissions() {
    let page = fs::read_to_string(root().join("docs/store.md")).unwrap();
    let (_, rest) = page.split_once("```json\n{\n  \"Version\"").unwrap();
    let policy = format!("{{\"Version\"{}", rest.split_once("```").unwrap().0);
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let listed = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap());
    let listed: BTreeSet<_> = listed.map(|action| action.as_str().unwrap()).collect();
    assert_eq!(listed, BTreeSet::from(STORE_ACTIONS));
    let made: BTreeSet<_> = sources(&root().join("src/store"))
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            ["get_object", "head_object", "put_object", "delete_object", "list_objects_v2", "head_bucket"]
                .into_iter()
                .filter(move |call| text.contains(&format!(".{call}()")))
        })
        .collect();
    assert_eq!(made.len(), 6, "each of them is called, which is why the actions are listed: {made:?}");
}

#[test]
fn calls_are_found_regardless_of_formatting() {
    let source =
        "use crate::aws::Aws;\nclient\n    .put_image()\n    .send(); x.get_mut(1); list_images(); y.delete_it ()";
    assert_eq!(calls(source).into_iter().collect::<Vec<_>>(), ["delete_it", "put_image"]);
}

#[test]
fn security_hub_is_written_by_the_role_of_each_account() {
    let hub = "[[inventory.lambda]]\nregions = [\"eu-west-1\"]\n[[notify.security_hub]]\n";
    let role = "[accounts]\nrole = \"arn:aws:iam::{account}:role/x\"\nids = [\"123456789012\"]\n";
    let expected = serde_json::json!({
        "Sid": "SecurityHubImportFindings", "Effect": "Allow", "Action": ["securityhub:BatchImportFindings"],
        "Resource": ["arn:aws:securityhub:eu-west-1:*:product/*/default"],
    });
    let has_it = |policy: IamPolicy| {
        let document: Value = serde_json::from_str(&pretty(&policy)).unwrap();
        document["Statement"].as_array().unwrap().contains(&expected)
    };
    assert!(has_it(reading(&settings(hub))) && has_it(reading(&settings(&format!("{role}{hub}")))));
    assert!(has_it(running(&settings(&format!("{role}{hub}")))), "for tests and bases, in its own account");
    assert!(!has_it(reading(&everything(""))), "only if it is configured");
}

#[test]
fn write_permissions_are_limited_to_configured_resources() {
    let role = "[accounts]\nrole = \"arn:aws:iam::{account}:role/x\"\nids = [\"123456789012\"]";
    let lambda = "[[inventory.lambda]]\nregions = [\"eu-west-1\"]";
    let with = |store: &str, rest: &str| settings(&format!("store = \"{store}\"\n{rest}\n{lambda}\n{NOTIFYING}"));
    let expected = serde_json::json!([
        {
            "Sid": "StoreList", "Effect": "Allow", "Action": ["s3:ListBucket"],
            "Resource": ["arn:aws:s3:::bucket"],
        },
        {
            "Sid": "StoreReadWrite", "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": ["arn:aws:s3:::bucket/watch/*"],
        },
        {
            "Sid": "TopicsPublish", "Effect": "Allow", "Action": ["sns:Publish"],
            "Resource": ["arn:aws:sns:eu-west-1:123456789012:basewatch"],
        },
        {
            "Sid": "SecretsRead", "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"],
            "Resource": [
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:beat-AbCdEf",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:builds-??????",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hook-AbCdEf",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf",
            ],
        },
    ]);
    let written = |policy: IamPolicy| {
        let document: Value = serde_json::from_str(&pretty(&policy)).unwrap();
        let statements = document["Statement"].as_array().unwrap().clone();
        let is_of_store = |sid: &str| ["StoreList", "StoreReadWrite", "TopicsPublish", "SecretsRead"].contains(&sid);
        let of_store = statements.into_iter().filter(|statement| is_of_store(statement["Sid"].as_str().unwrap()));
        Value::Array(of_store.collect())
    };
    // Without accounts, one role audits and writes the store; with accounts, the roles in them only read.
    assert_eq!(written(reading(&with("s3://bucket/watch", ""))), expected);
    assert_eq!(written(running(&with("s3://bucket/watch", role))), expected);
    assert_eq!(written(reading(&with("s3://bucket/watch", role))), serde_json::json!([]));
    let in_folder = written(running(&with("/var/lib/basewatch", role)));
    assert_eq!(in_folder.as_array().unwrap().len(), 2);
}

#[test]
fn a_configuration_in_s3_allows_reading_only_that_object() {
    let text = "[[inventory.lambda]]\nregions = [\"eu-west-1\"]\n".to_owned();
    let flags = CliOverrides {
        config: Some("s3://settings/watch/basewatch.toml".into()),
        fetched: Some(text),
        ..CliOverrides::default()
    };
    let settings = load(&flags, &EnvironmentVariables::default(), Path::new("")).unwrap().settings;
    let document: Value = serde_json::from_str(&pretty(&reading(&settings))).unwrap();
    let of_s3: Vec<_> = document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| statement["Action"].to_string().contains("s3:"))
        .collect();
    let expected = serde_json::json!({
        "Sid": "ConfigurationRead", "Effect": "Allow", "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::settings/watch/basewatch.toml"],
    });
    assert_eq!(of_s3, [&expected]);
}

#[test]
fn a_release_catalog_allows_reading_only_its_source() {
    let key = "RWQBphd2+f6eiAqBsvDZEBXBGHQBJfeG6G+wJPPKxCZMoEQYpmoysKUN";
    let lambda = "[[inventory.lambda]]\nregions = [\"eu-west-1\"]";
    let about = |source: &str, rest: &str| {
        let settings = settings(&format!("{rest}\n{lambda}\n[catalog]\nsource = \"{source}\"\npublic_key = \"{key}\""));
        let policy = if rest.is_empty() { reading(&settings) } else { running(&settings) };
        let document: Value = serde_json::from_str(&pretty(&policy)).unwrap();
        let statements = document["Statement"].as_array().unwrap().clone();
        let is_about = |statement: &Value| statement["Sid"].as_str().unwrap().contains("ReleaseCatalog");
        Value::Array(statements.into_iter().filter(is_about).collect())
    };
    let role = "[accounts]\nrole = \"arn:aws:iam::{account}:role/x\"\nids = [\"123456789012\"]";
    for rest in ["", role] {
        let object = serde_json::json!([{
            "Sid": "ReleaseCatalogRead", "Effect": "Allow", "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::bucket/x/releases.bin", "arn:aws:s3:::bucket/x/releases.bin.minisig"],
        }]);
        assert_eq!(about("s3://bucket/x/releases.bin", rest), object);
        let artifact = serde_json::json!([
            {
                "Sid": "ReleaseCatalogToken", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"],
                "Resource": ["*"],
            },
            {
                "Sid": "ReleaseCatalogPull", "Effect": "Allow",
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Resource": ["arn:aws:ecr:eu-west-1:111111111111:repository/team/basewatch"],
            },
        ]);
        let source = "oci://111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/basewatch:releases";
        assert_eq!(about(source, rest), artifact);
        assert_eq!(about("oci://registry.example.com/basewatch:releases", rest), serde_json::json!([]));
        assert_eq!(about("releases.bin", rest), serde_json::json!([]));
    }
}

#[test]
fn the_role_can_be_assumed_only_in_listed_accounts_or_the_organization() {
    let assumed = |members: &str| {
        let role = "[accounts]\nrole = \"arn:aws:iam::{account}:role/x\"";
        let settings = settings(&format!("{role}\n{members}\n[[inventory.lambda]]\nregions = [\"eu-west-1\"]\n"));
        let document: Value = serde_json::from_str(&pretty(&running(&settings))).unwrap();
        let statements = document["Statement"].as_array().unwrap().clone();
        let found = statements.into_iter().find(|statement| statement["Action"][0] == "sts:AssumeRole").unwrap();
        (found["Resource"].clone(), found["Condition"].clone())
    };
    let listed = serde_json::json!(["arn:aws:iam::123456789012:role/x", "arn:aws:iam::210987654321:role/x"]);
    assert_eq!(assumed("ids = [\"123456789012\", \"210987654321\"]"), (listed, Value::Null));
    let own = serde_json::json!({ "StringEquals": { "aws:ResourceOrgID": ["${aws:PrincipalOrgID}"] } });
    assert_eq!(assumed("ids = [\"*\"]"), (serde_json::json!(["arn:aws:iam::*:role/x"]), own));
}
