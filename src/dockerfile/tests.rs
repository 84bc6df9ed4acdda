//! Tests with real Dockerfiles and their expected results, and properties of edits.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::image::Digest;

const KEY: &str = "sdkBaseVersion";

fn shapes() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dockerfiles")
}

fn keys() -> Vec<String> {
    vec![KEY.to_owned()]
}

fn new_digest() -> Digest {
    Digest::sha256(b"the current release")
}

/// The text with every image of `public.ecr.aws/lambda` pinned to the current release, as a check with `--fix` does.
fn fixed(text: &str, arguments: &BuildArguments) -> Result<(String, DockerfileEdits), SyntaxError> {
    let dockerfile = Dockerfile::parse(text)?;
    let plan = dockerfile.plan(BuildOptions { arguments: Some(arguments), target: None })?;
    let pins = plan.froms.iter().enumerate().filter_map(|(position, from)| match &from.image {
        BaseImage::Reference(reference) if reference.repository.name.starts_with("lambda/") => {
            Some((position, ImagePin { tag: None, digest: new_digest() }))
        }
        _ => None,
    });
    let edits = plan.edits(&pins.collect(), &keys());
    Ok((edits.apply(text), edits))
}

fn text_or_null(value: Option<&str>) -> Value {
    value.map_or(Value::Null, Value::from)
}

fn assert_from(file: &str, plan: &BuildPlan<'_>, from: &FromInstruction, expected: &Value) {
    let about = format!("{file}:{}", from.line);
    assert_eq!(from.line, expected["line"], "{about}");
    assert_eq!(from.written, expected["written"].as_str().expect("a text"), "{about}");
    assert_eq!(text_or_null(from.stage.as_deref()), expected["stage"], "{about}");
    assert_eq!(text_or_null(from.platform.as_deref()), expected["platform"], "{about}");
    assert_eq!(from.ships, expected["final_base"], "{about}");
    let status = expected["status"].as_str().expect("a text");
    match &from.image {
        BaseImage::Reference(reference) => {
            assert_eq!(status, "ok", "{about}");
            assert_eq!(reference.repository.to_string(), expected["image"].as_str().expect("a text"), "{about}");
            assert_eq!(text_or_null(reference.tag.as_deref()), expected["tag"], "{about}");
            assert_eq!(text_or_null(reference.digest.as_ref().map(Digest::as_str)), expected["digest"], "{about}");
        }
        BaseImage::Stage(parent) => {
            assert_eq!(status, "stage", "{about}");
            assert_eq!(text_or_null(plan.froms[*parent].stage.as_deref()), expected["stage_parent"], "{about}");
        }
        BaseImage::Scratch => assert_eq!(status, "scratch", "{about}"),
        BaseImage::Unresolved(why) => assert!(status.starts_with("unresolved"), "{about}: {why}"),
    }
    let named: Vec<_> = expected["args"].as_object().expect("a map").keys().map(String::as_str).collect();
    assert_eq!(from.arguments.keys().map(String::as_str).collect::<Vec<_>>(), named, "{about}");
    for (name, source) in &from.arguments {
        let word = expected["args"][name].as_str().expect("a text");
        assert_eq!(*source == ArgumentSource::Default, word == "default", "{about}: {name} {source:?}");
    }
}

#[test]
fn real_dockerfiles_are_evaluated_as_expected() {
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(shapes().join("expected.json")).expect("a file")).expect("JSON");
    let files = expected["files"].as_array().expect("a list");
    assert_eq!(files.len(), 17);
    for entry in files {
        let file = entry["file"].as_str().expect("a text");
        let text = fs::read_to_string(shapes().join(file)).expect(file);
        let dockerfile = Dockerfile::parse(&text).expect(file);
        let plan = dockerfile.plan(BuildOptions::default()).expect(file);
        let froms = entry["froms"].as_array().expect("a list");
        assert_eq!(plan.froms.len(), froms.len(), "{file}");
        for (from, expected) in plan.froms.iter().zip(froms) {
            assert_from(file, &plan, from, expected);
        }
    }
}

