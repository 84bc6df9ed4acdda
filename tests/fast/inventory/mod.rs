//! The inventories, against an emulated AWS, an in-memory registry and layouts in temporary folders.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

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
mod memory_registry;
mod named;
mod partitions;
mod rig;
