//! Image facts: the immutable content of a digest, fetched once ever and cached.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Annotations, BuildHistory, Digest, DigestKind, ImageIndex, ImageManifest, ImageProfile, InvalidDocument,
    LambdaFingerprint, Platform,
    build_history::RawHistory,
    document::LAYERS,
    fingerprint::LambdaEnvironmentSigns,
    lenient::{self, FirstEntries, LenientText},
    profile,
};

/// The content of a digest, reduced to the fields that basewatch uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "it is shared by reference, and nearly all digests are images")]
pub enum DigestContent {
    /// An index over several platforms.
    Index(ImageIndex),
    /// The image of one platform.
    Image(ImageFacts),
}

impl DigestContent {
    /// Whether this is an index or the image of one platform.
    #[must_use]
    pub fn kind(&self) -> DigestKind {
        match self {
            Self::Index(_) => DigestKind::Index,
            Self::Image(_) => DigestKind::Manifest,
        }
    }
}

/// The image of one platform: the used fields of manifest and configuration. Environment variables may be secrets and
/// are never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The platform, from the configuration; [`Platform::is_unknown`] if that states none.
    pub platform: Platform,
    /// The digest of the configuration, Docker's image ID.
    pub config: Digest,
    /// `created` of the configuration, unchecked; see [`is_plausible`].
    pub created_at: Option<DateTime<Utc>>,
    /// The latest `created` of the entries of `history`, unchecked; see [`is_plausible`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_created_at: Option<DateTime<Utc>>,
    /// The labels of the configuration; long ones are cut, see [`super::is_cut`].
    #[serde(default, deserialize_with = "lenient::texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
    /// The annotations of the manifest, cut like labels.
    #[serde(default, deserialize_with = "lenient::texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// The digests of the uncompressed layers, lowest first; independent of compression.
    pub diff_ids: Vec<Digest>,
    /// The layer digests of the manifest, lowest first; empty if unknown. Different digests may have the same content
    /// with another compression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Digest>,
    /// Whether it is recognizably built on a Lambda base.
    #[serde(default, skip_serializing_if = "LambdaFingerprint::is_empty")]
    pub fingerprint: LambdaFingerprint,
    /// What its history shows about its build.
    #[serde(default, skip_serializing_if = "BuildHistory::is_empty")]
    pub build: BuildHistory,
    /// Its profile, for people.
    #[serde(default, skip_serializing_if = "ImageProfile::is_empty")]
    pub profile: ImageProfile,
}

impl ImageFacts {
    /// Reads the facts from a manifest and its configuration.
    ///
    /// A configuration must have a `rootfs`, or an operating system and an architecture. Other fields that are missing,
    /// null or of another type are ignored: real configurations have a `rootfs` without `type`, `diff_ids: null` and
    /// null labels (siderolabs/talos#12537, moby/moby#27568). One malformed diff_id leaves the layers unknown, because
    /// a shorter list would match images built on another base.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument::Json`] if the configuration does not parse.
    pub fn read(manifest: ImageManifest, config: &[u8]) -> Result<Self, InvalidDocument> {
        let read: RawConfiguration = serde_json::from_slice(config).map_err(InvalidDocument::json)?;
        let stated = |text: Option<String>| text.filter(|text| !text.is_empty());
        let platform = match (stated(read.os), stated(read.architecture)) {
            (Some(os), Some(architecture)) => Platform::new(&os, &architecture, read.variant.as_deref()),
            _ if read.rootfs.is_some() => Platform::unknown(),
            _ => return Err(InvalidDocument::json("it is not an image configuration")),
        };
        let settings = read.config.unwrap_or_default();
        let diff_ids = read.rootfs.and_then(RawRootfs::diff_ids).unwrap_or_default();
        let layer_count = diff_ids.len().max(manifest.layers.len());
        let profile = read.history.profile(layer_count);
        Ok(Self {
            platform,
            config: manifest.config,
            created_at: read.created_at,
            history_created_at: read.history.youngest,
            annotations: manifest.annotations,
            diff_ids,
            layers: manifest.layers,
            fingerprint: LambdaFingerprint::new(&settings.environment, &settings.labels, manifest.has_lambda_sizes),
            build: read.history.build(layer_count),
            profile: ImageProfile {
                root: profile::labelled(&settings.labels).or(profile.root),
                has_runtime_client: profile.has_runtime_client || settings.entrypoint || settings.command,
                ..profile
            },
            labels: settings.labels,
        })
    }

