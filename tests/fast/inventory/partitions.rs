//! Endpoints in each AWS partition, and services that a partition lacks.

use crate::inventory::{
    memory_registry::MemoryRegistry,
    rig::{Rig, settings},
};
use basewatch::{
    aws::{AccountSelection, AccountSettings},
    image::AwsPartition,
    inventory::{EcrInventory, EcrSettings, Inventory as _, RegionSelection},
};
use serde_json::json;
use testbed::aws::{Answer, Call};

/// AWS with one account and one region.
fn aws(region: &'static str) -> impl Fn(&Call) -> Answer {
    move |call| match call.operation.as_str() {
        "ListAccounts" => Answer::ok(json!({ "Accounts": [{ "Id": "210987654321", "State": "ACTIVE" }] })),
        "AssumeRole" => {
            let credentials = "<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>x</SecretAccessKey>\
                               <SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>";
            let result = format!("<AssumeRoleResult><Credentials>{credentials}</Credentials></AssumeRoleResult>");
            Answer::Xml(200, format!("<AssumeRoleResponse>{result}</AssumeRoleResponse>"))
        }
        "ListRegions" => {
            Answer::ok(json!({ "Regions": [{ "RegionName": region, "RegionOptStatus": "ENABLED_BY_DEFAULT" }] }))
        }
        "DescribeRepositories" => Answer::ok(json!({ "repositories": [] })),
        other => panic!("{other} is not asked"),
    }
}

#[tokio::test]
async fn global_services_are_called_at_the_endpoints_of_their_partition() {
    for (partition, region, hosts) in [
        (
            "aws",
            "eu-west-1",
            [
                "organizations.us-east-1.amazonaws.com",
                "sts.us-east-1.amazonaws.com",
                "account.us-east-1.amazonaws.com",
                "api.ecr.eu-west-1.amazonaws.com",
            ],
        ),
        (
            "aws-us-gov",
            "us-gov-east-1",
            [
                "organizations.us-gov-west-1.amazonaws.com",
                "sts.us-gov-west-1.amazonaws.com",
                "account.us-gov-west-1.amazonaws.com",
                "api.ecr.us-gov-east-1.amazonaws.com",
            ],
        ),
        (
            "aws-cn",
            "cn-north-1",
            [
                "organizations.cn-northwest-1.amazonaws.com.cn",
                "sts.cn-northwest-1.amazonaws.com.cn",
                "account.cn-northwest-1.amazonaws.com.cn",
                "api.ecr.cn-north-1.amazonaws.com.cn",
            ],
        ),
        (
            "aws-eusc",
            "eusc-de-east-1",
            [
                "organizations.eusc-de-east-1.amazonaws.eu",
                "sts.eusc-de-east-1.amazonaws.eu",
                "account.eusc-de-east-1.amazonaws.eu",
                "api.ecr.eusc-de-east-1.amazonaws.eu",
            ],
        ),
    ] {
        let mut rig = Rig::answering(MemoryRegistry::new(), aws(region));
        rig.members = Some(AccountSettings {
            role: format!("arn:{partition}:iam::{{account}}:role/audit").parse().unwrap(),
            external_id: None,
            members: AccountSelection::Organization { exclude: [].into() },
            only: Vec::new(),
        });
        let found = rig.read_inventory(&[EcrSettings { regions: RegionSelection::Enabled, ..settings() }]).await;
        assert!(found.errors.is_empty(), "{partition}: {:?}", found.errors);
        let called_hosts: Vec<_> = rig.cloud.recorded().into_iter().map(|call| call.host).collect();
        assert_eq!(called_hosts, hosts, "{partition}");
    }
}

#[tokio::test]
async fn without_accounts_the_configured_partition_decides() {
    let rig = Rig::answering(MemoryRegistry::new(), aws("us-gov-west-1"));
    let aws_scope = rig.aws_scope_of(rig.aws().with_partition(Some(AwsPartition::from_region("us-gov-east-1"))));
    let everywhere = EcrSettings { regions: RegionSelection::Enabled, ..settings() };
    let found = EcrInventory::new(vec![everywhere], aws_scope).deployments().await;
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    let called_hosts: Vec<_> = rig.cloud.recorded().into_iter().map(|call| call.host).collect();
    assert_eq!(called_hosts, ["account.us-gov-west-1.amazonaws.com", "api.ecr.us-gov-west-1.amazonaws.com"]);
}
