//! The inventories, against replayed AWS responses, an in-memory registry and layouts in temporary folders.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

#[path = "../support/allowed.rs"]
mod allowed;
#[path = "../support/aws_replay.rs"]
mod aws_replay;
#[path = "../support/ecr_model.rs"]
mod ecr_model;
#[path = "../support/ecs_model.rs"]
mod ecs_model;
#[path = "../support/lambda_model.rs"]
mod lambda_model;
#[path = "../support/memory_registry.rs"]
mod memory_registry;

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
