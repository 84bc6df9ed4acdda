//! Absence from a report proves that something is gone only where no error of the inventory may hide it.

use super::*;
use crate::{inventory::DeploymentKind, report::ErrorAbout};

fn error(kind: Option<DeploymentKind>, account: &str, region: &str, repository: &str) -> ErrorEntry {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ErrorEntry {
        kind,
        account: some(account),
        region: some(region),
        repository: some(repository),
        scope: "somewhere".into(),
        code: "access-denied".into(),
        ..ErrorEntry::default()
    }
}

#[test]
fn an_error_keeps_open_only_what_it_may_hide() {
    let (here, there) = ("123456789012", "210987654321");
    let lambda = Some(DeploymentKind::Lambda);
    for (error, is_hidden) in [
        (error(None, "", "", ""), true),
        (error(None, here, "", ""), true),
        (error(None, there, "", ""), false),
        (error(lambda, here, "eu-west-1", ""), true),
        (error(lambda, here, "us-east-1", ""), false),
        (error(Some(DeploymentKind::Ecs), here, "eu-west-1", ""), false),
        (error(None, here, "eu-west-1", "orders"), true),
        (error(None, here, "eu-west-1", "billing"), false),
        (error(Some(DeploymentKind::Ecr), here, "eu-west-1", "orders"), false),
        (ErrorEntry { about: ErrorAbout::Line, ..error(None, "", "", "") }, false),
    ] {
        let mut fleet = Fleet::new();
        fleet.set("orders", "high").run();
        fleet.errors = vec![error.clone()];
        let told = fleet.after(1).remove("orders").run();
        let expected: &[&str] = if is_hidden { &[] } else { &["orders resolved"] };
        assert_eq!(told, expected, "{error:?}");
        fleet.errors.clear();
        assert_eq!(fleet.after(1).run().len(), usize::from(is_hidden), "{error:?}");
    }
}

#[test]
fn the_platforms_of_an_image_that_cannot_be_read_are_not_taken_for_gone() {
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
