//! Webhooks that are slow, down, throttled, or close midway: retries, their timing, and the errors.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]

mod calls;
mod faults;
mod messages;
mod page;
mod program;
mod repeats;
mod secrecy;

#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/java_fleet.rs"]
mod java_fleet;
#[path = "../support/memory_store.rs"]
mod memory_store;
#[path = "../support/messages.rs"]
mod messages_of_alerts;
#[path = "../support/toxic.rs"]
mod toxic;
