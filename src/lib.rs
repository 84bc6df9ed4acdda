//! basewatch: which deployed container images stand on an old base, and what to do about each one.
//!
//! One pipeline, whose stages are the folders below, in the order data flows:
//! [`inventory`] (what runs?) → [`identify`] (on which base?) → [`resolve`] (what is it now?) →
//! [`judge`] (so what?) → [`report`] (show it). [`audit`] walks it. [`image`] is the vocabulary,
//! [`registry`], [`aws`] and [`store`] are the outside world, [`config`] the settings, [`run`] the run modes.

pub mod audit;
pub mod aws;
pub mod cli;
pub mod config;
pub mod glob;
pub mod identify;
pub mod image;
pub mod inventory;
pub mod judge;
pub mod once;
pub mod registry;
pub mod report;
pub mod resolve;
pub mod run;
pub mod store;
pub mod telemetry;
