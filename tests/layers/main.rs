//! Which base is it, by the layers of an image? What is known is looked up and the rest is searched, at a cost that these
//! stories count.

#[path = "../support/world.rs"]
mod world;

mod checks;
mod faults;
mod memory;
mod search;
mod shop;
