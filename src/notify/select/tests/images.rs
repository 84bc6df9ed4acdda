//! All tags of an image in ECR are one event.

use super::*;
use crate::{
    notify::{AlertKey, AlertSubject},
    outbox::{DeliveryReceipt, DeliveryRecord},
};

/// The tag `name` of an image in ECR that is made of `content`.
fn tag(name: &str, content: &str, severity: &str) -> Finding {
    let (repository, _) = name.split_once(':').unwrap();
    let mut tag = finding(name, severity, Some("payments"));
    tag.id = format!("ecr:eu-west-1:123456789012:{name}");
    tag.deployment.kind = crate::inventory::DeploymentKind::Ecr;
    tag.image.reference = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}").into();
    tag.image.digest = Some(crate::image::Digest::sha256(format!("{repository} {content}").as_bytes()));
    tag
}

impl Fleet {
    /// Audits the just pushed `tags` and returns the items of messages: `orders:1 triggered (1, latest)`.
    fn push(&mut self, tags: &[Finding]) -> Vec<String> {
        let before = self.ledger.outbox.len();
        let report = report(self.now, &[], tags);
        plan_part(
            &mut self.ledger,
            NotificationContext { report: &report, report_location: None },
            &self.settings,
            false,
        );
        items(self.ledger.outbox[before..].iter().map(|due| &due.message))
    }

    fn key(&self, name: &str) -> AlertKey {
        let finding = format!("ecr:eu-west-1:123456789012:{name}");
        self.ledger.alerts.get_key_value(&AlertKey::new(&finding, AlertSubject::Base)).unwrap().0.clone()
    }

    fn event(&self, name: &str) -> &AlertEvent {
        self.ledger.alerts[&self.key(name)].deliveries.get(TOPIC).unwrap().events.last().unwrap()
    }
}

fn items<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<String> {
    let items = messages.flat_map(|message| &message.items);
    items.map(|item| format!("{} {} ({})", item.name, item.event.as_str(), item.tags.join(", "))).collect()
}

#[test]
fn three_pushes_of_one_image_are_one_message_with_one_key() {
    let tags = |names: &[&str]| names.iter().map(|name| tag(name, "a", "high")).collect::<Vec<_>>();
    let mut fleet = Fleet::new();
    // The first invocation sees two tags, the others all three.
    let first = fleet.push(&tags(&["orders:1.2", "orders:1.2.3"]));
    assert_eq!(first, ["orders:1.2 triggered (1.2, 1.2.3)"]);
    fleet.now += Duration::seconds(2);
    for _ in 0..2 {
        assert_eq!(fleet.push(&tags(&["orders:1.2", "orders:1.2.3", "orders:latest"])), NOTHING);
    }
    let key = fleet.ledger.outbox[0].message.dedup_key.clone();
    // The key does not depend on which tag arrives first.
    let mut other = Fleet::new();
    other.push(&tags(&["orders:latest"]));
    assert_eq!(other.ledger.outbox[0].message.dedup_key, key);
    // The one message covers all tags.
    let covered: Vec<_> =
        fleet.ledger.outbox[0].alerts.iter().map(|key| key.finding.rsplit_once(':').unwrap().1).collect();
    assert_eq!(covered, ["1.2", "1.2.3", "latest"]);
    assert_eq!((&*fleet.event("orders:latest").dedup_key, fleet.event("orders:latest").sent_at), (&*key, None));
    let outcome = Ok(DeliveryReceipt::default());
    fleet.ledger.record(&DeliveryRecord { target: TOPIC.to_owned(), key, at: fleet.now, outcome });
    assert_eq!(fleet.event("orders:latest").sent_at, Some(fleet.now));
    // The next run lists all of them and reminds of all at once.
    for finding in tags(&["orders:1.2", "orders:1.2.3", "orders:latest"]) {
        fleet.put(finding);
    }
    assert_eq!(fleet.after(1).run(), NOTHING);
    let messages = fleet.after(6).plan();
    assert_eq!(items(messages.iter()), ["orders:1.2 reminded (1.2, 1.2.3, latest)"]);
    assert_eq!((messages[0].count(), messages[0].repositories.len()), (1, 1));
}

