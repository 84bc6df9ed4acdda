//! basewatch finds deployed container images that are built on outdated base images.
//!
//! The stages of the pipeline are modules, in the order of the data flow: [`inventory`] lists deployments, [`identify`]
//! finds the base of each image, [`resolve`] finds the current release of each base, [`judge`] derives a verdict, and
//! [`report`] presents the findings. [`audit`] runs the pipeline.
//!
//! [`image`] has the shared vocabulary of the OCI specification. [`registry`] and [`aws`] are the clients, [`store`]
//! persists state, [`release_catalog`] is a shareable list of base releases, [`notify`] and [`rebuild`] decide
//! which alerts and rebuild requests are due, [`outbox`] delivers them at least once, [`webhook`] makes the calls. [`config`] has the settings, [`cli`] the arguments, [`dockerfile`] a Dockerfile parser,
//! [`run`] the commands, [`schedule`] cron expressions and [`telemetry`] the log. [`glob`],
//! [`single_flight`], `rate_limiter`, [`address`] (allowed hosts), [`secret`] and [`redact`] are shared utilities.
//!
//! See `docs/ARCHITECTURE.md` for the responsibilities and dependencies of each module.

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
pub mod outbox;
mod rate_limiter;
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
pub mod single_flight;
pub mod store;
pub mod telemetry;
pub mod webhook;
