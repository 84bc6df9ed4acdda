//! A failing store, a superseded run, and a channel that is no longer configured.

use basewatch::store::Error;

use crate::alerts::desk::{Desk, received};
use testbed::mailbox::{Mailbox, down};

fn no_space() -> Error {
    Error::Unavailable { what: "cannot write ledger.json".to_owned(), why: "the disk is full".to_owned() }
}

#[tokio::test]
async fn a_message_that_could_not_be_recorded_is_not_sent() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium");
    desk.store.fail(Some(no_space()));
    assert_eq!(desk.try_run().await, Err(no_space()));
    assert!(hook.tried().is_empty());
    desk.store.fail(None);
    desk.run().await;
    assert_eq!(received(&hook), ["orders triggered"]);
}

#[tokio::test]
async fn a_sent_message_whose_acknowledgement_was_not_recorded_is_repeated_under_the_same_key() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium").set("search", "web", "medium").set("till", "shop", "medium");
    let store = desk.store.clone();
    hook.when_it_takes(move |_| store.fail(Some(no_space())));
    assert_eq!(desk.try_run().await, Err(no_space()));
    let first = hook.take();
    assert_eq!(first.len(), 1, "delivery stops after it");
    hook.when_it_takes(|_| {});
    desk.store.fail(None);
    desk.after(1).run().await;
    let second = hook.take();
    assert_eq!((second.len(), &second[0]), (3, &first[0]), "an identical message");
    assert!(desk.after(1).run().await.tried.is_empty());
}

#[tokio::test]
async fn a_superseded_run_plans_nothing_but_delivers_the_outbox() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium");
    hook.refuse(Some(down()));
    desk.run().await;
    hook.refuse(None);
    let late = desk.now;
    desk.now = late - chrono::TimeDelta::minutes(1);
    desk.set("orders", "payments", "none").set("search", "web", "high");
    let (planned, _) = desk.try_run().await.unwrap();
    assert!(planned.is_superseded);
    assert_eq!(received(&hook), ["orders triggered"], "an older report neither resolves nor triggers");
    assert_eq!(desk.ledger().await.last_run.unwrap().at, late);
}

#[tokio::test]
async fn messages_of_a_removed_channel_wait_and_then_expire() {
    let (hook, other) = (Mailbox::new("hook"), Mailbox::new("other"));
    let mut desk = Desk::new();
    desk.add(&hook).add(&other).set("orders", "payments", "medium");
    hook.refuse(Some(down()));
    desk.run().await;
    desk.remove("hook");
    desk.set("search", "web", "medium").after(24).run().await;
    assert_eq!(received(&other), ["orders triggered", "search triggered"], "other channels are notified as usual");
    hook.refuse(None);
    desk.add(&hook).after(24).run().await;
    assert_eq!(
        received(&hook),
        ["orders triggered", "search triggered"],
        "once configured again, it gets the held messages"
    );

    hook.refuse(Some(down()));
    desk.set("till", "shop", "medium").after(24).run().await;
    desk.remove("hook");
    let delivered = desk.after(15 * 24).run().await;
    assert_eq!((delivered.given_up, desk.ledger().await.outbox.len()), (1, 0));
}
