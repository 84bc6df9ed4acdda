//! The built program against hostile registries, labels, files and accounts: its messages are readable, its exit codes
//! correct, and it contacts allowed hosts only.

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

use basewatch::image::{Digest, MANIFEST_MEDIA_TYPES};
use serde_json::{Value, json};
use testbed::{
    bare::{basewatch, stderr, stdout},
    toxic::{Asked, Reply, Toxic, manifest_of},
};

/// Audits `images` without a catalog.
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
    Toxic::start(move |request: &Asked| {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        let configs = values.iter().map(|value| config(value));
        for (at, config) in configs.enumerate() {
            let manifest = manifest_of(&config);
            if name == at.to_string() || name == Digest::sha256(&manifest).as_str() {
                return Reply::manifest(&manifest);
            }
            if name == Digest::sha256(&config).as_str() {
                return Reply::new(200, config);
            }
        }
        Reply::error(404, "MANIFEST_UNKNOWN", "there is no such manifest")
    })
}

#[test]
fn a_label_can_neither_control_the_terminal_nor_redirect_requests() {
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
    let reported = stdout(&output);
    let obeyed = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(reported.chars().find(obeyed), None, "{reported}");
    assert!(!reported.contains("\nfresh"), "{reported}");
    assert!(reported.contains(&format!("{} unknown", VALUES.len())), "{reported}");
    assert_eq!(stderr(&output), "");
    assert!(registry.lines().iter().all(|line| line.contains("/v2/team/x/")), "{:?}", registry.lines());
}

