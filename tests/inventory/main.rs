//! The inventories, against an emulated AWS, an in-memory registry and layouts in temporary folders.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

#[path = "../support/allowed.rs"]
mod allowed;
#[path = "../support/memory_registry.rs"]
mod memory_registry;

mod account;
mod ecr;
mod ecr_faults;
mod ecs;
mod ecs_faults;
mod indexes;
mod lambda;
mod lambda_faults;
mod layout;
mod logins;
mod named;
mod partitions;
mod rig;
