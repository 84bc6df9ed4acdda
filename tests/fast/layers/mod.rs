//! Layer searches: known releases are looked up and others searched. The tests count requests.

mod checks;
mod environment;
mod faults;
mod memory;
mod search;
