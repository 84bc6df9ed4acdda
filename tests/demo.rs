//! The demo is the main job on bundled images: every verdict of this version appears, and it says what
//! it shows.

use std::collections::BTreeMap;

use basewatch::{
    judge::Verdict,
    report::{Style, table},
    run::demo,
};

#[tokio::test]
async fn the_demo_shows_every_verdict_and_every_kind_of_label() {
    let demo = demo::show().await.expect("loopback is there");
    let told: BTreeMap<_, _> = demo
        .report
        .findings
        .iter()
        .map(|finding| {
            let name = finding.deployment.name.rsplit('/').next().unwrap_or_default();
            let platform = finding.image.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            let code = finding.reasons.first().map_or("", |reason| reason.code.as_str());
            ((name.to_owned(), platform), (finding.verdict, code))
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|((name, platform), (verdict, code))| (name.as_str(), platform.as_str(), *verdict, *code))
        .collect();
    assert_eq!(
        told,
        [
            ("checkout:9", "linux/arm64", Verdict::Fresh, ""),
            ("invoices:130", "linux/amd64", Verdict::Superseded, "base-superseded"),
            ("ledger:55", "linux/arm64", Verdict::Stale, "line-quiet"),
            ("legacy-batch:3", "linux/amd64", Verdict::Unknown, "base-unidentified"),
            ("notify:17", "linux/amd64", Verdict::Superseded, "base-superseded"),
            ("orders:421", "linux/arm64", Verdict::Stale, "base-too-old"),
            ("payments:88", "linux/amd64", Verdict::OutOfDate, "base-superseded"),
            ("payments:88", "linux/arm64", Verdict::OutOfDate, "base-superseded"),
            ("reports:7", "linux/amd64", Verdict::Stale, "base-too-old"),
            ("search:12", "linux/amd64", Verdict::Unknown, "label-malformed"),
            ("thumbnails:302", "linux/amd64", Verdict::Fresh, "rebuild-without-change"),
            ("vendor-agent:4", "linux/amd64", Verdict::Unknown, "registry-not-allowed"),
        ]
    );
    assert!(demo.report.complete, "{:?}", demo.report.errors);
}

#[tokio::test]
async fn the_demo_reads_the_same_every_time() {
    let demo = demo::show().await.expect("loopback is there");
    let style = Style { width: Some(120), ..Style::default() };
    insta::assert_snapshot!(table::render(&demo.report, &style));
}
