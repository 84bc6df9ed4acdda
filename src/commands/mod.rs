//! The commands, one file or folder each. `run`, `serve` and `lambda` have a module of their own.

pub mod alerts;
pub mod audit;
pub mod base;
pub mod catalog;
pub mod completions;
pub mod config;
pub mod convert;
pub mod demo;
pub mod explain;
pub mod man;
pub mod notify;
pub mod stamp;
pub mod version;
