//! Real peers of tests: processes on free loopback ports, terminated when dropped.
//!
//! Uses no product code. A peer that is not installed fails the test that needs it: a skipped test would count as
//! passed.

use crate::repository;
use std::{
    env,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

/// How long a peer may take until it listens; moto loads half of Python first, on cores shared by all.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The user of every peer with a login.
pub const USER: &str = "alice";
/// That user's password.
pub const PASSWORD: &str = "s3cret-of-alice";

/// A running peer and all it writes. Dropping it, also by a panic, ends the process.
pub struct Peer {
    child: Child,
    /// Where it listens: `127.0.0.1:41234`.
    pub address: String,
    folder: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only when the process has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Starts `command` in `folder` and waits for the line with its address after `marker`.
    fn start(mut command: Command, folder: TempDir, marker: &str) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = File::create(folder.path().join("log")).expect("the log of a peer");
        let mut child = clean(&mut command)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start ({error}): run the tests with scripts/test"));
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            if let Some(address) = address_after(&log, marker) {
                return Self { child, address, folder };
            }
            let ended = child.try_wait().expect("the state of a peer");
            if ended.is_some() || Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{name} does not listen (exit: {ended:?}):\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `http://` and the address.
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `https://` and the address.
    pub fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The folder it works in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All it has printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).expect("the log of a peer")
    }

    /// Where its log ends now, for [`Peer::requests_since`].
    pub fn mark(&self) -> u64 {
        fs::metadata(self.folder().join("log")).expect("the log of a peer").len()
    }

    /// The request lines of a registry's access log since `mark`: `GET /v2/x/manifests/1 200`.
    pub fn requests_since(&self, mark: u64) -> Vec<String> {
        self.log_since(mark).lines().filter_map(request_line).collect()
    }

    /// The API calls to moto since `mark`, without account and region: `lambda ListFunctions`.
    pub fn calls_since(&self, mark: u64) -> Vec<String> {
        let log = self.log_since(mark);
        let calls = log.lines().filter_map(|line| line.strip_prefix("call "));
        calls.filter_map(|call| call.splitn(3, ' ').nth(2)).map(str::to_owned).collect()
    }

    fn log_since(&self, mark: u64) -> String {
        let mut file = File::open(self.folder().join("log")).expect("the log of a peer");
        file.seek(SeekFrom::Start(mark)).expect("a position in the log");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text in the log");
        text
    }
}

/// `127.0.0.1 - - [date] "GET /v2/ HTTP/1.1" 200 2 "" "agent"` without all that varies.
fn request_line(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("] \"")?;
    let (request, rest) = rest.split_once(" HTTP/")?;
    let status = rest.split_once("\" ")?.1.split(' ').next()?;
    Some(format!("{request} {status}"))
}

/// The first `host:port` after `marker`, once the line is complete.
fn address_after(log: &str, marker: &str) -> Option<String> {
    let (_, rest) = log.split_once(marker)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')?;
    Some(rest[..end].to_owned())
}

/// Removes variables for AWS, proxies and basewatch from the environment.
pub fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars() {
        let upper = name.to_ascii_uppercase();
        if upper.starts_with("AWS_") || upper.starts_with("BASEWATCH_") || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a tool to its end and returns what it printed.
///
/// # Panics
/// If it is not installed or fails.
pub fn tool(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = clean(command)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{name} does not start ({error}): run the tests with scripts/test"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed with {}:\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8 from a tool")
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("basewatch-peer-").tempdir().expect("a temporary folder")
}

