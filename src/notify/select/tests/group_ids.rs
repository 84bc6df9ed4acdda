//! The alerts of one paragraph have an id in common.

use super::*;
use crate::notify::find;

impl Fleet {
    /// Runs now, and returns the names of each paragraph with several alerts by its id, as `alerts show` finds them.
    fn groups(&mut self) -> Vec<(String, Vec<String>)> {
        let before = self.ledger.outbox.len();
        self.plan();
        let items = self.ledger.outbox[before..].iter().flat_map(|entry| &entry.message.items);
        let mut ids: Vec<_> = items.filter_map(|item| item.group.clone()).collect();
        ids.sort();
        ids.dedup();
        ids.into_iter().map(|id| (id.clone(), self.found(&id))).collect()
    }

    fn found(&self, id: &str) -> Vec<String> {
        let open = find(&self.ledger, id).unwrap().into_iter().filter(|key| self.ledger.alerts[key].is_open());
        open.map(|key| self.ledger.alerts[&key].subject.name.clone()).collect()
    }
}

/// The functions `orders`, `carts` and `prices`, which are equally bad for the same reason.
fn three() -> Fleet {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").set("carts", "high").set("prices", "high");
    fleet
}

#[test]
fn a_paragraph_has_one_id_for_all_its_alerts_even_those_that_the_message_leaves_out() {
    let mut fleet = three();
    fleet.set("search", "medium").set_of("other", "high", Some("web"));
    let groups = fleet.groups();
    assert_eq!(groups.len(), 1, "search and other are alone: {groups:?}");
    assert_eq!(groups[0].1, ["carts", "orders", "prices"]);
    let alone = fleet.ledger.outbox.iter().flat_map(|entry| &entry.message.items);
    let alone: Vec<_> = alone.filter(|item| item.group.is_none()).map(|item| fleet.found(item.command_id())).collect();
    assert_eq!(alone, [["search"], ["other"]], "they are found by the id of the alert");
    let mut short = three();
    short.settings.max_items = 1;
    short.settings.channels.push(channel("another"));
    assert_eq!(short.groups(), groups, "on every channel, and however many alerts are listed");
    let listed: Vec<_> = short.ledger.outbox.iter().map(|entry| entry.message.items.len()).collect();
    assert_eq!(listed, [1, 1]);
}

#[test]
fn a_paragraph_keeps_its_id_while_alerts_are_reminded_and_resolved() {
    let mut fleet = three();
    let first = fleet.groups();
    let id = first[0].0.clone();
    assert_eq!(fleet.after(7).groups(), first);
    assert_eq!(fleet.after(1).remove("carts").groups(), [], "resolved alerts have no id for commands");
    assert_eq!(fleet.after(6).groups(), [(id.clone(), vec!["orders".to_owned(), "prices".to_owned()])]);
    let key = fleet.ledger.alerts.keys().find(|key| key.finding.contains("orders")).unwrap().clone();
    let settings = fleet.settings.clone();
    let keys = find(&fleet.ledger, &id).unwrap();
    assert!(keys.contains(&key));
    assert_eq!(resend(&mut fleet.ledger, &keys, None, &settings, fleet.now), 1);
    let again = &fleet.ledger.outbox.last().unwrap().message;
    assert_eq!(again.items.iter().filter_map(|item| item.group.as_ref()).collect::<Vec<_>>(), [&id, &id]);
}

#[test]
fn an_id_never_stands_for_an_open_alert_that_its_paragraph_does_not_name() {
    let mut fleet = three();
    let first = fleet.groups();
    assert_eq!(fleet.after(1).set("carts", "critical").groups(), []);
    let rest = fleet.after(6).groups();
    assert_ne!(rest[0].0, first[0].0);
    assert_eq!(rest[0].1, ["orders", "prices"]);
    assert_eq!(fleet.found(&first[0].0), ["carts", "orders", "prices"], "the id of the first message still works");
}
