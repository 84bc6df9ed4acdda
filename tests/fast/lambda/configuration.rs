//! Configuration in a bucket: for every command, and read again for each invocation.

use serde_json::json;

use crate::lambda::fleet::{Fleet, LONG};
use testbed::{
    bare::{stderr, stdout},
    bucket::{BUCKET, Bucket, Fault},
    runtime_api::{Function, RuntimeApi},
};

const KEY: &str = "config/basewatch.toml";

fn location() -> String {
    format!("s3://{BUCKET}/{KEY}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_reads_the_configuration_from_s3() {
    let (fleet, bucket) = (Fleet::new(), Bucket::start());
    let host = fleet.registry.host();
    fleet.build("orders:1", true);
    let inventory = format!("[inventory]\nimages = [{{ references = [\"{host}/orders:1\"] }}]");
    bucket.put(KEY, &fleet.configuration("", &inventory, ""));
    let run = |arguments: &[&str], named: &str| {
        let mut command = fleet.command(arguments);
        command.env("AWS_ENDPOINT_URL", bucket.endpoint()).env("BASEWATCH_CONFIG", named);
        command.output().unwrap()
    };
    let by_variable = run(&["audit", "--fail-on", "stale"], &location());
    assert_eq!(by_variable.status.code(), Some(1), "{}", stderr(&by_variable));
    assert!(stdout(&by_variable).contains("orders:1"));
    let by_flag = run(&["audit", "--config", &location()], "");
    assert!(stdout(&by_flag).contains("orders:1"), "{}", stderr(&by_flag));
    let check = run(&["config", "check", &location()], "");
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    assert!(stdout(&check).contains(&format!("{} is valid", location())), "{}", stdout(&check));
    // Relative paths in it start from the working folder.
    bucket.put(KEY, "[catalog]\npath = \"./facts\"\n");
    let check = run(&["config", "check"], &location());
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_of_a_configuration_in_s3_are_reported_with_its_location() {
    let (fleet, bucket) = (Fleet::new(), Bucket::start());
    let run = |named: &str| {
        let mut command = fleet.command(&["audit"]);
        command.env("AWS_ENDPOINT_URL", bucket.endpoint()).env("BASEWATCH_CONFIG", named);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
        stderr(&output)
    };
    let missing = run(&location());
    assert!(missing.contains(&location()) && missing.contains("the object does not exist"), "{missing}");
    let unnamed = run("s3://audits");
    assert!(unnamed.contains("BASEWATCH_CONFIG") && unnamed.contains("s3://BUCKET/KEY"), "{unnamed}");
    bucket.put(KEY, "[policy]\nmax_age = \"soon\"\n");
    let wrong = run(&location());
    assert!(wrong.contains(&format!("{}:2", location())) && wrong.contains("soon"), "{wrong}");
    bucket.put(KEY, &"#".repeat(5 << 20));
    let large = run(&location());
    assert!(large.contains("larger than 4 MiB"), "{large}");
    bucket.fail("GET", "basewatch.toml", 9, Fault::Refused(403, "AccessDenied"));
    let denied = run(&location());
    assert!(denied.contains("s3:GetObject") && !denied.contains("store"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_reloads_the_configuration_for_each_invocation() {
    let (fleet, bucket) = (Fleet::new(), Bucket::start());
    fleet.build("orders:1", true);
    let direct = json!({ "images": [format!("{}/orders:1", fleet.registry.host())] });
    let api = RuntimeApi::start().await;
    bucket.put(KEY, &fleet.configuration("", "", "[policy]\nmax_age = \"45d\"\n"));
    let mut command = fleet.command(&[]);
    command.env("AWS_ENDPOINT_URL", bucket.endpoint()).env("BASEWATCH_CONFIG", location());
    let _function = Function::start(command, &api.address);
    let verdict = async || api.invoke(direct.clone(), LONG).await.response()["findings"][0]["verdict"].clone();
    assert_eq!(verdict().await, "stale");
    bucket.put(KEY, &fleet.configuration("", "", "[policy]\nmax_age = \"365d\"\ngrace = \"365d\"\n"));
    assert_eq!(verdict().await, "superseded");
    bucket.put(KEY, "not = toml = at all");
    let (kind, message) = api.invoke(direct.clone(), LONG).await.error();
    assert_eq!(kind, "Basewatch.Configuration");
    assert!(message.contains(&location()), "{message}");
    bucket.put(KEY, &fleet.configuration("", "", ""));
    assert_eq!(verdict().await, "stale");
}
