//! Output formats of a stamp. Values need no shell quoting: references and label keys consist of letters, digits and
//! `. _ - / : @ =`.

use std::collections::BTreeMap;

use super::{ARGUMENT, OCI_BASE_NAME, Stamp};

/// Options for `docker build $(…) .` and `docker buildx build`.
#[must_use]
pub fn docker(stamp: &Stamp) -> String {
    let contexts = stamp.build_contexts.iter().map(|(name, image)| format!("--build-context {name}={image}"));
    let arguments = stamp.build_arguments.iter().map(|(name, value)| format!("--build-arg {name}={value}"));
    let labels = stamp.ordered_labels().map(|(key, value)| format!("--label {key}={value}"));
    let words: Vec<_> = contexts.chain(arguments).chain(labels).collect();
    words.join(" ") + "\n"
}

/// Options for `buildah build $(…) .` and `podman build`. Requires buildah 1.26 for `--build-context`.
#[must_use]
pub fn buildah(stamp: &Stamp) -> String {
    docker(stamp)
}

/// `FROM` and `LABEL` instructions of a Dockerfile.
#[must_use]
pub fn dockerfile(stamp: &Stamp) -> String {
    let labels: Vec<_> = stamp.ordered_labels().map(|(key, value)| format!("{key}={value}")).collect();
    format!("FROM {}\nLABEL {}\n", stamp.pinned, labels.join(" \\\n      "))
}

/// Settings for sbt-native-packager.
#[must_use]
pub fn sbt(stamp: &Stamp) -> String {
    let labels = stamp.ordered_labels().map(|(key, value)| format!("  Cmd(\"LABEL\", \"{key}={value}\")"));
    let labels: Vec<_> = labels.collect();
    format!(
        "import com.typesafe.sbt.packager.docker.Cmd\n\ndockerBaseImage := \"{}\"\ndockerCommands ++= Seq(\n{}\n)\n",
        stamp.base,
        labels.join(",\n")
    )
}

/// System properties for `./gradlew jib $(…)`.
#[must_use]
pub fn gradle(stamp: &Stamp) -> String {
    let labels: Vec<_> = stamp.ordered_labels().map(|(key, value)| format!("{key}={value}")).collect();
    format!("-Djib.from.image={} -Djib.container.labels={}\n", stamp.base, labels.join(","))
}

/// A TypeScript module with properties for `DockerImageCode.fromImageAsset` and `DockerImageAsset`. CDK does not
/// support labels, so that the Dockerfile must set the label from the build argument.
#[must_use]
pub fn cdk(stamp: &Stamp) -> String {
    let pairs = |map: &BTreeMap<String, String>| {
        let pairs: Vec<_> = map.iter().map(|(name, value)| format!("    '{name}': '{value}',\n")).collect();
        pairs.concat()
    };
    let key = stamp.label.as_deref().unwrap_or(OCI_BASE_NAME);
    format!(
        "// In the Dockerfile, after FROM: ARG {ARGUMENT}, then LABEL {key}=${{{ARGUMENT}}}\n\
         export const base = {{\n  buildArgs: {{\n{}  }},\n  buildContexts: {{\n{}  }},\n}};\n",
        pairs(&stamp.build_arguments),
        pairs(&stamp.build_contexts)
    )
}

/// Variable assignments for a shell, an `.env` file or `$GITHUB_ENV`.
#[must_use]
pub fn env(stamp: &Stamp) -> String {
    let mut lines = vec![(ARGUMENT, stamp.base.clone()), ("BASE_DIGEST", stamp.digest.to_string())];
    lines.extend(stamp.labels.get(OCI_BASE_NAME).map(|name| ("BASE_NAME", name.clone())));
    lines.extend(stamp.release.clone().map(|release| ("BASE_RELEASE", release)));
    let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    lines.concat()
}
