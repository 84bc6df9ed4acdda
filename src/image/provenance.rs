//! Provenance attestations: the images that a build pulled.
//!
//! In-toto statements with a SLSA v0.2 or v1 predicate, as `BuildKit` writes them
//! (docs/attestations/slsa-definitions.md there). They are parsed leniently and within limits. Only the images are
//! kept, because build arguments may be secrets.

use packageurl::PackageUrl;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Digest, InvalidDocument, Platform, Reference, Repository, VALUE_BYTES, attestation,
    build_steps::{RawBuildConfig, RawBuildkitMetadata, pulled_layers},
    lenient::{self, FirstEntries, LenientEntry},
};

/// The most images of a build that are kept.
const MATERIALS: usize = 64;
/// The most subjects of a statement that are read.
const SUBJECTS: usize = 64;

/// The prefix of provenance predicate types.
const SLSA: &str = "https://slsa.dev/provenance/v";
/// The build types of `BuildKit`, in v1 and v0.2.
const BUILDKIT: [&str; 2] = [
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
    "https://mobyproject.org/buildkit@v",
];
/// The repositories of Docker's frontends, which interpret a Dockerfile and are not its base.
const FRONTENDS: [&str; 2] = ["docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream"];

/// Whether the annotation `in-toto.io/predicate-type` is a provenance predicate.
#[must_use]
pub fn is_provenance(predicate_type: &str) -> bool {
    predicate_type.starts_with(SLSA)
}

/// An image that a build pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildMaterial {
    /// Its reference, with the digest that the tag had then.
    pub reference: Reference,
    /// The platform that it was pulled for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The digests of its layers, lowest first, if the provenance is detailed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Digest>,
}

/// The provenance of an image, from all its attestations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The images that the build pulled, in arbitrary order.
    pub materials: Vec<BuildMaterial>,
    /// The number of attestations that may hold provenance.
    pub attestation_count: usize,
    /// The unusable attestations.
    pub unusable: Vec<UnusableAttestation>,
    /// Why there may be more attestations.
    pub unlisted: Option<String>,
}

/// An unusable attestation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableAttestation {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The reason, for people.
    pub why: String,
}

/// The images that the build of `image` pulled, from the statement or envelope `body`; empty if that is not provenance,
/// is about another image, or lists none.
///
/// The frontend of the Dockerfile, blobs, Git repositories, and local images without a registry are left out.
///
/// # Errors
///
/// [`InvalidDocument::Json`] if the statement does not parse.
pub fn build_materials(body: &[u8], image: &Digest) -> Result<Vec<BuildMaterial>, InvalidDocument> {
    let Some(body) = attestation::statement(body)? else { return Ok(Vec::new()) };
    let statement: RawStatement = serde_json::from_slice(&body).map_err(InvalidDocument::json)?;
    let Some(predicate) = statement.predicate.filter(|_| statement.predicate_type.is_some_and(|it| is_provenance(&it)))
    else {
        return Ok(Vec::new());
    };
    let is_about_image = |subjects: &[Digest]| subjects.is_empty() || subjects.contains(image);
    if !is_about_image(&statement.subjects) {
        return Ok(Vec::new());
    }
    let mut materials = Vec::<BuildMaterial>::new();
    for material in predicate.materials() {
        if materials.len() < MATERIALS && !materials.contains(&material) {
            materials.push(material);
        }
    }
    Ok(materials)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStatement {
    #[serde(default, deserialize_with = "lenient::text")]
    predicate_type: Option<String>,
    #[serde(default, rename = "subject", deserialize_with = "subjects")]
    subjects: Vec<Digest>,
    #[serde(default, deserialize_with = "lenient::object")]
    predicate: Option<RawPredicate>,
}

/// A predicate of either version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPredicate {
    #[serde(default, deserialize_with = "lenient::text")]
    build_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::first_or_none::<_, _, MATERIALS>")]
    materials: FirstEntries<LenientEntry<RawMaterial>>,
    #[serde(default, deserialize_with = "lenient::object")]
    invocation: Option<RawInvocation>,
    #[serde(default, deserialize_with = "lenient::object")]
    build_config: Option<RawBuildConfig>,
    #[serde(default, deserialize_with = "lenient::object")]
    metadata: Option<RawMetadata>,
    #[serde(default, deserialize_with = "lenient::object")]
    build_definition: Option<RawBuildDefinition>,
    #[serde(default, deserialize_with = "lenient::object")]
    run_details: Option<RawRunDetails>,
}

