//! A fleet of images on an outdated and on a current base, in a registry and in private ECR; a webhook for
//! notifications; and the Lambda function. Everything is dated by the machine's clock.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use basewatch::image::{Annotations, Digest, Platform};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{
    aws::{Cloud, CloudImage, CloudServer},
    bare::basewatch,
    registry::{ImageSpec, Loopback, Stock},
    runtime_api::{Answered, Function, RuntimeApi},
    toxic::{Reply, Toxic},
};

/// The account of the function.
pub(crate) const ACCOUNT: &str = "123456789012";
/// Its region.
pub(crate) const REGION: &str = "eu-west-1";
/// Enough time for every test.
pub(crate) const LONG: Duration = Duration::from_secs(50);

/// The fleet.
pub(crate) struct Fleet {
    pub(crate) folder: TempDir,
    pub(crate) registry: Loopback,
    pub(crate) stock: Stock,
    pub(crate) cloud: CloudServer,
    pub(crate) hook: Toxic,
    pub(crate) is_down: Arc<AtomicBool>,
    pub(crate) is_silent: Arc<AtomicBool>,
    old: Digest,
    new: Digest,
}

impl Fleet {
    /// A base with two releases, without images on it.
    pub(crate) fn new() -> Self {
        let stock = Stock::new();
        let registry = Loopback::start(stock.clone()).unwrap();
        let cloud = Cloud::new(ACCOUNT);
        cloud.account(ACCOUNT);
        let release = |days: i64, layer: &str| {
            let created = Some((Utc::now() - TimeDelta::days(days)).to_rfc3339());
            let layers = vec![layer.as_bytes().to_vec()];
            stock.push_image("java", &ImageSpec { created, layers, ..ImageSpec::default() })
        };
        let (old, new) = (release(90, "old"), release(1, "new"));
        stock.tag("java", "21", &new);
        let [is_down, is_silent] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (down, silent) = (Arc::clone(&is_down), Arc::clone(&is_silent));
        let hook = Toxic::start(move |_| {
            if silent.load(Ordering::SeqCst) {
                Reply::hang()
            } else if down.load(Ordering::SeqCst) {
                Reply::new(400, "not today")
            } else {
                Reply::json(&json!({ "id": "m-1" }))
            }
        });
        let cloud = CloudServer::start(cloud).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), registry, stock, cloud, hook, is_down, is_silent, old, new }
    }

    /// Writes the configuration: `inventory`, `top` before all tables and `more` after them.
    pub(crate) fn configure(&self, top: &str, inventory: &str, more: &str) {
        fs::write(self.folder.path().join("basewatch.toml"), self.configuration(top, inventory, more)).unwrap();
    }

    /// The text of that configuration.
    pub(crate) fn configuration(&self, top: &str, inventory: &str, more: &str) -> String {
        let (host, endpoint, ecr) = (self.registry.host(), self.registry.endpoint(), ecr());
        format!(
            "{top}\n{inventory}\n[owners]\nrules = [{{ match = \"*\", owner = \"payments\" }}]\n[network]\nallow = [\"{host}\"]\n\
             [registry.\"{ecr}\"]\nendpoint = \"{endpoint}\"\nauth = \"anonymous\"\n\
             [[notify.webhook]]\nname = \"chat\"\nurl = \"{}/in/hunter2\"\n{more}",
            self.hook.endpoint()
        )
    }

    /// Builds `name`, such as `orders:1`, on the old or the new base.
    pub(crate) fn build(&self, name: &str, is_old: bool) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let digest = self.stock.push_image(repository, &self.spec(name, is_old, "amd64"));
        self.stock.tag(repository, tag, &digest);
        digest
    }

    fn spec(&self, name: &str, is_old: bool, architecture: &str) -> ImageSpec {
        let (base, layer, days) = if is_old { (&self.old, "old", 80) } else { (&self.new, "new", 0) };
        let label = format!("{}/java:21@{base}", self.registry.host());
        ImageSpec {
            platform: Platform::new("linux", architecture, None),
            created: Some((Utc::now() - TimeDelta::days(days)).to_rfc3339()),
            labels: Annotations::from([("sdkBaseVersion".to_owned(), label)]),
            layers: [layer, name].map(|layer| layer.as_bytes().to_vec()).into(),
            ..ImageSpec::default()
        }
    }

    /// The same for two platforms, in an index.
    pub(crate) fn build_index(&self, name: &str, is_old: bool) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let children = ["amd64", "arm64"].map(|architecture| {
            let spec = self.spec(name, is_old, architecture);
            (self.stock.push_image(repository, &spec), spec.platform)
        });
        let index = self.stock.push_index(repository, &children, &Annotations::new(), false);
        self.stock.tag(repository, tag, &index);
        for (child, _) in &children {
            self.store(repository, child, &[]);
        }
        index
    }

    /// Puts `digest` of `repository` into ECR under `tags`.
    pub(crate) fn store(&self, repository: &str, digest: &Digest, tags: &[&str]) {
        let stored = CloudImage::from_stock(&self.stock, repository, digest.as_str()).unwrap();
        let stored = tags.iter().fold(stored.pushed(now()), |stored, tag| stored.tagged(tag));
        self.cloud.cloud().push(ACCOUNT, REGION, repository, stored);
    }

    /// Builds `name` and pushes it to ECR. Returns the event of the push.
    pub(crate) fn push(&self, name: &str, is_old: bool) -> Value {
        let digest = self.build(name, is_old);
        let (repository, tag) = name.split_once(':').unwrap();
        self.store(repository, &digest, &[tag]);
        pushed(repository, &digest, Some(tag))
    }

    /// The program in the fleet's folder, with credentials.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = basewatch(self.folder.path());
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.cloud.endpoint())
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_REGION", REGION);
        command
    }

    /// Starts the function without arguments, as Lambda does.
    pub(crate) async fn start(&self) -> Running {
        let api = RuntimeApi::start().await;
        let function = Function::start(self.command(&[]), &api.address);
        Running { api, function }
    }

    /// A file of the store as JSON, if it exists.
    pub(crate) fn stored(&self, name: &str) -> Option<Value> {
        let text = fs::read(self.store_folder().join(name)).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    pub(crate) fn store_folder(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The events of each message so far.
    pub(crate) fn notified(&self) -> Vec<Vec<String>> {
        let log = self.hook.log();
        let messages = log.iter().map(|request| serde_json::from_str::<Value>(&request.body).unwrap());
        let word = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let items = messages.map(|message| {
            let items = message["items"].as_array().cloned().unwrap_or_default();
            items.iter().map(|item| format!("{} {}", word(item, "name"), word(item, "event"))).collect()
        });
        items.collect()
    }
}

/// The registry of the account.
fn ecr() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
}

