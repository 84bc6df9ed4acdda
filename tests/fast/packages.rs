//! What `scripts/package` makes is what the action, `cargo binstall` and the documentation expect.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, process::Command};

use testbed::{bare::stdout, repository};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The names of the packages for a target.
fn names(target: &str) -> Vec<String> {
    let output = Command::new(repository().join("scripts/package")).args(["--names", target]).output().unwrap();
    assert!(output.status.success(), "{target}");
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn cargo_binstall_finds_the_tarball_and_the_program_in_it() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let package = &manifest["package"];
    let binstall = &package["metadata"]["binstall"];
    let repository = package["repository"].as_str().unwrap();
    for target in TARGETS {
        let filled = |key: &str| {
            let values = [
                ("{ repo }", repository),
                ("{ name }", "basewatch"),
                ("{ version }", VERSION),
                ("{ target }", target),
                ("{ bin }", "basewatch"),
            ];
            let template = binstall[key].as_str().unwrap().to_owned();
            values.iter().fold(template, |text, (name, value)| text.replace(name, value))
        };
        let tarball = names(target).remove(0);
        assert_eq!(filled("pkg-url"), format!("{repository}/releases/download/v{VERSION}/{tarball}"));
        let folder = tarball.strip_suffix(".tar.gz").unwrap();
        assert_eq!(filled("bin-dir"), format!("{folder}/basewatch"));
    }
    assert_eq!(binstall["pkg-fmt"].as_str(), Some("tgz"));
}

#[test]
fn packages_have_the_names_that_their_systems_use() {
    assert_eq!(
        names(TARGETS[0])[1..],
        [format!("basewatch-lambda-{VERSION}-x86_64.zip"), format!("basewatch_{VERSION}_amd64.deb")]
    );
    assert_eq!(
        names(TARGETS[1])[1..],
        [format!("basewatch-lambda-{VERSION}-arm64.zip"), format!("basewatch_{VERSION}_arm64.deb")]
    );
    let output = Command::new(repository().join("scripts/package")).args(["--names", "x86_64-apple-darwin"]).output();
    assert_eq!(output.unwrap().status.code(), Some(1));
}

#[test]
fn pages_and_the_action_name_packages_of_this_version() {
    let known: BTreeSet<String> = TARGETS.iter().flat_map(|target| names(target)).collect();
    let mut found = BTreeSet::new();
    for page in ["docs/install.md", "README.md"] {
        let page = read(page);
        let words = page.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
        let is_package = |word: &&str| {
            word.starts_with("basewatch") && [".tar.gz", ".zip", ".deb"].iter().any(|ending| word.ends_with(ending))
        };
        found.extend(words.filter(is_package).map(str::to_owned));
    }
    assert!(found.len() >= 3 && found.is_subset(&known), "{found:?}");
    assert!(read("action.yml").contains(&format!("    default: \"{VERSION}\"\n")), "the default of version");
    for file in ["deploy/github-actions/audit.yml", "docs/deploy/github-actions.md"] {
        assert!(read(file).contains(&format!("uses: basewatch/basewatch@v{VERSION}\n")), "{file}");
    }
}

#[test]
fn the_crate_has_what_the_build_reads() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    assert!(manifest["package"].get("publish").is_none(), "it can be published");
    let included = manifest["package"]["include"].as_array().unwrap();
    let included: Vec<_> = included.iter().map(|path| path.as_str().unwrap().trim_start_matches('/')).collect();
    for path in &included {
        assert!(repository().join(path).exists(), "{path}");
    }
    // Files outside of src/ that the code includes, without those of tests.
    let mut folders = vec![repository().join("src")];
    let mut checked = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(source) = fs::read_to_string(&path) else { continue };
            let code = source.split("#[cfg(test)]").next().unwrap();
            for file in code.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let file = fs::canonicalize(folder.join(file)).unwrap();
                let file = file.strip_prefix(fs::canonicalize(repository()).unwrap()).unwrap();
                assert!(included.iter().any(|path| file.starts_with(path)), "{} is not in the crate", file.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 5, "only {checked} files were found");
}

#[test]
fn a_release_that_cannot_be_finished_is_refused_before_it_is_built() {
    let folder = tempfile::tempdir().unwrap();
    // A toolchain without the standard library of any target.
    let rustc = folder.path().join("rustc");
    fs::write(&rustc, "#!/bin/sh\necho 'host: x86_64-unknown-linux-gnu'\n").unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let refusal = |arguments: &[&str]| {
        let mut command = Command::new(repository().join("scripts/release"));
        let out = folder.path().join("out");
        let command = command.args(arguments).args(["--allow-dirty", "--out"]).arg(out).env_remove("MINISIGN_KEY");
        let command = command.env("PATH", &path);
        let output = command.env("CARGO_TARGET_DIR", folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refusal(&[]).contains("ask for --unsigned"));
    assert!(refusal(&["--key", "missing"]).contains("there is no key missing"));
    assert!(refusal(&["--unsigned", "--target", "x86_64-apple-darwin"]).contains("is not a target of releases"));
    let missing = refusal(&["--unsigned", "--target", TARGETS[1]]);
    assert!(missing.contains("is not installed: rustup target add aarch64-unknown-linux-gnu"), "{missing}");
    assert!(refusal(&["--what"]).contains("unknown argument --what"));
    assert!(!folder.path().join("out").exists());
}
