//! A store that fails, a run that is outrun, and a receiver that is no longer configured.

use basewatch::store::Error;

use crate::{
    desk::{Desk, told},
    mailbox::{Mailbox, down},
};

fn no_space() -> Error {
    Error::Unavailable { what: "cannot write ledger.json".to_owned(), why: "the disk is full".to_owned() }
}

#[tokio::test]
async fn nothing_is_sent_that_could_not_be_recorded() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium");
    desk.store.fail(Some(no_space()));
    assert_eq!(desk.try_run().await, Err(no_space()));
    assert!(hook.tried().is_empty());
    desk.store.fail(None);
    desk.run().await;
    assert_eq!(told(&hook), ["orders triggered"]);
}

#[tokio::test]
async fn what_was_sent_and_could_not_be_recorded_is_sent_again_under_the_same_key() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium").set("search", "web", "medium").set("till", "shop", "medium");
    let store = desk.store.clone();
    hook.when_it_takes(move |_| store.fail(Some(no_space())));
    assert_eq!(desk.try_run().await, Err(no_space()));
    let first = hook.take();
    assert_eq!(first.len(), 1, "and nothing after it");
    hook.when_it_takes(|_| {});
    desk.store.fail(None);
    desk.after(1).run().await;
    let second = hook.take();
    assert_eq!((second.len(), &second[0]), (3, &first[0]), "the same to the letter");
    assert!(desk.after(1).run().await.tried.is_empty());
}

#[tokio::test]
async fn a_run_that_is_outrun_tells_nothing_new_but_delivers_what_waits() {
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
    assert!(planned.is_outrun);
    assert_eq!(told(&hook), ["orders triggered"], "an older report takes nothing back and adds nothing");
    assert_eq!(desk.ledger().await.last_run.unwrap().at, late);
}

#[tokio::test]
async fn a_receiver_that_is_configured_no_more_is_waited_for_and_then_forgotten() {
    let (hook, other) = (Mailbox::new("hook"), Mailbox::new("other"));
    let mut desk = Desk::new();
    desk.add(&hook).add(&other).set("orders", "payments", "medium");
    hook.refuse(Some(down()));
    desk.run().await;
    desk.remove("hook");
    desk.set("search", "web", "medium").after(24).run().await;
    assert_eq!(told(&other), ["orders triggered", "search triggered"], "the others are told as ever");
    hook.refuse(None);
    desk.add(&hook).after(24).run().await;
    assert_eq!(told(&hook), ["orders triggered", "search triggered"], "back again, it has missed nothing");

    hook.refuse(Some(down()));
    desk.set("till", "shop", "medium").after(24).run().await;
    desk.remove("hook");
    let delivered = desk.after(15 * 24).run().await;
    assert_eq!((delivered.given_up, desk.ledger().await.outbox.len()), (1, 0));
}
