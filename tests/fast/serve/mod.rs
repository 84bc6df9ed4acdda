//! `basewatch serve` in this process, on a loopback port: responses, access and schedule.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

mod access;
mod answers;
mod forms;
mod fortnight;
mod limits;
mod pages;
mod stopping;
mod watching;
