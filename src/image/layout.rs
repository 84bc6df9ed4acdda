//! The `index.json` of an OCI image layout: the images of a folder and their names.

use serde::{Deserialize, Deserializer};

use super::{
    ChildManifest, InvalidDocument,
    descriptor::RawDescriptor,
    lenient::{LenientEntry, each_entry},
};

/// The annotation of an entry that holds its tag (OCI image specification, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An entry of `index.json` that names an image or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutEntry {
    /// The image or index.
    pub child: ChildManifest,
    /// Its tag; some tools write a whole reference.
    pub name: Option<String>,
}

/// The valid entries of a layout, and the error of one of the others. Invalid entries are not kept: there may be a
/// million.
#[derive(Default)]
struct LayoutEntries {
    named: Vec<LayoutEntry>,
    refused: Option<InvalidDocument>,
}

#[derive(Deserialize)]
struct RawLayout {
    #[serde(default, deserialize_with = "named_entries")]
    manifests: LayoutEntries,
}

fn named_entries<'de, D: Deserializer<'de>>(field: D) -> Result<LayoutEntries, D::Error> {
    let mut entries = LayoutEntries::default();
    each_entry(field, |LenientEntry(descriptor): LenientEntry<RawDescriptor>| {
        let Some(descriptor) = descriptor else { return };
        match descriptor.child() {
            Ok(Some(child)) => {
                let name = descriptor.annotations.get(REF_NAME).cloned();
                entries.named.push(LayoutEntry { child, name });
            }
            Ok(None) => {}
            Err(error) => entries.refused = Some(error),
        }
    })?;
    Ok(entries)
}

/// The entries of the `index.json` that is `body`, attestations left out.
///
/// # Errors
///
/// [`InvalidDocument::Json`] if it does not parse, or if no entry has a valid digest.
pub fn layout_entries(body: &[u8]) -> Result<Vec<LayoutEntry>, InvalidDocument> {
    let layout: RawLayout = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
    let LayoutEntries { named: entries, refused } = layout.manifests;
    match refused {
        Some(error) if entries.is_empty() => Err(error),
        _ => Ok(entries),
    }
}