fn reference(text: &str, arguments: &[(&str, &str)], target: Option<&str>) -> String {
    let dockerfile = Dockerfile::parse(text).expect(text);
    let arguments: BuildArguments =
        arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let plan = dockerfile.plan(BuildOptions { arguments: Some(&arguments), target }).expect("a stage");
    match &plan.froms.iter().find(|from| from.ships).expect("one ships").image {
        BaseImage::Reference(reference) => reference.to_string(),
        BaseImage::Unresolved(why) => format!("unresolved: {why}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn build_arguments_and_targets_determine_the_base() {
    let shape = |name: &str| fs::read_to_string(shapes().join(name)).expect(name);
    let whole = shape("02-arg-whole-reference.Dockerfile");
    assert_eq!(
        reference(&whole, &[("BASE", "registry.example.invalid/base:1")], None),
        "registry.example.invalid/base:1"
    );
    let operator = shape("05-default-operator.Dockerfile");
    let team = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-base:7";
    assert_eq!(reference(&operator, &[("BASE_IMAGE_URI", team)], None), team);
    assert_eq!(reference(&operator, &[("BASE_IMAGE_URI", "")], None), "public.ecr.aws/lambda/python:3.12");
    let cache = shape("17-pull-through-cache.Dockerfile");
    assert_eq!(
        reference(&cache, &[("ACCOUNT", "123456789012")], None),
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/lambda/nodejs:16.2022.08.17.10"
    );
    let targets = shape("12-two-targets.Dockerfile");
    let dockerfile = Dockerfile::parse(&targets).expect("a Dockerfile");
    for (target, ships) in [(None, 1), (Some("build-arm64"), 0), (Some("BUILD-AMD64"), 1), (Some("0"), 0)] {
        let plan = dockerfile.plan(BuildOptions { target, arguments: None }).expect("a stage");
        assert_eq!(plan.froms.iter().position(|from| from.ships), Some(ships), "{target:?}");
    }
    assert!(dockerfile.plan(BuildOptions { target: Some("none"), arguments: None }).is_err());
    // An undeclared argument is not available in FROM, even if passed.
    let undeclared = "FROM a.io/x:${V}\n";
    assert!(reference(undeclared, &[("V", "1")], None).starts_with("unresolved: V is not declared"));
    assert_eq!(reference("FROM a.io/x:${TARGETARCH}\n", &[("TARGETARCH", "arm64")], None), "a.io/x:arm64");
    assert!(reference("FROM a.io/x:${TARGETARCH:-arm64}\n", &[], None).contains("set by the builder"));
    let nested = "ARG V=3.12\nARG IMAGE=a.io/python:${V}\nFROM ${IMAGE}\n";
    assert_eq!(reference(nested, &[("V", "3.13")], None), "a.io/python:3.13");
}

#[test]
fn lines_follow_the_grammar_of_buildkit() {
    for (text, ships) in [
        ("\u{feff}FROM a.io/x:1\n", "a.io/x:1"),
        ("# escape=`\nFROM a.io/`\nx:1\nCOPY a b\\\nRUN x `\nFROM b\n", "a.io/x:1"),
        ("FROM --platform=linux/arm64 \\\n  # FROM a.io/no:1\n\n  a.io/x:1 \\\n AS y", "a.io/x:1"),
        ("FROM a.io/x:1\nRUN echo \\\nFROM a.io/no:1\n", "a.io/x:1"),
        ("FROM a.io/x:1\nRUN echo \\\\\nFROM a.io/y:1\n", "a.io/y:1"),
        ("FROM a.io/x:1\r\nRUN <<E cat\r\nFROM a.io/no:1\r\nE\r\n", "a.io/x:1"),
        ("FROM a.io/x:1\nRUN cat <<E > /f\nFROM a.io/no:1\nE\n", "a.io/x:1"),
        ("FROM a.io/x:1\nONBUILD RUN <<E\nFROM a.io/no:1\nE\n", "a.io/x:1"),
        ("ARG A='a.io/x' B=1\nFROM $A:$B\n", "a.io/x:1"),
        ("FROM \"a.io/x:1\"\n", "a.io/x:1"),
        ("FROM a.io/x:1 AS python\nFROM python\n", "a.io/x:1"),
        ("#!/usr/bin/env x\n# escape=`\nFROM a.io/x:1 \\\n AS y\n", "a.io/x:1"),
    ] {
        assert_eq!(reference(text, &[], None), ships, "{text:?}");
    }
    for (text, line) in [
        ("", 1),
        ("RUN x\nFROM a\n", 1),
        ("FROM a\nRUN <<E\nFROM b\n", 2),
        ("FROM a b\n", 1),
        ("FROM\n", 1),
        ("# escape=x\nFROM a\n", 1),
    ] {
        assert_eq!(Dockerfile::parse(text).err().map(|error| error.line), Some(line), "{text:?}");
    }
}

#[test]
fn expansions_of_nested_arguments_are_limited() {
    let doubled = (1..60).map(|number| format!("ARG A{number}=$A{0}$A{0}\n", number - 1));
    let text = format!("ARG A0=x\n{}FROM a.io/x:$A59\n", doubled.collect::<String>());
    assert!(reference(&text, &[], None).starts_with("unresolved"), "it ends");
    assert!(Dockerfile::parse(&"FROM a\n".repeat(201)).is_err());
}

#[test]
fn labels_of_the_target_stage_and_its_bases_record_the_base() {
    let digest = new_digest();
    let pinned = format!("a.io/lambda/x:1@{digest}");
    let other = Digest::sha256(b"other");
    for (rest, state) in [
        (String::new(), LabelState::Missing),
        (format!("LABEL {KEY}=a.io/lambda/x@{digest}"), LabelState::Recorded),
        (format!("LABEL a=b \"{KEY}\"=\"{pinned}\""), LabelState::Recorded),
        (format!("LABEL {KEY} {pinned}"), LabelState::Recorded),
        (format!("LABEL {KEY}={other}\nLABEL {KEY}={digest}"), LabelState::Recorded),
        (format!("ARG D={digest}\nLABEL {KEY}=a.io/lambda/x@${{D}}"), LabelState::Recorded),
        (format!("ENV D={digest}\nARG D=x\nLABEL {KEY}=$D"), LabelState::Recorded),
        (format!("LABEL org.opencontainers.image.base.digest={digest}"), LabelState::Recorded),
        ("LABEL org.opencontainers.image.base.name=a.io/lambda/x:1".to_owned(), LabelState::Missing),
        (format!("LABEL {KEY}=a.io/lambda/x:1"), LabelState::Differs),
        (format!("LABEL {KEY}=latest"), LabelState::Differs),
        (format!("LABEL {KEY}=a.io/lambda/y@{digest}"), LabelState::Differs),
        (format!("LABEL {KEY}={digest} org.opencontainers.image.base.digest={other}"), LabelState::Differs),
        (format!("ARG D\nLABEL {KEY}=$D"), LabelState::Unresolved),
        (format!("LABEL {KEY}=$INHERITED"), LabelState::Unresolved),
        (format!("ONBUILD LABEL {KEY}={digest}"), LabelState::Missing),
        (format!("RUN <<E\nLABEL {KEY}={digest}\nE"), LabelState::Missing),
    ] {
        for text in [
            format!("FROM {pinned}\n{rest}\n"),
            format!("FROM {pinned} AS base\n{rest}\nFROM a.io/other:1 AS tool\nLABEL {KEY}={other}\nFROM base\n"),
        ] {
            let dockerfile = Dockerfile::parse(&text).expect("a Dockerfile");
            let plan = dockerfile.plan(BuildOptions::default()).expect("a plan");
            let base = pinned.parse().expect("a reference");
            assert_eq!(BuildPlan::label_state(&plan.labels(&keys(), &base)), state, "{text}");
        }
    }
}

#[test]
fn a_fix_pins_the_reference_in_place_and_adds_the_label_after_the_final_from() {
    let new = new_digest();
    let old = Digest::sha256(b"old");
    let table = [
        ("FROM a.io/lambda/x:1".to_owned(), format!("FROM a.io/lambda/x:1@{new}\nLABEL {KEY}=a.io/lambda/x:1@{new}")),
        (
            format!("\u{feff}from\ta.io/lambda/x@{old}  as y \r\nrun z\r\n"),
            format!("\u{feff}from\ta.io/lambda/x@{new}  as y \r\nLABEL {KEY}=a.io/lambda/x@{new}\r\nrun z\r\n"),
        ),
        (
            "ARG B=\"a.io/lambda/x:1\"\n  FROM $B\n".to_owned(),
            format!("ARG B=\"a.io/lambda/x:1@{new}\"\n  FROM $B\n  ARG B\n  LABEL {KEY}=$B\n"),
        ),
        (
            "FROM ${B:-a.io/lambda/x:1}\n".to_owned(),
            format!("FROM ${{B:-a.io/lambda/x:1@{new}}}\nLABEL {KEY}=a.io/lambda/x:1@{new}\n"),
        ),
        (
            "ARG B\nFROM ${B:-a.io/lambda/x:1}\n".to_owned(),
            format!("ARG B\nFROM ${{B:-a.io/lambda/x:1@{new}}}\nARG B\nLABEL {KEY}=${{B:-a.io/lambda/x:1@{new}}}\n"),
        ),
        (
            "ARG img=x:1\nFROM a.io/lambda/${img}\n".to_owned(),
            format!("ARG img=x:1@{new}\nFROM a.io/lambda/${{img}}\nARG img\nLABEL {KEY}=a.io/lambda/${{img}}\n"),
        ),
        (
            format!("FROM a.io/lambda/x:1 AS base\nLABEL {KEY}={old}\nFROM base\nRUN x\n"),
            format!("FROM a.io/lambda/x:1@{new} AS base\nLABEL {KEY}={new}\nFROM base\nRUN x\n"),
        ),
        (
            format!("FROM a.io/lambda/x:1@{old}\nLABEL a=b {KEY}='a.io/lambda/x:1@{old}' \\\n  c=d\n"),
            format!("FROM a.io/lambda/x:1@{new}\nLABEL a=b {KEY}='a.io/lambda/x:1@{new}' \\\n  c=d\n"),
        ),
        (
            format!(
                "FROM a.io/lambda/x:1@{old}\nLABEL org.opencontainers.image.base.name=a.io/lambda/x:1 org.opencontainers.image.base.digest={old}\n"
            ),
            format!(
                "FROM a.io/lambda/x:1@{new}\nLABEL org.opencontainers.image.base.name=a.io/lambda/x:1 org.opencontainers.image.base.digest={new}\n"
            ),
        ),
        (
            format!("FROM a.io/lambda/x:1\nLABEL {KEY}=latest\n"),
            format!("FROM a.io/lambda/x:1@{new}\nLABEL {KEY}=a.io/lambda/x:1@{new}\n"),
        ),
        (
            "FROM a.io/lambda/x:1 AS base\nFROM base AS final\nCMD y".to_owned(),
            format!("FROM a.io/lambda/x:1@{new} AS base\nFROM base AS final\nLABEL {KEY}=a.io/lambda/x:1@{new}\nCMD y"),
        ),
        ("FROM scratch\nCMD y".to_owned(), "FROM scratch\nCMD y".to_owned()),
    ];
    for (text, expected) in table {
        let (fixed_text, edits) = fixed(&text, &BuildArguments::new()).expect("a Dockerfile");
        assert_eq!(fixed_text, expected);
        assert!(edits.refused.is_empty() && edits.label_refused.is_none(), "{edits:?}");
        assert_eq!(fixed(&fixed_text, &BuildArguments::new()).expect("a Dockerfile").0, expected, "again");
    }
}

#[test]
fn edits_with_side_effects_are_refused_with_the_reason() {
    let given = BuildArguments::from([("G".to_owned(), "a.io/lambda/x:1".to_owned())]);
    for (text, why) in [
        ("ARG V=1\nFROM a.io/lambda/x:${V}\nARG V\nRUN use $V\n", "is used in a stage"),
        ("ARG V=1\nFROM a.io/tool:${V} AS t\nFROM a.io/lambda/x:${V}\n", "same ARG"),
        ("ARG G\nFROM $G\n", "--build-arg"),
        ("ARG V=1\nARG T=${V}\nFROM a.io/lambda/x:${V}\nARG T\n", "is used in a stage"),
    ] {
        let (same, edits) = fixed(text, &given).expect("a Dockerfile");
        assert_eq!(same, text);
        assert!(edits.refused.values().all(|reason| reason.contains(why)) && !edits.refused.is_empty(), "{edits:?}");
    }
    let inherited = format!("FROM a.io/lambda/x:1@{}\nLABEL {KEY}=$X\n", new_digest());
    let (same, edits) = fixed(&inherited, &given).expect("a Dockerfile");
    assert_eq!(same, inherited);
    assert!(edits.label_refused.is_some_and(|why| why.starts_with("line 2: ")));
    let shared = "ARG A=a.io/lambda/x:1\nFROM $A AS t\nFROM $A\n";
    let (text, edits) = fixed(shared, &given).expect("a Dockerfile");
    assert!(edits.refused.is_empty() && text.starts_with("ARG A=a.io/lambda/x:1@sha256:"), "{text}");
}

#[test]
fn a_fix_of_a_real_dockerfile_changes_its_pins_and_adds_its_label_only() {
    for entry in fs::read_dir(shapes()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a file");
        if path.extension().is_some_and(|extension| extension == "Dockerfile") {
            let (fixed_text, _) = fixed(&text, &BuildArguments::new()).expect("a Dockerfile");
            assert_eq!(without_pins(&fixed_text), without_pins(&text), "{}", path.display());
        }
    }
}

/// The text without digests, and without the lines that a fix adds.
fn without_pins(text: &str) -> String {
    let mut rest = text.replace(&format!("@{}", new_digest()), "");
    while let Some(at) = rest.find("@sha256:") {
        rest.replace_range(at..at + "@sha256:".len() + 64, "");
    }
    let mut kept = String::new();
    for line in rest.split_inclusive('\n') {
        let trimmed = line.trim();
        let is_added = trimmed.starts_with(&format!("LABEL {KEY}=")) || ADDED_ARGUMENTS.contains(&trimmed);
        if is_added {
            // If the file ends without a line break, one was added before the label.
            if !line.ends_with('\n') {
                kept.truncate(kept.trim_end_matches(['\r', '\n']).len());
            }
        } else {
            kept.push_str(line);
        }
    }
    kept
}

/// Nothing that the files of these tests have in a stage.
const ADDED_ARGUMENTS: [&str; 6] =
    ["ARG BASE", "ARG BASE_IMAGE", "ARG base_os_img", "ARG BASE_IMAGE_URI", "ARG WHOLE", "ARG PART"];

/// Files of related lines, with all kinds of line breaks.
fn files() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("FROM a.io/lambda/x:1"),
        Just(
            "FROM --platform=linux/arm64 a.io/lambda/x:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 AS s"
        ),
        Just("from s"),
        Just("FROM scratch AS e"),
        Just("FROM node:22 as n"),
        Just("FROM ${WHOLE}"),
        Just("FROM a.io/lambda/${PART} AS p"),
        Just("FROM ${NONE:-a.io/lambda/x:1}"),
        Just("FROM a.io/\\\n  lambda/x:1 \\\n # c"),
        Just("RUN cat <<E > /x\nFROM a.io/lambda/no:1\nE"),
        Just("# FROM a.io/lambda/no:1"),
        Just("RUN x \\\n"),
        Just(""),
        Just("  COPY --from=s /a /b  "),
        Just("LABEL a=\"b c\" d=e"),
        Just("LABEL a=注"),
    ];
    let global =
        prop_oneof![Just(""), Just("ARG WHOLE=a.io/lambda/x:1\n"), Just("ARG WHOLE=\"a.io/lambda/x:1\" PART=y:2\n")];
    let shape = (any::<bool>(), any::<bool>(), any::<bool>());
    (global, prop::collection::vec(line, 1..8), shape).prop_map(|(global, lines, (has_bom, is_crlf, is_ended))| {
        let mut text = global.to_owned() + &lines.join("\n") + if is_ended { "\n" } else { "" };
        if is_crlf {
            text = text.replace('\n', "\r\n");
        }
        if has_bom { format!("\u{feff}{text}") } else { text }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_fix_changes_pins_only_and_a_second_one_nothing(text in files()) {
        let arguments = BTreeMap::new();
        if let Ok((once, _)) = fixed(&text, &arguments) {
            prop_assert_eq!(without_pins(&once), without_pins(&text));
            let (twice, _) = fixed(&once, &arguments).expect("it still parses");
            prop_assert_eq!(&twice, &once);
        }
    }

    #[test]
    fn no_text_panics(text in "(FROM|ARG|LABEL|RUN|[ \\t\\r\\n$\\{\\}:@\"'`#=<\\\\-]|a|x){0,40}") {
        let _ = fixed(&text, &BTreeMap::new());
    }
}

#[test]
fn a_from_with_a_dangling_escape_is_pinned_without_a_label() {
    let digest = Digest::sha256(b"current");
    let fixed = |text: &str| {
        let dockerfile = Dockerfile::parse(text).expect("a Dockerfile");
        let plan = dockerfile.plan(BuildOptions::default()).expect("a build");
        let pins = [(0, ImagePin { tag: None, digest: digest.clone() })].into();
        plan.edits(&pins, &["sdkBaseVersion".to_owned()]).apply(text)
    };
    for text in ["FROM a.io/x:1 \\", "FROM a.io/x:1 \\\n# a comment\n"] {
        let once = fixed(text);
        assert_eq!(once, text.replace("x:1", &format!("x:1@{digest}")));
        assert_eq!(fixed(&once), once);
    }
}