#[test]
fn an_image_that_records_its_own_moving_tag_is_not_behind_itself() {
    let registry = Toxic::start(|request: &Asked| {
        let host = request.endpoint.trim_start_matches("http://");
        let config = json!({
            "architecture": "arm64", "os": "linux", "created": "2026-08-22T00:13:00Z",
            "config": { "Labels": { "sdkBaseVersion": format!("{host}/team/x:1") } },
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(b"layer")] },
        });
        let config = config.to_string().into_bytes();
        let is_manifest = request.path.contains("/manifests/");
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
fn an_index_of_thousands_of_images_is_rejected() {
    let children: Vec<_> = (0..10_000)
        .map(|at: u32| {
            json!({
                "mediaType": MANIFEST_MEDIA_TYPES[1], "digest": Digest::sha256(&at.to_be_bytes()), "size": 1,
                "platform": { "os": "linux", "architecture": format!("a{at}") },
            })
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPES[0], "manifests": children }).to_string();
    let registry =
        Toxic::start(move |_: &Asked| Reply::new(200, index.clone()).header("content-type", MANIFEST_MEDIA_TYPES[0]));
    let folder = tempfile::tempdir().expect("a folder");
    let output = audit(folder.path(), &[&format!("{}/team/x:1", registry.host())]);
    assert!(stdout(&output).contains("lists 10000 images"), "{}", stdout(&output));
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
fn a_label_of_megabytes_is_cut_in_the_report() {
    let registry = Toxic::start(|request: &Asked| {
        let config = large_config(0, "sdkBaseVersion");
        let is_manifest = request.path.contains("/manifests/");
        if is_manifest { Reply::manifest(&manifest_of(&config)) } else { Reply::new(200, config) }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let images: Vec<_> = (0..8).map(|tag| format!("{}/team/x:{tag}", registry.host())).collect();
    let arguments: Vec<_> = ["--format", "json"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let reported = stdout(&audit(folder.path(), &arguments));
    assert!(reported.len() < 32_000, "{}", reported.len());
    let report: serde_json::Value = serde_json::from_str(&reported).expect("a report");
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 8);
    for finding in findings {
        assert_eq!(finding["verdict"], "unknown");
        assert_eq!(finding["reasons"][0]["code"], "label-malformed");
        let message = finding["reasons"][0]["message"].as_str().expect("a message");
        assert!(message.contains("AAAA… (8388208 bytes)") && message.contains("it is longer than"), "{message}");
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
                "mediaType": MANIFEST_MEDIA_TYPES[1], "digest": Digest::sha256(manifest), "size": manifest.len(),
                "platform": { "os": "linux", "architecture": format!("a{number}") },
            })
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPES[0], "manifests": children }).to_string();
    let blobs: BTreeMap<String, Vec<u8>> =
        configs.into_iter().map(|it| (Digest::sha256(&it).to_string(), it)).collect();
    let manifests: BTreeMap<String, Vec<u8>> =
        manifests.into_iter().map(|it| (Digest::sha256(&it).to_string(), it)).collect();
    let registry = Toxic::start(move |request: &Asked| {
        let name = request.path.rsplit('/').next().unwrap_or_default();
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
    let reported = stdout(&audit.wait_with_output().expect("it has ended"));
    assert_eq!(reported.lines().count(), 1 + PLATFORMS, "each platform has its line: {reported}");
    // The bodies alone have 192 MiB; the program itself takes about 30 MiB.
    assert!((1..128).contains(&peak), "{peak} MiB");
}

#[test]
fn an_html_page_instead_of_a_manifest_is_reported_by_its_type() {
    let registry =
        Toxic::start(|_: &Asked| Reply::new(200, "<html>Sign in").header("content-type", "text/html; charset=utf-8"));
    let folder = tempfile::tempdir().expect("a folder");
    let output = audit(folder.path(), &[&format!("{}/team/x:1", registry.host())]);
    assert!(stdout(&output).contains("media type \"text/html\""), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_port_without_tls_is_reported_and_tried_once() {
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
    assert!(stdout(&output).contains("does not use TLS"), "{}", stdout(&output));
    assert!(stdout(&output).contains("1 request to"), "{}", stdout(&output));
}

#[test]
fn missing_credentials_are_reported_in_one_sentence_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n";
    fs::write(folder.path().join("basewatch.toml"), config).expect("written");
    let output = audit(folder.path(), &[]);
    let reported = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()));
    assert!(reported.starts_with("error: no AWS credentials were found: set AWS_PROFILE"), "{reported}");
    assert_eq!(reported.lines().count(), 1, "{reported}");
    assert!(!reported.contains("Provider") && reported.len() < 250, "{reported}");
}

#[test]
fn unusable_credentials_are_reported_without_type_names_of_a_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n";
    fs::write(folder.path().join("basewatch.toml"), config).expect("written");
    let key = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let endpoint = ("AWS_ENDPOINT_URL", "garbage");
    let broken = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x")];
    for (variables, exit) in [(&[key[0], key[1], endpoint][..], 3), (&broken[..], 2)] {
        let mut program = basewatch(folder.path());
        let output = program.args(["audit"]).envs(variables.iter().copied()).output().expect("the program starts");
        let reported = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(exit), "{reported}");
        for raw in ["SdkBody", "dispatch failure", " { ", "Error(", "WARN", "hunter2"] {
            assert!(!reported.contains(raw), "{raw}: {reported}");
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
    assert!(stderr(&output).contains("check ~/.aws/config"), "{}", stderr(&output));
    let mut program = basewatch(folder.path());
    let output = program.arg("audit").env("BASEWATCH_LOG", "warn").output().expect("the program starts");
    assert!(stderr(&output).contains(".aws/config on line 1"), "{}", stderr(&output));
}

#[test]
fn an_unwritable_output_file_affects_neither_the_audit_nor_other_outputs() {
    let folder = tempfile::tempdir().expect("a folder");
    let reports = folder.path().join("reports");
    fs::create_dir(&reports).expect("made");
    let image = |registry: &Toxic| format!("{}/team/x:1", registry.host());

    let file = reports.join("folder.json");
    fs::create_dir(&file).expect("made");
    let registry = labelled(&[]);
    let output = audit(folder.path(), &["--output", "reports/folder.json", &image(&registry)]);
    assert_eq!((output.status.code(), registry.log().len()), (Some(2), 0), "refused before the audit");
    assert!(stderr(&output).contains("folder.json: is a folder"), "{}", stderr(&output));

    // The folder is deleted during the audit.
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
fn a_full_standard_output_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = fs::File::options().write(true).open("/dev/full").expect("there on Linux");
    let output = basewatch(folder.path()).arg("demo").stdout(full).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: cannot write to standard output: "), "{}", stderr(&output));
}

#[test]
fn files_that_are_not_a_configuration_are_rejected_with_the_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |text: &[u8]| {
        fs::write(folder.path().join("basewatch.toml"), text).expect("written");
        let output = basewatch(folder.path()).args(["config", "check"]).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    assert!(check(b"# caf\xe9\n").contains("it is not UTF-8 text"));
    assert!(check(b"[catalog]\npath = \"basewatch.toml\"\n").contains("catalog.path: "), "a file is not a folder");
    let globs = check(b"[[inventory.ecr]]\nregions = [\"eu-west-1\"]\nrepositories = [\"\"]\n");
    assert!(globs.contains("repositories[0]: \"\" is not a pattern"), "{globs}");
}

/// Every file below `folder`, as text.
fn files_below(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files_below(&entry, found);
        } else {
            let text = fs::read(&entry).expect("a file");
            found.push((entry.display().to_string(), String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

#[test]
fn credentials_repeated_by_a_registry_are_in_no_report_log_or_store() {
    const PASSWORD: &str = "correct-horse-battery-staple";
    let registry = Toxic::start(|request: &Asked| {
        let Some(sent) = request.authorization() else { return Reply::challenge("Basic realm=\"x\"") };
        let echoed = format!("{sent} is {PASSWORD}");
        if request.path.contains("/denied/") {
            return Reply::error(403, "DENIED", &echoed);
        }
        let config = json!({
            "architecture": "arm64", "os": "linux", "created": "2026-08-22T00:13:00Z",
            "config": { "Labels": { "sdkBaseVersion": echoed, "org.opencontainers.image.base.name": PASSWORD } },
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(b"layer")] },
        });
        let config = config.to_string().into_bytes();
        if !request.path.contains("/manifests/") {
            return Reply::new(200, config);
        }
        let mut manifest: serde_json::Value = serde_json::from_slice(&manifest_of(&config)).expect("JSON");
        manifest["annotations"] = json!({ "org.opencontainers.image.base.name": echoed });
        Reply::manifest(manifest.to_string().as_bytes())
    });
    let host = registry.host();
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "store = \"store\"\n[inventory]\n\
         images = [{{ references = [\"{host}/denied/x:1\", \"{host}/labelled/x:1\"] }}]\n\
         [registry.\"{host}\"]\nusername = \"auditor\"\npassword = {{ env = \"REGISTRY_PASSWORD\" }}\n"
    );
    fs::write(folder.path().join("basewatch.toml"), config).expect("written");
    let run = |arguments: &[&str]| {
        let mut program = basewatch(folder.path());
        program.args(arguments).env("REGISTRY_PASSWORD", PASSWORD).output().expect("the program starts")
    };
    let mut reported = Vec::new();
    for arguments in [
        vec!["run", "-vv"],
        vec!["audit", "--format", "json", "-o", "report.html", "-o", "report.md"],
        vec!["explain", &format!("{host}/labelled/x:1")],
    ] {
        let output = run(&arguments);
        reported.push((format!("{arguments:?}"), stdout(&output) + &stderr(&output)));
    }
    files_below(folder.path(), &mut reported);
    assert!(
        reported.iter().any(|(name, text)| name.contains("reports") && text.contains("labelled")),
        "the store was read"
    );
    assert!(reported.iter().any(|(_, text)| text.contains("denied access")), "{reported:#?}");
    for (name, text) in &reported {
        for secret in [PASSWORD, "YXVkaXRvcjpjb3JyZWN0LWhvcnNl", "correct-horse"] {
            assert!(!text.contains(secret), "{name}: {text}");
        }
    }
}

/// The releases of the line `lambda/java:21`: the base in use, the one that superseded it 34 days before the audits,
/// and the current one, a day old.
const RELEASES: [&str; 3] = ["2026.10.16.00", "2026.10.17.00", "2026.11.19.00"];

/// The configuration of an image of these layers; `label` names its base.
fn config(created: &str, layers: &[&str], label: Option<&str>) -> Vec<u8> {
    let labels = label.map(|label| json!({ "sdkBaseVersion": label }));
    let layers: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer.as_bytes())).collect();
    let config = json!({
        "architecture": "arm64", "os": "linux", "created": created, "config": { "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": layers },
    });
    config.to_string().into_bytes()
}

