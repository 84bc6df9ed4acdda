//! Which base is it, by what builders left beside the layers? Stories over a registry in this process: the images of an
//! orders service on a Lambda base, with the attestations and comments of their builds.

mod builder_comments;
mod provenance;
mod rig;
