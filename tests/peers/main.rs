//! The product against real peers: registries, AWS stand-ins and image builders that others wrote.
//!
//! Run by `scripts/test`, which installs them; without the feature `peers` there is nothing here.
#![cfg(feature = "peers")]
#![expect(unreachable_pub, clippy::panic, reason = "a test crate has no users, and fails by panics")]

mod account;
mod accounts;
mod builders;
mod cloud_events;
mod ecr;
mod ecs;
mod lambda;
mod object_store;
mod oracle;
mod permissions;
mod racing;
mod registries;
mod secrets;
mod signatures;
mod sns;
mod stand_in;
mod store;
mod tools;
mod world;

#[path = "../support/counter.rs"]
mod counter;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/peers.rs"]
mod peers;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/seed.rs"]
mod seed;
#[path = "../support/toxic.rs"]
mod toxic;