fn release(date: &str) -> Vec<u8> {
    config(&format!("{}T00:13:00Z", date[..10].replace('.', "-")), &[date], None)
}

fn dated_tags(date: &str) -> [String; 2] {
    [format!("21.{date}"), format!("21.{date}-arm64")]
}

fn tag_list(dates: &[&str]) -> Reply {
    let tags: Vec<_> = dates.iter().flat_map(|date| dated_tags(date)).chain(["21".to_owned()]).collect();
    Reply::json(&json!({ "name": "lambda/java", "tags": tags }))
}

/// A registry with that line and the image `team/app:1`, which is built on its first release and records it at
/// `upstream`, else at the registry itself. `fault` may respond instead.
fn line(upstream: Option<&'static str>, fault: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Toxic {
    Toxic::start(move |request: &Asked| {
        if let Some(reply) = fault(request) {
            return reply;
        }
        let (path, name) = request.path.rsplit_once('/').expect("a path");
        if path.ends_with("/tags") {
            return tag_list(&RELEASES);
        }
        let base = Digest::sha256(&manifest_of(&release(RELEASES[0])));
        let host = upstream.unwrap_or_else(|| request.endpoint.trim_start_matches("http://"));
        let app = config("2026-10-16T02:00:00Z", &[RELEASES[0], "app"], Some(&format!("{host}/lambda/java:21@{base}")));
        let mut images: Vec<_> = RELEASES.map(|date| (release(date), dated_tags(date).to_vec())).into();
        images[2].1.push("21".to_owned());
        if path.starts_with("/v2/team/app/") {
            images = vec![(app, vec!["1".to_owned()])];
        }
        for (config, tags) in images {
            let manifest = manifest_of(&config);
            if name == Digest::sha256(&config).as_str() {
                return Reply::new(200, config);
            }
            if name == Digest::sha256(&manifest).as_str() || tags.iter().any(|tag| tag == name) {
                return Reply::manifest(&manifest);
            }
        }
        Reply::error(404, "MANIFEST_UNKNOWN", "there is no such manifest")
    })
}

