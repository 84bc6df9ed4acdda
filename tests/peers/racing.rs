//! Forty concurrent runs with one store in moto's bucket: each alert is sent once.

use std::{collections::BTreeSet, process::Stdio, time::Instant};

use serde_json::Value;

use crate::store::{BUCKET, moto};
use testbed::{
    java_fleet::JavaFleet,
    program::Program,
    toxic::{Reply, Toxic},
};

const RUNS: usize = 40;
const NOW: &str = "2025-11-20";
const IMAGES: [&str; 6] = ["orders", "billing", "refunds", "search", "site", "shop"];
const OWNERS: [&str; 3] = ["payments", "search", "web"];

#[tokio::test(flavor = "multi_thread")]
async fn forty_concurrent_runs_send_each_alert_once() {
    let ((moto, _), fleet) = (moto().await, JavaFleet::start().with_old(&IMAGES));
    let everybody = Toxic::start(|_| Reply::json(&serde_json::json!({ "id": "m-1" })));
    let web = Toxic::start(|_| Reply::new(204, ""));
    let images = fleet.references(&IMAGES);
    let program = Program::with_config(&format!(
        "store = \"s3://{BUCKET}/fleet\"\n\
         [owners]\n\
         rules = [{{ match = \"orders\", owner = \"payments\" }}, {{ match = \"billing\", owner = \"payments\" }}, \
                  {{ match = \"refunds\", owner = \"payments\" }}, {{ match = \"search\", owner = \"search\" }}, \
                  {{ match = \"*\", owner = \"web\" }}]\n\
         [[inventory.images]]\n\
         references = {images}\n\
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
    let mut notifying = 0;
    for run in runs {
        let output = run.wait_with_output().expect("an end");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}{}", String::from_utf8_lossy(&output.stdout));
        let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        notifying += usize::from(!outcome["messages"].as_array().expect("messages").is_empty());
    }
    println!("{RUNS} concurrent runs took {:?}; {notifying} of them sent messages", begun.elapsed());
    let keys = |log: Vec<testbed::toxic::Asked>| -> Vec<String> {
        log.iter().map(|request| request.header("webhook-id").expect("an id").to_owned()).collect()
    };
    let (all, some) = (keys(everybody.log()), keys(web.log()));
    assert_eq!((all.len(), some.len()), (OWNERS.len(), 1), "one message for each owner, to each channel");
    assert_eq!(all.iter().chain(&some).collect::<BTreeSet<_>>().len(), OWNERS.len() + 1);

    let listed = program.run(&["alerts", "list", "--format", "json"]);
    let alerts: Value = serde_json::from_str(&listed.output).expect("JSON");
    assert_eq!(alerts["alerts"].as_array().expect("alerts").len(), 6);
    assert!(!listed.output.contains("\"due\""), "{}", listed.output);
}
