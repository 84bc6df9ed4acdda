//! `basewatch config iam`: the IAM permissions of a configuration.

mod own_role;
mod policy;
mod statement;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

pub use policy::{IamPolicy, reading, running};

use crate::{
    app::{ExitStatus, output::print},
    aws::AccountSettings,
    cli::{ConfigIamArgs, IamDocument},
    config::Settings,
    image::{ArnParts, Region},
    inventory::RegionSelection,
};

/// Prints the requested document.
///
/// # Errors
///
/// When the settings do not use AWS, or `--principal` is missing.
pub fn run(args: &ConfigIamArgs, settings: &Settings) -> Result<ExitStatus> {
    let reading = reading(settings);
    if settings.kinds().is_empty() || reading.is_empty() {
        bail!("the configuration does not use AWS: add [[inventory.lambda]], [[inventory.ecs]] or [[inventory.ecr]]");
    }
    let accounts = settings.accounts.as_ref();
    let needed = "the configuration has no [accounts], and therefore no role to assume";
    match args.what {
        IamDocument::Policy => print(&pretty(&reading))?,
        IamDocument::Runner => {
            accounts.context(needed)?;
            print(&pretty(&running(settings)))?;
        }
        IamDocument::Trust => print(&pretty(&trust(accounts.context(needed)?, principal(args)?)))?,
        IamDocument::Commands => print(&commands(settings, &reading, principal(args)?))?,
    }
    Ok(ExitStatus::Clean)
}

fn principal(args: &ConfigIamArgs) -> Result<&str> {
    let given = args.principal.as_deref().context(
        "--principal is required: the ARN of basewatch's own role, as in \
        arn:aws:iam::111111111111:role/basewatch",
    )?;
    let is_identity = ArnParts::parse(given).is_some_and(|ArnParts { service, region, account, resource, .. }| {
        let is_known = resource.starts_with("role/") || resource.starts_with("user/");
        service == "iam" && region.is_empty() && !account.is_empty() && is_known
    });
    if !is_identity || !given.bytes().all(|byte| byte.is_ascii_graphic() && !b"'\"`$\\".contains(&byte)) {
        bail!("{given:?} is not a role or user ARN: write it as in arn:aws:iam::111111111111:role/basewatch");
    }
    Ok(given)
}

/// The trust policy that allows `principal` to assume the role, with the external ID if one is configured.
fn trust(accounts: &AccountSettings, principal: &str) -> Value {
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": { "AWS": principal },
        "Action": "sts:AssumeRole",
    });
    if accounts.external_id.is_some() {
        statement["Condition"] = json!({ "StringEquals": { "sts:ExternalId": EXTERNAL_ID } });
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// The placeholder for the external ID, which is a secret and not printed.
const EXTERNAL_ID: &str = "PUT-YOUR-EXTERNAL-ID-HERE";

/// The AWS CLI commands that create the role and its policies.
fn commands(settings: &Settings, reading: &IamPolicy, principal: &str) -> String {
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let put = |role: &str, policy: &str, document: &IamPolicy| {
        let document = serde_json::to_string(document).unwrap_or_default();
        format!(
            "aws iam put-role-policy --role-name {role} --policy-name {policy} \\\n  --policy-document '{document}'\n"
        )
    };
    let mut text = String::new();
    let (role, shown) = match &settings.accounts {
        None => (name(principal), principal.to_owned()),
        Some(accounts) => (name(accounts.role.as_str()), accounts.role.arn("$ACCOUNT")),
    };
    let mut add = |part: &str| text.push_str(part);
    if let Some(accounts) = &settings.accounts {
        add("# Once, in the account where basewatch runs: allow it to assume the role of each account.\n");
        add(&put(&name(principal), "basewatch-runner", &running(settings)));
        add("\n# In each account: the audit role and its trust policy.\n");
        add("ACCOUNT=$(aws sts get-caller-identity --query Account --output text)\n");
        let trust = trust(accounts, principal);
        let path = path(accounts.role.as_str());
        add(&format!("aws iam create-role --role-name {role}{path} \\\n  --assume-role-policy-document '{trust}'\n"));
        add(&put(&role, "basewatch", reading));
    } else {
        add("# The permissions of the audit role.\n");
        add(&put(&role, "basewatch", reading));
    }
    add(
        "\n# In each account and region with repositories: exclude audits from pull times, so that lifecycle rules still\n",
    );
    add("# expire unused images.\n");
    add(&format!("for REGION in {}; do\n", regions(settings)));
    add(&format!(
        "  aws ecr register-pull-time-update-exclusion --region \"$REGION\" \\\n    --principal-arn \"{shown}\"\ndone\n"
    ));
    text
}

/// The `--path` option for the path of the role, which is part of its ARN.
fn path(role: &str) -> String {
    let path = role.split_once(":role/").and_then(|(_, name)| name.rsplit_once('/'));
    path.map_or_else(String::new, |(path, _)| format!(" --path /{path}/"))
}

/// The listed regions as shell words, or a command that lists all enabled regions.
fn regions(settings: &Settings) -> String {
    let listed: Option<Vec<_>> = settings.regions().into_iter().map(RegionSelection::as_listed).collect();
    match listed {
        Some(listed) => {
            let regions: BTreeSet<_> = listed.into_iter().flatten().map(Region::as_str).collect();
            regions.into_iter().collect::<Vec<_>>().join(" ")
        }
        None => "$(aws account list-regions --region-opt-status-contains ENABLED ENABLED_BY_DEFAULT \\\n  \
                 --query 'Regions[].RegionName' --output text)"
            .to_owned(),
    }
}

/// Formats a document as indented JSON.
#[must_use]
pub fn pretty<T: Serialize>(document: &T) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}
