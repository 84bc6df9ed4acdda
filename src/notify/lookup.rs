//! Alerts by what people call them: the id of an alert, of a group of alerts or of a finding, or a deployment.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Alert, AlertKey, FindingSnapshot, Ledger};
use crate::inventory::DeploymentKind;

/// Maximum number of ids that an error names.
const MAX_IDS: usize = 5;

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LookupError {
    /// No alert has the id or deployment.
    #[error("no alert has the id or the deployment {0:?}: see `basewatch alerts list --all`")]
    Unknown(String),
    /// Several ids begin with the text.
    #[error("{text:?} is ambiguous: it is a prefix of {count} ids, such as {}", .ids.join(", "))]
    Ambiguous {
        /// The text.
        text: String,
        /// Number of ids.
        count: usize,
        /// The first of them.
        ids: Vec<String>,
    },
}

/// Whether an alert is meant.
type IsMeant<'a> = dyn Fn(&AlertKey, &Alert) -> bool + 'a;

/// The keys of the alerts that `text` stands for: the id of an alert or of a group, a unique prefix of one, the id of a
/// finding, the name of a deployment or its image.
///
/// # Errors
///
/// When there is none, or `text` is a prefix of several ids.
pub fn find(ledger: &Ledger, text: &str) -> Result<Vec<AlertKey>, LookupError> {
    if text.is_empty() {
        return Err(LookupError::Unknown(String::new()));
    }
    let named = |is_it: &IsMeant<'_>| -> Vec<AlertKey> {
        ledger.alerts.iter().filter(|(key, alert)| is_it(key, alert)).map(|(key, _)| key.clone()).collect()
    };
    let exact: [&IsMeant<'_>; 4] = [
        &|_, alert| alert.id == text,
        &|key, _| key.finding == text,
        &|_, alert| alert.groups().any(|group| group == text),
        &|_, alert| is_named(&alert.subject, text),
    ];
    if let Some(found) = exact.into_iter().map(named).find(|found| !found.is_empty()) {
        return Ok(found);
    }
    let ids = ledger.alerts.values().flat_map(|alert| std::iter::once(alert.id.as_str()).chain(alert.groups()));
    let ids: BTreeSet<_> = ids.filter(|id| id.starts_with(text)).collect();
    match ids.into_iter().collect::<Vec<_>>().as_slice() {
        [] => Err(LookupError::Unknown(text.to_owned())),
        [only] => find(ledger, only),
        several => {
            let ids = several.iter().take(MAX_IDS).map(|id| (*id).to_owned()).collect();
            Err(LookupError::Ambiguous { text: text.to_owned(), count: several.len(), ids })
        }
    }
}

/// Whether `text` is the name of the deployment, with or without its alias, tag or container, or its image.
fn is_named(subject: &FindingSnapshot, text: &str) -> bool {
    let is_name =
        |name: &str| name.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@', ' ']));
    let service = subject.name.split_once('/').filter(|_| subject.kind == DeploymentKind::Ecs);
    is_name(&subject.name) || service.is_some_and(|(_, service)| is_name(service)) || subject.image.as_str() == text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An alert about `name` whose events carried `groups`, oldest first.
    fn alert(id: &str, kind: &str, name: &str, groups: &[&str]) -> Value {
        let event = |group: &&str| {
            json!({
                "kind": "reminded", "severity": "high", "due_at": "2026-11-20T06:00:00Z", "dedup_key": "",
                "group": Some(*group).filter(|group| !group.is_empty()),
            })
        };
        let events: Vec<_> = groups.iter().map(event).collect();
        json!({
            "id": id, "seen_at": "2026-11-20T06:00:00Z",
            "subject": {
                "name": name, "kind": kind, "image": "registry.example.com/orders:1", "repository": "orders",
                "verdict": "stale", "severity": "high", "action": "rebuild",
            },
            "deliveries": { "chat": { "episode": 1, "count": 1, "severity": "high", "events": events } },
        })
    }

    /// The keys that are found, or the error.
    fn found(ledger: &Ledger, text: &str) -> String {
        match find(ledger, text) {
            Ok(keys) => keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_alert_is_found_by_its_id_a_prefix_its_finding_or_its_deployment() {
        let ledger = json!({ "alerts": {
            "lambda:a": alert("11aa", "lambda", "orders:live", &[]),
            "lambda:b": alert("22bb", "lambda", "carts", &[]),
            "workload:lambda:b": alert("22cc", "lambda", "carts", &[]),
            "ecs:c": alert("33dd", "ecs", "prod/checkout web", &[]),
        } });
        let ledger: Ledger = serde_json::from_value(ledger).unwrap();
        for (text, keys) in [
            ("11", "lambda:a"),
            ("lambda:a", "lambda:a"),
            ("22cc", "workload:lambda:b"),
            ("lambda:b", "lambda:b workload:lambda:b"),
            ("orders", "lambda:a"),
            ("orders:live", "lambda:a"),
            ("carts", "lambda:b workload:lambda:b"),
            ("prod/checkout", "ecs:c"),
            ("checkout", "ecs:c"),
        ] {
            assert_eq!(found(&ledger, text), keys, "{text}");
        }
        assert_eq!(find(&ledger, "registry.example.com/orders:1").map(|keys| keys.len()), Ok(4));
        assert!(found(&ledger, "22").contains("a prefix of 2 ids, such as 22bb, 22cc"));
        for unknown in ["", "order", "live", "orders:", "eckout"] {
            assert!(found(&ledger, unknown).contains("no alert has the id"), "{unknown}");
        }
    }

    #[test]
    fn a_group_id_stands_for_the_alerts_that_a_message_on_record_gave_it() {
        let ledger = json!({ "alerts": {
            "lambda:a": alert("11aa", "lambda", "a", &["77old", "77old"]),
            "lambda:b": alert("22bb", "lambda", "b", &["77old", "88new"]),
            "lambda:c": alert("33cc", "lambda", "c", &["88new", ""]),
        } });
        let ledger: Ledger = serde_json::from_value(ledger).unwrap();
        for (text, keys) in
            [("77old", "lambda:a lambda:b"), ("77", "lambda:a lambda:b"), ("88new", "lambda:b lambda:c")]
        {
            assert_eq!(found(&ledger, text), keys, "{text}");
        }
    }
}
