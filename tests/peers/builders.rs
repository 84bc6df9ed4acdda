//! Audits of images that real tools built: buildah records the base by itself.

use std::{fs, path::Path, process::Command};

use crate::{
    environment::NOW,
    tools::{Workshop, digest_of, skopeo},
};
use testbed::{
    peers::{Peer, Registry, tool},
    program::{Program, findings},
};

/// 2026-09-01 and 2026-09-20, as `--timestamp` takes it.
const OLD: &str = "1788220800";
const NEW: &str = "1789862400";
/// After all that is pushed now.
const AFTER: &str = "2036-01-01T00:00:00Z";
/// 2026-11-15.
const RECENT: &str = "1794700800";

fn program(registry: &Peer, references: &[String]) -> Program {
    Program::with_config(&format!(
        "[[inventory.images]]\nreferences = {references:?}\n\n[registry.\"{}\"]\nauth = \"anonymous\"\n",
        registry.address
    ))
}

#[test]
fn the_base_that_buildah_records_is_found_and_compared() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let base = format!("{host}/team/base:1");
    workshop.base_image(&base, &["--label", "version=1"], OLD);
    let in_use = digest_of(&registry, "team/base:1");
    workshop.build(&format!("FROM {base}\nRUN echo built > /built\n"), &format!("{host}/team/app:1"));
    workshop.base_image(&base, &["--label", "version=2"], NEW);
    let current = digest_of(&registry, "team/base:1");
    assert_ne!(in_use, current);
    // Docker's format has no annotations: the base is lost, which has to be reported.
    let converted = format!("docker://{host}/team/converted:1");
    let tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo(&[&["copy", "--format", "v2s2"], &tls[..], &[&format!("docker://{host}/team/app:1"), &converted]].concat());
    let layout = workshop.path("layout");
    let layout = layout.to_str().expect("a path in UTF-8");
    skopeo(&["copy", "--src-tls-verify=false", &format!("docker://{host}/team/app:1"), &format!("oci:{layout}:v1")]);

    let references = [format!("{host}/team/app:1"), format!("{host}/team/converted:1"), format!("oci:{layout}:v1")];
    let (code, report) = program(&registry, &references).audit(NOW, &[]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(findings(&report).len(), 3, "{report:#}");
    for finding in findings(&report) {
        if finding["image"]["reference"].as_str().is_some_and(|reference| reference.contains("converted")) {
            assert_eq!(finding["verdict"], "unknown", "{finding:#}");
            continue;
        }
        assert_eq!(finding["base"]["identified_by"], "annotation", "{finding:#}");
        assert_eq!(finding["base"]["digest"], in_use);
        assert_eq!(finding["base"]["line"], base);
        assert_eq!(finding["base"]["published_source"], "history-created");
        assert_eq!(finding["base"]["age_days"], 80);
        assert_eq!(finding["current"]["digest"], current);
        assert_eq!(finding["verdict"], "stale", "{finding:#}");
    }
}

#[test]
fn the_comment_of_buildah_identifies_the_base_without_annotations() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let base = format!("{host}/team/base:1");
    workshop.base_image(&base, &["--label", "version=1"], OLD);
    let in_use = digest_of(&registry, "team/base:1");
    workshop.build(&format!("FROM {base}\nRUN echo built > /built\n"), &format!("{host}/team/app:1"));
    let converted = format!("{host}/team/converted:1");
    let tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let (from, to) = (format!("docker://{host}/team/app:1"), format!("docker://{converted}"));
    skopeo(&[&["copy", "--format", "v2s2"], &tls[..], &[&from, &to]].concat());
    let references = [format!("{host}/team/app:1"), converted];
    let program = Program::with_config(&format!(
        "[[identify.base]]\nrepository = \"{host}/team/base\"\n\n\
         [[inventory.images]]\nreferences = {references:?}\n\n[registry.\"{host}\"]\nauth = \"anonymous\"\n"
    ));
    program.audit(AFTER, &[]);
    workshop.base_image(&base, &["--label", "version=2"], NEW);
    // The release that the images are built on was observed at the tag.
    let (_, report) = program.audit(AFTER, &[]);
    assert_eq!(findings(&report).len(), 2, "{report:#}");
    for finding in findings(&report) {
        let is_converted = finding["image"]["reference"].as_str().is_some_and(|it| it.contains("converted"));
        let kind = if is_converted { "builder-comment" } else { "annotation" };
        assert_eq!(finding["base"]["identified_by"], kind, "{finding:#}");
        assert_eq!(finding["base"]["confidence"], "confirmed", "{finding:#}");
        assert_eq!(
            (&finding["base"]["digest"], &finding["base"]["line"]),
            (&in_use.clone().into(), &base.clone().into()),
            "{finding:#}"
        );
        assert_eq!(finding["verdict"], "stale", "{finding:#}");
    }
}

