//! A registry with a base, and images built on it.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use basewatch::{
    audit::{AuditOptions, AuditSources, audit},
    http::RequestCounter,
    identify::{self, Identification, SearchLimits},
    image::{Digest, MANIFEST_MEDIA_TYPES, Platform, Reference, Repository},
    inventory::{
        Deployment, DeploymentKind, Inventory, InventoryFilter, InventoryResult, LayoutInventory, NamedInventory,
        OwnerSettings, RepositoryImages, StoredImage,
    },
    judge::Policy,
    registry::{AuthSettings, DistributionClient, HostSettings, NetworkSettings},
    resolve,
    store::{Catalog, ImageReader},
};
use chrono::{DateTime, Utc};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::{Value, json};
use testbed::registry::{Behaviour, ImageSpec, Loopback, Stock};

pub(crate) const BASE: &str = "public.ecr.aws/lambda/python";
pub(crate) const OCI_MANIFEST: &str = MANIFEST_MEDIA_TYPES[1];
pub(crate) const OCI_INDEX: &str = MANIFEST_MEDIA_TYPES[0];
const STATEMENT: &str = "application/vnd.in-toto+json";

/// The registry, as public.ecr.aws and as that of the orders service.
pub(crate) struct Rig {
    pub(crate) stock: Stock,
    loopback: Loopback,
    catalog: Arc<Catalog>,
    /// The index of the base, and its image on arm64.
    pub(crate) base: Digest,
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse().expect("an instant")
}

pub(crate) fn arm64() -> Platform {
    "linux/arm64".parse().expect("a platform")
}

fn spec(layers: &[&str]) -> ImageSpec {
    let layers = layers.iter().map(|layer| layer.as_bytes().to_vec()).collect();
    ImageSpec { platform: arm64(), layers, ..ImageSpec::default() }
}

impl Rig {
    /// A registry with the referrers API, if it `has_referrers`.
    pub(crate) fn new(has_referrers: bool) -> Self {
        let stock = Stock::new();
        let image = stock.push_image("lambda/python", &spec(&["os", "emulator", "python"]));
        let base = stock.push_index("lambda/python", &[(image, arm64())], &BTreeMap::new(), true);
        let loopback = Loopback::start_as(stock.clone(), Behaviour { has_referrers, ..Behaviour::default() });
        Self { stock, loopback: loopback.expect("a port"), catalog: Arc::new(Catalog::in_memory()), base }
    }

    /// An image of the orders service on the base.
    pub(crate) fn image(&self) -> Digest {
        self.stock.push_image("orders", &spec(&["os", "emulator", "python", "app"]))
    }

    /// The repository of the orders service.
    pub(crate) fn orders(&self) -> Repository {
        format!("{}/orders", self.loopback.host()).parse().expect("a repository")
    }

    /// The base as a package URL names it, for `platform`.
    pub(crate) fn material(&self, platform: &str) -> Value {
        let uri = format!("pkg:docker/{BASE}@3.12?platform={}", platform.replace('/', "%2F"));
        json!({ "uri": uri, "digest": { "sha256": self.base.hex() } })
    }

    /// The same image as the base in another repository, as a package URL names it.
    pub(crate) fn copied_base(&self, repository: &str) -> Value {
        let image = self.stock.push_image(repository, &spec(&["os", "emulator", "python"]));
        let uri =
            format!("pkg:docker/{}/{repository}@1?platform=linux%2Farm64", self.loopback.host().replace(':', "%3A"));
        json!({ "uri": uri, "digest": { "sha256": image.hex() } })
    }

    /// Pushes the attestation of a build of `image` that pulled `materials`: an artifact that refers to the image.
    pub(crate) fn attest(&self, image: &Digest, materials: &[Value]) -> Digest {
        let statement = statement(image, materials);
        let size = statement.len();
        let blob = self.stock.push_blob("orders", statement);
        let config = self.stock.push_blob("orders", b"{}".to_vec());
        let manifest = attestation(image, &blob, size, &config);
        self.stock.push_raw("orders", OCI_MANIFEST, manifest.to_string().into_bytes())
    }

