//! basewatch finds deployed container images that are built on outdated base images.
//!
//! The stages of the pipeline are modules, in the order of the data flow: [`inventory`] lists deployments, [`identify`]
//! finds the base of each image, [`resolve`] finds the current release of each base, [`judge`] derives a verdict, and
//! [`report`] presents the findings, [`dashboard`] as a web page. [`audit`] runs the pipeline.
//!
//! [`image`] has the shared vocabulary of the OCI specification. [`registry`] and [`aws`] are the clients, [`store`]
//! persists state, [`release_catalog`] is a shareable list of base releases. [`notify`] and [`rebuild`] decide which
//! alerts and rebuild requests are due, [`outbox`] delivers them at least once, and [`webhook`] makes the calls.
//! [`config`] has the settings, [`cli`] the arguments, [`dockerfile`] a Dockerfile parser, [`schedule`] cron expressions
//! and [`telemetry`] the log. [`http`] sends every request outside the AWS SDK. [`glob`], [`single_flight`] and
//! [`secret`] are shared utilities.
//!
//! [`app`] has what every command needs, [`commands`] the commands. [`run`] performs one run, [`serve`] runs on a
//! schedule, and [`lambda`] runs for events.
//!
//! See `docs/ARCHITECTURE.md` for the responsibilities and dependencies of each module.

pub mod app;
pub mod audit;
pub mod aws;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dashboard;
pub mod dockerfile;
#[cfg(test)]
#[path = "../fuzz/mod.rs"]
mod fuzz;
pub mod glob;
pub mod http;
pub mod identify;
pub mod image;
pub mod inventory;
pub mod judge;
pub mod lambda;
pub mod notify;
pub mod outbox;
pub mod rebuild;
pub mod registry;
pub mod release_catalog;
pub mod report;
pub mod resolve;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod serve;
pub mod single_flight;
pub mod store;
pub mod telemetry;
pub mod webhook;
