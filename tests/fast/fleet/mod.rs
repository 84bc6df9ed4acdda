//! Fleets over several accounts and regions: failures are reported, and the rest is read.

#![expect(clippy::unwrap_used, reason = "in the helpers of tests a failure is a failed test")]

mod accounts;
mod bases;
mod faults;
mod images;
mod interrupted;
mod itself;
mod owners;
mod progress;
mod provenance;
mod states;
