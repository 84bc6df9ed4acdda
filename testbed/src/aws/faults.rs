//! Injected faults: denied accounts and operations, throttled and silent regions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cloud, log::CallKey};

/// Which calls a fault concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultScope {
    action: String,
    account: Option<String>,
    region: Option<String>,
}

impl FaultScope {
    /// The calls of `action`, as in `lambda:ListFunctions`, `lambda:*` or `*`.
    #[must_use]
    pub fn from_action(action: &str) -> Self {
        Self { action: action.to_owned(), account: None, region: None }
    }

    /// Only those made with a key of `account`.
    #[must_use]
    pub fn in_account(self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self }
    }

    /// Only those made in `region`.
    #[must_use]
    pub fn in_region(self, region: &str) -> Self {
        Self { region: Some(region.to_owned()), ..self }
    }

    fn holds(&self, call: &CallKey) -> bool {
        let is_action = match self.action.split_once(':') {
            Some((service, "*")) => service == call.service,
            Some((service, operation)) => service == call.service && operation == call.operation,
            None => self.action == "*",
        };
        is_action
            && self.account.as_ref().is_none_or(|account| *account == call.account)
            && self.region.as_ref().is_none_or(|region| *region == call.region)
    }
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(super) struct Faults {
    denied: Vec<FaultScope>,
    /// With how many more calls are throttled; all of them if absent.
    throttled: Vec<(FaultScope, Option<u32>)>,
    silent: Vec<FaultScope>,
    denied_roles: BTreeSet<String>,
    external_ids: BTreeMap<String, String>,
    /// Whether ECR Public hands out tokens, which most accounts' roles do not allow.
    pub(super) has_ecr_public: bool,
}

impl Faults {
    pub(super) fn denies(&self, call: &CallKey) -> bool {
        self.denied.iter().any(|scope| scope.holds(call))
    }

    /// Whether `call` is throttled; counts it.
    pub(super) fn throttles(&mut self, call: &CallKey) -> bool {
        let Some((_, left)) = self.throttled.iter_mut().find(|(scope, left)| scope.holds(call) && *left != Some(0))
        else {
            return false;
        };
        *left = left.map(|left| left - 1);
        true
    }

    pub(super) fn refuses_connection(&self, call: &CallKey) -> bool {
        self.silent.iter().any(|scope| scope.holds(call))
    }

    /// Whether a role of `account` may be assumed with `external_id`.
    pub(super) fn lets_in(&self, account: &str, external_id: Option<&str>) -> bool {
        let requested = self.external_ids.get(account).map(String::as_str);
        !self.denied_roles.contains(account) && requested.is_none_or(|requested| external_id == Some(requested))
    }
}

impl Cloud {
    /// Denies the calls of `scope`.
    pub fn deny(&self, scope: FaultScope) {
        self.faults().denied.push(scope);
    }

    /// Throttles the next `times` calls of `scope`, or all of them.
    pub fn throttle(&self, scope: FaultScope, times: Option<u32>) {
        self.faults().throttled.push((scope, times));
    }

    /// Refuses connections for the calls of `scope`, such as all of a region.
    pub fn refuse_connections(&self, scope: FaultScope) {
        self.faults().silent.push(scope);
    }

    /// Denies everyone the roles of `account`.
    pub fn deny_roles_of(&self, account: &str) {
        self.faults().denied_roles.insert(account.to_owned());
    }

    /// Ends what [`Cloud::deny`], [`Cloud::throttle`], [`Cloud::refuse_connections`] and
    /// [`Cloud::deny_roles_of`] began.
    pub fn heal(&self) {
        let mut faults = self.faults();
        faults.denied.clear();
        faults.throttled.clear();
        faults.silent.clear();
        faults.denied_roles.clear();
    }

    /// Lets roles of `account` be assumed with `external_id` only.
    pub fn require_external_id(&self, account: &str, external_id: &str) {
        self.faults().external_ids.insert(account.to_owned(), external_id.to_owned());
    }

    /// Lets ECR Public hand out tokens; until then that is denied.
    pub fn open_ecr_public(&self) {
        self.faults().has_ecr_public = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_what_it_names_and_nothing_else() {
        let call = CallKey {
            account: "1".into(),
            region: "eu-west-1".into(),
            service: "lambda".into(),
            operation: "ListFunctions".into(),
        };
        let table = [
            (FaultScope::from_action("*"), true),
            (FaultScope::from_action("lambda:*"), true),
            (FaultScope::from_action("lambda:ListFunctions"), true),
            (FaultScope::from_action("lambda:ListAliases"), false),
            (FaultScope::from_action("ecr:*"), false),
            (FaultScope::from_action("lambda:*").in_region("eu-west-1").in_account("1"), true),
            (FaultScope::from_action("lambda:*").in_region("us-east-1"), false),
            (FaultScope::from_action("lambda:*").in_account("2"), false),
        ];
        for (scope, expected) in table {
            assert_eq!(scope.holds(&call), expected, "{scope:?}");
        }
    }
}
