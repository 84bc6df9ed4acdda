//! `basewatch catalog`, as its users run it.

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use basewatch::{
    image::{Platform, PlatformRelease},
    release_catalog::ReleaseCatalog,
};
use chrono::DateTime;
use serde_json::Value;
use testbed::{
    program::{Printed, Program},
    registry::{ImageSpec, Loopback, Stock},
};

/// A registry with two lines of Lambda bases on two platforms, and a machine that crawls it.
fn machine() -> (Loopback, Program) {
    let stock = Stock::new();
    for (repository, tag) in [
        ("lambda/java", "21.2024.05.01.10"),
        ("lambda/java", "21.2026.11.01.10"),
        ("lambda/python", "3.12.2026.11.02.11"),
    ] {
        publish(&stock, repository, tag);
    }
    let loopback = Loopback::start(stock).unwrap();
    let program = Program::with_config("");
    (loopback, program)
}

fn publish(stock: &Stock, repository: &str, tag: &str) {
    for (suffix, architecture) in [("x86_64", "amd64"), ("arm64", "arm64")] {
        let name = format!("{tag}-{suffix}");
        let platform = Platform::new("linux", architecture, None);
        let spec = ImageSpec { platform, layers: vec![name.clone().into_bytes()], ..ImageSpec::default() };
        let digest = stock.push_image(repository, &spec);
        stock.tag(repository, &name, &digest);
    }
}

fn succeeded(printed: &Printed) -> &str {
    assert_eq!(printed.code, 0, "{}\n{}", printed.output, printed.errors);
    &printed.output
}