#[derive(Deserialize)]
struct RawMaterial {
    #[serde(default, deserialize_with = "lenient::text")]
    uri: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    digest: Option<RawDigests>,
}

#[derive(Default, Deserialize)]
struct RawDigests {
    #[serde(default, deserialize_with = "lenient::text")]
    sha256: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawInvocation {
    #[serde(default, deserialize_with = "lenient::object")]
    parameters: Option<RawRequest>,
}

#[derive(Default, Deserialize)]
struct RawRequest {
    #[serde(default, deserialize_with = "lenient::object")]
    args: Option<RawFrontend>,
}

/// The requested frontend, as by `# syntax=`.
#[derive(Default, Deserialize)]
struct RawFrontend {
    #[serde(default, deserialize_with = "lenient::text")]
    cmdline: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBuildDefinition {
    #[serde(default, deserialize_with = "lenient::text")]
    build_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::first_or_none::<_, _, MATERIALS>")]
    resolved_dependencies: FirstEntries<LenientEntry<RawMaterial>>,
    #[serde(default, deserialize_with = "lenient::object")]
    external_parameters: Option<RawExternalParameters>,
    #[serde(default, deserialize_with = "lenient::object")]
    internal_parameters: Option<RawInternalParameters>,
}

#[derive(Default, Deserialize)]
struct RawExternalParameters {
    #[serde(default, deserialize_with = "lenient::object")]
    request: Option<RawRequest>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawInternalParameters {
    #[serde(default, deserialize_with = "lenient::object")]
    build_config: Option<RawBuildConfig>,
}

#[derive(Default, Deserialize)]
struct RawMetadata {
    #[serde(default, rename = "https://mobyproject.org/buildkit@v1#metadata", deserialize_with = "lenient::object")]
    buildkit: Option<RawBuildkitMetadata>,
}

#[derive(Default, Deserialize)]
struct RawRunDetails {
    #[serde(default, deserialize_with = "lenient::object")]
    metadata: Option<RawRunMetadata>,
}

#[derive(Default, Deserialize)]
struct RawRunMetadata {
    #[serde(default, rename = "buildkit_metadata", deserialize_with = "lenient::object")]
    buildkit: Option<RawBuildkitMetadata>,
}

impl RawPredicate {
    /// The images that can be a base.
    fn materials(self) -> impl Iterator<Item = BuildMaterial> {
        let definition = self.build_definition.unwrap_or(RawBuildDefinition {
            build_type: None,
            resolved_dependencies: FirstEntries::default(),
            external_parameters: None,
            internal_parameters: None,
        });
        let parameters = [
            self.invocation.and_then(|invocation| invocation.parameters),
            definition.external_parameters.and_then(|parameters| parameters.request),
        ];
        let frontends: Vec<_> = parameters.into_iter().flatten().filter_map(|request| request.args).collect();
        let frontends: Vec<_> = frontends.iter().flat_map(RawFrontend::references).collect();
        let config = self.build_config.or(definition.internal_parameters.and_then(|it| it.build_config));
        let metadata = self.metadata.and_then(|metadata| metadata.buildkit);
        let metadata =
            metadata.or(self.run_details.and_then(|run| run.metadata).and_then(|metadata| metadata.buildkit));
        let layers = pulled_layers(config.unwrap_or_default(), metadata.unwrap_or_default());
        let build_type = self.build_type.or(definition.build_type).unwrap_or_default();
        let is_buildkit = BUILDKIT.iter().any(|known| build_type.starts_with(known));
        let listed = self.materials.entries.into_iter().chain(definition.resolved_dependencies.entries);
        listed.filter_map(|LenientEntry(material)| material?.image()).filter_map(move |mut material| {
            let name = &material.reference;
            // BuildKit states a platform for all images except frontends.
            let is_frontend = FRONTENDS.contains(&name.repository.to_string().as_str())
                || frontends.iter().any(|it| it.repository == name.repository && it.tag == name.tag)
                || (is_buildkit && material.platform.is_none());
            let key = (name.repository.clone(), name.digest.clone());
            material.layers = layers.get(&key).cloned().unwrap_or_default();
            (!is_frontend).then_some(material)
        })
    }
}

impl RawFrontend {
    /// Its frontends; without a registry, images on Docker Hub.
    fn references(&self) -> Vec<Reference> {
        let named = [&self.cmdline, &self.source].into_iter().flatten();
        let reference = |name: &String| name.parse().or_else(|_| format!("docker.io/{name}").parse()).ok();
        named.filter_map(reference).collect()
    }
}

impl RawMaterial {
    /// The image; `None` for any other material.
    fn image(self) -> Option<BuildMaterial> {
        let uri = self.uri.filter(|uri| uri.len() <= VALUE_BYTES)?;
        let package: PackageUrl<'_> = uri.parse().ok()?;
        let qualifier = |key: &str| package.qualifiers().get(key).map(AsRef::as_ref);
        if qualifier("ref_type").is_some_and(|kind: &str| kind == "blob") {
            return None;
        }
        let path = match package.namespace() {
            Some(namespace) => format!("{namespace}/{}", package.name()),
            None => package.name().to_owned(),
        };
        let repository = match (package.ty(), qualifier("repository_url")) {
            // The URL of an OCI package has its repository, that of a Docker package its registry.
            ("oci", Some(url)) => url.parse::<Repository>().ok()?,
            ("docker", Some(registry)) => format!("{registry}/{path}").parse().ok()?,
            ("docker", None) => path.parse().or_else(|_| format!("docker.io/{path}").parse()).ok()?,
            _ => return None,
        };
        let version = package.version().or(qualifier("tag"));
        let stated = self.digest.and_then(|digest| format!("sha256:{}", digest.sha256?).parse().ok());
        let named = qualifier("digest").or(version).and_then(|digest| digest.parse().ok());
        let tag = qualifier("tag").or(version).filter(|tag| super::is_tag(tag)).map(str::to_owned);
        let reference = Reference { repository, tag, digest: stated.or(named) };
        reference.digest.as_ref()?;
        let platform = qualifier("platform").and_then(|platform| platform.parse().ok());
        Some(BuildMaterial { reference, platform, layers: Vec::new() })
    }
}

/// The SHA-256 digests of a statement's subjects.
fn subjects<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<Digest>, D::Error> {
    #[derive(Deserialize)]
    struct RawSubject {
        #[serde(default, deserialize_with = "lenient::object")]
        digest: Option<RawDigests>,
    }

    let subjects: FirstEntries<LenientEntry<RawSubject>> = lenient::first_or_none::<_, _, SUBJECTS>(field)?;
    let digest =
        |LenientEntry(subject): LenientEntry<RawSubject>| format!("sha256:{}", subject?.digest?.sha256?).parse().ok();
    Ok(subjects.entries.into_iter().filter_map(digest).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::image::{ChildManifest, ManifestDocument, provenance_referrers};

    /// A file of `tests/data/provenance`.
    macro_rules! shape {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/provenance/", $name))
        };
    }

    fn image() -> Digest {
        format!("sha256:{}", "d".repeat(64)).parse().expect("a digest")
    }

    fn names(statement: &str) -> Vec<String> {
        let materials = build_materials(statement.as_bytes(), &image()).expect(statement);
        materials.iter().map(|material| material.reference.to_string()).collect()
    }

    /// A statement of `BuildKit` with these entries, as SLSA v1.
    fn statement(dependencies: &Value) -> String {
        let definition = json!({ "buildType": BUILDKIT[0], "resolvedDependencies": dependencies });
        json!({ "predicateType": "https://slsa.dev/provenance/v1", "predicate": { "buildDefinition": definition } })
            .to_string()
    }

    fn digest(character: char) -> String {
        format!("sha256:{}", character.to_string().repeat(64))
    }

    #[test]
    fn the_images_of_a_build_are_read_from_both_versions_without_its_frontend() {
        let frontend_first = "docker.io/library/python:3.11-slim-bookworm\
            @sha256:86adf8dbadc3d6e82ee5dd2c74bec2e1c2467cdad47886280501df722372d2e1";
        assert_eq!(names(shape!("01-v02-min-frontend-first.json")), [frontend_first]);
        let stages = [
            "docker.io/library/golang:1.24-alpine\
             @sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
            "public.ecr.aws/awsguru/aws-lambda-adapter:1.1.0\
             @sha256:3a108c4ceee9e0346a61fc0fc7085017945c664be4eaa2925855b8dd2467227b",
            "public.ecr.aws/lambda/provided:al2023\
             @sha256:1c9bb3a7f0de4c0f9d1c5a6e7b8294a3b4c5d6e7f8091a2b3c4d5e6f70819203",
        ];
        for statement in [shape!("02-v02-min-multistage.json"), shape!("03-v1-min-multistage.json")] {
            assert_eq!(names(statement), stages);
            let materials = build_materials(statement.as_bytes(), &image()).expect("reads");
            let platforms: Vec<_> = materials.iter().map(|it| it.platform.as_ref().map(ToString::to_string)).collect();
            let text = |platform: &str| Some(platform.to_owned());
            assert_eq!(platforms, [text("linux/amd64"), text("linux/arm64"), text("linux/arm64")]);
        }
    }

    #[test]
    fn pinned_bases_and_registries_with_ports_are_read() {
        assert_eq!(
            names(shape!("05-v1-pinned-digest-forms.json")),
            [
                format!("public.ecr.aws/lambda/nodejs@{}", digest('6')),
                "public.ecr.aws/lambda/python:3.12\
                 @sha256:7c61e7c7a5094a17be45b65b28a36e44503ca431015df4ab8c0f8dc24dd904be"
                    .to_owned(),
                format!("localhost:5000/team/base:v2@{}", digest('7')),
            ]
        );
    }

    #[test]
    fn materials_that_are_not_registry_images_are_no_candidates() {
        let python = format!("public.ecr.aws/lambda/python:3.13@{}", digest('8'));
        assert_eq!(names(shape!("06-v1-local-and-blob-forms.json")), [python]);
        assert!(names(shape!("08-github-attest-no-images.json")).is_empty());
    }

    #[test]
    fn an_oci_package_with_its_repository_is_a_candidate() {
        let hex = "9".repeat(64);
        let uri = format!("pkg:oci/python@sha256%3A{hex}?repository_url=public.ecr.aws/lambda/python&tag=3.12");
        let material = json!({ "uri": uri, "digest": { "sha256": hex } });
        let statement = json!({
            "predicateType": "https://slsa.dev/provenance/v0.2", "predicate": { "materials": [material] },
        });
        let expected = format!("public.ecr.aws/lambda/python:3.12@{}", digest('9'));
        assert_eq!(names(&statement.to_string()), std::slice::from_ref(&expected));
        let docker = format!("pkg:docker/lambda/python@3.12?repository_url=public.ecr.aws&digest={}", digest('9'));
        let statement = json!({
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": { "resolvedDependencies": [{ "uri": docker }] } },
        });
        assert_eq!(names(&statement.to_string()), [expected]);
    }

    #[test]
    fn a_frontend_in_another_registry_is_recognized_by_the_build_request() {
        let frontend = "pkg:docker/r.corp/dockerfile@1?platform=linux%2Farm64";
        let args = json!({ "cmdline": "r.corp/dockerfile:1", "source": "r.corp/dockerfile:1" });
        let statement = json!({
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": {
                "externalParameters": { "request": { "frontend": "gateway.v0", "args": args } },
                "resolvedDependencies": [
                    { "uri": frontend, "digest": { "sha256": "a".repeat(64) } },
                    { "uri": "pkg:docker/r.corp/base@1", "digest": { "sha256": "b".repeat(64) } },
                ],
            } },
        });
        assert_eq!(names(&statement.to_string()), [format!("r.corp/base:1@{}", digest('b'))]);
    }