    /// Whether the lowest layers of this image are all layers of `base`. `false` for an empty `base`.
    #[must_use]
    pub fn is_built_on(&self, base: &[Digest]) -> bool {
        !base.is_empty() && self.diff_ids.starts_with(base)
    }
}

/// The used fields of an image configuration.
#[derive(Deserialize)]
struct RawConfiguration {
    #[serde(default, deserialize_with = "lenient::text")]
    os: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    architecture: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    variant: Option<String>,
    #[serde(default, rename = "created", deserialize_with = "lenient::instant")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::object")]
    config: Option<RawSettings>,
    #[serde(default, deserialize_with = "lenient::object")]
    rootfs: Option<RawRootfs>,
    #[serde(default, deserialize_with = "RawHistory::read")]
    history: RawHistory,
}

#[derive(Default, Deserialize)]
struct RawSettings {
    #[serde(default, rename = "Labels", deserialize_with = "lenient::texts")]
    labels: Annotations,
    #[serde(default, rename = "Env", deserialize_with = "LambdaEnvironmentSigns::read")]
    environment: LambdaEnvironmentSigns,
    /// Whether the entrypoint names a runtime interface client.
    #[serde(default, rename = "Entrypoint", deserialize_with = "profile::runs_runtime_client")]
    entrypoint: bool,
    /// Whether the command names one.
    #[serde(default, rename = "Cmd", deserialize_with = "profile::runs_runtime_client")]
    command: bool,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default, deserialize_with = "lenient::first_or_none::<_, _, LAYERS>")]
    diff_ids: FirstEntries<LenientText>,
}

impl RawRootfs {
    /// The diff_ids, if all of them are digests and there are not too many.
    fn diff_ids(self) -> Option<Vec<Digest>> {
        let all = Some(self.diff_ids).filter(FirstEntries::is_whole)?;
        all.entries.into_iter().map(|LenientText(text)| text?.parse().ok()).collect()
    }
}

