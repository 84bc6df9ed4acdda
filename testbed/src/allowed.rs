//! The permissions of the shipped policies, which must include every call that a test makes.

use serde_json::Value;

/// Further permissions of basewatch's own role, for `[accounts]`, topics and Security Hub, and calls allowed without permission.
const BESIDES: [&str; 5] = [
    "sts:AssumeRole",
    "organizations:ListAccounts",
    "sns:Publish",
    "securityhub:BatchImportFindings",
    "sts:GetCallerIdentity",
];

/// Fails unless the policies allow `action`, such as `ecr:DescribeImages`.
pub fn assert_allowed(action: &str) {
    let policy: Value = serde_json::from_str(include_str!("../../config/iam-policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let mut allowed = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap());
    let is_allowed = BESIDES.contains(&action) || allowed.any(|allowed| allowed == action);
    assert!(is_allowed, "{action} is in no policy that ships");
}
