//! `[accounts]`: which AWS accounts are looked at, and as whom.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    secret::{RawSecret, secret},
    tree::KeyPath,
};
use crate::{
    aws::{AccountSettings, Members, RoleTemplate},
    image::AccountId,
};

/// Which AWS accounts are looked at, and as whom. Without it, only that of the credentials, and as they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccounts {
    /// The role that is assumed in each account, an ARN in which `{account}` stands for the account. The
    /// account that basewatch itself runs in may do without the role; it is then read with the credentials
    /// as they are.
    #[schemars(required, example = &"arn:aws:iam::{account}:role/basewatch-audit")]
    role: Option<String>,
    /// The external id that the role's trust policy asks for: where it is, never what it is.
    external_id: Option<RawSecret>,
    /// The accounts, by their twelve digits.
    #[schemars(example = ["123456789012", "210987654321"])]
    ids: Option<Vec<String>>,
    /// Whether all active accounts of the AWS Organization are meant instead. Listing them is allowed to its
    /// management account and to delegated administrators.
    #[schemars(extend("default" = false))]
    organization: Option<bool>,
    /// Accounts to leave out.
    #[schemars(extend("default" = []), example = ["333333333333"])]
    exclude: Option<Vec<String>>,
}

pub(super) fn validate(raw: &RawAccounts, at: &KeyPath, check: &mut Check<'_>) -> Option<AccountSettings> {
    let role = raw.role.as_ref().and_then(|text| check.accept(&at.key("role"), role(text)));
    let external_id = raw.external_id.as_ref().and_then(|raw| secret(raw, &at.key("external_id"), check));
    let mut accounts = |key: &str, texts: &Option<Vec<String>>| -> BTreeSet<AccountId> {
        let texts = texts.as_deref().unwrap_or_default();
        check.each(&at.key(key), texts, account).into_iter().collect()
    };
    let (ids, exclude) = (accounts("ids", &raw.ids), accounts("exclude", &raw.exclude));
    let members = match (&raw.ids, raw.organization.unwrap_or_default()) {
        (None, false) => {
            check.refuse(at, "names no account: list them in ids, or set organization = true");
            None
        }
        (Some(_), true) => {
            check.refuse(&at.key("organization"), "means all accounts, and ids some: remove one of the two");
            None
        }
        (Some(listed), false) => {
            if listed.is_empty() {
                check.refuse(&at.key("ids"), "names no account: write them as in [\"123456789012\"]");
            }
            Some(Members::Listed(ids.difference(&exclude).cloned().collect()))
        }
        (None, true) => Some(Members::Organization { exclude }),
    };
    Some(AccountSettings { role: role?, external_id, members: members?, only: Vec::new() })
}

/// A role's ARN with a place for the account.
fn role(text: &str) -> Result<RoleTemplate, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is no role for all accounts: write it as in \"arn:aws:iam::{{account}}:role/basewatch-audit\", \
         where {{account}} stands for each"
        )
    })
}

fn account(text: &str) -> Result<AccountId, String> {
    let refused = |_| format!("{text:?} is no AWS account: write its twelve digits, as in \"123456789012\"");
    text.parse().map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_a_place_for_the_account() {
        for good in ["arn:aws:iam::{account}:role/basewatch-audit", "arn:aws-cn:iam::{account}:role/path/to/x"] {
            assert_eq!(role(good).expect(good).as_str(), good);
        }
        for garbage in [
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
            assert!(role(garbage).is_err(), "{garbage}");
        }
        assert!(account("123456789012").is_ok() && account("12345678901").is_err() && account("١٢٣٤٥٦٧٨٩٠١٢").is_err());
    }
}