/// A program of the Python environment that `scripts/test` makes.
fn python(program: &str) -> Command {
    let venv = env::var_os("PEERS_VENV").map(PathBuf::from);
    let venv = venv.expect("PEERS_VENV is not set: run the tests with scripts/test");
    let mut command = Command::new(venv.join("bin").join(program));
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Starts moto: the AWS APIs, with account 123456789012, and its deviations from AWS corrected.
pub fn moto() -> Peer {
    let mut command = python("python");
    command.arg(repository().join("scripts/peers/aws_server.py"));
    Peer::start(command, folder(), "listening on ")
}

/// Starts the emulator of Lambda's runtime: `PEER/.rt` is the runtime API, and it is invoked as Lambda is.
pub fn lambda_emulator() -> Peer {
    let folder = folder();
    // It wants to be in a package, builds it or not.
    fs::create_dir(folder.path().join("src")).expect("a folder");
    fs::write(folder.path().join("src/main.rs"), "fn main() {}").expect("a file written");
    let package = "[package]\nname = \"function\"\nversion = \"0.1.0\"\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), package).expect("a file written");
    // It takes port 0 for no port, so that a free one is looked for, which is still free a moment later.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.expect("a free port").port().to_string();
    let mut command = python("cargo-lambda");
    command.args(["lambda", "watch", "--only-lambda-apis", "--offline", "-A", "127.0.0.1", "-P", &port]);
    Peer::start(command, folder, "runtime_addr=")
}

/// The response of the emulator at `address` to an invocation with `payload` by its own tool.
pub fn lambda_invoke(address: &str, payload: &str) -> String {
    let (host, port) = address.split_once(':').expect("a host and a port");
    let folder = folder();
    let mut command = python("cargo-lambda");
    command.current_dir(folder.path()).args(["lambda", "invoke", "-A", host, "-P", port, "--data-ascii", payload]);
    tool(&mut command)
}

/// An HTTP message as parsed by the CloudEvents SDK, as JSON.
///
/// # Panics
/// If it is not a valid event.
pub fn read_event(content_type: &str, body: &[u8]) -> String {
    let folder = folder();
    let file = folder.path().join("body");
    fs::write(&file, body).expect("a file in a new folder");
    let mut command = python("python");
    command.arg(repository().join("scripts/peers/read_event.py"));
    tool(command.arg(content_type).arg(file))
}

/// Runs a Python program with its arguments and returns what it printed.
pub fn run_python(program: &[&Path]) -> String {
    tool(python("python").args(program))
}

/// Tests the API of the OpenAPI document at `url` with valid and invalid requests; returns whether it conforms, and the
/// report.
pub fn ask_api(url: &str) -> (bool, String) {
    let folder = folder();
    let output = clean(python("schemathesis").args(["run", url, "--no-color"]))
        // The same requests each time; a requested run starts one, and the next request is too early.
        .args(["--seed", "1", "--max-examples", "40", "--phases", "examples,coverage,fuzzing"])
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--request-timeout", "30"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis starts");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The errors and warnings of Microsoft's SARIF Multitool for `log`, by the specification and the limits of GitHub code
/// scanning: rule and message.
///
/// # Panics
/// If it is not installed, or fails.
pub fn sarif_problems(log: &str) -> Vec<String> {
    let peers = env::var_os("PEERS_SARIF").map(PathBuf::from);
    let peers = peers.expect("PEERS_SARIF is not set: run the tests with scripts/test");
    let folder = folder();
    fs::write(folder.path().join("report.sarif"), log).expect("a file in a new folder");
    let program = peers.join("node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool");
    let mut command = Command::new(program);
    command.current_dir(folder.path()).env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
    command.args(["validate", "report.sarif", "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning"]);
    tool(command.args(["--output", "found.sarif"]));
    let found = fs::read(folder.path().join("found.sarif")).expect("what it found");
    let found: serde_json::Value = serde_json::from_slice(&found).expect("JSON");
    let results = found["runs"][0]["results"].as_array().expect("results");
    results.iter().map(|result| format!("{}: {}", result["ruleId"], result["message"])).collect()
}

/// Starts a token server that signs with `certificate` for the service `registry.test`.
pub fn token_server(certificate: &Certificate) -> Peer {
    let mut command = python("python");
    command
        .arg(repository().join("scripts/peers/token_server.py"))
        .args([&certificate.chain, &certificate.key])
        .args([TOKEN_ISSUER, TOKEN_SERVICE, USER, PASSWORD]);
    Peer::start(command, folder(), "listening on ")
}

/// Starts a mail server. With a certificate it requires the login of [`USER`] and encryption: from the first byte if
/// `is_wrapped`, else by STARTTLS.
pub fn mail_server(certificate: Option<(&Certificate, bool)>) -> Peer {
    let mut command = python("python");
    command.arg(repository().join("scripts/peers/mail_server.py")).args([".", USER, PASSWORD]);
    if let Some((certificate, is_wrapped)) = certificate {
        command.args([&certificate.chain, &certificate.key]).args(is_wrapped.then_some("tls"));
    }
    Peer::start(command, folder(), "listening on ")
}

/// The mails that `server` accepted, as Python's parser reads them: `headers`, `parts` by media type, and `defects`.
pub fn mails(server: &Peer) -> Vec<serde_json::Value> {
    let program = repository().join("scripts/peers/read_mails.py");
    serde_json::from_str(&run_python(&[&program, server.folder()])).expect("a list of mails")
}

/// The findings of `account` that Security Hub of `moto` has in `region`, which must follow the API model of AWS.
pub fn security_hub_findings(moto: &Peer, region: &str, account: &str) -> Vec<serde_json::Value> {
    let program = repository().join("scripts/peers/read_findings.py");
    let endpoint = moto.http();
    let arguments = [&program, Path::new(&endpoint), Path::new(region), Path::new(account)];
    serde_json::from_str(&run_python(&arguments)).expect("a list of findings")
}

const TOKEN_ISSUER: &str = "issuer.test";
const TOKEN_SERVICE: &str = "registry.test";

/// The authentication of a registry.
#[derive(Clone, Copy, Default)]
pub enum Access<'a> {
    /// No authentication.
    #[default]
    Open,
    /// `Basic` with this user and password.
    Basic(&'a str, &'a str),
    /// `Bearer` with a token from there, signed with the certificate.
    Token(&'a Peer, &'a Certificate),
}