/// Whether `at` is a plausible build date at `now`.
///
/// Reproducible builds write 1970-01-01, 1980-01-01 or year 1 (for example GoogleContainerTools/distroless#288). An
/// hour of clock skew is tolerated.
#[must_use]
pub fn is_plausible(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let containers_exist = Utc.with_ymd_and_hms(2013, 1, 1, 0, 0, 0).single();
    containers_exist.is_some_and(|start| at >= start) && at <= now + Duration::hours(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_future_dates_are_implausible() {
        let now = "2026-11-20T06:00:00Z".parse().expect("valid");
        for text in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "2026-11-20T07:30:00Z"] {
            assert!(!is_plausible(text.parse().expect("valid"), now), "{text}");
        }
        for text in ["2014-06-01T00:00:00Z", "2026-11-20T06:30:00Z"] {
            assert!(is_plausible(text.parse().expect("valid"), now), "{text}");
        }
    }

    #[test]
    fn a_configuration_is_read_without_its_environment() {
        let manifest = ImageManifest::new(Digest::sha256(b""), None);
        let diff_id = Digest::sha256(b"layer");
        let config = format!(
            r#"{{"architecture":"arm64","os":"linux","created":"2026-08-22T00:13:00.5Z","history":null,
                "config":{{"Env":["TOKEN=hush"],"Labels":{{"sdkBaseVersion":"x"}}}},
                "rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
        );
        let facts = ImageFacts::read(manifest.clone(), config.as_bytes()).expect("reads");
        assert_eq!(facts.platform.to_string(), "linux/arm64");
        assert_eq!(facts.labels["sdkBaseVersion"], "x");
        assert!(facts.is_built_on(&[diff_id]) && !facts.is_built_on(&[]));
        assert!(!serde_json::to_string(&DigestContent::Image(facts)).expect("serializes").contains("hush"));
        let bare = r#"{"architecture":"amd64","os":"linux","created":"","config":{"Labels":null},"rootfs":{"type":"layers","diff_ids":[]}}"#;
        assert_eq!(ImageFacts::read(manifest, bare.as_bytes()).expect("reads").created_at, None);
    }

    #[test]
    fn a_configuration_keeps_facts_derived_from_environment_and_commands_but_not_their_text() {
        // The environment is that of lambda/python:3.12.2026.10.03.13-arm64.
        let config = r#"{"os":"linux","architecture":"arm64","rootfs":{"diff_ids":[
                "sha256:1fc88f8949f8fef92056fe6339c9dcf45e5437eb9e92c2b655ed20b41561d99f",
                "sha256:e731fef2c26e40a01a6daad7c2875335fcef29d19858512871c8efb2d8212bc1"]},
            "config":{"Env":["LANG=en_US.UTF-8","TZ=:/etc/localtime",
                "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
                "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
                "LAMBDA_TASK_ROOT=/var/task","LAMBDA_RUNTIME_DIR=/var/runtime","TOKEN=hush"],
              "Entrypoint":["python","-m","awslambdaric"],"Cmd":["hush"],"Labels":{}},
            "history":[{"created":"2026-10-03T13:00:00Z","created_by":"COPY hush / # buildkit"},
              {"created_by":"RUN /bin/sh -c TOKEN=hush dnf update -y # buildkit","comment":"FROM hush"}]}"#;
        let facts = ImageFacts::read(ImageManifest::new(Digest::sha256(b""), None), config.as_bytes()).expect("reads");
        assert!(facts.fingerprint.is_lambda_base() && facts.profile.has_runtime_client);
        assert_eq!(facts.build.package_updates.len(), 1);
        let kept = serde_json::to_string(&DigestContent::Image(facts.clone())).expect("has a JSON form");
        assert!(!kept.contains("hush") && !kept.contains("/var/"), "{kept}");
        assert_eq!(serde_json::from_str::<DigestContent>(&kept).expect("reads"), DigestContent::Image(facts));
    }

    #[test]
    fn an_image_on_debian_that_imitates_lambda_is_not_recognized_as_a_lambda_base() {
        let config = r#"{"os":"linux","architecture":"amd64","config":{"Env":["PATH=/usr/local/bin:/usr/bin:/bin",
              "LANG=en_US.UTF-8","LAMBDA_TASK_ROOT=/var/task","LAMBDA_RUNTIME_DIR=/var/runtime"],
              "Entrypoint":["/lambda-entrypoint.sh"],"WorkingDir":"/var/task"},"rootfs":{"diff_ids":[]},
            "history":[{"created_by":"COPY /lambda-entrypoint.sh /lambda-entrypoint.sh # buildkit"}]}"#;
        let facts = ImageFacts::read(ImageManifest::new(Digest::sha256(b""), None), config.as_bytes()).expect("reads");
        assert!(!facts.fingerprint.is_lambda_base());
    }

    #[test]
    fn long_lists_and_long_names_are_cut() {
        let manifest = ImageManifest::new(Digest::sha256(b""), None);
        let layer = Digest::sha256(b"layer");
        let layers = |count: usize| vec![format!("\"{layer}\""); count].join(",");
        let read = |os: &str, layers: &str| {
            let history = r#"{"created":"2026-11-14T07:00:00Z"},"#.repeat(5000);
            let config = format!(
                r#"{{"os":"{os}","architecture":"amd64","created":[{}0],"rootfs":{{"diff_ids":[{layers}]}},
                    "history":[{history}{{"created":"2026-11-15T07:00:00Z"}}]}}"#,
                "0,".repeat(5000)
            );
            ImageFacts::read(manifest.clone(), config.as_bytes()).expect("reads")
        };
        let facts = read("linux", &layers(LAYERS));
        assert_eq!((facts.diff_ids.len(), facts.created_at), (LAYERS, None));
        assert_eq!(facts.history_created_at, "2026-11-15T07:00:00Z".parse().ok(), "of all entries the youngest");
        let facts = read(&"x".repeat(10_000), &layers(LAYERS + 1));
        assert!(facts.diff_ids.is_empty(), "a part of the layers would match other images");
        assert!(facts.platform.to_string().len() < 200);
    }

    #[test]
    fn stored_facts_with_long_values_are_cut_when_they_are_read() {
        let kept = format!(
            r#"{{"image":{{"platform":"linux/arm64","config":"{}","created_at":null,"diff_ids":[],
                "labels":{{"sdkBaseVersion":"{}"}},"annotations":{{"a":"{}"}}}}}}"#,
            Digest::sha256(b""),
            "x".repeat(100_000),
            "y".repeat(100_000)
        );
        let DigestContent::Image(facts) = serde_json::from_str(&kept).expect("reads") else { panic!("an image") };
        assert!(super::super::is_cut(&facts.labels["sdkBaseVersion"]) && super::super::is_cut(&facts.annotations["a"]));
        let again = serde_json::to_string(&DigestContent::Image(facts.clone())).expect("has a JSON form");
        assert_eq!(
            serde_json::from_str::<DigestContent>(&again).expect("reads"),
            DigestContent::Image(facts),
            "cut once"
        );
    }

    #[test]
    fn a_configuration_that_breaks_the_specification_is_read_leniently() {
        let manifest = ImageManifest::new(Digest::sha256(b""), None);
        let read = |rest: &str| {
            let config = format!(r#"{{"os":"linux","architecture":"amd64",{rest}}}"#);
            ImageFacts::read(manifest.clone(), config.as_bytes()).expect(rest)
        };
        let layer = Digest::sha256(b"layer");
        for rest in [
            r#""rootfs":{"diff_ids":null}"#.to_owned(),
            r#""rootfs":null,"config":null,"history":null,"variant":null"#.to_owned(),
            r#""created":7,"config":{"Labels":{"a":null,"b":["x"]},"Env":"A=B"}"#.to_owned(),
            r#""rootfs":{"diff_ids":{}},"config":"x","history":[null,7,{"created":null}]"#.to_owned(),
            // A shorter list would be a prefix of images built on another base.
            format!(r#""rootfs":{{"diff_ids":["{layer}","blake3:00"]}}"#),
            format!(r#""rootfs":{{"diff_ids":["{layer}",null]}}"#),
        ] {
            let facts = read(&rest);
            assert!(facts.diff_ids.is_empty() && facts.labels.is_empty() && facts.created_at.is_none(), "{rest}");
        }
        let facts = read(&format!(
            r#""rootfs":{{"diff_ids":["{layer}"]}},"created":"2026-08-18T00:00:00Z",
               "history":[{{"created":"2026-11-14T07:00:00Z"}},{{"created":"then"}},{{}},{{"created":"2026-08-18T00:00:00Z"}}]"#
        ));
        assert_eq!(facts.diff_ids, [layer]);
        assert_eq!(facts.history_created_at, "2026-11-14T07:00:00Z".parse().ok());
        for garbage in ["{}", "[]", r#"{"config":{}}"#, r#"{"os":"linux","rootfs":null}"#, "<html>"] {
            assert!(ImageFacts::read(manifest.clone(), garbage.as_bytes()).is_err(), "{garbage}");
        }
    }

    #[test]
    fn a_configuration_without_a_platform_has_that_of_the_index() {
        let manifest = ImageManifest::new(Digest::sha256(b""), None);
        for config in [r#"{"rootfs":{"diff_ids":[]}}"#, r#"{"os":"","architecture":"amd64","rootfs":{}}"#] {
            let facts = ImageFacts::read(manifest.clone(), config.as_bytes()).expect(config);
            assert!(facts.platform.is_unknown());
        }
    }
}
