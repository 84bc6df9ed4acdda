//! Messages that are delivered in a batch, one of which cannot be delivered.

use basewatch::outbox::DeliveryError;

use crate::alerts::desk::{Desk, received};
use testbed::mailbox::{Mailbox, down};

fn poisoned() -> DeliveryError {
    DeliveryError::for_entry("its template gives no JSON".to_owned())
}

fn three(desk: &mut Desk) {
    desk.set("orders", "a", "medium").set("search", "b", "medium").set("till", "c", "medium");
}

#[tokio::test]
async fn one_message_that_cannot_be_delivered_does_not_hold_up_the_others() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    three(desk.add(&hook));
    hook.refuse_of("b", Some(poisoned()));
    let delivered = desk.run().await;
    assert_eq!(received(&hook), ["orders triggered", "till triggered"]);
    let failed: Vec<_> = delivered.tried.iter().filter(|tried| tried.outcome.is_err()).collect();
    assert_eq!((failed.len(), failed[0].payload.owner.as_deref()), (1, Some("b")));
    desk.set("pay", "d", "medium").after(24).run().await;
    assert_eq!(received(&hook), ["pay triggered"], "nor those of later runs");
    hook.refuse_of("b", None);
    desk.after(24).run().await;
    assert_eq!(received(&hook), ["search triggered"]);
}

#[tokio::test]
async fn only_acknowledged_messages_of_a_batch_count_as_sent() {
    let topic = Mailbox::in_batches("topic", 10);
    let mut desk = Desk::new();
    three(desk.add(&topic));
    // Like a topic that accepts some entries of a batch and throttles others.
    topic.refuse_of("b", Some(down()));
    desk.run().await;
    assert_eq!(received(&topic), ["orders triggered", "till triggered"]);
    let ledger = desk.ledger().await;
    assert_eq!(ledger.outbox.len(), 1);
    assert_eq!((ledger.outbox[0].message.owner.as_deref(), ledger.outbox[0].delivery.attempts), (Some("b"), 1));
    let before = desk.store.writes();
    topic.refuse_of("b", None);
    desk.after(24).run().await;
    assert_eq!(received(&topic), ["search triggered"], "the others are not sent again");
    assert!(desk.store.writes() > before);
}

#[tokio::test]
async fn messages_after_a_throttled_batch_wait() {
    let topic = Mailbox::in_batches("topic", 2);
    let mut desk = Desk::new();
    three(desk.add(&topic));
    topic.refuse_of("a", Some(down()));
    let delivered = desk.run().await;
    assert_eq!((received(&topic), delivered.waiting), (vec!["search triggered".to_owned()], 1));
    topic.refuse_of("a", None);
    desk.after(24).run().await;
    assert_eq!(received(&topic), ["orders triggered", "till triggered"]);
}