/// A function and its runtime API.
pub(crate) struct Running {
    pub(crate) api: RuntimeApi,
    pub(crate) function: Function,
}

impl Running {
    /// Invokes it with any bytes as the event, and a long timeout.
    pub(crate) async fn invoke_with(&self, payload: &[u8]) -> Answered {
        self.api.invoke_with(payload.to_vec(), LONG).await
    }

    /// Invokes it with a long timeout.
    pub(crate) async fn invoke(&self, payload: Value) -> Answered {
        self.api.invoke(payload, LONG).await
    }
}

/// A table of the inventory for all of ECR.
pub(crate) const ALL_OF_ECR: &str = "[[inventory.ecr]]\nregions = [\"eu-west-1\"]\n";

/// The event of a push, as EventBridge sends it.
pub(crate) fn pushed(repository: &str, digest: &Digest, tag: Option<&str>) -> Value {
    let mut detail = json!({
        "result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": "PUSH",
    });
    if let Some(tag) = tag {
        detail["image-tag"] = tag.into();
    }
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": ACCOUNT, "time": now(), "region": REGION, "resources": [], "detail": detail,
    })
}

/// The event of a rule on a schedule.
pub(crate) fn scheduled() -> Value {
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": ACCOUNT, "time": now(), "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/daily")], "detail": {},
    })
}

fn now() -> DateTime<Utc> {
    Utc::now()
}
