//! The program against real peers: registries, AWS emulators and image builders of other projects.
//!
//! Run by `scripts/test`, which installs them; without the feature `peers` there is nothing here.
#![cfg(feature = "peers")]
#![expect(unreachable_pub, clippy::panic, reason = "a test crate has no users, and fails by panics")]

mod account;
mod accounts;
mod builders;
mod cloud_events;
mod dockerfiles;
mod ecr;
mod ecs;
mod environment;
mod formats;
mod lambda;
mod lambda_runtime;
mod object_store;
mod oracle;
mod permissions;
mod racing;
mod registries;
mod release_catalog;
mod secrets;
mod serve;
mod signatures;
mod sns;
mod stack;
mod stand_in;
mod store;
mod tools;

#[path = "../support/counter.rs"]
mod counter;
#[path = "../support/java_fleet.rs"]
mod java_fleet;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/peers.rs"]
mod peers;
#[path = "../support/poison.rs"]
mod poison;
#[path = "../support/program.rs"]
mod program;
#[expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]
#[path = "../serve/rig.rs"]
mod rig;
#[path = "../support/runtime_api.rs"]
mod runtime_api;
#[expect(clippy::unwrap_used, reason = "the sample is written with texts that parse")]
#[path = "../support/sample.rs"]
mod sample;
#[path = "../support/seed.rs"]
mod seed;
#[path = "../support/toxic.rs"]
mod toxic;
