//! Channels that are down for a day, for weeks, or permanently; and quiet hours.

use std::time::Duration;

use basewatch::{judge::Severity, notify::QuietHours, outbox::DeliveryError};

use crate::alerts::desk::{Desk, received};
use testbed::mailbox::{Mailbox, down};

#[tokio::test]
async fn a_channel_that_was_down_for_a_day_gets_the_held_message_first_and_then_new_ones() {
    let (hook, other) = (Mailbox::new("hook"), Mailbox::new("other"));
    let mut desk = Desk::new();
    desk.add(&hook).add(&other).set("orders", "payments", "medium");
    hook.refuse(Some(down()));
    for _ in 0..3 {
        desk.run().await;
        desk.after(8);
    }
    assert_eq!(
        received(&other),
        ["orders triggered"],
        "a working channel is notified once, whatever happens to others"
    );
    desk.set("orders", "payments", "high").set("refunds", "payments", "medium").run().await;
    assert_eq!(received(&hook), [""; 0]);
    let tried = hook.tried();
    assert_eq!(tried.len(), 4, "messages after a failed one are not attempted");
    hook.refuse(None);
    desk.after(8);
    let delivered = desk.run().await;
    assert_eq!(received(&hook), ["orders triggered", "refunds triggered, orders escalated"]);
    assert!(hook.tried().iter().take(5).all(|key| *key == tried[0]), "every attempt has the same key");
    assert_eq!((delivered.waiting, desk.ledger().await.outbox.len()), (0, 0));
    desk.after(8);
    assert!(desk.run().await.tried.is_empty(), "an acknowledged message is not sent again");
}

#[tokio::test]
async fn retry_after_of_a_channel_is_honored_up_to_a_maximum() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium");
    let hour = Some(Duration::from_hours(1));
    hook.refuse(Some(DeliveryError { retry_after: hour, ..down() }));
    desk.run().await;
    desk.now += Duration::from_mins(59);
    let delivered = desk.run().await;
    assert_eq!((hook.tried().len(), delivered.waiting), (1, 1));
    hook.refuse(Some(DeliveryError { retry_after: Some(Duration::MAX), ..down() }));
    desk.now += Duration::from_mins(1);
    desk.run().await;
    assert_eq!(hook.tried().len(), 2);
    hook.refuse(None);
    desk.after(7).run().await;
    assert_eq!(received(&hook), ["orders triggered"], "retry_after never delays beyond the next daily run");
}

#[tokio::test]
async fn later_messages_do_not_overtake_one_that_waits_for_its_channel() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium");
    hook.refuse(Some(DeliveryError { retry_after: Some(Duration::from_hours(2)), ..down() }));
    desk.run().await;
    hook.refuse(None);
    let delivered = desk.set("search", "web", "critical").after(1).run().await;
    assert_eq!((received(&hook).len(), delivered.waiting), (0, 2));
    desk.after(1).run().await;
    assert_eq!(received(&hook), ["orders triggered", "search triggered"]);
}

#[tokio::test]
async fn a_message_undelivered_for_two_weeks_expires_and_its_findings_trigger_again() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium").set("refunds", "payments", "medium");
    hook.refuse(Some(down()));
    for _ in 0..15 {
        assert_eq!(desk.run().await.given_up, 0);
        desk.after(24);
    }
    let old = hook.tried()[0].clone();
    desk.set("refunds", "payments", "none");
    hook.refuse(None);
    let given_up = desk.run().await.given_up;
    assert_eq!(given_up, 1);
    assert_eq!(desk.after(24).run().await.given_up, 0);
    let arrived = hook.take();
    let names: Vec<_> = arrived.iter().flat_map(|message| &message.items).map(|item| item.name.as_str()).collect();
    assert!(names.contains(&"orders"), "alerts that persist trigger again: {names:?}");
    assert!(arrived.iter().all(|message| message.dedup_key != old), "as another message");
}

#[tokio::test]
async fn an_expired_escalation_is_sent_again() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.settings.remind_every = None;
    desk.add(&hook).set("orders", "payments", "medium").run().await;
    assert_eq!(received(&hook), ["orders triggered"]);
    hook.refuse(Some(down()));
    desk.set("orders", "payments", "critical");
    for _ in 0..16 {
        desk.after(24).run().await;
    }
    hook.refuse(None);
    desk.after(24).run().await;
    let arrived = hook.take();
    let was: Vec<_> =
        arrived.iter().flat_map(|message| &message.items).map(|item| (item.severity, item.previous_severity)).collect();
    assert_eq!(was, [(Severity::Critical, Some(Severity::Medium))]);
}

#[tokio::test]
async fn quiet_hours_hold_retries_as_well() {
    let hook = Mailbox::new("hook");
    let mut desk = Desk::new();
    desk.add(&hook).set("orders", "payments", "medium").set("pay", "web", "critical");
    desk.settings.quiet_hours = Some(QuietHours {
        from: "18:00".parse().unwrap(),
        to: "08:00".parse().unwrap(),
        days: Vec::new(),
        time_zone: chrono_tz::UTC,
        except: Severity::Critical,
    });
    hook.refuse(Some(down()));
    desk.run().await;
    hook.refuse(None);
    let delivered = desk.after(12).run().await;
    assert_eq!((received(&hook), delivered.waiting), (vec!["pay triggered".to_owned()], 1), "at nine in the evening");
    desk.after(12).run().await;
    assert_eq!(received(&hook), ["orders triggered"]);
}
