//! AWS and registries in memory, for the tests and benchmarks of basewatch.
//!
//! [`aws`] emulates the services that basewatch calls, below the SDK or over HTTP, with faults, quotas and a record of
//! the calls. [`registry`] serves images over HTTP, with the peculiarities of ECR Public on demand.

pub mod aws;
pub mod registry;