#[test]
fn an_audit_groups_the_tags_of_one_image() {
    let mut fleet = Fleet::new();
    for finding in [
        tag("orders:1", "a", "high"),
        tag("orders:latest", "a", "high"),
        tag("orders:2", "b", "high"),
        // The same tags in another repository, and a tag with another verdict.
        tag("billing:1", "a", "high"),
        tag("orders:stable", "a", "medium"),
    ] {
        fleet.put(finding);
    }
    let messages = fleet.plan();
    assert_eq!(
        items(messages.iter()),
        [
            "billing:1 triggered ()",
            "orders:1 triggered (1, latest)",
            "orders:2 triggered ()",
            "orders:stable triggered ()",
        ]
    );
    assert_eq!(fleet.ledger.outbox[0].alerts.len(), 5);
    fleet.findings.clear();
    let messages = fleet.after(1).plan();
    assert_eq!(items(messages.iter()).len(), 4, "resolved in the same groups");
}

#[test]
fn different_events_of_an_image_are_separate_messages() {
    for (what, later, expected) in [
        ("another image", tag("orders:2", "b", "high"), 1),
        ("another repository", tag("billing:1", "a", "high"), 1),
        ("more severe than notified", tag("orders:latest", "a", "critical"), 1),
        ("the same", tag("orders:latest", "a", "high"), 0),
    ] {
        let mut fleet = Fleet::new();
        fleet.push(&[tag("orders:1", "a", "high")]);
        fleet.now += Duration::hours(23);
        assert_eq!(fleet.push(std::slice::from_ref(&later)).len(), expected, "{what}");
    }
    let mut fleet = Fleet::new();
    fleet.push(&[tag("orders:1", "a", "high")]);
    assert_eq!(fleet.after(1).push(&[tag("orders:latest", "a", "high")]).len(), 1, "a day later");
}

#[test]
fn snoozing_one_tag_snoozes_the_image_and_resend_covers_all_tags() {
    let mut fleet = Fleet::new();
    fleet.push(&[tag("orders:1", "a", "high"), tag("orders:2", "b", "high")]);
    let until = fleet.now + Duration::days(20);
    let set = Snooze::new(until, fleet.now, Some("alice"), Some("rebuilt on Monday"));
    let key = fleet.key("orders:1");
    assert_eq!(snooze(&mut fleet.ledger, std::slice::from_ref(&key), Some(set.clone())), std::slice::from_ref(&key));
    fleet.push(&[tag("orders:latest", "a", "high")]);
    let latest = fleet.key("orders:latest");
    assert_eq!(fleet.ledger.alerts[&latest].snooze.as_deref(), Some(&set), "a tag pushed later");
    assert_eq!(snooze(&mut fleet.ledger, std::slice::from_ref(&key), None), [key.clone(), latest.clone()]);
    assert_eq!(fleet.ledger.alerts[&latest].snooze, None);
    assert_eq!(snooze(&mut fleet.ledger, std::slice::from_ref(&latest), Some(set.clone())), [latest, key.clone()]);
    assert_eq!(fleet.ledger.alerts[&key].snooze.as_deref(), Some(&set), "every tag of the image");
    assert!(!fleet.ledger.alerts[&fleet.key("orders:2")].is_snoozed(fleet.now));
    let settings = fleet.settings.clone();
    assert_eq!(resend(&mut fleet.ledger, &[key], None, &settings, fleet.now), 1);
    let message = &fleet.ledger.outbox.last().unwrap().message;
    assert_eq!(message.items[0].tags, ["1", "latest"]);
}

#[test]
fn a_backlog_counts_images_and_not_their_tags() {
    let mut fleet = Fleet::new();
    fleet.settings.backlog = 10;
    for image in 0..10 {
        for name in ["1", "latest"] {
            fleet.put(tag(&format!("image-{image}:{name}"), "a", "high"));
        }
    }
    let messages = fleet.plan();
    assert_eq!((messages[0].kind, messages[0].count()), (MessageKind::Findings, 10));
}
