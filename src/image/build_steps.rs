//! Build steps in a detailed provenance (`mode=max`): the layers of pulled images.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    Digest, Reference, Repository,
    lenient::{self, FirstEntries, LenientEntry, LenientText},
};

/// The most steps of a build that are read.
const STEPS: usize = 128;
/// The most layers of a pulled image; larger images are left out.
const STEP_LAYERS: usize = 128;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBuildConfig {
    #[serde(default, deserialize_with = "lenient::first_or_none::<_, _, STEPS>")]
    llb_definition: FirstEntries<LenientEntry<RawStep>>,
}

/// A step of a build: `{"id": "step0", "op": {"Op": {"source": {"identifier": "docker-image://…"}}}}`.
#[derive(Deserialize)]
struct RawStep {
    #[serde(default, deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    op: Option<RawOperation>,
}

#[derive(Deserialize)]
struct RawOperation {
    #[serde(default, rename = "Op", alias = "op", deserialize_with = "lenient::object")]
    op: Option<RawOperationKind>,
}

#[derive(Deserialize)]
struct RawOperationKind {
    #[serde(default, alias = "Source", deserialize_with = "lenient::object")]
    source: Option<RawSource>,
}

#[derive(Deserialize)]
struct RawSource {
    #[serde(default, deserialize_with = "lenient::text")]
    identifier: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct RawBuildkitMetadata {
    #[serde(default, deserialize_with = "lenient::object")]
    layers: Option<StepLayers>,
}

/// The layers of each pulled image, by repository and digest: the steps name the image, and the metadata the layers of
/// a step.
pub(super) fn pulled_layers(
    config: RawBuildConfig,
    metadata: RawBuildkitMetadata,
) -> BTreeMap<(Repository, Option<Digest>), Vec<Digest>> {
    let StepLayers(mut layers) = metadata.layers.unwrap_or_default();
    let steps = config.llb_definition.entries.into_iter().filter_map(|LenientEntry(step)| step);
    let pulled = steps.filter_map(|step| {
        let identifier = step.op?.op?.source?.identifier?;
        let reference: Reference = identifier.strip_prefix("docker-image://")?.parse().ok()?;
        Some(((reference.repository, reference.digest), layers.remove(&step.id?)?))
    });
    pulled.collect()
}

/// The layers of steps, by step id: `{"step0:0": [[{"digest": "sha256:…"}, …]]}`.
#[derive(Default)]
struct StepLayers(BTreeMap<String, Vec<Digest>>);

impl<'de> Deserialize<'de> for StepLayers {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        struct StepLayersVisitor;

        impl<'de> Visitor<'de> for StepLayersVisitor {
            type Value = StepLayers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("layers by step")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<StepLayers, A::Error> {
                let mut steps = BTreeMap::new();
                while let Some(key) = entries.next_key::<LenientText>()? {
                    let step = key.0.and_then(|key| Some(key.split_once(':')?.0.to_owned()));
                    match step.filter(|_| steps.len() < STEPS) {
                        Some(step) => {
                            drop(steps.insert(step, entries.next_value::<FirstOutputLayers>()?.0.unwrap_or_default()));
                        }
                        None => drop(entries.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(StepLayers(steps))
            }
        }

        field.deserialize_map(StepLayersVisitor)
    }
}

/// The layers of the first output of a step, if all of them are known.
struct FirstOutputLayers(Option<Vec<Digest>>);

impl<'de> Deserialize<'de> for FirstOutputLayers {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        let mut outputs = Vec::new();
        lenient::each_entry_or_none(field, |output: OutputLayers| {
            outputs.extend((outputs.is_empty()).then_some(output.0));
        })?;
        Ok(Self(outputs.pop().flatten()))
    }
}

struct OutputLayers(Option<Vec<Digest>>);

impl<'de> Deserialize<'de> for OutputLayers {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Layer {
            #[serde(default, deserialize_with = "lenient::text")]
            digest: Option<String>,
        }

        let layers: FirstEntries<LenientEntry<Layer>> = lenient::first_or_none::<_, _, STEP_LAYERS>(field)?;
        let layers = Some(layers).filter(FirstEntries::is_whole);
        let digests = |layers: FirstEntries<LenientEntry<Layer>>| {
            layers.entries.into_iter().map(|LenientEntry(layer)| layer?.digest?.parse().ok()).collect()
        };
        Ok(Self(layers.and_then(digests)))
    }
}
