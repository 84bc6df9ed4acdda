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
mod email;
mod environment;
mod formats;
mod lambda;
mod lambda_runtime;
mod object_store;
mod oracle;
mod packages;
mod permissions;
mod racing;
mod registries;
mod release_catalog;
mod secrets;
mod security_hub;
mod serve;
mod signatures;
mod sns;
mod stack;
mod stand_in;
mod store;
mod tools;
mod truth;
