//! `basewatch stamp`: the options that it prints for builds, and how it checks and fixes Dockerfiles.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use basewatch::{
    cli::StampFormat,
    image::{Digest, DigestKind, Reference},
    judge::Verdict,
    report::{
        BASE_SCHEMA, BaseReport,
        dockerfiles::DockerfileReport,
        stamp::{self, Stamp},
    },
};
use clap::ValueEnum as _;
use serde_json::Value;
use tempfile::TempDir;
use testbed::{
    bare::{basewatch, stderr, stdout},
    java_fleet::JavaFleet,
};

const NOW: &str = "2025-11-20";

/// A registry with a line of two releases, which is configured as a base, and a folder with Dockerfiles.
struct Rig {
    folder: TempDir,
    fleet: JavaFleet,
}

impl Rig {
    fn new() -> Self {
        let rig = Self { folder: tempfile::tempdir().unwrap(), fleet: JavaFleet::start() };
        rig.configure("");
        rig
    }

    fn configure(&self, more: &str) {
        let host = self.fleet.host();
        let config = format!(
            "[network]\nallow = [\"{host}\"]\n[[identify.base]]\nrepository = \"{host}/java\"\ndefault_tag = \"21\"\n{more}"
        );
        fs::write(self.folder.path().join("basewatch.toml"), config).unwrap();
    }

