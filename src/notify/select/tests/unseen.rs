//! Absence from a report resolves an alert only if no inventory error can hide the deployment.

use super::*;
use crate::report::ErrorAbout;

#[test]
fn an_inventory_error_keeps_open_only_the_alerts_it_can_hide() {
    let in_account = |account: &str| ErrorEntry { account: account.parse().ok(), ..ErrorEntry::default() };
    let of_repository = |account, name: &str| ErrorEntry { repository: Some(name.into()), ..in_account(account) };
    let (here, there) = ("123456789012", "210987654321");
    for (error, is_hidden) in [
        (ErrorEntry::default(), true),
        (in_account(here), true),
        (in_account(there), false),
        (of_repository(here, "orders"), true),
        (of_repository(here, "billing"), false),
        (of_repository(there, "orders"), false),
        (ErrorEntry { about: ErrorAbout::Line, ..ErrorEntry::default() }, false),
    ] {
        let mut fleet = Fleet::new();
        fleet.set("orders", "high").run();
        fleet.errors = vec![error.clone()];
        let events = fleet.after(1).remove("orders").run();
        let expected: &[&str] = if is_hidden { &[] } else { &["orders resolved"] };
        assert_eq!(events, expected, "{error:?}");
        fleet.errors.clear();
        assert_eq!(fleet.after(1).run().len(), usize::from(is_hidden), "{error:?}");
    }
}

#[test]
fn the_platforms_of_an_unreadable_image_are_not_resolved() {
    let mut fleet = Fleet::new();
    let whole = finding("orders", "high", Some("payments"));
    let platform = Finding { id: format!("{}#linux/arm64", whole.id), ..whole.clone() };
    fleet.put(platform.clone()).run();
    let mut unread = finding("orders", "low", Some("payments"));
    unread.image.platform = None;
    fleet.findings = vec![unread];
    assert_eq!(fleet.after(1).run(), NOTHING);
    fleet.findings = vec![finding("billing", "none", Some("payments"))];
    assert_eq!(fleet.after(1).run(), ["orders resolved"]);
}