#[test]
fn a_label_with_the_index_and_an_annotation_with_the_manifest_are_one_base() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let (base, app) = (format!("{host}/team/base:1"), format!("{host}/team/app:1"));
    workshop.base_index(&base, &["amd64", "arm64"], RECENT);
    let index = digest_of(&registry, "team/base:1");
    // What `docker inspect` gives for RepoDigests, and what buildah writes by itself.
    workshop.build(&format!("FROM {base}\nLABEL sdkBaseVersion={host}/team/base@{index}\n"), &app);
    let manifest: serde_json::Value =
        serde_json::from_str(&skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{app}")]))
            .expect("a manifest in JSON");
    let annotated = &manifest["annotations"]["org.opencontainers.image.base.digest"];
    assert!(annotated.is_string() && *annotated != index, "buildah records the platform's digest: {manifest:#}");

    let (code, report) = program(&registry, std::slice::from_ref(&app)).audit(NOW, &[]);
    assert_eq!(code, 0, "{report:#}");
    let [finding] = findings(&report) else { panic!("{report:#}") };
    assert_eq!(finding["verdict"], "fresh", "{finding:#}");
    assert_eq!(finding["reasons"], serde_json::json!([]), "{finding:#}");
    assert_eq!(
        (&finding["base"]["identified_by"], &finding["base"]["digest_kind"]),
        (&"label".into(), &"index".into())
    );
    assert_eq!(finding["base"]["line"], base);
}

/// Folders of this machine whose programs and libraries stages without any use.
const HOST_FOLDERS: [&str; 4] = ["/usr/bin", "/usr/lib", "/lib/x86_64-linux-gnu", "/lib64"];

/// `cargo` in the stand-in build stage: checks its arguments and provides the binary under test.
const CARGO: &str = r#"#!/bin/sh
set -e
test "$*" = "build --release --locked --no-default-features --features otlp --bin basewatch"
for needed in Cargo.toml Cargo.lock src/main.rs config/basewatch.toml scripts/glibc; do test -f "$needed"; done
mkdir -p target/release
cp /prebuilt/basewatch target/release/basewatch
"#;