    fn base(&self) -> String {
        format!("{}/java", self.fleet.host())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = basewatch(self.folder.path());
        command.arg("stamp").args(arguments);
        if !arguments.contains(&"--as-of") {
            command.args(["--as-of", NOW]);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The JSON of `basewatch base`.
    fn base_report(&self, reference: &str) -> Output {
        let mut command = basewatch(self.folder.path());
        command.args(["base", reference, "--format", "json", "--as-of", NOW]).output().unwrap()
    }

    /// The report of a check and its exit code.
    fn check(&self, arguments: &[&str]) -> (i32, DockerfileReport) {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        let report = serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code().unwrap(), report)
    }

    fn with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

/// The release that `stamp public.ecr.aws/lambda/java:21` finds in the documentation.
fn sample() -> Stamp {
    let base = BaseReport {
        schema: BASE_SCHEMA.to_owned(),
        generated_at: "2026-11-20T06:00:00Z".parse().unwrap(),
        reference: "public.ecr.aws/lambda/java:21".to_owned(),
        digest: "sha256:7c61e7c7a5094a17be45b65b28a36e44503ca431015df4ab8c0f8dc24dd904be".parse().unwrap(),
        digest_kind: DigestKind::Index,
        hold: None,
        line: Some("public.ecr.aws/lambda/java:21".to_owned()),
        line_source: None,
        runtime: None,
        platforms: Vec::new(),
        history: None,
        history_complete: None,
    };
    let reference: Reference = base.reference.parse().unwrap();
    Stamp::new(&base, &base.reference.clone(), &reference, &["sdkBaseVersion".to_owned()]).unwrap()
}

fn rendered(stamp: &Stamp, format: &str) -> String {
    match format {
        "docker" => stamp::docker(stamp),
        "buildah" => stamp::buildah(stamp),
        "dockerfile" => stamp::dockerfile(stamp),
        "sbt" => stamp::sbt(stamp),
        "gradle" => stamp::gradle(stamp),
        "cdk" => stamp::cdk(stamp),
        "env" => stamp::env(stamp),
        other => panic!("{other}"),
    }
}

/// The blocks of the page between `<!-- stamp FORMAT -->` and the end of the fence; `UPDATE_SCHEMA=1` writes them.
#[test]
fn the_documentation_shows_the_output_of_each_format() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recording-the-base.md");
    let mut page = fs::read_to_string(&path).unwrap();
    for format in ["docker", "buildah", "dockerfile", "sbt", "gradle", "cdk", "env"] {
        let start = page.find(&format!("<!-- stamp {format} -->\n```")).unwrap_or_else(|| panic!("no {format}"));
        let start = start + page[start..].find("```").unwrap();
        let start = start + page[start..].find('\n').unwrap() + 1;
        let end = start + page[start..].find("```").unwrap();
        let printed = rendered(&sample(), format);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            page.replace_range(start..end, &printed);
        } else {
            assert_eq!(&page[start..end], printed, "{format}; UPDATE_SCHEMA=1 writes it");
        }
    }
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(path, page).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_pins_and_records_the_current_release() {
    let rig = Rig::new();
    let (base, new) = (rig.base(), &rig.fleet.new);
    for format in StampFormat::value_variants() {
        let name = format.to_possible_value().unwrap().get_name().to_owned();
        let output = rig.run(&[&format!("{base}:21"), "--format", &name]);
        if matches!(format, StampFormat::Table | StampFormat::Sarif) {
            assert_eq!(output.status.code(), Some(2), "{name}");
            continue;
        }
        let printed = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(printed.contains(new.as_str()) && printed.ends_with('\n'), "{name}: {printed}");
    }
    let pinned = format!("{base}@{new}");
    let docker = stdout(&rig.run(&[&format!("{base}:21")]));
    assert_eq!(
        docker,
        format!(
            "--build-context {base}:21=docker-image://{pinned} --build-arg BASE={pinned} \
             --label sdkBaseVersion={pinned} --label org.opencontainers.image.base.name={base}:21 \
             --label org.opencontainers.image.base.digest={new}\n"
        )
    );
    rig.configure("[identify]\nlabels = [\"team.example/base\", \"sdkBaseVersion\"]\n");
    let env = stdout(&rig.run(&[&format!("{base}:21"), "--format", "json"]));
    let stamp: Stamp = serde_json::from_str(&env).unwrap();
    assert_eq!(stamp.labels.get("team.example/base"), Some(&pinned));
    assert!(!stamp.labels.contains_key("sdkBaseVersion"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_is_safe_for_a_shell() {
    let rig = Rig::new();
    let reference = format!("{}:21", rig.base());
    for format in ["docker", "buildah", "gradle", "env"] {
        let printed = stdout(&rig.run(&[&reference, "--format", format]));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@=, \n".contains(c);
        assert!(printed.chars().all(is_plain), "{printed}");
        let mut shell = Command::new("sh");
        let quoted = shell.arg("-c").arg(format!("printf '%s\\n' {}", printed.trim_end().replace('\n', " ")));
        let words = String::from_utf8(quoted.output().unwrap().stdout).unwrap();
        assert_eq!(words.split_whitespace().collect::<Vec<_>>(), printed.split_whitespace().collect::<Vec<_>>());
    }
    for hostile in ["$(id)", "`id`", ";id", "|id", "&id", ">x", "'", "\"", "\\", " x", "\nx", "*", "~", "${X}", "!!"] {
        let output = rig.run(&[&format!("{reference}{hostile}")]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{hostile:?}");
    }
    let base: BaseReport = serde_json::from_str(&stdout(&rig.base_report(&reference))).unwrap();
    for label in ["a b", "$(id)", "x;y", "--privileged", "a=b", "é", ""] {
        let stamp = Stamp::new(&base, &reference, &reference.parse().unwrap(), &[label.to_owned()]);
        assert!(stamp.is_err_and(|error| error.to_string().contains("cannot be passed to a build")), "{label:?}");
        rig.configure(&format!("[identify]\nlabels = [{label:?}]\n"));
        let output = rig.run(&[&reference]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{label:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_distinguishes_final_intermediate_and_unresolved_bases() {
    let rig = Rig::new();
    let (base, old, new) = (rig.base(), &rig.fleet.old, &rig.fleet.new);
    rig.write(
        "many.Dockerfile",
        &format!(
            "FROM node:22 AS tool\nFROM {base}:21 AS unpinned\nFROM {base}:21@{old} AS late\n\
             FROM --platform=linux/amd64 {base}@{new}\nLABEL sdkBaseVersion={base}@{new}\nCOPY --from=tool /a /b\n"
        ),
    );
    let (code, report) = rig.check(&["--check", "many.Dockerfile"]);
    let froms = &report.files[0].froms;
    assert_eq!(code, 0, "{report:#?}");
    assert!(report.complete);
    let listed: Vec<_> = froms
        .iter()
        .map(|from| (from.line, from.ships, from.tracked, from.pinned, from.verdict.map(Verdict::as_str)))
        .collect();
    assert_eq!(
        listed,
        [
            (1, false, false, Some(false), None),
            (2, false, true, Some(false), None),
            (3, false, true, Some(true), Some("stale")),
            (4, true, true, Some(true), Some("fresh")),
        ]
    );
    assert_eq!(froms[2].fix.as_ref().unwrap().reference, format!("{base}:21@{new}"));
    assert_eq!(rig.check(&["--check", "many.Dockerfile", "--target", "late"]).0, 1);
    let table = stdout(&rig.run(&["--check", "many.Dockerfile"]));
    assert!(table.contains("not configured") && table.contains("base-too-old"), "{table}");
    assert!(table.ends_with("1 file, 1 base, 1 fresh: all pinned, recorded and current\n"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_those_of_an_audit() {
    let rig = Rig::new();
    let (base, old, new) = (rig.base(), &rig.fleet.old, &rig.fleet.new);
    let label = |digest: &Digest| format!("LABEL sdkBaseVersion={base}@{digest}\n");
    rig.write("stale", &format!("FROM {base}:21@{old}\n{}", label(old)));
    rig.write("fresh", &format!("FROM {base}:21@{new}\n{}", label(new)));
    rig.write("unpinned", &format!("FROM {base}:21\n"));
    rig.write("unrecorded", &format!("FROM {base}:21@{new}\n"));
    rig.write("differs", &format!("FROM {base}:21@{new}\n{}", label(old)));
    rig.write("unresolved", "ARG X\nFROM $X\n");
    rig.write("broken", "FROM a.io/x:1\nRUN <<E\n");
    rig.write("other", "FROM node:22\n");
    for (arguments, expected) in [
        (&["fresh"][..], 0),
        (&["stale"], 1),
        (&["stale", "--fail-on", "deprecated"], 0),
        (&["stale", "--fail-on", "never"], 0),
        (&["unpinned"], 1),
        (&["unpinned", "--fail-on", "never"], 0),
        (&["unrecorded"], 1),
        (&["differs"], 1),
        (&["unresolved"], 0),
        (&["unresolved", "--fail-on", "unknown"], 1),
        (&["unresolved", "--build-arg", &format!("X={base}:21@{old}")], 1),
        (&["broken"], 3),
        (&["broken", "stale"], 1),
        (&["other"], 0),
        (&["fresh", "missing"], 2),
        (&["fresh", "."], 2),
        (&["st*", "fresh"], 1),
        // No newer release exists, so there is no possible action.
        (&["fresh", "--as-of", "2026-09-01"], 0),
        (&["fresh", "--as-of", "2026-09-01", "--fail-on", "unknown"], 1),
    ] {
        let output = rig.run(&[&["--check"], arguments].concat());
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    }
    let silent = Rig::new();
    silent.write(
        "fresh",
        "FROM 127.0.0.1:9/java:21@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
    );
    fs::write(
        silent.folder.path().join("basewatch.toml"),
        "[network]\nallow = [\"127.0.0.1:9\"]\n[[identify.base]]\nrepository = \"127.0.0.1:9/java\"\n",
    )
    .unwrap();
    let (code, report) = silent.check(&["--check", "fresh", "--fail-on", "never"]);
    assert_eq!((code, report.complete), (3, false), "{report:#?}");
    assert_eq!(report.errors[0].code, "unreachable");
    // The registry is not on the command line: it is queried only if the configuration allows it.
    fs::write(silent.folder.path().join("basewatch.toml"), "[[identify.base]]\nrepository = \"*/java\"\n").unwrap();
    let (_, report) = silent.check(&["--check", "fresh"]);
    assert_eq!(report.files[0].froms[0].verdict.unwrap().as_str(), "unknown");
    assert!(report.files[0].froms[0].reasons.iter().any(|reason| reason.code == "registry-not-allowed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_changes_only_the_pinned_lines() {
    let rig = Rig::new();
    let (base, old, new) = (rig.base(), &rig.fleet.old, &rig.fleet.new);
    let text = format!(
        "\u{feff}# syntax=docker/dockerfile:1\r\nFROM node:22 AS tool\r\nRUN <<E cat\r\nFROM {base}:21\r\nE\r\n\
         FROM {base}:21@{old}\r\nCOPY --from=tool /a /b\r\nCMD [\"x\"]"
    );
    rig.write("Dockerfile", &text);
    let git = |arguments: &[&str]| {
        let identity =
            ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false"];
        let output =
            Command::new("git").args(identity).args(arguments).current_dir(rig.folder.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        stdout(&output)
    };
    git(&["init", "-q", "."]);
    git(&["add", "Dockerfile"]);
    git(&["commit", "-q", "-m", "x"]);
    let output = rig.run(&["--fix", "Dockerfile"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).starts_with("Dockerfile (fixed)\n"), "{}", stdout(&output));
    let difference = git(&["diff", "--no-color", "-U0"]);
    let changed: Vec<_> = difference
        .lines()
        .filter(|line| {
            (line.starts_with('-') || line.starts_with('+')) && !line.starts_with("---") && !line.starts_with("+++")
        })
        .map(str::trim_end)
        .collect();
    assert_eq!(
        changed,
        [
            format!("-FROM {base}:21@{old}"),
            format!("+FROM {base}:21@{new}"),
            format!("+LABEL sdkBaseVersion={base}:21@{new}"),
        ]
    );
    let fixed = rig.text("Dockerfile");
    assert!(
        fixed.starts_with('\u{feff}') && fixed.ends_with("CMD [\"x\"]") && !fixed.replace("\r\n", "").contains('\n')
    );
    assert_eq!(rig.check(&["--fix", "Dockerfile"]).0, 0);
    assert_eq!(rig.text("Dockerfile"), fixed, "a second fix changes nothing");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_fix_keeps_permissions_and_symbolic_links_and_leaves_no_temporary_files() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let rig = Rig::new();
    rig.write("real", &format!("FROM {}:21\n", rig.base()));
    let real = rig.folder.path().join("real");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("real", rig.folder.path().join("Dockerfile")).unwrap();
    let before = fs::read_dir(rig.folder.path()).unwrap().count();
    assert_eq!(rig.run(&["--fix", "Dockerfile", "--no-catalog"]).status.code(), Some(0));
    assert!(rig.text("real").contains("@sha256:"));
    assert!(rig.folder.path().join("Dockerfile").is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(rig.folder.path()).unwrap().count(), before);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o444)).unwrap();
    rig.write("real2", "FROM scratch\n");
    let text = rig.text("real");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    rig.write("real", &text.replace(rig.fleet.new.as_str(), rig.fleet.old.as_str()));
    fs::set_permissions(&real, fs::Permissions::from_mode(0o444)).unwrap();
    let output = rig.run(&["--fix", "real"]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("read-only"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_tag_is_unknown_and_not_replaced() {
    let rig = Rig::new();
    let text = format!("FROM {}:none\n", rig.base());
    rig.write("Dockerfile", &text);
    let (code, report) = rig.check(&["--fix", "Dockerfile"]);
    let from = &report.files[0].froms[0];
    assert_eq!((code, from.verdict.unwrap().as_str(), &from.fix), (1, "unknown", &None), "{from:#?}");
    assert!(from.reasons.iter().any(|reason| reason.code == "line-missing"), "{from:#?}");
    assert_eq!(rig.text("Dockerfile"), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_of_standard_input_is_written_to_standard_output() {
    let rig = Rig::new();
    let (base, new) = (rig.base(), &rig.fleet.new);
    let output = rig.with_input(&["--fix", "-"], &format!("FROM {base}:21\nCMD x"));
    assert_eq!(output.status.code(), Some(0));
    let fixed = format!("FROM {base}:21@{new}\nLABEL sdkBaseVersion={base}:21@{new}\nCMD x");
    assert_eq!(stdout(&output), fixed);
    assert!(stderr(&output).contains("all pinned, recorded and current"), "{}", stderr(&output));
    let again = rig.with_input(&["--fix", "-"], &fixed);
    assert_eq!(stdout(&again), fixed);
    let check = rig.with_input(&["--check", "-"], &fixed);
    assert!(stdout(&check).starts_with("-\n"), "{}", stdout(&check));
}

#[tokio::test(flavor = "multi_thread")]
async fn sarif_has_a_result_on_the_line_of_each_final_base() {
    let rig = Rig::new();
    let (base, old) = (rig.base(), &rig.fleet.old);
    rig.write("a.Dockerfile", &format!("# x\nFROM --platform=linux/amd64 {base}:21@{old}\n"));
    rig.write("b.Dockerfile", &format!("FROM {base}:21\n"));
    rig.write("c.Dockerfile", "ARG X\nFROM $X\n");
    let output = rig.run(&["--check", "*.Dockerfile", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../data/sarif-schema-2.1.0.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &log), "{log:#}");
    let results = log["runs"][0]["results"].as_array().unwrap();
    let listed: Vec<_> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let (start, end) = (&place["region"]["startColumn"], &place["region"]["endColumn"]);
            (
                result["ruleId"].as_str().unwrap(),
                place["artifactLocation"]["uri"].as_str().unwrap(),
                place["region"]["startLine"].as_u64().unwrap(),
                start.as_u64().unwrap(),
                end.as_u64().unwrap() - start.as_u64().unwrap(),
            )
        })
        .collect();
    let length = format!("{base}:21").len() as u64;
    assert_eq!(
        listed,
        [
            ("base-too-old", "a.Dockerfile", 2, 29, length + 72),
            ("base-not-pinned", "b.Dockerfile", 1, 6, length),
            ("base-unresolved", "c.Dockerfile", 2, 6, 2),
        ]
    );
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(rules[index]["helpUri"].is_string(), "each is explained");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_match_files_in_folders_and_each_is_checked_once() {
    let rig = Rig::new();
    fs::create_dir_all(rig.folder.path().join("a/b/.hidden")).unwrap();
    for name in ["Dockerfile", "a/Dockerfile.dev", "a/b/Dockerfile", "a/b/.hidden/Dockerfile", "a/b/notes"] {
        rig.write(name, "FROM scratch\n");
    }
    for (arguments, expected) in [
        (&["**/Dockerfile*"][..], &["Dockerfile", "a/Dockerfile.dev", "a/b/Dockerfile"][..]),
        (&["*/Dockerfile*"], &["a/Dockerfile.dev"]),
        (&["a/**", "a/b/notes"], &["a/Dockerfile.dev", "a/b/Dockerfile", "a/b/notes"]),
        (&["Dockerfile", "./Dockerfile", "Dockerfile"], &["Dockerfile", "./Dockerfile"]),
    ] {
        let (_, report) = rig.check(&[&["--check"], arguments].concat());
        let paths: Vec<_> = report.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, expected, "{arguments:?}");
    }
}

/// The keys of <https://pre-commit.com/#creating-new-hooks> that `pre-commit validate-manifest` requires.
#[test]
fn the_pre_commit_hooks_run_existing_commands() {
    let hooks = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml")).unwrap();
    let entries: Vec<_> = hooks.split("\n- id: ").skip(1).collect();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        for key in ["name: ", "description: ", "entry: ", "language: system", "files: ", "types: "] {
            assert!(entry.contains(&format!("\n  {key}")), "{key}: {entry}");
        }
        let command = entry.lines().find_map(|line| line.trim().strip_prefix("entry: ")).unwrap();
        let words: Vec<_> = command.split(' ').chain(["Dockerfile"]).collect();
        assert!(<basewatch::cli::Cli as clap::Parser>::try_parse_from(words).is_ok(), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_release_is_not_stamped_or_pinned() {
    let rig = Rig::new();
    let (base, old, new) = (rig.base(), &rig.fleet.old, &rig.fleet.new);
    let hold = |release: &str| {
        format!(
            "[[policy.hold]]\nrelease = \"{release}\"\nreason = \"TLS to RDS fails, OPS-1234\"\nuntil = \"2025-12-31\"\n"
        )
    };
    let stock = rig.fleet.registry.stock();
    stock.tag("java", "21.2025.08.22.06", old);
    stock.tag("java", "21.2025.11.19.06", new);
    rig.configure(&format!("dated_tags = true\n{}", hold(&format!("{base}:21.2025.11.19.*"))));
    let stamped = rig.run(&[&format!("{base}:21"), "--format", "env"]);
    assert!(stdout(&stamped).contains(old.as_str()), "{stamped:?}");
    assert!(!stdout(&stamped).contains(new.as_str()), "{stamped:?}");

    let report: Value = serde_json::from_str(&stdout(&rig.base_report(&format!("{base}:21")))).unwrap();
    assert_eq!((report["digest"].as_str(), report["hold"]["until"].as_str()), (Some(old.as_str()), Some("2025-12-31")));

    let label = format!("LABEL sdkBaseVersion={base}@{new}\n");
    rig.write("held", &format!("FROM {base}:21@{new}\n{label}"));
    let (code, checked) = rig.check(&["--check", "held"]);
    let from = &checked.files[0].froms[0];
    assert_eq!((code, from.verdict), (1, Some(Verdict::OutOfDate)), "{from:#?}");
    assert_eq!(from.reasons[0].code, "release-held");
    assert!(from.reasons[0].message.contains("TLS to RDS fails, OPS-1234"), "{from:#?}");
    assert!(rig.run(&["--fix", "held"]).status.success());
    assert!(rig.text("held").contains(&format!("FROM {base}:21@{old}\n")), "{}", rig.text("held"));
    // The older one is stale, and there is no possible action until the hold ends.
    let (code, fixed) = rig.check(&["--check", "held"]);
    assert_eq!((code, fixed.files[0].froms[0].verdict), (0, Some(Verdict::Stale)), "{fixed:#?}");
    assert_eq!(fixed.files[0].froms[0].reasons[0].code, "line-quiet");

    // The release itself was requested.
    for reference in [format!("{base}@{new}"), format!("{base}:21.2025.11.19.06")] {
        let refused = rig.run(&[&reference]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(stderr(&refused).contains("is held until 2025-12-31: TLS to RDS fails, OPS-1234"), "{refused:?}");
    }
    // After the hold, everything is as before.
    let later = rig.run(&[&format!("{base}:21"), "--format", "env", "--as-of", "2026-01-01"]);
    assert!(stdout(&later).contains(new.as_str()), "{later:?}");
}
