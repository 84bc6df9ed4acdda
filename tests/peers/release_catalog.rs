//! Release catalogs with other tools: minisign, docker-registry, S3 of moto.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::store::{self, BUCKET};
use testbed::{
    peers::{self, Access, Certificate, PASSWORD, Peer, Registry, USER, tool},
    program::Program,
};

/// A machine with a key and a signed catalog of no release, which takes no crawl. Its public key.
fn machine(config: &str) -> (Program, String) {
    let program = Program::with_config(config).env("REGISTRY_PASSWORD", PASSWORD);
    let key = succeeded(&program, &["catalog", "keygen", "-o", "secret.key"]).trim().to_owned();
    succeeded(&program, &["catalog", "export", "--key", "secret.key", "releases.bin"]);
    (program, key)
}

fn succeeded(program: &Program, arguments: &[&str]) -> String {
    let printed = program.run(arguments);
    assert_eq!(printed.code, 0, "{arguments:?}\n{}\n{}", printed.output, printed.errors);
    printed.output
}

fn failed(program: &Program, arguments: &[&str], words: &str) {
    let printed = program.run(arguments);
    let text = format!("{}{}", printed.output, printed.errors);
    assert!(printed.code != 0 && text.contains(words), "{arguments:?}\n{text}");
}

/// minisign in the home of `program`.
fn minisign(program: &Program, arguments: &[&str]) -> Command {
    let mut command = Command::new("minisign");
    command.args(arguments).current_dir(program.home()).env("HOME", program.home());
    command
}

#[test]
fn minisign_verifies_what_basewatch_signs() {
    let (program, key) = machine("");
    let text = tool(&mut minisign(&program, &["-V", "-m", "releases.bin", "-P", &key]));
    assert!(text.contains("Signature and comment signature verified"), "{text}");
    assert!(text.contains("basewatch release catalog, built at"), "{text}");
    tool(&mut minisign(&program, &["-S", "-s", "secret.key", "-m", "releases.bin"]));
    tool(&mut minisign(&program, &["-V", "-m", "releases.bin", "-P", &key]));
    let mut bytes = fs::read(program.home().join("releases.bin")).expect("a file");
    bytes.push(0);
    fs::write(program.home().join("releases.bin"), bytes).expect("written");
    let refused = minisign(&program, &["-V", "-m", "releases.bin", "-P", &key]).output().expect("it starts");
    assert!(!refused.status.success());
}

#[test]
fn basewatch_verifies_what_minisign_signs_and_signs_with_its_keys() {
    let (program, _) = machine("");
    tool(&mut minisign(&program, &["-G", "-W", "-p", "theirs.pub", "-s", "theirs.key"]));
    let public = fs::read_to_string(program.home().join("theirs.pub")).expect("a file");
    let key = public.lines().last().expect("a line").to_owned();
    tool(&mut minisign(&program, &["-S", "-s", "theirs.key", "-m", "releases.bin", "-t", "by hand"]));
    let text = succeeded(&program, &["catalog", "verify", "releases.bin", "--public-key", &key]);
    assert!(text.contains("has a valid signature for"), "{text}");
    succeeded(&program, &["catalog", "export", "releases.bin", "again.bin", "--key", "theirs.key"]);
    tool(&mut minisign(&program, &["-V", "-m", "again.bin", "-p", "theirs.pub"]));
    // A byte of the secret was changed: without a checksum it still signs, but the signature is invalid.
    let private = fs::read_to_string(program.home().join("theirs.key")).expect("a file");
    let (comment, line) = private.trim_end().split_once('\n').expect("two lines");
    let damaged =
        format!("{comment}\n{}{}{}\n", &line[..100], if &line[100..101] == "A" { "B" } else { "A" }, &line[101..]);
    fs::write(program.home().join("damaged.key"), damaged).expect("written");
    failed(&program, &["catalog", "export", "releases.bin", "x.bin", "--key", "damaged.key"], "cannot use");
    // Legacy minisign signatures without prehashing are not supported.
    tool(&mut minisign(&program, &["-S", "-l", "-s", "theirs.key", "-m", "releases.bin"]));
    failed(&program, &["catalog", "verify", "releases.bin", "--public-key", &key], "is not valid");
}

