//! The program as a Lambda function, invoked through a runtime API on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

mod configuration;
mod cycles;
mod deadline;
mod direct;
mod fleet;
mod known;
mod pushes;
mod start;
