//! Images on a base that is itself outdated: one alert about that base.

use super::*;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const JAVA: &str = "public.ecr.aws/lambda/java:21";

/// The function `name` on a company base, whose own base is behind; `adopted` says whether the current release of the
/// company base is built on the current release of that.
fn built_on_company_base(name: &str, adopted: Option<bool>) -> Finding {
    let digest = |name: &str| crate::image::Digest::sha256(name.as_bytes());
    let line = format!("{REGISTRY}/acme/base:1");
    let mut finding = serde_json::to_value(finding(name, "high", Some("payments"))).unwrap();
    finding["base"] = json!({
        "reference": format!("{REGISTRY}/acme/base@{}", digest("base")), "digest": digest("base"), "digest_kind": "index",
        "identified_by": "layers", "evidence": "8 of 9", "confidence": "confirmed", "line": line,
        "line_source": "catalog", "release": null, "published_at": null, "published_source": null, "age_days": null,
        "chain": [ {
            "base": {
                "reference": JAVA, "digest": digest("old"), "digest_kind": "index", "identified_by": "layers",
                "evidence": "6 of 9", "confidence": "confirmed", "line": JAVA, "line_source": "dated-tag",
                "release": "21.2026.08.22.00", "published_at": null, "published_source": null, "age_days": 72,
                "chain": [],
            },
            "current": {
                "reference": JAVA, "digest": digest("new"), "platform_digest": null, "release": "21.2026.11.01.13",
                "published_at": null, "published_source": null,
            },
            "behind": { "since": null, "days": 71, "releases": 9, "exact": true, "content_changed": true },
            "verdict": "stale", "adopted": adopted,
        } ],
    });
    if adopted == Some(false) {
        finding["action"] = json!("none");
        finding["reasons"] = json!([{ "code": "waits-for-base", "message": "acme/base has to be rebuilt first" }]);
    }
    serde_json::from_value(finding).unwrap()
}

impl Fleet {
    fn set_all(&mut self, names: &[&str], adopted: Option<bool>) -> &mut Self {
        self.findings.retain(|finding| !names.contains(&&*finding.deployment.name));
        self.findings.extend(names.iter().map(|name| built_on_company_base(name, adopted)));
        self
    }
}

#[test]
fn images_that_wait_for_a_base_are_one_alert_about_it_until_it_is_rebuilt() {
    let mut fleet = Fleet::new();
    let names = ["orders", "invoices", "refunds"];
    assert_eq!(fleet.set_all(&names, Some(false)).run(), ["acme/base triggered"]);
    assert_eq!(fleet.after(1).set_all(&["mail"], Some(false)).run(), NOTHING, "one more image changes nothing");
    assert_eq!(fleet.after(6).run(), ["acme/base reminded"]);
    // The base was rebuilt: now the images themselves are behind.
    let all = ["orders", "invoices", "refunds", "mail"];
    let mut events = fleet.after(1).set_all(&all, Some(true)).run();
    events.sort();
    assert_eq!(
        events,
        ["acme/base resolved", "invoices triggered", "mail triggered", "orders triggered", "refunds triggered"]
    );
}

#[test]
fn the_message_names_base_line_and_dependent_images() {
    let mut fleet = Fleet::new();
    let messages = fleet.set_all(&["orders", "invoices", "refunds", "mail"], Some(false)).plan();
    let [message] = &messages[..] else { panic!("one message: {messages:?}") };
    assert_eq!(message.owner.as_deref(), Some("payments"), "all that waits is theirs");
    let [item] = &message.items[..] else { panic!("one item") };
    assert_eq!(
        (item.name.as_str(), item.repository.as_str(), item.line.as_deref()),
        ("acme/base", "acme/base", Some(JAVA))
    );
    assert_eq!((item.action, item.severity), (crate::judge::Action::Rebuild, Severity::High));
    let expected = format!(
        "the current release of acme/base is built on an outdated release of {JAVA}; affected: orders, invoices, \
         refunds and 1 more"
    );
    assert_eq!(item.reasons[0].message, expected);
}

#[test]
fn an_alert_about_an_image_is_resolved_once_it_waits_for_its_base() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.set("orders", "high").run(), ["orders triggered"]);
    let messages = fleet.after(1).set_all(&["orders"], Some(false)).plan();
    let ended: Vec<_> =
        messages.iter().flat_map(|message| &message.items).filter_map(|item| item.ended.as_deref()).collect();
    assert_eq!(ended, ["waiting for a rebuild of its base, which has its own alert"]);
}

#[test]
fn a_base_alert_is_resolved_only_if_the_rebuild_is_known() {
    let mut fleet = Fleet::new();
    fleet.set_all(&["orders"], Some(false)).run();
    fleet.settings.threshold = Severity::Critical;
    assert_eq!(
        fleet.after(1).set_all(&["orders"], None).run(),
        NOTHING,
        "an unknown base neither triggers nor resolves"
    );
    // What is built on it may be there, where the inventory could not be read.
    fleet.errors.push(ErrorEntry { account: "210987654321".parse().ok(), ..ErrorEntry::default() });
    assert_eq!(fleet.after(1).remove("orders").run(), NOTHING);
    fleet.errors.clear();
    assert_eq!(fleet.after(1).run(), ["acme/base resolved"]);
}

#[test]
fn a_base_in_the_inventory_has_only_its_own_alert() {
    let mut own = built_on_company_base("acme/base", Some(true));
    own.image.reference = format!("{REGISTRY}/acme/base:1").into();
    own.base = own.base.map(|base| base.chain[0].base.clone());
    let mut fleet = Fleet::new();
    fleet.findings.push(own);
    assert_eq!(fleet.set_all(&["orders", "mail"], Some(false)).run(), ["acme/base triggered"]);
    assert!(fleet.ledger.alerts.keys().all(|key| key.finding.starts_with("lambda:")), "of the deployment");
}

#[test]
fn a_partial_audit_of_an_image_does_not_notify_of_its_base() {
    let mut fleet = Fleet::new();
    let report = report(fleet.now, &[], &[built_on_company_base("orders", Some(false))]);
    plan_part(
        &mut fleet.ledger,
        NotificationContext { report: &report, report_location: None },
        &fleet.settings,
        false,
    );
    assert!(fleet.ledger.outbox.is_empty() && fleet.ledger.alerts.is_empty());
}