#[test]
fn our_own_image_records_its_base_and_runs_without_root() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let base = format!("{host}/lambda/provided:al2023");
    workshop.base_image(&base, &["--label", "org.opencontainers.image.title=another"], OLD);
    let base_digest = digest_of(&registry, "lambda/provided:al2023");
    stand_in_rust(&workshop, &format!("{host}/rust:1"));
    fs::create_dir(workshop.path("prebuilt")).expect("a folder made");
    fs::copy(env!("CARGO_BIN_EXE_basewatch"), workshop.path("prebuilt/basewatch")).expect("the binary copied");

    let image = format!("{host}/team/basewatch:1");
    let pinned = format!("{base}@{base_digest}");
    let mut arguments = vec!["bud".to_owned(), "--quiet".to_owned(), "--tls-verify=false".to_owned()];
    arguments.extend(["--isolation", "chroot", "--tag", &image].map(str::to_owned));
    arguments.extend(["--build-arg".to_owned(), format!("RUST={host}/rust:1")]);
    arguments.extend(["--build-arg".to_owned(), format!("BASE={pinned}")]);
    arguments.extend(["--volume".to_owned(), format!("{}:/prebuilt:ro", workshop.path("prebuilt").display())]);
    for folder in HOST_FOLDERS {
        arguments.extend(["--volume".to_owned(), format!("{folder}:{folder}:ro")]);
    }
    arguments.push(env!("CARGO_MANIFEST_DIR").to_owned());
    workshop.buildah(&arguments);
    workshop.push(&image);

    let config: serde_json::Value =
        serde_json::from_str(&skopeo(&["inspect", "--config", "--tls-verify=false", &format!("docker://{image}")]))
            .expect("a configuration in JSON");
    let config = &config["config"];
    assert_eq!(config["Entrypoint"][0], "/usr/local/bin/basewatch");
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Labels"]["sdkBaseVersion"], pinned);
    assert_eq!(config["Labels"]["org.opencontainers.image.title"], "basewatch", "nothing is inherited");
    assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));

    let program = program(&registry, std::slice::from_ref(&image));
    let (code, report) = program.audit(NOW, &["--fail-on", "never"]);
    assert_eq!(code, 0, "{report:#}");
    let finding = &findings(&report)[0];
    assert_eq!(finding["base"]["identified_by"], "label", "{finding:#}");
    assert_eq!(finding["base"]["evidence"], "sdkBaseVersion");
    assert_eq!(finding["base"]["digest"], base_digest);
    let explained = program.run(&["explain", &image]);
    assert!(explained.output.contains("sdkBaseVersion"), "{}\n{}", explained.output, explained.errors);
    assert!(explained.output.contains(&base_digest), "{}", explained.output);

    let container = workshop.buildah(["from", "--pull-never", &image]);
    let mut run = vec!["run".to_owned(), "--isolation".to_owned(), "chroot".to_owned()];
    for folder in &HOST_FOLDERS[1..] {
        run.extend(["--volume".to_owned(), format!("{folder}:{folder}:ro")]);
    }
    run.extend([container.clone(), "--".to_owned()]);
    let once = |command: &[&str]| workshop.buildah(run.iter().map(String::as_str).chain(command.iter().copied()));
    // In chroot isolation, buildah now and then ends before it has copied what a short command wrote.
    let inside = |command: &[&str]| {
        let mut outputs = (0..5).map(|_| once(command));
        outputs.find(|output| !output.is_empty()).unwrap_or_default()
    };
    assert_eq!(inside(&["/bin/busybox", "id", "-u"]), "65532");
    let version = inside(&["/usr/local/bin/basewatch", "--version"]);
    assert_eq!(version, format!("basewatch {}", env!("CARGO_PKG_VERSION")));
}

/// An image in place of Rust's: busybox, and our `cargo` first in the path.
fn stand_in_rust(workshop: &Workshop, reference: &str) {
    let cargo = workshop.path("cargo");
    fs::write(&cargo, CARGO).expect("a file written");
    tool(Command::new("chmod").arg("755").arg(&cargo));
    let busybox = tool(Command::new("sh").args(["-c", "command -v busybox"]));
    let container = workshop.buildah(["from", "scratch"]);
    let copy = |from: &Path, to: &str| {
        workshop.buildah(["copy", "--quiet", &container, from.to_str().expect("a path in UTF-8"), to]);
    };
    copy(&cargo, "/stand-in/cargo");
    copy(Path::new(busybox.trim()), "/bin/busybox");
    copy(Path::new(busybox.trim()), "/bin/sh");
    workshop.buildah(["config", "--env", "PATH=/stand-in:/usr/bin:/bin", &container]);
    workshop.buildah(["commit", "--quiet", &container, reference]);
    workshop.push(reference);
}
