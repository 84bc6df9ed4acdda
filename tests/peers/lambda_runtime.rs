//! The program as a function of cargo-lambda's emulator, with its configuration and its store in a bucket of moto.
//!
//! The emulator has no real deadline: whatever its `--timeout`, every function gets one of ten minutes after 1970.
//! Deadlines are tested in `tests/lambda/deadline.rs`.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::{
    account::REGION,
    environment::{ACCOUNT, AwsEnvironment, built_on},
    store::{self, BUCKET},
};
use testbed::{
    peers::{self, Peer},
    runtime_api::Function,
    toxic::{Reply, Toxic},
};

const CONFIGURATION: &str = "config/basewatch.toml";

/// A fleet in ECR, watched by a function.
struct Watched {
    environment: AwsEnvironment,
    s3: aws_sdk_s3::Client,
    hook: Toxic,
    emulator: Peer,
    function: Function,
}

impl Watched {
    /// With `stale:1` and `fresh:1` in ECR, of which the function does not know yet.
    async fn start() -> Self {
        let (environment, releases) = AwsEnvironment::published().await;
        environment.own.push("stale", "1", &built_on(&releases[0], "stale").build()).await;
        environment.own.push("fresh", "1", &built_on(&releases[4], "fresh").build()).await;
        let s3 = store::bucket(&environment.moto).await;
        let hook = Toxic::start(|_| Reply::json(&json!({ "id": "m-1" })));
        let channel = format!("[[notify.webhook]]\nname = \"chat\"\nurl = \"{}/in\"\n", hook.endpoint());
        let program = environment.program(&channel).env("BASEWATCH_STORE", format!("s3://{BUCKET}/watch"));
        let file = std::fs::read(program.home().join("basewatch.toml")).expect("the configuration");
        let put = s3.put_object().bucket(BUCKET).key(CONFIGURATION).body(ByteStream::from(file));
        put.send().await.expect("written");
        let program = program.env("BASEWATCH_CONFIG", format!("s3://{BUCKET}/{CONFIGURATION}"));
        let emulator = peers::lambda_emulator();
        let function = Function::start(program.command(&[]), &format!("{}/.rt", emulator.http()));
        Self { environment, s3, hook, emulator, function }
    }

    /// The status and body of the response to an invocation.
    async fn invoke(&self, payload: &Value) -> (u16, Value) {
        let url = format!("{}/2015-03-31/functions/_/invocations", self.emulator.http());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let response = client.post(url).body(payload.to_string()).send().await.expect("a response");
        let status = response.status().as_u16();
        let body = response.text().await.expect("a body");
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}\n{}", self.function.log())))
    }

    async fn has(&self, key: &str) -> bool {
        self.s3.head_object().bucket(BUCKET).key(format!("watch/{key}")).send().await.is_ok()
    }

    /// The items of all sent messages.
    fn notified(&self) -> Vec<Value> {
        let log = self.hook.log();
        let messages = log.iter().map(|request| serde_json::from_str::<Value>(&request.body).expect("JSON"));
        messages
            .flat_map(|message| message["items"].as_array().expect("items").clone())
            .map(|item| item["name"].clone())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_and_schedules_of_the_emulator_notify_once() {
    let watched = Watched::start().await;
    let images = watched.environment.own.registry.http();
    assert!(images.starts_with("http://127.0.0.1"), "the data plane of ECR is on loopback");
    let digest = async |repository: &str| {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let call = client.head(format!("{images}/v2/{repository}/manifests/1"));
        let call = call.basic_auth("AWS", Some(crate::account::password(ACCOUNT)));
        let call = call.header("accept", basewatch::image::MANIFEST_MEDIA_TYPES.join(", "));
        let response = call.send().await.expect("a response");
        response.headers()["docker-content-digest"].to_str().expect("a digest").to_owned()
    };
    let push = async |repository: &str| {
        json!({
            "version": "0", "detail-type": "ECR Image Action", "source": "aws.ecr", "account": ACCOUNT,
            "region": REGION, "time": "2026-11-20T06:00:00Z", "resources": [],
            "detail": {
                "result": "SUCCESS", "action-type": "PUSH", "repository-name": repository, "image-tag": "1",
                "image-digest": digest(repository).await,
            },
        })
    };
    let (status, done) = watched.invoke(&push("stale").await).await;
    assert_eq!(
        (status, &done["messages"], &done["findings"][0]["verdict"]),
        (200, &1.into(), &"stale".into()),
        "{done:#}"
    );
    let (status, done) = watched.invoke(&push("fresh").await).await;
    assert_eq!((status, &done["messages"]), (200, &0.into()), "{done:#}");
    assert!(watched.has("ledger.json").await && !watched.has("reports/latest.json").await);
    for _ in 0..2 {
        let (status, done) = watched.invoke(&json!({ "source": "aws.events", "detail-type": "Scheduled Event" })).await;
        assert_eq!(
            (status, &done["complete"], &done["summary"]["deployments"]),
            (200, &true.into(), &2.into()),
            "{done:#}"
        );
    }
    assert!(watched.has("reports/latest.json").await && watched.has("history.json").await);
    assert_eq!(watched.notified(), ["stale:1"]);
    let succeeded: Vec<_> = watched.function.metrics().iter().map(|line| line["RunSucceeded"].clone()).collect();
    assert_eq!(succeeded, [Value::Null, Value::Null, 1.into(), 1.into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_of_the_emulator_gets_reports_and_errors() {
    let watched = Watched::start().await;
    let named = json!({ "images": [watched.environment.own.image("stale:1")] }).to_string();
    let report = peers::lambda_invoke(&watched.emulator.address, &named);
    let report: Value = serde_json::from_str(&report).expect("a report");
    assert_eq!(
        (&report["schema"], &report["findings"][0]["verdict"]),
        (&"basewatch.report/v1".into(), &"stale".into())
    );
    let (status, error) = watched.invoke(&json!({ "image": "stale:1" })).await;
    assert_eq!((status, &error["errorType"]), (500, &"Basewatch.UnknownEvent".into()));
    assert!(error["errorMessage"].as_str().expect("a message").contains("\"images\""), "{error}");
    assert_eq!(watched.notified().len(), 0);
    assert!(!watched.has("reports/latest.json").await);
}