/// Publishes to `registry` with `login`, reads it back, and reads it again unchanged.
fn round_trip(registry: &Peer, settings: &str) {
    let host = &registry.address;
    let config = format!("[registry.\"{host}\"]\n{settings}\n");
    let (program, key) = machine(&config);
    let target = format!("oci://{host}/team/basewatch:releases");
    succeeded(&program, &["catalog", "export", "releases.bin", &target]);
    succeeded(&program, &["catalog", "import", &target, "--public-key", &key]);
    let source = format!("[catalog]\nsource = \"{target}\"\npublic_key = \"{key}\"\n");
    fs::write(program.home().join("basewatch.toml"), format!("{config}{source}")).expect("written");
    let mark = registry.mark();
    // A missing image: the run ends soon, after loading the catalog.
    let image = format!("{host}/team/none:1");
    let printed = program.run(&["audit", &image, "--format", "json", "--fail-on", "never"]);
    let report: Value = serde_json::from_str(&printed.output).expect("a report");
    assert_eq!(report["notes"], Value::Null, "{report:#}");
    let requests = registry.requests_since(mark);
    let about: Vec<_> = requests.iter().filter(|request| request.contains("team/basewatch")).collect();
    assert!(about.iter().all(|request| request.starts_with("HEAD ")), "{about:?}");
    assert!((1..=2).contains(&about.len()), "one, and the first one with the challenge: {about:?}");
}

#[test]
fn a_catalog_goes_through_a_registry_and_an_unchanged_one_costs_a_head() {
    round_trip(&Registry::default().start(), "");
}

#[test]
fn a_catalog_is_pushed_with_a_password() {
    let certificate = Certificate::generate();
    let access = Access::Basic(USER, PASSWORD);
    let registry = Registry { access, tls: Some(&certificate), ..Registry::default() }.start();
    let login = format!("username = \"{USER}\"\npassword = {{ env = \"REGISTRY_PASSWORD\" }}");
    let endpoint = format!("endpoint = {:?}\nca_file = {:?}", registry.https(), certificate.authority);
    round_trip(&registry, &format!("{endpoint}\n{login}"));
}

#[test]
fn a_catalog_is_pushed_with_a_token_for_push() {
    let certificate = Certificate::generate();
    let tokens = peers::token_server(&certificate);
    let registry = Registry { access: Access::Token(&tokens, &certificate), ..Registry::default() }.start();
    round_trip(&registry, &format!("username = \"{USER}\"\npassword = {{ env = \"REGISTRY_PASSWORD\" }}"));
}

#[test]
fn a_catalog_is_published_as_skopeo_reads_artifacts() {
    let registry = Registry::default().start();
    let (program, _) = machine("");
    let target = format!("oci://{}/team/basewatch:releases", registry.address);
    succeeded(&program, &["catalog", "export", "releases.bin", &target]);
    let named = format!("docker://{}/team/basewatch:releases", registry.address);
    let raw = tool(Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &named]));
    let manifest: Value = serde_json::from_str(&raw).expect("a manifest");
    assert_eq!(manifest["artifactType"], "application/vnd.basewatch.releases.v1");
    let titles = manifest["layers"].as_array().expect("layers").iter();
    let titles: Vec<_> = titles.map(|layer| &layer["annotations"]["org.opencontainers.image.title"]).collect();
    assert_eq!(json!(titles), json!(["releases.bin", "releases.bin.minisig"]));
}

#[tokio::test]
async fn a_catalog_goes_through_s3_and_an_unchanged_one_is_not_read_again() {
    let (moto, client) = store::moto().await;
    let (program, key) = machine("");
    let program = program.aws(moto.http());
    let target = format!("s3://{BUCKET}/basewatch/releases.bin");
    succeeded(&program, &["catalog", "export", "releases.bin", &target]);
    let keys = client.list_objects_v2().bucket(BUCKET).send().await.expect("a list").contents.unwrap_or_default();
    let keys: Vec<_> = keys.iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["basewatch/releases.bin", "basewatch/releases.bin.minisig"]);
    succeeded(&program, &["catalog", "import", &target, "--public-key", &key]);

    let registry = Registry::default().start();
    let image = format!("{}/team/none:1", registry.address);
    let config = format!("[catalog]\nsource = \"{target}\"\npublic_key = \"{key}\"\n");
    fs::write(program.home().join("basewatch.toml"), config).expect("written");
    let audit = ["audit", &*image, "--format", "json", "--fail-on", "never"];
    let report: Value = serde_json::from_str(&program.run(&audit).output).expect("a report");
    assert_eq!(report["notes"], Value::Null, "{report:#}");
    assert_eq!(report["requests"]["s3"], 2, "where the bucket is, and the ETag of the object: {report:#}");

    // A signature that was taken away, of a file that was replaced.
    client.delete_object().bucket(BUCKET).key("basewatch/releases.bin.minisig").send().await.expect("removed");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"basewatch.releases/v1\n");
    client.put_object().bucket(BUCKET).key("basewatch/releases.bin").body(body).send().await.expect("written");
    let report: Value = serde_json::from_str(&program.run(&audit).output).expect("a report");
    assert_eq!(report["notes"][0]["code"], "release-catalog-refused", "{report:#}");
}
