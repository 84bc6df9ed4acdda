//! Dockerfiles with other tools: BuildKit's own parser, buildah, CDK.

use std::{fs, path::Path, process::Command};

use basewatch::dockerfile::Dockerfile;
use serde_json::Value;

use crate::tools::{Workshop, digest_of};
use testbed::{
    peers::{self, Registry, tool},
    program::{Program, findings},
};

/// 2026-09-20 and 2026-11-15, as `--timestamp` takes it.
const OLD: &str = "1789862400";
const RECENT: &str = "1794700800";
const NOW: &str = "2026-11-20T06:00:00Z";

/// What real files do not show: each is a whole Dockerfile.
const CASES: [&str; 24] = [
    "\u{feff}FROM alpine\nRUN x\n",
    "FROM a.io/x:1\nCOPY --chmod=755 <<EOF1 <<-\"EOF2\" /x/\nFROM y\nEOF1\n\tFROM z\n\tEOF2\nLABEL a=b\n",
    "FROM a.io/x:1\nRUN cat <<E > /f\nFROM r\nE\nRUN cat <<<\"x\"\nRUN x=$((1<<A))\nLABEL a=b\n",
    "FROM a.io/x:1\nRUN echo \"<<E\"\nRUN echo 'a <<E'\nFROM b\n",
    "FROM a.io/x:1\nRUN echo it's <<E\nFROM b\n",
    "FROM a.io/x:1\nRUN [\"cat\", \"<<E\"]\nFROM b\n",
    "FROM a.io/x:1\nONBUILD RUN <<E\nFROM b\nE\nCMD x\n",
    "FROM a.io/x:1\nENV A=<<E\nFROM b\n",
    "FROM a.io/x:1\nRUN <<\"E F\"\nFROM b\nE F\nCMD x\n",
    "FROM a.io/x:1\nRUN 3<<E cat\nFROM b\nE\nCMD x\n",
    "FROM a.io/x:1\nRUN ${A:-<<E} <<B\nFROM b\nB\nCMD x\n",
    "FROM --platform=linux/arm64 \\\n  # comment\n  a.io/x:1 \\\n\n AS foo\nRUN echo \\\n  FROM b\n",
    "# escape=`\nFROM a.io/`\nx:1\nRUN x `\n FROM y\nCOPY c:\\x c:\\\nFROM b\n",
    "#!/usr/bin/env x\n# escape=`\nFROM a\nRUN x \\\n FROM b\n",
    "# syntax=docker/dockerfile:1\n# escape=`\n\nFROM a\nRUN x `\n FROM b\n",
    "# a comment\n# escape=`\nFROM a\nRUN x \\\n FROM b\n",
    "FROM a\nRUN a \\\\\nFROM b\n",
    "FROM a\nRUN a \\  \t\nFROM b\n",
    "FROM a\nRUN a\\\n\n\n# c\n\n b\nCMD x\n",
    "\r\n\r\nFROM a.io/x \\\r\n  AS b\r\nRUN <<E\r\nFROM q\r\nE\r\nLABEL a=b",
    "  from a\n\tRun x\n   # y\n  FROM b AS c\n",
    "ARG A=1 B=\"a b\" C=${A}x\nFROM \"a.io/x:1\"\nLABEL a=b \"c d\"=e \\\n  f=g\nHEALTHCHECK NONE\n",
    "FROM a\nRUN --mount=type=bind <<E\nFROM b\nE\n",
    "FROM a\nRUN x \\",
];

#[test]
fn buildkit_reads_the_same_instructions_on_the_same_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let shapes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dockerfiles");
    let shapes = fs::read_dir(shapes).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = shapes.filter(|path| path.extension().is_some_and(|ends| ends == "Dockerfile")).collect();
    assert_eq!(paths.len(), 17);
    for (number, text) in CASES.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        fs::write(&path, text).expect("a file written");
        paths.push(path);
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/read_dockerfiles.py");
    let arguments: Vec<_> = [&program].into_iter().chain(&paths).map(std::path::PathBuf::as_path).collect();
    let read: Vec<Value> = serde_json::from_str(&peers::run_python(&arguments)).expect("JSON");
    assert_eq!(read.len(), paths.len());
    for (path, read) in paths.iter().zip(read) {
        let text = fs::read_to_string(path).expect("a file");
        let dockerfile = Dockerfile::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let ours: Vec<_> =
            dockerfile.instructions().map(|(keyword, first, last)| serde_json::json!([keyword, first, last])).collect();
        assert_eq!(Value::from(ours), read, "{text}");
    }
}

/// A machine on which `team/base` is a base, and `team/app:1` is audited.
fn program(host: &str) -> Program {
    Program::with_config(&format!(
        "[[inventory.images]]\nreferences = [\"{host}/team/app:1\"]\n[network]\nallow = [\"{host}\"]\n\
         [registry.\"{host}\"]\nauth = \"anonymous\"\n[[identify.base]]\nrepository = \"{host}/team/base\"\n"
    ))
}

