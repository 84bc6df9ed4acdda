//! The cloud on loopback against the real SDK, without a socket and over HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

mod ecr;
mod ecs;
mod faults;
mod lambda;
mod organizations;
mod rig;
mod sts;