    /// Pushes the same in an envelope: an artifact that refers to the image, as cosign and GitHub attach it.
    pub(crate) fn attest_as(&self, form: Form, image: &Digest, materials: &[Value]) -> Digest {
        let payload = match form {
            Form::Broken => "not base64!".to_owned(),
            _ => STANDARD.encode(statement(image, materials)),
        };
        let envelope = json!({ "payloadType": STATEMENT, "payload": payload, "signatures": [{ "sig": "MEUC" }] });
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let (media_type, body) = match form {
            Form::Dsse | Form::Broken => ("application/vnd.dsse.envelope.v1+json", envelope),
            Form::Bundle => (bundle, json!({ "mediaType": bundle, "dsseEnvelope": envelope })),
            Form::Signature => (bundle, json!({ "mediaType": bundle, "messageSignature": { "signature": "MEUC" } })),
        };
        let body = body.to_string().into_bytes();
        let size = body.len();
        let blob = self.stock.push_blob("orders", body);
        let config = self.stock.push_blob("orders", b"{}".to_vec());
        let content = if form == Form::Signature { "message-signature" } else { "dsse-envelope" };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": media_type,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
            "layers": [{ "mediaType": media_type, "digest": blob, "size": size }],
            "annotations": { "dev.sigstore.bundle.content": content },
            "subject": { "mediaType": OCI_MANIFEST, "digest": image, "size": 1 },
        });
        self.stock.push_raw("orders", OCI_MANIFEST, manifest.to_string().into_bytes())
    }

    /// Pushes an index over `image` and its attestation, as `docker buildx build --push` does.
    pub(crate) fn index(&self, image: &Digest, attestation: &Digest) -> Digest {
        let index = index(image, attestation);
        self.stock.push_raw("orders", OCI_INDEX, index.to_string().into_bytes())
    }

    /// The bases that an audit identifies for the images of `inventory`.
    async fn audit(&self, inventory: impl FnOnce(&Arc<ImageReader>) -> Box<dyn Inventory>) -> Vec<Identification> {
        let endpoint = format!("http://{}", self.loopback.host());
        let host = HostSettings { endpoint: Some(endpoint), auth: AuthSettings::Anonymous, ..HostSettings::default() };
        let network = NetworkSettings {
            allow: vec!["public.ecr.aws".to_owned(), self.loopback.host()],
            hosts: BTreeMap::from([("public.ecr.aws".to_owned(), host)]),
            ..NetworkSettings::default()
        };
        let client = DistributionClient::new(network, None, Arc::<RequestCounter>::default()).expect("valid settings");
        let images = Arc::new(ImageReader::new(Arc::new(client), Arc::clone(&self.catalog)));
        let limits = SearchLimits { request_count: 0, ..SearchLimits::default() };
        let options = AuditOptions {
            policy: Policy::default(),
            identify: identify::IdentifySettings { search: limits, ..identify::IdentifySettings::default() },
            resolve: resolve::ResolveSettings::default(),
            owners: OwnerSettings::default(),
            filter: InventoryFilter::default(),
            is_part: false,
            concurrency: 4,
            now: now(),
            seen_at: now(),
        };
        let sources = AuditSources { inventories: vec![inventory(&images)], aws_scope: None };
        let audit = audit(&sources, &images, &options, &|_| {}).await;
        audit.audited_deployments().map(|traced| traced.identification.clone()).collect()
    }

    /// The base of the image `digest` in the repository of the orders service.
    pub(crate) async fn named(&self, digest: &Digest) -> Identification {
        let reference = Reference::pinned(self.orders(), digest.clone());
        let named = |images: &Arc<ImageReader>| {
            Box::new(NamedInventory::new(vec![reference], Arc::clone(images), 4, now())) as _
        };
        self.audit(named).await.remove(0)
    }

    /// The same for a function that runs it, in a repository with the images `held`.
    pub(crate) async fn deployed(&self, digest: &Digest, held: Vec<StoredImage>) -> Identification {
        let reference = Reference::pinned(self.orders(), digest.clone());
        let stored: RepositoryImages = held.into_iter().collect();
        let orders = self.orders();
        let deployed = |images: &Arc<ImageReader>| {
            let named = NamedInventory::new(vec![reference], Arc::clone(images), 4, now());
            Box::new(Listed { named, stored: (orders, Arc::new(stored)) }) as _
        };
        self.audit(deployed).await.remove(0)
    }

    /// The same for the images in a folder.
    pub(crate) async fn layout(&self, folder: &std::path::Path) -> Identification {
        let folder = folder.to_owned();
        self.audit(|_| Box::new(LayoutInventory::new(vec![(folder, None)])) as _).await.remove(0)
    }

    /// The requested paths since the last call that contain `part`.
    pub(crate) fn requests(&self, part: &str) -> usize {
        self.loopback.requests().iter().filter(|request| request.path.contains(part)).count()
    }
}

/// How a statement is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In an envelope of DSSE.
    Dsse,
    /// In a bundle of Sigstore.
    Bundle,
    /// Not at all: the bundle has the signature of something else.
    Signature,
    /// In an envelope whose payload is none.
    Broken,
}

/// Images that are named, in a repository that was listed.
struct Listed {
    named: NamedInventory,
    stored: (Repository, Arc<RepositoryImages>),
}

impl Inventory for Listed {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        let (repository, stored) = self.stored.clone();
        let listed = |found: InventoryResult| {
            let is_named = |deployment: &Deployment| deployment.kind == DeploymentKind::Image;
            assert!(found.deployments.iter().all(is_named));
            InventoryResult { repository_images: BTreeMap::from([(repository, stored)]), ..found }
        };
        self.named.deployments().map(listed).boxed()
    }
}

/// The statement of a build of `image` that pulled `materials`.
pub(crate) fn statement(image: &Digest, materials: &[Value]) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{ "name": "orders", "digest": { "sha256": image.hex() } }],
        "predicate": { "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "resolvedDependencies": materials,
        } },
    });
    statement.to_string().into_bytes()
}

/// The manifest of an attestation with one statement, as an OCI artifact.
pub(crate) fn attestation(image: &Digest, statement: &Digest, size: usize, config: &Digest) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
        "layers": [{
            "mediaType": STATEMENT, "digest": statement, "size": size,
            "annotations": { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" },
        }],
        "subject": { "mediaType": OCI_MANIFEST, "digest": image, "size": 1 },
    })
}

/// An index over `image` for arm64 and its attestation.
pub(crate) fn index(image: &Digest, attestation: &Digest) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [
            { "mediaType": OCI_MANIFEST, "digest": image, "size": 1,
              "platform": { "os": "linux", "architecture": "arm64" } },
            { "mediaType": OCI_MANIFEST, "digest": attestation, "size": 1,
              "annotations": {
                  "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image,
              },
              "platform": { "os": "unknown", "architecture": "unknown" } },
        ],
    })
}

/// How the base was identified, and the base.
pub(crate) fn conclusion(identification: &Identification) -> Option<(&'static str, &'static str, String)> {
    let base = identification.chain.first()?;
    Some((base.evidence.kind.as_str(), base.confidence.as_str(), base.base.reference().to_string()))
}
