//! The calls of an audit compared with the policy that `config iam` prints.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    account::{Account, Function},
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
    let request: BTreeSet<_> = environment.moto.calls_since(mark).iter().map(|call| call.replace(' ', ":")).collect();
    let (reading, running) = (allowed(&program, "policy"), allowed(&program, "runner"));
    // Allowed without permission.
    let is_allowed = |call: &&String| reading.contains(*call) || running.contains(*call) || *call == WHO_AM_I;
    let beyond: Vec<_> = request.iter().filter(|call| !is_allowed(call)).collect();
    assert_eq!(beyond, Vec::<&String>::new(), "requested: {request:#?}");
    for call in ["lambda:GetFunction", "lambda:ListAliases", "ecr:DescribeImages", "organizations:ListAccounts"] {
        assert!(request.contains(call), "{call} is not among {request:#?}");
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
const WHO_AM_I: &str = "sts:GetCallerIdentity";