    #[test]
    fn a_detailed_provenance_lists_the_layers_of_pulled_images() {
        let base = format!("public.ecr.aws/lambda/python:3.12@{}", digest('8'));
        let material = json!({
            "uri": "pkg:docker/public.ecr.aws/lambda/python@3.12?platform=linux%2Farm64",
            "digest": { "sha256": "8".repeat(64) },
        });
        let step = json!([{ "id": "step0", "op": { "Op": { "source": { "identifier": "local://context" } } } },
            { "id": "step1", "op": { "Op": { "source": { "identifier": format!("docker-image://{base}") } } } }]);
        let layers = json!({ "step0:0": [[]], "step1:0": [[{ "digest": digest('1') }, { "digest": digest('2') }]] });
        let config = json!({ "llbDefinition": step });
        let v02 = json!({
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "predicate": {
                "buildType": "https://mobyproject.org/buildkit@v1", "materials": [material], "buildConfig": config,
                "metadata": { "https://mobyproject.org/buildkit@v1#metadata": { "layers": layers } },
            },
        });
        let v1 = json!({
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILDKIT[0], "resolvedDependencies": [material],
                    "internalParameters": { "buildConfig": config },
                },
                "runDetails": { "metadata": { "buildkit_metadata": { "layers": layers } } },
            },
        });
        for statement in [&v02, &v1] {
            let materials = build_materials(statement.to_string().as_bytes(), &image()).expect("reads");
            let layers: Vec<_> = materials[0].layers.iter().map(ToString::to_string).collect();
            assert_eq!(layers, [digest('1'), digest('2')]);
        }
        let broken = v1.to_string().replace(&digest('2'), "blake3:00");
        assert!(
            build_materials(broken.as_bytes(), &image()).expect("reads")[0].layers.is_empty(),
            "a part of the layers does not count"
        );
    }

    #[test]
    fn a_statement_about_another_image_is_ignored() {
        let other = digest('e').parse().expect("a digest");
        assert!(build_materials(shape!("03-v1-min-multistage.json").as_bytes(), &other).expect("reads").is_empty());
    }

    #[test]
    fn statements_of_any_shape_are_parsed_within_limits() {
        for body in ["{}", "null", "[]", "7", r#"{"predicateType":7}"#] {
            assert!(
                build_materials(body.as_bytes(), &image()).is_ok_and(|read| read.is_empty()) || body != "{}",
                "{body}"
            );
        }
        for predicate in
            ["null", "[]", r#"{"buildDefinition":[]}"#, r#"{"materials":{},"metadata":"x","invocation":7}"#]
        {
            let body = format!(r#"{{"predicateType":"https://slsa.dev/provenance/v1","predicate":{predicate}}}"#);
            assert!(names(&body).is_empty(), "{predicate}");
        }
        let metadata = r#"{"runDetails":{"metadata":{"buildkit_metadata":{"layers":[["x"]]}}}}"#;
        let body = format!(r#"{{"predicateType":"https://slsa.dev/provenance/v1","predicate":{metadata}}}"#);
        assert!(names(&body).is_empty());
        let long = format!("pkg:docker/r.corp/{}?platform=linux%2Farm64", "a".repeat(1 << 20));
        let uris = [
            long.as_str(),
            "pkg:docker/",
            "pkg:",
            "pkg:docker/..%2F..?platform=linux%2Farm64",
            "pkg:docker/r.corp/A?platform=x",
        ];
        let dependencies: Vec<_> =
            uris.iter().map(|uri| json!({ "uri": uri, "digest": { "sha256": "8".repeat(64) } })).collect();
        assert!(names(&statement(&json!(dependencies))).is_empty());
        let many: Vec<_> = (0..1000)
            .map(|number| {
                json!({ "uri": format!("pkg:docker/r.corp/x@{number}?platform=linux%2Farm64"),
                "digest": { "sha256": format!("{number:064}") } })
            })
            .collect();
        assert_eq!(names(&statement(&json!(many))).len(), MATERIALS);
        let unpinned = json!([{ "uri": "pkg:docker/r.corp/x@1?platform=linux%2Farm64" }]);
        assert!(names(&statement(&unpinned)).is_empty(), "a tag alone does not say which image was pulled");
    }

    #[test]
    fn the_attestations_of_an_image_are_found_in_its_index_and_among_its_referrers() {
        let Ok(ManifestDocument::Index(index)) =
            ManifestDocument::parse(shape!("10-index-with-attestation.json").as_bytes(), None)
        else {
            panic!("an index")
        };
        let attestation: Digest = format!("sha256:{}", "ab".repeat(32)).parse().expect("a digest");
        let attested = |child: &ChildManifest| (child.digest.clone(), child.attestations.clone());
        assert_eq!(index.children.iter().map(attested).collect::<Vec<_>>(), [(image(), vec![attestation.clone()])]);
        let referring = provenance_referrers(shape!("13-referrers-index.json").as_bytes()).expect("reads");
        let named = |name: &str| format!("sha256:{}", name.repeat(32)).parse::<Digest>().expect("a digest");
        assert_eq!(referring, [attestation, named("b1"), named("b2")], "a bundle of Sigstore is one as well");
        for (body, count) in
            [("{}", 0), (r#"{"manifests":[null,{},{"artifactType":"application/vnd.in-toto+json"}]}"#, 0)]
        {
            assert_eq!(provenance_referrers(body.as_bytes()).map(|read| read.len()), Ok(count), "{body}");
        }
        assert!(provenance_referrers(b"<html>").is_err());
    }

    #[test]
    fn only_provenance_statements_of_an_attestation_are_read() {
        for (manifest, expected) in [
            (
                shape!("11-attestation-manifest-legacy.json"),
                &["https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"][..],
            ),
            (shape!("12-attestation-manifest-oci-artifact.json"), &["https://slsa.dev/provenance/v1"]),
        ] {
            let Ok(ManifestDocument::Manifest(read)) = ManifestDocument::parse(manifest.as_bytes(), None) else {
                panic!("a manifest")
            };
            let types: Vec<_> = read.statements.iter().filter_map(|it| it.predicate_type.as_deref()).collect();
            assert_eq!(types, expected);
            assert_eq!(read.statements.iter().filter(|it| it.may_be_provenance()).count(), 1);
            assert_eq!(read.statements.last().and_then(|statement| statement.bytes), Some(1900));
        }
    }
}
