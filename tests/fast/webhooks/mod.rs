//! Webhooks that are slow, down, throttled, or close midway: retries, their timing, and the errors.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]

mod calls;
mod faults;
mod messages;
mod page;
mod presets;
mod program;
mod repeats;
mod secrecy;