#[test]
fn an_image_that_buildah_builds_from_a_stamp_is_fresh_and_confirmed() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let base = format!("{host}/team/base:1");
    workshop.base_index(&base, &["amd64", "arm64"], OLD);
    let old = digest_of(&registry, "team/base:1");
    let program = program(host);
    let stamp = program.run(&["stamp", &base, "--format", "buildah", "--as-of", NOW, "--no-catalog"]);
    assert_eq!(stamp.code, 0, "{}", stamp.errors);
    assert!(stamp.output.contains(&old), "{}", stamp.output);
    // The tag moves: the pinned base is used nevertheless.
    workshop.base_index(&base, &["amd64", "arm64"], RECENT);
    assert_ne!(digest_of(&registry, "team/base:1"), old);
    let stamp_of_old = stamp.output;
    build(&workshop, &stamp_of_old, &format!("FROM {base}\nCOPY f /f\n"), &format!("{host}/team/app:1"));
    // The catalog would date the move of the tag by the clock, which is later than NOW.
    let (_, report) = program.audit(NOW, &["--fail-on", "never", "--no-catalog"]);
    let finding = &findings(&report)[0];
    assert_eq!(finding["base"]["digest"], old, "{finding:#}");
    assert_eq!(finding["base"]["confidence"], "confirmed", "{finding:#}");
    assert_eq!(finding["verdict"], "stale", "{finding:#}");

    let stamp = program.run(&["stamp", &base, "--format", "buildah", "--as-of", NOW, "--no-catalog"]);
    for dockerfile in [format!("FROM {base}\nCOPY f /f\n"), "ARG BASE\nFROM ${BASE}\nCOPY f /f\n".to_owned()] {
        build(&workshop, &stamp.output, &dockerfile, &format!("{host}/team/app:1"));
        let (code, report) = program.audit(NOW, &["--no-catalog"]);
        let finding = &findings(&report)[0];
        assert_eq!((code, &finding["verdict"]), (0, &"fresh".into()), "{finding:#}");
        assert_eq!(finding["base"]["confidence"], "confirmed", "{finding:#}");
        assert_eq!(finding["base"]["identified_by"], "label", "{finding:#}");
        assert_eq!(finding["base"]["digest_kind"], "index", "{finding:#}");
        assert_eq!(finding["base"]["line"], base, "{finding:#}");
    }
}

#[test]
fn an_image_of_a_fixed_dockerfile_is_fresh_and_confirmed() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let base = format!("{host}/team/base:1");
    workshop.base_index(&base, &["amd64", "arm64"], RECENT);
    let program = program(host);
    let file = program.home().join("Dockerfile");
    fs::write(&file, format!("ARG IMAGE={base}\nFROM ${{IMAGE}} AS final\nCOPY f /f")).expect("a file written");
    let fixed = program.run(&["stamp", "--fix", "Dockerfile", "--as-of", NOW]);
    assert_eq!(fixed.code, 0, "{}{}", fixed.output, fixed.errors);
    let text = fs::read_to_string(&file).expect("a file");
    build(&workshop, "", &text, &format!("{host}/team/app:1"));
    let (code, report) = program.audit(NOW, &[]);
    let finding = &findings(&report)[0];
    assert_eq!((code, &finding["verdict"]), (0, &"fresh".into()), "{finding:#}");
    assert_eq!(finding["base"]["confidence"], "confirmed", "{finding:#}");
    assert_eq!(finding["base"]["identified_by"], "label", "{finding:#}");
}

/// `buildah build STAMP .`, as a shell would call it, and a push.
fn build(workshop: &Workshop, stamp: &str, dockerfile: &str, reference: &str) {
    let context = workshop.path("stamped");
    fs::create_dir_all(&context).expect("a folder made");
    fs::write(context.join("Dockerfile"), dockerfile).expect("a file written");
    fs::write(context.join("f"), dockerfile).expect("a file written");
    let options = ["build", "--quiet", "--isolation", "chroot", "--tls-verify=false", "-t", reference];
    let context = context.to_str().expect("a path in UTF-8");
    workshop.buildah(options.into_iter().chain(stamp.split_whitespace()).chain([context]));
    workshop.push(reference);
}

#[test]
fn cdk_passes_a_stamp_on_to_the_build() {
    let registry = Registry::default().start();
    let host = &registry.address;
    let workshop = Workshop::open();
    let base = format!("{host}/team/base:1");
    workshop.base_index(&base, &["amd64"], RECENT);
    let digest = digest_of(&registry, "team/base:1");
    let program = program(host);
    let stamp = program.run(&["stamp", &base, "--format", "cdk", "--as-of", NOW]);
    assert_eq!(stamp.code, 0, "{}", stamp.errors);
    // Without types, TypeScript is JavaScript.
    let app = program.home().join("app");
    fs::create_dir(&app).expect("a folder made");
    fs::write(app.join("Dockerfile"), format!("FROM {base}\n")).expect("a file written");
    fs::write(program.home().join("base.mjs"), &stamp.output).expect("a file written");
    let script = program.home().join("app.mjs");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/cdk/app.mjs"), &script).expect("a copy");
    let cdk = std::env::var("PEERS_CDK").expect("scripts/test sets it");
    std::os::unix::fs::symlink(Path::new(&cdk).join("node_modules"), program.home().join("node_modules"))
        .expect("a link");
    let printed = tool(Command::new("node").arg(&script).current_dir(program.home()));
    let source: Value = serde_json::from_str(&printed).expect("JSON");
    let pinned = format!("{host}/team/base@{digest}");
    assert_eq!(source["dockerBuildArgs"]["BASE"], pinned, "{source:#}");
    assert_eq!(source["dockerBuildContexts"][&base], format!("docker-image://{pinned}"), "{source:#}");
}
