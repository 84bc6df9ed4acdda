//! The `index.json` of an OCI image layout: which images are in a folder, and what they are called there.

use serde::Deserialize;

use super::{Child, InvalidDocument, descriptor::RawDescriptor, lenient::OrNone};

/// The annotation of an entry that holds its tag (OCI image specification, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An entry of `index.json` that names an image or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutEntry {
    /// What it names.
    pub child: Child,
    /// What it is called; some tools write a whole reference where the tag belongs.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct RawLayout {
    manifests: Option<Vec<OrNone<RawDescriptor>>>,
}

/// The entries of the `index.json` that is `body`, attestations left out.
///
/// # Errors
///
/// [`InvalidDocument::Json`] when it does not parse, or when none of its entries has a digest that is one.
pub fn layout_entries(body: &[u8]) -> Result<Vec<LayoutEntry>, InvalidDocument> {
    let layout: RawLayout = serde_json::from_slice(body).map_err(|error| InvalidDocument::Json(error.to_string()))?;
    let (mut entries, mut refused) = (Vec::new(), None);
    for descriptor in layout.manifests.into_iter().flatten().filter_map(|OrNone(descriptor)| descriptor) {
        match descriptor.child() {
            Ok(Some(child)) => entries.push(LayoutEntry { child, name: descriptor.annotations.get(REF_NAME).cloned() }),
            Ok(None) => {}
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if entries.is_empty() => Err(error),
        _ => Ok(entries),
    }
}
