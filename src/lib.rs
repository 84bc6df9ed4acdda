//! basewatch: which deployed container images stand on an old base, and what to do about each one.
//!
//! One pipeline, whose stages are the folders below, in the order data flows:
//! [`inventory`] (what runs?) → [`identify`] (on which base?) → [`resolve`] (what is it now?) →
//! [`judge`] (so what?) → [`report`] (show it). [`audit`] walks it.
//!
//! Around it: [`image`] is the vocabulary, which everything else is said in. [`registry`] and [`aws`] are the
//! outside world, [`store`] the memory of what it said, [`release_catalog`] a record of base releases that many load. [`config`] holds the settings, [`cli`] the arguments,
//! [`dockerfile`] the grammar of Dockerfiles, [`run`] the run modes, which build all of these once and pass them in; [`telemetry`] is what they say on
//! standard error. [`glob`] (patterns), [`once`] (each answer worked out once a run), `pace` (so many a second),
//! [`address`] (which hosts may be contacted) and [`redact`] (secrets removed from what others wrote) serve several.
//!
//! `docs/ARCHITECTURE.md` says what each must not know, and walks through all of it.

pub mod address;
pub mod audit;
pub mod aws;
pub mod cli;
pub mod config;
pub mod dockerfile;
#[cfg(test)]
#[path = "../fuzz/mod.rs"]
mod fuzz;
pub mod glob;
pub mod identify;
pub mod image;
pub mod inventory;
pub mod judge;
pub mod notify;
pub mod once;
mod pace;
pub mod rebuild;
pub mod redact;
pub mod registry;
pub mod release_catalog;
pub mod report;
pub mod resolve;
mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod webhook;
