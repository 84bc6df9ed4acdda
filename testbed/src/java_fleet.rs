//! A registry with a line of two releases, and images on both: the smallest fleet with findings.

use crate::registry::{ImageSpec, Loopback, Stock};
use basewatch::image::{Annotations, Digest};

/// A registry on loopback with `java:21`, published on 2025-08-22 and again on 2025-11-19.
pub struct JavaFleet {
    pub registry: Loopback,
    pub old: Digest,
    pub new: Digest,
}

impl JavaFleet {
    /// The registry without images yet.
    pub fn start() -> Self {
        let stock = Stock::new();
        let old = push(&stock, "java", "2025-08-22T06:00:00Z", None, &["old"]);
        let new = push(&stock, "java", "2025-11-19T06:00:00Z", None, &["new"]);
        stock.tag("java", "21", &new);
        let registry = Loopback::start(stock).expect("a port on loopback");
        Self { registry, old, new }
    }

    /// With `image:1` on the old release for each of `images`.
    pub fn with_old(self, images: &[&str]) -> Self {
        for image in images {
            self.build(image, "1", &self.old);
        }
        self
    }

    /// With `image:1` on the new release for each of `images`.
    pub fn with_new(self, images: &[&str]) -> Self {
        for image in images {
            self.build(image, "1", &self.new);
        }
        self
    }

    /// Builds `image:tag` on `base`.
    pub fn build(&self, image: &str, tag: &str, base: &Digest) -> Digest {
        let label = format!("{}/java:21@{base}", self.host());
        let stock = self.registry.stock();
        let below = if *base == self.new { "new" } else { "old" };
        let digest = push(stock, image, "2025-08-23T06:00:00Z", Some(label), &[below, image]);
        stock.tag(image, tag, &digest);
        digest
    }

    /// How references name the registry.
    pub fn host(&self) -> String {
        self.registry.host()
    }

    /// `image:1` of each, as a list in TOML.
    pub fn references(&self, images: &[&str]) -> String {
        let references: Vec<_> = images.iter().map(|image| format!("\"{}/{image}:1\"", self.host())).collect();
        format!("[{}]", references.join(", "))
    }
}

/// Pushes an image with these layers and this record of its base.
fn push(stock: &Stock, repository: &str, created: &str, label: Option<String>, layers: &[&str]) -> Digest {
    let labels: Annotations = label.into_iter().map(|label| ("sdkBaseVersion".to_owned(), label)).collect();
    let layers = layers.iter().map(|layer| layer.as_bytes().to_vec()).collect();
    stock.push_image(
        repository,
        &ImageSpec { created: Some(created.to_owned()), labels, layers, ..ImageSpec::default() },
    )
}
