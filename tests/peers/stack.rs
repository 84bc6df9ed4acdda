//! The CloudFormation template in moto: it deploys, its role has the permissions of `config iam`, and the program works
//! in the stack.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::store;
use testbed::{
    peers::{Peer, moto, run_python},
    program::Program,
};

const TOPIC: &str = "TOPIC";
/// A configuration that uses everything.
const CONFIG: &str = r#"
[owners]
tags = ["team"]
[[inventory.lambda]]
regions = ["*"]
[[inventory.ecs]]
regions = ["*"]
[[inventory.ecr]]
regions = ["*"]
[[notify.sns]]
topic_arn = "TOPIC"
"#;

/// Deploys the template with these parameters.
fn deploy(moto: &Peer, parameters: &Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (endpoint, parameters) = (moto.http(), parameters.to_string());
    let printed = run_python(&[
        &root.join("scripts/peers/deploy_stack.py"),
        Path::new(&endpoint),
        &root.join("deploy/cloudformation/lambda.yaml"),
        Path::new(&parameters),
    ]);
    let stack: Value = serde_json::from_str(&printed).expect("what came of it");
    assert_eq!(stack["status"], "CREATE_COMPLETE", "{stack:#}");
    stack
}

/// A machine whose configuration is in the deployed bucket.
async fn configured(moto: &Peer, stack: &Value, config: &str) -> Program {
    let output = |name: &str| stack["outputs"][name].as_str().expect("an output").to_owned();
    let bucket = output("BucketName");
    let config = config.replace(TOPIC, &output("AlertTopicArn"));
    let body = ByteStream::from(config.into_bytes());
    let s3 = store::client(moto);
    s3.put_object().bucket(&bucket).key("basewatch.toml").body(body).send().await.expect("an object written");
    Program::with_config("")
        .aws(moto.http())
        .env("BASEWATCH_CONFIG", format!("s3://{bucket}/basewatch.toml"))
        .env("BASEWATCH_STORE", format!("s3://{bucket}/store"))
}

#[tokio::test]
async fn the_deployed_role_has_the_permissions_that_the_configuration_needs() {
    let moto = moto();
    let stack = deploy(&moto, &json!({}));
    let program = configured(&moto, &stack, CONFIG).await;
    let printed = program.run(&["config", "iam"]);
    assert_eq!(printed.code, 0, "{}", printed.errors);
    let needed: Value = serde_json::from_str(&printed.output).expect("a policy");
    let needed = needed["Statement"].as_array().expect("statements");
    let role = &stack["roles"]["Role"];
    let granted = ["audit", "store-and-notify"].map(|name| role[name]["Statement"].as_array().expect("statements"));
    let granted: Vec<_> = granted.into_iter().flatten().collect();
    let missing: Vec<_> = needed.iter().filter(|statement| !granted.contains(statement)).collect();
    let beyond: Vec<_> = granted.iter().filter(|statement| !needed.contains(statement)).collect();
    assert!(missing.is_empty() && beyond.is_empty(), "missing: {missing:#?}\nbeyond: {beyond:#?}");
    let surroundings = role["function"]["Statement"].as_array().expect("statements");
    let sids: Vec<_> = surroundings.iter().map(|statement| statement["Sid"].as_str().expect("a name")).collect();
    assert_eq!(sids, ["WriteLogs", "DeadLetterQueue", "KeyUse"]);
}

#[tokio::test]
async fn a_run_works_in_the_deployed_stack() {
    let moto = moto();
    let stack = deploy(&moto, &json!({}));
    let inventory = "[[inventory.lambda]]\nregions = [\"us-east-1\"]\n[[notify.sns]]\ntopic_arn = \"TOPIC\"\n";
    let program = configured(&moto, &stack, inventory).await;
    let printed = program.run(&["run", "--format", "json"]);
    let outcome: Value = serde_json::from_str(&printed.output)
        .unwrap_or_else(|error| panic!("{error}, exit code {}: {}", printed.code, printed.errors));
    // The only function is basewatch itself.
    assert_eq!(outcome["summary"]["deployments"], 1, "{outcome:#}");
    let bucket = stack["outputs"]["BucketName"].as_str().expect("its name");
    let ledger = store::client(&moto).get_object().bucket(bucket).key("store/ledger.json").send().await;
    assert!(ledger.is_ok(), "a ledger where the role may write it: {ledger:?}");
}

#[test]
fn parameters_are_applied_to_their_resources() {
    let moto = moto();
    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf";
    let stack = deploy(
        &moto,
        &json!({
            "PermissionsBoundary": boundary, "AuditRoleName": "basewatch-audit", "AuditOrganization": "true",
            "SecretArns": secret, "WatchPushes": "true",
        }),
    );
    for role in ["Role", "ScheduleRole"] {
        assert_eq!(stack["boundaries"][role]["PermissionsBoundaryArn"], boundary, "{role}");
    }
    let statements = stack["roles"]["Role"]["store-and-notify"]["Statement"].as_array().expect("statements");
    let statement = |sid: &str| {
        let found = statements.iter().find(|statement| statement["Sid"] == sid);
        found.unwrap_or_else(|| panic!("no {sid} in {statements:#?}"))
    };
    let of = |sid: &str| statement(sid)["Resource"].clone();
    assert_eq!(of("SecretsRead"), json!([secret]));
    assert_eq!(of("AssumeAuditRole"), json!(["arn:aws:iam::*:role/basewatch-audit"]));
    let own = json!({ "StringEquals": { "aws:ResourceOrgID": "${aws:PrincipalOrgID}" } });
    assert_eq!(statement("AssumeAuditRole")["Condition"], own);
    assert_eq!(of("OrganizationsListAccounts"), json!(["*"]));
    for resource in ["Pushes", "PushesPermission"] {
        assert!(stack["resources"][resource].is_object(), "{resource} is not among {:#}", stack["resources"]);
    }
}