/// The exit code and the report of an audit of `team/app:1` with `settings`; the catalog is kept in `folder`.
fn audit_app(folder: &Path, registry: &Toxic, settings: &str) -> (Option<i32>, Value) {
    let common =
        "[[identify.base]]\nrepository = \"*/lambda/*\"\ndated_tags = true\n\n[catalog]\npath = \"catalog\"\n\n";
    fs::write(folder.join("basewatch.toml"), format!("{common}{settings}")).expect("written");
    let image = format!("{}/team/app:1", registry.host());
    let arguments = ["audit", "--format", "json", "--as-of", "2026-11-20T06:00:00Z", &image];
    let output = basewatch(folder).args(arguments).output().expect("the program starts");
    let report = serde_json::from_slice(&output.stdout);
    assert!(report.is_ok(), "no report: {}", stderr(&output));
    (output.status.code(), report.expect("a report"))
}

/// The codes of the reasons of the only finding.
fn codes(report: &Value) -> Vec<&str> {
    let reasons = report["findings"][0]["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code")).collect()
}

#[test]
fn an_unreadable_tag_list_never_improves_a_verdict_without_an_error() {
    type Fault = fn(&Asked) -> Reply;
    let registry = line(None, |_| None);
    let folder = tempfile::tempdir().expect("a folder");
    let (exit, report) = audit_app(folder.path(), &registry, "");
    assert_eq!((exit, &report["findings"][0]["verdict"]), (Some(1), &json!("out-of-date")), "{report:#}");
    assert_eq!((&report["complete"], &report["findings"][0]["behind"]["exact"]), (&json!(true), &json!(true)));

    let faults: [(&str, Fault); 8] = [
        ("access-denied", |_| Reply::error(403, "DENIED", "no lists for you")),
        ("not-found", |_| Reply::error(404, "NAME_UNKNOWN", "")),
        ("unreachable", |_| Reply::new(501, "")),
        ("malformed", |_| Reply::new(200, "<html>Sign in")),
        ("malformed", |_| Reply::new(200, "null")),
        ("incomplete", |_| Reply::json(&json!({ "tags": null }))),
        ("incomplete", |_| {
            Reply::json(&json!({ "tags": ["21"] })).header("link", "</v2/lambda/java/tags/list?n=1000>; rel=\"next\"")
        }),
        ("incomplete", |request| {
            let next = format!("</v2/lambda/java/tags/list?n=1000&last={}>; rel=\"next\"", request.nth);
            Reply::json(&json!({ "tags": ["21"] })).header("link", &next)
        }),
    ];
    for (code, fault) in faults {
        let registry = line(None, move |request| request.path.contains("/tags/list").then(|| fault(request)));
        let folder = tempfile::tempdir().expect("a folder");
        for run in ["first", "second"] {
            let (exit, report) = audit_app(folder.path(), &registry, "");
            let finding = &report["findings"][0];
            assert_eq!((exit, &report["complete"]), (Some(3), &json!(false)), "{code}, {run}: {report:#}");
            assert_eq!((&finding["verdict"], &finding["behind"]["exact"]), (&json!("superseded"), &json!(false)));
            assert_eq!(finding["base"]["release"], "21.2026.10.16.00", "dated without the list");
            assert!(codes(&report).contains(&"history-unreadable"), "{code}, {run}: {finding:#}");
            let errors = report["errors"].as_array().expect("errors");
            assert_eq!((errors.len(), &errors[0]["code"]), (1, &json!(code)), "{run}: {errors:#?}");
        }
    }
}

