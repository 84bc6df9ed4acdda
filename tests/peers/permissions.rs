//! The calls of an audit compared with the policy that `config iam` prints.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    account::{Account, Function, REGION, organization, owner, sdk},
    environment::{AwsEnvironment, NOW, built_on},
};
use testbed::program::{Program, findings};

/// The actions that `config iam` allows in the document `what`.
fn allowed(program: &Program, what: &str) -> BTreeSet<String> {
    let printed = program.run(&["config", "iam", what]);
    assert_eq!(printed.code, 0, "{}", printed.errors);
    let policy: Value = serde_json::from_str(&printed.output).expect("a policy in JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let actions = statements.iter().flat_map(|statement| statement["Action"].as_array().expect("a list of actions"));
    actions.map(|action| action.as_str().expect("an action").to_owned()).collect()
}

/// The actions of the calls since `mark`.
fn requested(environment: &AwsEnvironment, mark: u64) -> BTreeSet<String> {
    environment.moto.calls_since(mark).iter().map(|call| call.replace(' ', ":")).collect()
}

/// Those of `request` that no policy allows, and that need a permission.
fn beyond<'a>(program: &Program, request: &'a BTreeSet<String>) -> Vec<&'a String> {
    let (reading, running) = (allowed(program, "policy"), allowed(program, "runner"));
    let is_allowed = |call: &&String| reading.contains(*call) || running.contains(*call) || *call == WHO_AM_I;
    request.iter().filter(|call| !is_allowed(call)).collect()
}

#[tokio::test]
async fn an_audit_needs_no_permission_outside_its_policies() {
    let (environment, releases) = AwsEnvironment::published().await;
    let ids = crate::account::organization(&environment.moto, &["orders"]).await;
    let orders = Account::join(&environment.moto, &ids[0]).await;
    orders.role("basewatch-audit", None).await;
    orders.prepare_functions().await;
    let [old, new] = [&releases[0], &releases[4]].map(|release| built_on(release, "orders").build());
    orders.push("orders", "1", &old).await;
    orders.function(&Function::new("orders", orders.image("orders:1"))).await;
    let version = orders.publish("orders").await;
    orders.alias("orders", "live", &version, None).await;
    orders.push("orders", "2", &new).await;
    orders.define("web", &[("app", orders.image("orders:1"))]).await;
    orders.cluster("prod").await;
    orders.service("prod", "web", "web", 1, &[]).await;
    orders.task("prod", "web", &[]).await;
    let program = environment.audits(
        r#"
        [[inventory.lambda]]
        regions = ["*"]

        [[inventory.ecs]]
        regions = ["us-east-1"]

        [[inventory.ecr]]
        regions = ["us-east-1"]

        [accounts]
        role = "arn:aws:iam::{account}:role/basewatch-audit"
        ids = ["*"]

        [owners]
        tags = ["team"]
        "#,
        &[&orders],
    );
    let mark = environment.moto.mark();
    let (_, report) = program.audit(NOW, &[]);
    let kinds: BTreeSet<_> = findings(&report).iter().map(|it| it["deployment"]["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from([Some("ecr"), Some("ecs"), Some("lambda")]), "{report:#}");
    let request = requested(&environment, mark);
    assert_eq!(beyond(&program, &request), Vec::<&String>::new(), "requested: {request:#?}");
    for call in ["lambda:GetFunction", "lambda:ListAliases", "ecr:DescribeImages", "organizations:ListAccounts"] {
        assert!(request.contains(call), "{call} is not among {request:#?}");
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
const WHO_AM_I: &str = "sts:GetCallerIdentity";

#[tokio::test]
async fn an_online_check_sends_nothing_stays_within_the_policies_and_names_what_is_missing() {
    let (environment, _) = AwsEnvironment::published().await;
    let ids = organization(&environment.moto, &["orders"]).await;
    let orders = Account::join(&environment.moto, &ids[0]).await;
    orders.role("basewatch-audit", None).await;
    let s3 = crate::store::client(&environment.moto);
    s3.create_bucket().bucket("watch").send().await.expect("a bucket made");
    let sns = aws_sdk_sns::Client::new(&sdk(&environment.moto.http(), REGION, owner()));
    let topic = sns.create_topic().name("alerts").send().await.expect("a topic made").topic_arn.expect("its ARN");
    let lost = topic.replace("alerts", "lost");
    let program = environment.audits(
        &format!(
            r#"
            [[inventory.lambda]]
            regions = ["*"]

            [[inventory.ecs]]
            regions = ["us-east-1"]

            [[inventory.ecr]]
            regions = ["us-east-1"]

            [accounts]
            role = "arn:aws:iam::{{account}}:role/basewatch-audit"
            ids = ["*"]

            [[notify.sns]]
            topic_arn = "{topic}"

            [[notify.sns]]
            topic_arn = "{lost}"

            [[notify.webhook]]
            url = "https://nowhere.invalid/hunter2"
            secret = {{ secretsmanager = "arn:aws:secretsmanager:us-east-1:123456789012:secret:lost-AbCdEf" }}
            "#
        ),
        &[&orders],
    );
    let program = program.env("BASEWATCH_STORE", "s3://watch/prod");
    let mark = environment.moto.mark();
    let checked = program.run(&["config", "check", "--online"]);
    assert_eq!(checked.code, 2, "{}{}", checked.output, checked.errors);
    let states: Vec<_> = checked.output.lines().filter_map(|line| line.strip_prefix("  ok           ")).collect();
    for passed in [
        "credentials: arn:aws:",
        "roles in 2 accounts",
        "lambda:ListFunctions in ",
        "ecs:ListClusters in 2 regions of 2 accounts",
        "ecr:DescribeRepositories in 2 regions of 2 accounts",
        "ecr:GetAuthorizationToken in ",
        "registry public.ecr.aws",
        "store s3://watch/prod",
        &format!("topic {topic}"),
    ] {
        assert!(states.iter().any(|line| line.starts_with(passed)), "{passed}: {}", checked.output);
    }
    for failed in [format!("topic {lost}: sns:GetTopicAttributes: NotFound"), "secret arn:".to_owned()] {
        assert!(checked.output.contains(&format!("  failed       {failed}")), "{failed}: {}", checked.output);
    }
    assert!(!checked.output.contains("hunter2"), "{}", checked.output);
    let request = requested(&environment, mark);
    // The policies name the actions of S3, not its calls; a check accepts that the attributes of topics are denied.
    let beyond: Vec<_> = beyond(&program, &request).into_iter().filter(|call| !call.starts_with("s3:")).collect();
    assert_eq!(beyond, ["sns:GetTopicAttributes"], "requested: {request:#?}");
    let left = s3.list_objects_v2().bucket("watch").send().await.expect("a list");
    assert_eq!(left.key_count(), Some(0), "{left:#?}");
}
