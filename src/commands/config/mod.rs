//! `basewatch config`: checks and creates configurations, and prints the IAM permissions they need.

mod check;
pub mod iam;
mod init;

pub use self::{check::check, init::init};
