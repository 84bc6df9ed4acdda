//! `[accounts]`: the AWS accounts to audit, and the role to assume in each.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::ConfigValidator,
    secret::{RawSecret, secret},
    tree::KeyPath,
};
use crate::{
    aws::{AccountSelection, AccountSettings, RoleTemplate},
    image::AccountId,
};

/// The AWS accounts to audit, and the role to assume in each. Without it, only the account of the credentials.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccounts {
    /// The ARN of the role to assume, with `{account}` in place of the account ID. The account that basewatch runs in
    /// does not need the role; without it, basewatch uses its own credentials there.
    #[schemars(required, example = &"arn:aws:iam::{account}:role/basewatch-audit")]
    role: Option<String>,
    /// External ID that the role's trust policy requires.
    external_id: Option<RawSecret>,
    /// Account IDs of twelve digits; `["*"]` for all active accounts of the AWS organization, which only its management
    /// account and delegated administrators can list.
    #[schemars(required, example = ["123456789012", "210987654321"])]
    ids: Option<Vec<String>>,
    /// Accounts to exclude.
    #[schemars(extend("default" = []), example = ["333333333333"])]
    exclude: Option<Vec<String>>,
}

pub(super) fn validate(raw: &RawAccounts, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<AccountSettings> {
    let role = raw.role.as_ref().and_then(|text| check.accept(&at.key("role"), role(text)));
    let external_id = raw.external_id.as_ref().and_then(|raw| secret(raw, &at.key("external_id"), check));
    let mut accounts = |key: &str, texts: &Option<Vec<String>>| -> BTreeSet<AccountId> {
        let texts = texts.as_deref().unwrap_or_default();
        check.each(&at.key(key), texts, account).into_iter().collect()
    };
    let exclude = accounts("exclude", &raw.exclude);
    let members = match raw.ids.as_deref() {
        Some([all]) if all == "*" => AccountSelection::Organization { exclude },
        listed => {
            let ids = accounts("ids", &raw.ids);
            if listed.is_some_and(<[_]>::is_empty) {
                check.refuse(
                    &at.key("ids"),
                    "is empty: write account IDs, as in [\"123456789012\"], or [\"*\"] for all of the organization",
                );
            }
            AccountSelection::Listed(ids.difference(&exclude).cloned().collect())
        }
    };
    Some(AccountSettings { role: role?, external_id, members, only: Vec::new() })
}

/// Parses the ARN of a role with `{account}` in place of the account ID.
fn role(text: &str) -> Result<RoleTemplate, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not a role ARN with {{account}} in place of the account ID: write it as in \
         \"arn:aws:iam::{{account}}:role/basewatch-audit\""
        )
    })
}

fn account(text: &str) -> Result<AccountId, String> {
    let error = |_| format!("{text:?} is not an AWS account ID: write twelve digits, as in \"123456789012\"");
    text.parse().map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_arn_needs_an_account_placeholder() {
        for good in ["arn:aws:iam::{account}:role/basewatch-audit", "arn:aws-cn:iam::{account}:role/path/to/x"] {
            assert_eq!(role(good).expect(good).as_str(), good);
        }
        for invalid in [
            "",
            "basewatch-audit",
            "arn:aws:iam::123456789012:role/basewatch",
            "arn:aws:iam::{account}:role/",
            "arn:aws:iam::{account}:user/x",
            "arn:aws:iam::{account}:role/{account}",
            "arn:aws:sts::{account}:role/x",
            "arn:aws:iam::{account}:role/a b",
            "arn:aws:iam::{account}:role/a;b",
        ] {
            assert!(role(invalid).is_err(), "{invalid}");
        }
        assert!(account("123456789012").is_ok() && account("12345678901").is_err() && account("١٢٣٤٥٦٧٨٩٠١٢").is_err());
    }
}
