//! Evidence that builders leave: images of an orders service on a Lambda base, with attestations and comments, in an
//! in-process registry.

mod builder_comments;
mod provenance;
mod rig;
