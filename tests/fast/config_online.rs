//! `basewatch config check --online` against services on loopback; `tests/peers/permissions.rs` has AWS.

use std::{fs, net::TcpListener};

use testbed::bare::{stderr, stdout};

use crate::run_cli::{Rig, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_working_configuration_passes_every_check_without_sending_or_leaving_anything() {
    let rig = Rig::new();
    let output = rig.run(&["config", "check", "--online"]);
    let text = stdout(&output).replace(&rig.host(), "REGISTRY");
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    let checks: Vec<_> = text.lines().skip_while(|line| !line.is_empty()).skip(1).collect();
    let expected = [
        "  ok           image REGISTRY/orders:1",
        "  ok           image REGISTRY/billing:1",
        "  ok           image REGISTRY/fresh:1",
        "  ok           store store",
        "  ok           webhook chat",
        "5 passed",
    ];
    assert_eq!(checks, expected, "{text}");
    assert_eq!(rig.hook.log().len(), 0, "no request to the webhook");
    let left: Vec<_> =
        fs::read_dir(rig.folder.path().join("store")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("check")), "{left:?}");
    let offline = stdout(&rig.run(&["config", "check"]));
    assert!(!offline.contains("webhook chat"), "{offline}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_is_made_and_each_failure_is_named_without_secrets() {
    let rig = Rig::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let images = format!("[[inventory.images]]\nreferences = [\"{}/lost:1\"]\n", rig.host());
    let config = format!(
        "store = \"store\"\n{images}[[notify.webhook]]\nname = \"chat\"\nurl = \"http://{closed}/in/hunter2\"\n\
         [[notify.webhook]]\nname = \"lost\"\nurl = \"https://nowhere.invalid/hunter2\"\n[[notify.email]]\nhost = \
         \"127.0.0.1\"\nport = {}\nencryption = \"none\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n",
        closed.port()
    );
    fs::write(rig.folder.path().join("basewatch.toml"), config).unwrap();
    fs::write(rig.folder.path().join("store"), "a file").unwrap();
    let output = rig.run(&["config", "check", "--online"]);
    let text = stdout(&output);
    assert_eq!(code(&output), 2, "{text}{}", stderr(&output));
    for failed in ["image ", "store store", "webhook chat", "webhook lost", "mail server 127.0.0.1:"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("  failed       {failed}"))), "{failed}: {text}");
    }
    assert!(text.ends_with("5 failed\n") && !text.contains("hunter2"), "{text}");
}