#[test]
fn a_registry_without_head_gives_the_same_verdict_in_every_run() {
    for status in [400, 403, 404, 501] {
        let registry = line(None, move |request| (request.method == "HEAD").then(|| Reply::new(status, "")));
        let folder = tempfile::tempdir().expect("a folder");
        for run in ["first", "second", "third"] {
            let (exit, report) = audit_app(folder.path(), &registry, "");
            assert_eq!(report["findings"][0]["verdict"], "out-of-date", "{status}, {run}: {report:#}");
            assert_eq!((exit, &report["complete"]), (Some(1), &json!(true)), "{status}, {run}: {report:#}");
        }
    }
}

#[test]
fn missing_content_is_named_and_only_a_registry_failure_makes_the_audit_incomplete() {
    let lost = Digest::sha256(&release(RELEASES[2]));
    let is_lost = lost.clone();
    let registry = line(None, move |request| request.path.ends_with(is_lost.as_str()).then(|| Reply::new(404, "")));
    let folder = tempfile::tempdir().expect("a folder");
    let (exit, report) = audit_app(folder.path(), &registry, "");
    assert_eq!((exit, &report["complete"]), (Some(3), &json!(false)), "{report:#}");
    assert!(codes(&report).contains(&"registry-incomplete"), "{report:#}");
    assert_eq!(report["errors"][0]["code"], "not-found");
    let message = report["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("the configuration") && message.contains(lost.as_str()), "{message}");

    let registry = line(None, |request| request.path.ends_with("/manifests/21").then(|| Reply::new(404, "")));
    let folder = tempfile::tempdir().expect("a folder");
    let (exit, report) = audit_app(folder.path(), &registry, "");
    assert_eq!((exit, &report["complete"], &report["errors"]), (Some(0), &json!(true), &json!([])), "{report:#}");
    assert_eq!(report["findings"][0]["verdict"], "unknown");
    let reason = &report["findings"][0]["reasons"][0];
    assert_eq!(reason["code"], "line-missing", "{report:#}");
    assert_eq!(reason["message"], format!("the tag {}/lambda/java:21 was not found", registry.host()));
}

#[test]
fn a_mirror_gives_bounds_unless_it_is_configured_as_complete() {
    // It has pulled the first and the last release, and lists no other.
    let is_in_it = |request: &Asked| !dated_tags(RELEASES[1]).iter().any(|tag| request.path.ends_with(tag.as_str()));
    let mirror = line(Some("upstream.test"), move |request| {
        if request.path.contains("/tags/list") {
            Some(tag_list(&[RELEASES[0], RELEASES[2]]))
        } else {
            (!is_in_it(request)).then(|| Reply::new(404, ""))
        }
    });
    let settings = |full_mirror: bool| {
        let (host, endpoint) = (mirror.host(), mirror.endpoint());
        format!(
            "[network]\nallow = [\"upstream.test\", \"{host}\"]\n\n\
             [registry.\"upstream.test\"]\nendpoint = \"{endpoint}\"\nfull_mirror = {full_mirror}\n"
        )
    };
    for (full_mirror, exact) in [(false, false), (true, true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let (exit, report) = audit_app(folder.path(), &mirror, &settings(full_mirror));
        let finding = &report["findings"][0];
        assert_eq!((exit, &report["complete"], &report["errors"]), (Some(0), &json!(true), &json!([])), "{report:#}");
        assert_eq!((&finding["behind"]["releases"], &finding["behind"]["exact"]), (&json!(1), &json!(exact)));
        assert_eq!(codes(&report).contains(&"read-through-cache"), !full_mirror, "{finding:#}");
        assert_eq!(report["notes"].is_null(), full_mirror, "{report:#}");
    }
}
