//! The run modes: what the commands do. They build the outside world once, walk the pipeline, and say how
//! it ended. Nothing here decides a verdict, and nobody exits.

pub mod audit;
pub mod base;
pub mod demo;
pub mod explain;
mod inventories;
mod ports;

pub use inventories::inventories;
pub use ports::Ports;
