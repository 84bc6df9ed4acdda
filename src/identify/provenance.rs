//! Bases in provenance: the images that a build pulled.

use super::{BaseRecord, EvidenceKind, IdentifySettings, line};
use crate::{
    image::{BuildMaterial, ImageFacts, Repository},
    inventory::DeployedImage,
};

/// The provenance field that lists the pulled images, in SLSA v1 and v0.2.
const KEY: &str = "materials";

/// A reading for each of `materials` that can be the base of `image`. Their order means nothing: only layers show which
/// one it is. `repository` is that of the image, to which rules may be limited.
///
/// Images for another architecture are left out: stages that run on the builder pull them. If the provenance lists
/// layers and some are a prefix of the image, the longest of those is the base.
#[must_use]
pub fn provenance_readings(
    materials: &[BuildMaterial],
    image: &DeployedImage,
    repository: Option<&Repository>,
    settings: &IdentifySettings,
) -> Vec<BaseRecord> {
    let own_name = repository.map(|repository| &*repository.name);
    let longest = materials.iter().filter_map(|material| shared_layers(material, &image.facts)).max();
    let is_candidate = |material: &&BuildMaterial| {
        let runs_here = |platform: &crate::image::Platform| platform.has_architecture_of(&image.facts.platform);
        let is_longest = longest.is_none() || shared_layers(material, &image.facts) == longest;
        is_longest && material.platform.as_ref().is_none_or(runs_here)
    };
    let mut readings = Vec::<BaseRecord>::new();
    for BuildMaterial { reference, .. } in materials.iter().filter(is_candidate) {
        let value = reference.to_string();
        if readings.iter().any(|known| known.value == value) {
            continue;
        }
        let crate::image::Reference { repository, tag, digest } = reference.clone();
        let base = Ok(line::base(settings, own_name, repository, tag, digest));
        readings.push(BaseRecord { kind: EvidenceKind::Provenance, key: KEY.to_owned(), value, base });
    }
    readings
}

/// The number of layers of a material, if they are a prefix of the image.
fn shared_layers(material: &BuildMaterial, image: &ImageFacts) -> Option<usize> {
    let layers = &material.layers;
    (!layers.is_empty() && image.layers.starts_with(layers)).then_some(layers.len())
}