fn failed<'a>(printed: &'a Printed, words: &str) -> &'a str {
    assert_ne!(printed.code, 0, "{}\n{}", printed.output, printed.errors);
    assert!(format!("{}{}", printed.output, printed.errors).contains(words), "{}\n{}", printed.output, printed.errors);
    &printed.errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_is_crawled_signed_updated_published_and_imported() {
    let (loopback, program) = machine();
    let line = format!("{}/lambda/*:*", loopback.host());
    let java = format!("{}/lambda/java:*", loopback.host());
    let python = format!("{}/lambda/python:*", loopback.host());
    let key = succeeded(&program.run(&["catalog", "keygen", "-o", "secret.key"])).trim().to_owned();
    assert!(key.starts_with("RW"), "{key}");
    failed(&program.run(&["catalog", "keygen", "-o", "secret.key"]), "cannot write secret.key");

    let build = ["catalog", "build", "--line", &java, "--line", &python, "--key", "secret.key"];
    let printed = program.run(&build);
    let output = succeeded(&printed);
    assert!(
        output.contains("lambda/java:21") && output.contains("2024-05-01") && output.contains("6 platform releases")
    );
    assert!(printed.errors.contains("releases.bin has 6 platform releases, 6 of them new"), "{}", printed.errors);
    assert!(!program.home().join("releases.bin.progress").exists());
    let first = fs::read(program.home().join("releases.bin")).unwrap();

    let verified = program.run(&["catalog", "verify", "releases.bin", "--public-key", &key]);
    assert!(succeeded(&verified).contains("6 platform releases"));
    failed(&program.run(&["catalog", "verify", "releases.bin"]), "a public key is required");

    publish(loopback.stock(), "lambda/java", "21.2026.11.19.13");
    let update = ["catalog", "update", "releases.bin", "--key", "secret.key", "--line", &line];
    let printed = program.run(&update);
    succeeded(&printed);
    assert!(printed.errors.contains("8 platform releases, 2 of them new"), "{}", printed.errors);

    let stats = program.run(&["catalog", "stats", "releases.bin", "--format", "json"]);
    let stats: Value = serde_json::from_str(succeeded(&stats)).unwrap();
    assert_eq!((&stats["schema"], &stats["platform_releases"]), (&"basewatch.release-stats/v1".into(), &8.into()));
    assert_eq!((&stats["with_diff_ids"], &stats["lines"][0]["platform_releases"]), (&8.into(), &6.into()));

    succeeded(&program.run(&["catalog", "export", "releases.bin", "published.bin"]));
    succeeded(&program.run(&["catalog", "import", "published.bin", "--public-key", &key]));
    let known = program.run(&["catalog", "stats"]);
    assert!(succeeded(&known).contains("8 platform releases of 2 lines"), "{}", known.output);

    fs::write(program.home().join("published.bin"), &first).unwrap();
    failed(&program.run(&["catalog", "import", "published.bin", "--public-key", &key]), "does not verify");
    succeeded(&program.run(&["catalog", "export", "--key", "secret.key", "known.bin"]));
    let known = program.run(&["catalog", "verify", "known.bin", "--public-key", &key]);
    assert!(succeeded(&known).contains("8 platform releases"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_date_leaves_out_older_releases() {
    let (loopback, program) = machine();
    let line = format!("{}/lambda/java:21", loopback.host());
    // In days, up to whenever this runs.
    let since = format!(
        "{}d",
        (chrono::Utc::now() - "2025-01-01T00:00:00Z".parse::<chrono::DateTime<_>>().unwrap()).num_days()
    );
    succeeded(&program.run(&["catalog", "build", "--line", &line, "--since", &since, "-o", "x.bin"]));
    let stats = program.run(&["catalog", "stats", "x.bin"]);
    assert!(succeeded(&stats).contains("2 platform releases of 1 lines"), "{}", stats.output);
    failed(&program.run(&["catalog", "build", "--since", "two years"]), "as in 90d, 6mo or 2y");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsigned_or_modified_catalog_is_neither_published_nor_signed_again() {
    let (loopback, program) = machine();
    let line = format!("{}/lambda/java:21", loopback.host());
    succeeded(&program.run(&["catalog", "keygen", "-o", "secret.key"]));
    succeeded(&program.run(&["catalog", "build", "--line", &line, "-o", "x.bin"]));
    failed(&program.run(&["catalog", "export", "x.bin", "y.bin"]), "is not signed");
    succeeded(&program.run(&["catalog", "export", "x.bin", "y.bin", "--key", "secret.key"]));
    let mut bytes = fs::read(program.home().join("y.bin")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(program.home().join("y.bin"), bytes).unwrap();
    failed(&program.run(&["catalog", "update", "y.bin", "--key", "secret.key", "--line", &line]), "is not updated");
}

/// Each process is killed with SIGKILL at an arbitrary point.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_crawl_continues_and_writes_the_same_file() {
    let stock = Stock::new();
    for day in 0..112 {
        publish(&stock, "lambda/java", &format!("21.2026.{:02}.{:02}.10", 7 + day / 28, 1 + day % 28));
    }
    let loopback = Loopback::start(stock).unwrap();
    let program = Program::with_config(&format!("[registry.\"{}\"]\nrate = 150\n", loopback.host()));
    let line = format!("{}/lambda/java:21", loopback.host());
    let build = |file: &'static str| ["catalog", "build", "--line", &line, "-o", file].map(str::to_owned);
    let arguments = build("whole.bin");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    succeeded(&program.run(&arguments));
    let cost = loopback.requests().len();
    let arguments = build("killed.bin");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for part in 1..=3 {
        let expected = cost + part * cost / 4;
        let mut process = program.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_mins(1);
        while loopback.requests().len() < expected && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        process.kill().unwrap();
        assert!(!process.wait().unwrap().success(), "it was not done yet");
        assert!(!program.home().join("killed.bin").exists());
    }
    let printed = program.run(&arguments);
    succeeded(&printed);
    assert!(printed.errors.contains("resuming: "), "{}", printed.errors);
    // Except for their build times, the files are equal.
    let read = |file: &str| {
        let bytes = fs::read(program.home().join(file)).unwrap();
        let mut timeless = ReleaseCatalog::new(DateTime::UNIX_EPOCH);
        for (repository, release) in ReleaseCatalog::decode(&bytes).unwrap().into_releases() {
            timeless.insert(&repository, PlatformRelease { first_seen: DateTime::UNIX_EPOCH, ..(*release).clone() });
        }
        (timeless.release_count(), timeless.encode())
    };
    assert!(read("killed.bin") == read("whole.bin"));
    assert_eq!(read("killed.bin").0, 2 * 112);
    assert!(loopback.requests().len() < 2 * cost + cost / 2, "what was read is not read again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_identified_by_an_imported_catalog_without_a_request() {
    let (loopback, program) = machine();
    let host = loopback.host();
    let stock = loopback.stock();
    let newest = stock.push_image(
        "lambda/java",
        &ImageSpec {
            platform: Platform::new("linux", "arm64", None),
            layers: vec![b"21.2026.11.01.10-arm64".to_vec()],
            ..ImageSpec::default()
        },
    );
    stock.tag("lambda/java", "21", &newest);
    let layers = vec![b"21.2024.05.01.10-arm64".to_vec(), b"app".to_vec()];
    let spec = ImageSpec { platform: Platform::new("linux", "arm64", None), layers, ..ImageSpec::default() };
    stock.tag("team/app", "1", &stock.push_image("team/app", &spec));
    let config = format!(
        "[identify]\nsearch_requests = 0\n[[identify.base]]\nrepository = \"{host}/lambda/java\"\ndated_tags = true\n"
    );
    fs::write(program.home().join("basewatch.toml"), config).unwrap();
    let image = format!("{host}/team/app:1");
    let identified = |program: &Program| {
        let printed = program.run(&["audit", "--format", "json", "--fail-on", "never", &image]);
        let report: Value = serde_json::from_str(&printed.output).unwrap();
        report["findings"][0]["base"].clone()
    };
    assert_eq!(identified(&program), Value::Null, "nothing is known yet, and nothing is searched");

    let key = succeeded(&program.run(&["catalog", "keygen", "-o", "secret.key"])).trim().to_owned();
    let line = format!("{host}/lambda/java:21");
    succeeded(&program.run(&["catalog", "build", "--line", &line, "--key", "secret.key"]));
    succeeded(&program.run(&["catalog", "import", "releases.bin", "--public-key", &key]));
    let base = identified(&program);
    assert_eq!((&base["identified_by"], &base["confidence"]), (&"layers".into(), &"confirmed".into()), "{base:#}");
    assert_eq!(base["release"], "21.2024.05.01.10", "{base:#}");
    let explained = program.run(&["explain", &image]);
    assert!(explained.output.contains("not needed"), "{}", explained.output);
}

#[test]
fn an_imported_catalog_is_used_by_audits_and_by_runs_with_a_folder_store() {
    let program = Program::with_config("store = \"store\"\n");
    let key = succeeded(&program.run(&["catalog", "keygen", "-o", "secret.key"])).trim().to_owned();
    succeeded(&program.run(&["catalog", "export", "--key", "secret.key", "releases.bin"]));
    succeeded(&program.run(&["catalog", "import", "releases.bin", "--public-key", &key]));
    for folder in ["store/catalog", ".cache/basewatch"] {
        assert!(program.home().join(folder).join("v1/files/releases.bin").exists(), "{folder}");
    }
    fs::write(program.home().join("basewatch.toml"), "").unwrap();
    let mut homeless = program.command(&["catalog", "import", "releases.bin", "--public-key", &key]);
    let output = homeless.env_remove("HOME").env_remove("XDG_CACHE_HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no folder to store the catalog in"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn a_private_key_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let program = Program::with_config("");
    succeeded(&program.run(&["catalog", "keygen", "-o", "secret.key"]));
    let mode = fs::metadata(program.home().join("secret.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_reports_why_the_configured_catalog_was_not_loaded() {
    let (loopback, program) = machine();
    let key = succeeded(&program.run(&["catalog", "keygen", "-o", "secret.key"])).trim().to_owned();
    let config = format!("[catalog]\nsource = \"nowhere.bin\"\npublic_key = \"{key}\"\n");
    fs::write(program.home().join("basewatch.toml"), config).unwrap();
    let image = format!("{}/lambda/java:21.2026.11.01.10-arm64", loopback.host());
    let printed = program.run(&["audit", &image, "--format", "json", "--fail-on", "never"]);
    let report: Value = serde_json::from_str(&printed.output).unwrap();
    assert_eq!(report["notes"][0]["code"], "release-catalog-unavailable", "{report:#}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1));
}
