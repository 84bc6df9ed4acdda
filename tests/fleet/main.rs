//! Stories of fleets over several accounts and regions: what goes wrong somewhere is told, and the rest is seen.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in the helpers of tests a failure is a failed test")]

mod accounts;
mod bases;
mod faults;
mod images;
mod interrupted;
mod owners;
mod provenance;
mod states;

#[path = "../support/company.rs"]
mod company;
