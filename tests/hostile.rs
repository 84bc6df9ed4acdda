//! The built program against registries, labels, files and accounts that are not as they should be: what it
//! prints is in words, it exits as it says, and it asks nobody it should not.

#[path = "support/bare.rs"]
mod bare;
#[path = "support/toxic.rs"]
mod toxic;

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use bare::{basewatch, stderr, stdout};
use basewatch::image::{Digest, MANIFEST_MEDIA_TYPES};
use serde_json::json;
use toxic::{Asked, Reply, Toxic, manifest_of};

/// Audits `images` and remembers nothing.
fn audit(folder: &Path, arguments: &[&str]) -> Output {
    basewatch(folder).args(["audit", "--no-catalog"]).args(arguments).output().expect("the program starts")
}

/// A registry with an image for each label value, tagged `0`, `1`, ….
fn labelled(values: &'static [&'static str]) -> Toxic {
    let config = |value: &str| {
        let labels = json!({ "sdkBaseVersion": value });
        let config = json!({
            "architecture": "arm64", "os": "linux", "config": { "Labels": labels },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        config.to_string().into_bytes()
    };
    Toxic::start(move |asked: &Asked| {
        let name = asked.path.rsplit('/').next().unwrap_or_default();
        let configs = values.iter().map(|value| config(value));
        for (at, config) in configs.enumerate() {
            let manifest = manifest_of(&config);
            if name == at.to_string() || name == Digest::of(&manifest).as_str() {
                return Reply::manifest(&manifest);
            }
            if name == Digest::of(&config).as_str() {
                return Reply::new(200, config);
            }
        }
        Reply::error(404, "MANIFEST_UNKNOWN", "there is no such manifest")
    })
}

#[test]
fn a_label_can_neither_steer_the_terminal_nor_send_requests_elsewhere() {
    const VALUES: &[&str] = &[
        "\u{1b}[31mred\u{1b}]0;title\u{7}/a:b",
        "a.b/\u{202e}cod\u{2066}x:1",
        "a.b/c:1\nfresh  none\r\nx",
        "a\0b/c:1",
        "=cmd|calc!A1",
        "<script>alert(1)</script>/x:1",
        "169.254.169.254/latest/meta-data:1",
        "localhost:22/a:b",
        "LOCALHOST:22/a:b",
        "10.0.0.1/a:b",
        "ex\u{e4}mple.com/a:b",
        "user:hunter2@public.ecr.aws/a:b",
        "127.0.0.1:0/a:b",
        "[::1]:5000/a:b",
        "public.ecr.aws/../../etc/passwd:1",
        "https://public.ecr.aws/a:b",
    ];
    let registry = labelled(VALUES);
    let folder = tempfile::tempdir().expect("a folder");
    let images: Vec<_> = (0..VALUES.len()).map(|at| format!("{}/team/x:{at}", registry.host())).collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    let output = audit(folder.path(), &images);
    let told = stdout(&output);
    let obeyed = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(told.chars().find(obeyed), None, "{told}");
    assert!(!told.contains("\nfresh"), "{told}");
    assert!(told.contains(&format!("{} unknown", VALUES.len())), "{told}");
    assert_eq!(stderr(&output), "");
    assert!(registry.lines().iter().all(|line| line.contains("/v2/team/x/")), "{:?}", registry.lines());
}

#[test]
fn an_image_that_names_its_own_moving_tag_is_not_called_behind_itself() {
    let registry = Toxic::start(|asked: &Asked| {
        let host = asked.endpoint.trim_start_matches("http://");
        let config = json!({
            "architecture": "arm64", "os": "linux", "created": "2026-08-22T00:13:00Z",
            "config": { "Labels": { "sdkBaseVersion": format!("{host}/team/x:1") } },
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(b"layer")] },
        });
        let config = config.to_string().into_bytes();
        let is_manifest = asked.path.contains("/manifests/");
        if is_manifest { Reply::manifest(&manifest_of(&config)) } else { Reply::new(200, config) }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let output = audit(folder.path(), &["--format", "json", &format!("{}/team/x:1", registry.host())]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let finding = &report["findings"][0];
    assert_eq!(finding["current"]["published_source"], "config-created", "{finding}");
    assert_eq!(finding["behind"], serde_json::Value::Null, "{finding}");
}

#[test]
fn an_index_of_thousands_of_images_is_not_walked() {
    let children: Vec<_> = (0..10_000)
        .map(|at: u32| {
            json!({
                "mediaType": MANIFEST_MEDIA_TYPES[1], "digest": Digest::of(&at.to_be_bytes()), "size": 1,
                "platform": { "os": "linux", "architecture": format!("a{at}") },
            })
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPES[0], "manifests": children }).to_string();
    let registry =
        Toxic::start(move |_: &Asked| Reply::new(200, index.clone()).header("content-type", MANIFEST_MEDIA_TYPES[0]));
    let folder = tempfile::tempdir().expect("a folder");
    let output = audit(folder.path(), &[&format!("{}/team/x:1", registry.host())]);
    assert!(stdout(&output).contains("names 10000 images"), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(registry.log().len(), 1, "{:?}", registry.lines());
}

/// An image configuration of nearly 8 MiB for the platform `linux/a<number>`, most of it the label `label`.
fn large_config(number: usize, label: &str) -> Vec<u8> {
    let config = json!({
        "architecture": format!("a{number}"), "os": "linux",
        "config": { "Labels": { label: "A".repeat(8 * 1024 * 1024 - 400) } },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    config.to_string().into_bytes()
}

#[test]
fn a_label_of_megabytes_under_many_tags_makes_a_short_report_that_says_how_long_it_is() {
    let registry = Toxic::start(|asked: &Asked| {
        let config = large_config(0, "sdkBaseVersion");
        let is_manifest = asked.path.contains("/manifests/");
        if is_manifest { Reply::manifest(&manifest_of(&config)) } else { Reply::new(200, config) }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let images: Vec<_> = (0..8).map(|tag| format!("{}/team/x:{tag}", registry.host())).collect();
    let arguments: Vec<_> = ["--format", "json"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let told = stdout(&audit(folder.path(), &arguments));
    assert!(told.len() < 32_000, "{}", told.len());
    let report: serde_json::Value = serde_json::from_str(&told).expect("a report");
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 8);
    for finding in findings {
        assert_eq!(finding["verdict"], "unknown");
        assert_eq!(finding["reasons"][0]["code"], "label-malformed");
        let message = finding["reasons"][0]["message"].as_str().expect("a message");
        assert!(
            message.contains("AAAA… (8388208 bytes)") && message.contains("no base has so long a name"),
            "{message}"
        );
    }
    let explained = basewatch(folder.path()).args(["explain", "--no-catalog", &images[0]]).output().expect("it starts");
    assert!(stdout(&explained).len() < 32_000);
}

/// The most memory that the process `id` has had so far, in MiB.
#[cfg(target_os = "linux")]
fn peak_memory_mib(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib >> 10)
}

#[cfg(target_os = "linux")]
#[test]
fn an_index_of_many_large_images_takes_little_memory() {
    const PLATFORMS: usize = 24;
    let configs: Vec<_> = (0..PLATFORMS).map(|number| large_config(number, "other")).collect();
    let manifests: Vec<_> = configs.iter().map(|config| manifest_of(config)).collect();
    let children: Vec<_> = manifests
        .iter()
        .enumerate()
        .map(|(number, manifest)| {
            json!({
                "mediaType": MANIFEST_MEDIA_TYPES[1], "digest": Digest::of(manifest), "size": manifest.len(),
                "platform": { "os": "linux", "architecture": format!("a{number}") },
            })
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPES[0], "manifests": children }).to_string();
    let blobs: BTreeMap<String, Vec<u8>> = configs.into_iter().map(|it| (Digest::of(&it).to_string(), it)).collect();
    let manifests: BTreeMap<String, Vec<u8>> =
        manifests.into_iter().map(|it| (Digest::of(&it).to_string(), it)).collect();
    let registry = Toxic::start(move |asked: &Asked| {
        let name = asked.path.rsplit('/').next().unwrap_or_default();
        match (manifests.get(name), blobs.get(name)) {
            (Some(manifest), _) => Reply::manifest(manifest),
            (None, Some(config)) => Reply::new(200, config.clone()),
            (None, None) => Reply::new(200, index.clone()).header("content-type", MANIFEST_MEDIA_TYPES[0]),
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut audit = basewatch(folder.path())
        .args(["audit", "--no-catalog", "--format", "csv", &format!("{}/team/x:1", registry.host())])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (mut peak, until) = (0, Instant::now() + Duration::from_mins(2));
    while audit.try_wait().expect("it is ours").is_none() && Instant::now() < until {
        peak = peak_memory_mib(audit.id()).unwrap_or_default().max(peak);
        thread::sleep(Duration::from_millis(5));
    }
    let _ = audit.kill();
    let told = stdout(&audit.wait_with_output().expect("it has ended"));
    assert_eq!(told.lines().count(), 1 + PLATFORMS, "each platform has its line: {told}");
    // The bodies alone have 192 MiB. The program itself takes some thirty.
    assert!((1..128).contains(&peak), "{peak} MiB");
}

#[test]
fn a_page_where_a_manifest_should_be_is_called_by_its_type() {
    let registry =
        Toxic::start(|_: &Asked| Reply::new(200, "<html>Sign in").header("content-type", "text/html; charset=utf-8"));
    let folder = tempfile::tempdir().expect("a folder");
    let output = audit(folder.path(), &[&format!("{}/team/x:1", registry.host())]);
    assert!(stdout(&output).contains("media type \"text/html\""), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_port_that_speaks_no_tls_is_told_in_words_and_asked_once() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("[registry.\"{host}\"]\nendpoint = \"https://{host}\"\n");
    fs::write(folder.path().join("basewatch.toml"), config).expect("written");
    let output = audit(folder.path(), &[&format!("{host}/team/x:1")]);
    server.join().expect("no panic");
    assert!(stdout(&output).contains("does not speak TLS"), "{}", stdout(&output));
    assert!(stdout(&output).contains("1 request to"), "{}", stdout(&output));
}

#[test]
fn missing_credentials_are_one_sentence_that_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n";
    fs::write(folder.path().join("basewatch.toml"), config).expect("written");
    let output = audit(folder.path(), &[]);
    let told = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()));
    assert!(told.starts_with("error: no AWS credentials were found: set AWS_PROFILE"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(!told.contains("Provider") && told.len() < 250, "{told}");
}

#[test]
fn credentials_that_cannot_be_used_are_told_without_the_types_of_a_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n";
    fs::write(folder.path().join("basewatch.toml"), config).expect("written");
    let key = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let endpoint = ("AWS_ENDPOINT_URL", "garbage");
    let broken = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x")];
    for (variables, exit) in [(&[key[0], key[1], endpoint][..], 3), (&broken[..], 2)] {
        let mut program = basewatch(folder.path());
        let output = program.args(["audit"]).envs(variables.iter().copied()).output().expect("the program starts");
        let told = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(exit), "{told}");
        for raw in ["SdkBody", "dispatch failure", " { ", "Error(", "WARN", "hunter2"] {
            assert!(!told.contains(raw), "{raw}: {told}");
        }
    }
}

#[test]
fn a_profile_file_that_does_not_parse_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("basewatch.toml"), "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n").expect("written");
    fs::create_dir(folder.path().join(".aws")).expect("made");
    fs::write(folder.path().join(".aws/config"), "[[[\n").expect("written");
    let output = audit(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("look at ~/.aws/config"), "{}", stderr(&output));
    let mut program = basewatch(folder.path());
    let output = program.arg("audit").env("BASEWATCH_LOG", "warn").output().expect("the program starts");
    assert!(stderr(&output).contains(".aws/config on line 1"), "{}", stderr(&output));
}

#[test]
fn a_file_that_cannot_be_written_costs_neither_the_audit_nor_the_other_outputs() {
    let folder = tempfile::tempdir().expect("a folder");
    let reports = folder.path().join("reports");
    fs::create_dir(&reports).expect("made");
    let image = |registry: &Toxic| format!("{}/team/x:1", registry.host());

    let file = reports.join("folder.json");
    fs::create_dir(&file).expect("made");
    let registry = labelled(&[]);
    let output = audit(folder.path(), &["--output", "reports/folder.json", &image(&registry)]);
    assert_eq!((output.status.code(), registry.log().len()), (Some(2), 0), "refused before the audit");
    assert!(stderr(&output).contains("folder.json: it is a folder"), "{}", stderr(&output));

    // The folder goes away while the registry is asked.
    let gone = reports.clone();
    let registry = Toxic::start(move |_: &Asked| {
        let _ = fs::remove_dir_all(&gone);
        Reply::error(404, "MANIFEST_UNKNOWN", "there is no such manifest")
    });
    let outputs = ["--output", "reports/a.json", "--output", "-", "--output", "b.json"];
    let output = audit(folder.path(), &[&outputs[..], &[&image(&registry)]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot write reports/a.json"), "{}", stderr(&output));
    assert!(stdout(&output).contains("image-missing"), "{}", stdout(&output));
    assert!(folder.path().join("b.json").is_file());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = fs::File::options().write(true).open("/dev/full").expect("there on Linux");
    let output = basewatch(folder.path()).arg("demo").stdout(full).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: cannot write to standard output: "), "{}", stderr(&output));
}

#[test]
fn files_that_are_no_configuration_are_told_by_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |text: &[u8]| {
        fs::write(folder.path().join("basewatch.toml"), text).expect("written");
        let output = basewatch(folder.path()).args(["config", "check"]).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    assert!(check(b"# caf\xe9\n").contains("it is not UTF-8 text"));
    assert!(check(b"[catalog]\npath = \"basewatch.toml\"\n").contains("catalog.path: "), "a file is no folder");
    let globs = check(b"[[inventory.ecr]]\nregions = [\"eu-west-1\"]\nrepositories = [\"\"]\n");
    assert!(globs.contains("repositories[0]: \"\" is no pattern"), "{globs}");
}
