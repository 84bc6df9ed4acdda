//! Organizations and Account Management: accounts and their regions.

use aws_sdk_account::types::RegionOptStatus;
use aws_sdk_organizations::types::AccountStatus as Status;
use testbed::aws::{AccountStatus, Cloud, CloudFunction, CloudVersion};

use crate::aws_loopback::rig::{OTHER, OWN, REGION, both_ways, key, refusal};

#[tokio::test]
async fn the_members_come_in_pages_of_twenty_with_their_status() {
    let cloud = Cloud::new(OWN);
    for number in 0..45 {
        let status = if number == 7 { AccountStatus::Suspended } else { AccountStatus::Active };
        cloud.member(&format!("5000000000{number:02}"), &format!("member-{number}"), status);
    }
    for way in both_ways(&cloud) {
        cloud.forget_calls();
        let organizations = aws_sdk_organizations::Client::new(&way.config);
        let mut pages = organizations.list_accounts().into_paginator().send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            accounts.extend(page.unwrap().accounts().to_vec());
        }
        assert_eq!(accounts.len(), 46, "the management account is a member");
        assert_eq!(cloud.calls().tally("organizations:ListAccounts").calls, 3);
        let suspended: Vec<_> =
            accounts.iter().filter(|account| account.status() == Some(&Status::Suspended)).collect();
        assert_eq!(suspended.len(), 1);
        assert_eq!(suspended[0].id(), Some("500000000007"));
        assert_eq!(refusal(organizations.list_accounts().max_results(21).send().await).0, "InvalidInputException");
    }
}

#[tokio::test]
async fn without_an_organization_there_is_nothing_to_list() {
    let cloud = Cloud::new(OWN);
    cloud.account(OTHER);
    for way in both_ways(&cloud) {
        let list = aws_sdk_organizations::Client::new(&way.config).list_accounts().send().await;
        assert_eq!(refusal(list), ("AWSOrganizationsNotInUseException".to_owned(), 400));
    }
}

#[tokio::test]
async fn only_the_management_account_can_list_the_organization() {
    let cloud = Cloud::new(OWN);
    cloud.member(OTHER, "other", AccountStatus::Active);
    cloud.enable_regions(OTHER, &["eu-west-1"]);
    cloud.account("333333333333");
    for way in both_ways(&cloud) {
        let session_in = async |account: &str| {
            let role = format!("arn:aws:iam::{account}:role/basewatch-audit");
            let call = way.sts().assume_role().role_arn(role).role_session_name("basewatch");
            let credentials = call.send().await.unwrap().credentials().unwrap().clone();
            way.with(key(credentials.access_key_id(), Some(credentials.session_token())), REGION)
        };
        let (own, other) = (session_in(OWN).await, session_in(OTHER).await);
        assert_eq!(aws_sdk_organizations::Client::new(&own).list_accounts().send().await.unwrap().accounts().len(), 2);
        let denied = aws_sdk_organizations::Client::new(&other).list_accounts().send().await;
        assert_eq!(refusal(denied), ("AccessDeniedException".to_owned(), 400));

        let enabled = async |config: &aws_config::SdkConfig, id: &str| {
            let call = aws_sdk_account::Client::new(config).list_regions().account_id(id);
            call.region_opt_status_contains(RegionOptStatus::EnabledByDefault).send().await
        };
        assert_eq!(enabled(&own, OTHER).await.unwrap().regions().len(), 1);
        for (config, id) in [(&own, OWN), (&own, "333333333333"), (&other, OWN), (&other, OTHER)] {
            assert_eq!(refusal(enabled(config, id).await), ("AccessDeniedException".to_owned(), 403));
        }
    }
}

#[tokio::test]
async fn regions_have_their_opt_in_status() {
    let cloud = Cloud::new(OWN);
    for way in both_ways(&cloud) {
        let account = aws_sdk_account::Client::new(&way.config);
        let enabled = async || {
            let call = account.list_regions();
            let call = call.region_opt_status_contains(RegionOptStatus::Enabled);
            let call = call.region_opt_status_contains(RegionOptStatus::EnabledByDefault).max_results(50);
            let regions = call.send().await.unwrap();
            regions.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)).collect::<Vec<_>>()
        };
        let from_the_start = enabled().await;
        assert_eq!(from_the_start.len(), 17);
        cloud.enable_regions(OWN, &["eu-west-1", "af-south-1"]);
        assert_eq!(enabled().await, ["af-south-1", "eu-west-1"]);
        let all = account.list_regions().send().await.unwrap();
        assert_eq!((all.regions().len(), all.next_token().is_some()), (20, true));
        cloud.enable_regions(OWN, &from_the_start.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_region_that_is_not_enabled_rejects_every_key() {
    let cloud = Cloud::new(OWN);
    cloud.function(OWN, REGION, CloudFunction::new("orders", CloudVersion::default()));
    for way in both_ways(&cloud) {
        let config = way.with(key("AKIDEXAMPLE", None), "af-south-1");
        let lambda = aws_sdk_lambda::Client::new(&config).list_functions().send().await;
        assert_eq!(refusal(lambda), ("UnrecognizedClientException".to_owned(), 403));
        let ecr = aws_sdk_ecr::Client::new(&config).describe_repositories().send().await;
        assert_eq!(refusal(ecr), ("UnrecognizedClientException".to_owned(), 400));
        let sts = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        assert!(sts.is_ok(), "STS is everywhere");
    }
}
