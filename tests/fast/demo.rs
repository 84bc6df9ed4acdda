//! The demo audits bundled images: every verdict appears, and the output explains itself.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    time::Duration,
};

use basewatch::{
    commands::demo::Demo,
    inventory::DeploymentKind,
    judge::{Action, Verdict},
    report::{RenderOptions, table},
};

#[tokio::test]
async fn the_demo_shows_every_verdict_and_every_kind_of_label() {
    let report = Demo::serve().expect("loopback is there").report().await;
    let verdicts: BTreeMap<_, _> = report
        .findings
        .iter()
        .map(|finding| {
            let name = finding.deployment.name.rsplit('/').next().unwrap_or_default();
            let platform = finding.image.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            let code = finding.reasons.first().map_or("", |reason| reason.code.as_str());
            ((name.to_owned(), platform), (finding.verdict, code))
        })
        .collect();
    let verdicts: Vec<_> = verdicts
        .iter()
        .map(|((name, platform), (verdict, code))| (name.as_str(), platform.as_str(), *verdict, *code))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("checkout:9", "linux/arm64", Verdict::Fresh, ""),
            ("exports:64", "linux/amd64", Verdict::Deprecated, "runtime-deprecated"),
            ("invoices:130", "linux/amd64", Verdict::Superseded, "base-superseded"),
            ("ledger:55", "linux/arm64", Verdict::Stale, "line-quiet"),
            ("legacy-batch:3", "linux/amd64", Verdict::Stale, "base-too-old"),
            ("loyalty:11", "linux/arm64", Verdict::Stale, "waits-for-base"),
            ("notify:17", "linux/amd64", Verdict::Superseded, "base-superseded"),
            ("orders:421", "linux/arm64", Verdict::Stale, "base-too-old"),
            ("payments:88", "linux/amd64", Verdict::OutOfDate, "base-superseded"),
            ("payments:88", "linux/arm64", Verdict::OutOfDate, "base-superseded"),
            ("pricing:23", "linux/arm64", Verdict::Stale, "base-too-old"),
            ("receipts", "", Verdict::Unknown, "image-missing"),
            ("refunds", "linux/arm64", Verdict::Stale, "not-deployed"),
            ("reports:7", "linux/amd64", Verdict::Stale, "base-too-old"),
            ("search:12", "linux/amd64", Verdict::OutOfDate, "base-superseded"),
            ("thumbnails:302", "linux/amd64", Verdict::Fresh, "rebuild-without-change"),
            ("vendor-agent:4", "linux/amd64", Verdict::Superseded, "registry-not-allowed"),
        ]
    );
    assert!(report.complete, "{:?}", report.errors);
}

#[tokio::test]
async fn the_demo_shows_a_base_from_layers_a_contradicted_label_and_a_chain() {
    let report = Demo::serve().expect("loopback is there").report().await;
    let of = |name: &str| {
        let is_it = |finding: &&basewatch::report::Finding| finding.image.reference.ends_with(name);
        let finding = report.findings.iter().find(is_it).expect(name);
        let base = finding.base.as_ref().expect("a base");
        let codes: Vec<_> = finding.reasons.iter().map(|reason| reason.code.as_str()).collect();
        (base.identified_by.as_str(), base.confidence.as_deref(), base.chain.len(), codes)
    };
    let (by, confidence, _, codes) = of("legacy-batch:3");
    assert_eq!((by, confidence), ("layers", Some("confirmed")));
    assert!(!codes.contains(&"label-contradicted"));
    let (by, confidence, _, codes) = of("pricing:23");
    assert_eq!((by, confidence), ("layers", Some("confirmed")));
    assert!(codes.contains(&"label-contradicted"), "{codes:?}");
    let (by, confidence, chain, codes) = of("loyalty:11");
    assert_eq!((by, confidence, chain), ("label", Some("confirmed"), 1));
    assert_eq!(codes[0], "waits-for-base");
    let (_, confidence, _, codes) = of("search:12");
    assert!(confidence == Some("confirmed") && codes.contains(&"label-malformed"), "{codes:?}");
    let search = report.search.expect("the base of legacy-batch was searched");
    assert!((1..=300).contains(&search.requests), "{search:?}");
    assert_eq!((search.max_requests, search.max_minutes, search.unfinished_images), (300, 5, 0));
}

#[tokio::test]
async fn the_demo_is_reproducible() {
    let report = Demo::serve().expect("loopback is there").report().await;
    let style = RenderOptions { width: Some(140), hide_next: true, ..RenderOptions::default() };
    insta::assert_snapshot!(table::render(&report, &style));
}

#[tokio::test]
async fn the_demo_shows_actions_for_lambda_functions() {
    let report = Demo::serve().expect("loopback is there").report().await;
    let running: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.deployment.kind == DeploymentKind::Lambda)
        .map(|finding| {
            let replacement = finding.replacement.as_ref().map(|found| found.reference.as_str());
            let name = replacement.and_then(|reference| reference.rsplit('/').next());
            (finding.id.rsplit_once("012:").map_or("", |(_, id)| id), finding.action, name)
        })
        .collect();
    assert_eq!(
        running,
        [
            ("refunds:$LATEST", Action::Redeploy, Some("refunds:19")),
            ("refunds:live", Action::Redeploy, Some("refunds:19")),
            ("receipts:$LATEST", Action::Restore, None),
        ]
    );
}

#[test]
fn the_demo_is_served_on_the_dashboard_until_it_is_interrupted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = testbed::bare::basewatch(folder.path())
        .args(["demo", "--serve", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        let (_, rest) = line.split_once("listening on http://")?;
        Some(rest.split(',').next().expect("an address").to_owned())
    });
    let address = address.expect("it listens");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("UTF-8");
        response
    };
    let is_audited = (0..600).any(|_| {
        let report = get("/api/v1/report");
        let is_there = report.contains("orders:421");
        if !is_there {
            std::thread::sleep(Duration::from_millis(50));
        }
        is_there
    });
    assert!(is_audited, "{}", get("/api/v1/report"));
    assert!(get("/").contains("orders"), "the dashboard shows it");
    let store = std::fs::read_dir(folder.path()).expect("a folder").count();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(std::fs::read_dir(folder.path()).expect("a folder").count() < store, "the store is removed");
}
