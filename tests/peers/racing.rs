//! Forty runs at once with one store in moto's bucket: everybody is told once.

use std::{collections::BTreeSet, process::Stdio, time::Instant};

use basewatch::{
    image::Annotations,
    registry::{ImageSpec, Loopback, Stock},
};
use serde_json::Value;

use crate::{
    program::Program,
    store::{BUCKET, moto},
    toxic::{Reply, Toxic},
};

const RUNS: usize = 40;
const NOW: &str = "2025-11-20";
const OWNERS: [&str; 3] = ["payments", "search", "web"];

/// A registry with a line that went on and images that did not.
fn registry() -> Loopback {
    let stock = Stock::new();
    let registry = Loopback::start(stock.clone()).expect("a registry on loopback");
    let build = |repository: &str, created: &str, label: Option<String>, layer: &str| {
        let labels: Annotations = label.into_iter().map(|label| ("sdkBaseVersion".to_owned(), label)).collect();
        let layers = vec![layer.as_bytes().to_vec()];
        stock.push_image(
            repository,
            &ImageSpec { created: Some(created.to_owned()), labels, layers, ..ImageSpec::default() },
        )
    };
    let old = build("java", "2025-08-22T06:00:00Z", None, "old");
    let new = build("java", "2025-11-19T06:00:00Z", None, "new");
    stock.tag("java", "21", &new);
    for image in ["orders", "billing", "refunds", "search", "site", "shop"] {
        let label = format!("{}/java:21@{old}", registry.host());
        let digest = build(image, "2025-08-23T06:00:00Z", Some(label), image);
        stock.tag(image, "1", &digest);
    }
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_runs_at_once_each_alert_is_sent_once() {
    let ((moto, _), registry) = (moto().await, registry());
    let everybody = Toxic::start(|_| Reply::json(&serde_json::json!({ "id": "m-1" })));
    let web = Toxic::start(|_| Reply::new(204, ""));
    let host = registry.host();
    let program = Program::with_config(&format!(
        "store = \"s3://{BUCKET}/fleet\"\n\
         [owners]\n\
         rules = [{{ match = \"orders\", owner = \"payments\" }}, {{ match = \"billing\", owner = \"payments\" }}, \
                  {{ match = \"refunds\", owner = \"payments\" }}, {{ match = \"search\", owner = \"search\" }}]\n\
         default = \"web\"\n\
         [[inventory.images]]\n\
         references = [\"{host}/orders:1\", \"{host}/billing:1\", \"{host}/refunds:1\", \"{host}/search:1\", \
                       \"{host}/site:1\", \"{host}/shop:1\"]\n\
         [[notify.webhook]]\nname = \"everybody\"\nurl = \"{}\"\n\
         [[notify.webhook]]\nname = \"web\"\nowners = [\"web\"]\nurl = \"{}\"\n",
        everybody.endpoint(),
        web.endpoint(),
    ))
    .aws(moto.http());
    let begun = Instant::now();
    let runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let mut command = program.command(&["run", "--as-of", NOW, "--format", "json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run")
        })
        .collect();
    let mut told = 0;
    for run in runs {
        let output = run.wait_with_output().expect("an end");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}{}", String::from_utf8_lossy(&output.stdout));
        let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        told += usize::from(!outcome["messages"].as_array().expect("messages").is_empty());
    }
    println!("{RUNS} runs at once took {:?}; {told} of them told", begun.elapsed());
    let keys = |log: Vec<crate::toxic::Asked>| -> Vec<String> {
        log.iter().map(|asked| asked.header("webhook-id").expect("an id").to_owned()).collect()
    };
    let (all, some) = (keys(everybody.log()), keys(web.log()));
    assert_eq!((all.len(), some.len()), (OWNERS.len(), 1), "one message for each owner, to each receiver");
    assert_eq!(all.iter().chain(&some).collect::<BTreeSet<_>>().len(), OWNERS.len() + 1);

    let listed = program.run(&["alerts", "list", "--format", "json"]);
    let alerts: Value = serde_json::from_str(&listed.output).expect("JSON");
    assert_eq!(alerts["alerts"].as_array().expect("alerts").len(), 6);
    assert!(!listed.output.contains("\"due\""), "{}", listed.output);
}
