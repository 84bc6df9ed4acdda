//! The command line of basewatch.
fn main() {}
