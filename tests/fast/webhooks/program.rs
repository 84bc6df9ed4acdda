//! The built program against a webhook that echoes everything: no secret is printed or stored.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use testbed::{
    bare::basewatch,
    java_fleet::JavaFleet,
    toxic::{Asked, Reply, Toxic},
};

/// Texts that must not be printed: parts of the URL, the secrets, a header.
const SECRETS: [&str; 5] = ["s3cret-path", "hunter2", "hush-hush", "T0K3N-of-the-forge", "H34D3R"];

fn configure(folder: &Path, fleet: &JavaFleet, server: &Toxic) {
    let (host, url) = (fleet.host(), server.endpoint());
    let file = format!(
        "store = \"store\"\n[inventory]\nimages = [{{ references = [\"{host}/orders:1\"] }}]\n[[notify.webhook]]\nname = \"chat\"\n\
         url = \"{url}/in/s3cret-path?key=hunter2\"\nheaders = {{ x-team = \"H34D3R\" }}\nsecret = {{ env = \"HOOK\" }}\n\
         [[notify.webhook]]\nname = \"bearer\"\nurl = \"{url}/in/s3cret-path\"\nsecret = {{ file = \"./hook\" }}\n\
         signature = \"bearer\"\n[[rebuild]]\nrepositories = [\"*\"]\npreset = \"gitlab\"\nref = \"main\"\n\
         url = \"{url}/api/v4/projects/1/trigger/pipeline?key=hunter2\"\nsecret = {{ env = \"FORGE\" }}\n"
    );
    fs::write(folder.join("basewatch.toml"), file).unwrap();
    fs::write(folder.join("hook"), "hush-hush\n").unwrap();
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        if path.is_dir() { files(&path) } else { vec![(path.display().to_string(), fs::read(&path).unwrap())] }
    };
    entries.flat_map(read).collect()
}

fn assert_no_secret(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {what}:\n{text}");
    }
}

fn echo(request: &Asked, status: u16) -> Reply {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    Reply::new(status, format!("{} {} {}", request.path, headers.join(" "), request.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_printed_logged_or_kept() {
    let fleet = JavaFleet::start().with_old(&["orders"]);
    for status in [400, 401] {
        let server = Toxic::start(move |request| echo(request, status));
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), &fleet, &server);
        let run = |arguments: &[&str], log: &str| -> Output {
            let mut command: Command = basewatch(folder.path());
            command.env("HOOK", "hush-hush").env("FORGE", "T0K3N-of-the-forge").env("BASEWATCH_LOG", log);
            let output = command.args(arguments).output().unwrap();
            let what = format!("{arguments:?} behind {status}");
            assert_no_secret(&what, &output.stdout);
            assert_no_secret(&what, &output.stderr);
            output
        };
        let now = ["run", "--as-of", "2025-11-20"];
        let checked = run(&["config", "check"], "trace");
        assert!(checked.status.success(), "{checked:?}");
        run(&["-vvv", "run", "--dry-run", "--as-of", "2025-11-20"], "info");
        let first = run(&now, "trace");
        assert!(String::from_utf8_lossy(&first.stdout).contains(&format!("answered {status}")), "{first:?}");
        run(&[&now[..], &["--format", "json"]].concat(), "trace");
        run(&["notify", "test"], "trace");
        run(&["alerts", "list"], "trace");
        run(&["alerts", "list", "--format", "json"], "trace");
        let log = server.log();
        assert!(log.iter().any(|request| request.path == "/in/s3cret-path?key=hunter2"));
        assert!(log.iter().any(|request| request.authorization() == Some("Bearer hush-hush")));
        assert!(log.iter().any(|request| request.body.contains("T0K3N-of-the-forge")), "a rebuild is requested");
        for (name, bytes) in files(&folder.path().join("store")) {
            assert_no_secret(&name, &bytes);
        }
    }
}