/// A CNCF distribution registry yet to be started.
#[derive(Clone, Copy, Default)]
pub struct Registry<'a> {
    /// Its authentication.
    pub access: Access<'a>,
    /// Serves TLS with this certificate; plain HTTP without.
    pub tls: Option<&'a Certificate>,
    /// Redirects blob requests to this URL.
    pub redirect: Option<&'a str>,
    /// Stores content in files below `data` in its folder instead of in memory, which is three times as fast.
    pub is_on_disk: bool,
    /// Serves the content of that registry, as a pull-through cache.
    pub mirror_of: Option<&'a str>,
}

impl Registry<'_> {
    /// Starts it.
    pub fn start(self) -> Peer {
        let folder = folder();
        fs::write(folder.path().join("registry.yml"), self.configuration(folder.path())).expect("a file written");
        let mut command = Command::new("docker-registry");
        command.args(["serve", "registry.yml"]);
        Peer::start(command, folder, "listening on ")
    }

    /// In JSON, which is YAML too.
    fn configuration(self, folder: &Path) -> String {
        let mut config = json!({
            "version": 0.1,
            "log": { "level": "info" },
            "health": { "storagedriver": { "enabled": false } },
            "storage": { "cache": { "blobdescriptor": "inmemory" } },
            "http": { "addr": "127.0.0.1:0", "secret": "not-shared-with-others" },
        });
        if self.is_on_disk {
            config["storage"]["filesystem"] = json!({ "rootdirectory": folder.join("data") });
        } else {
            config["storage"]["inmemory"] = json!({});
        }
        if let Some(tls) = self.tls {
            config["http"]["tls"] = json!({ "certificate": tls.chain, "key": tls.key });
        }
        match self.access {
            Access::Open => {}
            Access::Basic(user, password) => {
                let users = tool(Command::new("htpasswd").args(["-Bbn", user, password]));
                fs::write(folder.join("users"), users).expect("a file written");
                config["auth"] = json!({ "htpasswd": { "realm": "basic-realm", "path": folder.join("users") } });
            }
            Access::Token(server, certificate) => {
                let realm = format!("{}/token", server.http());
                let (service, issuer) = (TOKEN_SERVICE, TOKEN_ISSUER);
                let roots = &certificate.chain;
                config["auth"]["token"] =
                    json!({ "realm": realm, "service": service, "issuer": issuer, "rootcertbundle": roots });
            }
        }
        if let Some(host) = self.redirect {
            let redirect = json!({ "name": "redirect", "options": { "baseurl": format!("{host}/") } });
            config["middleware"]["storage"] = json!([redirect]);
        }
        if let Some(upstream) = self.mirror_of {
            config["proxy"] = json!({ "remoteurl": upstream });
        }
        config.to_string()
    }
}

/// A certificate for loopback, and the authority that signed it.
pub struct Certificate {
    /// The authority's certificate: what a client has to trust (PEM).
    pub authority: PathBuf,
    /// The server's certificate (PEM).
    pub chain: PathBuf,
    /// The server's private key (PEM).
    pub key: PathBuf,
    _folder: TempDir,
}

impl Certificate {
    /// Makes both with `openssl`.
    pub fn generate() -> Self {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let openssl = |arguments: &str| {
            tool(Command::new("openssl").current_dir(folder.path()).args(arguments.split_whitespace()))
        };
        openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=basewatch-test-ca");
        openssl("req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=localhost");
        let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
        fs::write(at("extensions"), extensions).expect("a file written");
        openssl(
            "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out tls.crt",
        );
        Self { authority: at("ca.crt"), chain: at("tls.crt"), key: at("tls.key"), _folder: folder }
    }
}
