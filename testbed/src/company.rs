//! An in-process company on AWS: a base line like those of AWS, and images on its releases in private ECR that
//! functions run in several accounts and regions. Audited like the program does.

use std::{collections::BTreeMap, fs, sync::Mutex, time::Duration};

use basewatch::{
    app::{AppClients, RunInstants, audit::report},
    audit::AuditProgress,
    aws::{AccountSelection, AccountSettings},
    commands::config::iam,
    config::{CatalogLocation, Settings},
    image::{Annotations, Digest, LambdaTag, Platform},
    inventory::{LambdaSettings, RegionSelection, Selector},
    registry::{AuthSettings, HostSettings, NetworkSettings},
    report::{Finding, Report},
    secret::Secret,
    store::Catalog,
};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use crate::{
    aws::{Cloud, CloudFunction, CloudImage, CloudVersion},
    registry::{ImageSpec, LoggedRequest, Loopback, Stock},
    repository,
};

/// The account that basewatch runs in; nothing else does.
pub const OWN: &str = "100000000000";
/// Two accounts that are audited.
pub const SHOP: &str = "111111111111";
pub const BANK: &str = "222222222222";
/// Two regions that are audited.
pub const EU: &str = "eu-west-1";
pub const US: &str = "us-east-1";
/// The instant that counts as now.
pub const NOW: &str = "2026-11-20T06:00:00Z";
/// When the releases of the line were published; deployments on them are stale, out of date, and fresh.
pub const OLD: &str = "2026-08-01T04:00:00Z";
pub const AGING: &str = "2026-10-12T04:00:00Z";
pub const NEWEST: &str = "2026-11-19T04:00:00Z";
/// The line.
pub const PYTHON: &str = "lambda/python";

const FAMILY: &str = "3.12";
/// When the release after [`AGING`] was published.
const BETWEEN: &str = "2026-10-30T04:00:00Z";
const BASES: &str = "public.ecr.aws";

/// The company and the settings of its audits.
pub struct Company {
    pub cloud: Cloud,
    pub stock: Stock,
    pub settings: Settings,
    registry: Loopback,
    releases: BTreeMap<String, Digest>,
    catalog: TempDir,
}

impl Company {
    /// A line with its releases, and two accounts whose functions in two regions are audited; nothing runs yet.
    pub fn new() -> Self {
        let (cloud, stock) = (Cloud::new(OWN), Stock::new());
        let registry = Loopback::start(stock.clone()).unwrap();
        let releases = [OLD, AGING, BETWEEN, NEWEST].map(|at| (at.to_owned(), publish(&stock, PYTHON, instant(at))));
        let settings = Settings {
            lambda: vec![LambdaSettings {
                regions: RegionSelection::Listed(vec![EU.parse().unwrap(), US.parse().unwrap()]),
                selector: Selector::default(),
                refresh: Duration::from_hours(24),
            }],
            accounts: Some(AccountSettings {
                role: "arn:aws:iam::{account}:role/basewatch-audit".parse().unwrap(),
                external_id: None,
                members: AccountSelection::Listed([SHOP.parse().unwrap(), BANK.parse().unwrap()].into()),
                only: Vec::new(),
            }),
            network: NetworkSettings {
                hosts: BTreeMap::from([(BASES.to_owned(), on_loopback(&registry))]),
                retries: 0,
                ..NetworkSettings::default()
            },
            catalog: CatalogLocation::Off,
            ..Settings::default()
        };
        let (releases, catalog) = (releases.into(), tempfile::tempdir().unwrap());
        let mut company = Self { cloud, stock, settings, registry, releases, catalog };
        for account in [OWN, SHOP, BANK] {
            company.open(account);
        }
        company
    }

    /// Those of `members` instead of the two accounts.
    pub fn accounts(&mut self, members: AccountSelection) {
        self.settings.accounts.as_mut().unwrap().members = members;
    }

    /// Opens `account`, whose registries are the one on loopback.
    pub fn open(&mut self, account: &str) {
        self.cloud.account(account);
        let hosts = [EU, US].map(|region| (host(account, region), on_loopback(&self.registry)));
        self.settings.network.hosts.extend(hosts);
    }

    /// Builds `name`, `orders:1`, on the release of `base`, pushes it there a day later, and returns it.
    pub fn push(&self, account: &str, region: &str, name: &str, base: &str) -> Digest {
        let label = format!("{BASES}/{PYTHON}@{}", self.releases[base]);
        self.push_labelled(account, region, name, base, &label)
    }

    /// The same with another record of its base.
    pub fn push_labelled(&self, account: &str, region: &str, name: &str, base: &str, label: &str) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let pushed_at = instant(base) + TimeDelta::days(1);
        let mut layers = layers(instant(base), "amd64");
        layers.push(name.as_bytes().to_vec());
        let labels = Annotations::from([("sdkBaseVersion".to_owned(), label.to_owned())]);
        let created = Some(pushed_at.to_rfc3339());
        let digest = self.stock.push_image(repository, &ImageSpec { created, labels, layers, ..ImageSpec::default() });
        self.stock.tag(repository, tag, &digest);
        let stored = CloudImage::from_stock(&self.stock, repository, digest.as_str()).unwrap();
        self.cloud.push(account, region, repository, stored.tagged(tag).pushed(pushed_at));
        digest
    }

    /// The digest of the release of `base`.
    pub fn release(&self, base: &str) -> &Digest {
        &self.releases[base]
    }

    /// Runs `function`, built, pushed and deployed as `function:1` on the release of `base`.
    pub fn run(&self, account: &str, region: &str, function: &str, base: &str) -> Digest {
        let name = format!("{function}:1");
        let digest = self.push(account, region, &name, base);
        self.cloud.function(account, region, CloudFunction::new(function, version(account, region, &name, &digest)));
        digest
    }

    /// Does `act` once, just before the response to the next GetFunction of `function`.
    pub fn before_reading(&self, function: &'static str, act: impl FnOnce() + Send + 'static) {
        let act = Mutex::new(Some(act));
        self.cloud.intercept(move |call| {
            let is_it = call.operation == "GetFunction" && call.segments.last().is_some_and(|name| name == function);
            if let Some(act) = act.lock().unwrap().take_if(|_| is_it) {
                act();
            }
            None
        });
    }

    /// Audits it, with the catalog of the audits before.
    pub async fn audit(&self) -> Report {
        self.audit_with_progress(&|_| {}).await
    }

    /// The same, with calls of `progress`.
    pub async fn audit_with_progress(&self, progress: &(dyn Fn(AuditProgress) + Sync)) -> Report {
        let catalog = Catalog::in_folder(self.catalog.path());
        let ports = AppClients::with(self.settings.network.clone(), catalog, |aws| {
            aws.with_transport(self.cloud.transport())
                .with_access_key("AKIDEXAMPLE", &Secret::new("secret".into()))
                .with_accounts(self.settings.accounts.clone())
                .with_max_attempts(3)
                .with_first_backoff(Duration::from_millis(1))
        });
        let instants = RunInstants { now: instant(NOW), clock: instant(NOW) };
        let report = report(&self.settings, &ports.unwrap(), instants, progress).await;
        assert_follows_schema(&report);
        self.assert_allowed();
        report
    }

    /// Checks that every call so far is in the policies that `config iam` prints for these settings.
    fn assert_allowed(&self) {
        let policies = [iam::reading(&self.settings), iam::running(&self.settings)];
        let policies = serde_json::to_string(&policies).unwrap();
        for call in self.cloud.calls().by_action().keys() {
            let action = match call.as_str() {
                // Needs no permission.
                "sts:GetCallerIdentity" => continue,
                // ListImageReferrers has no action of its own
                // (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html).
                "ecr:ListImageReferrers" => "ecr:BatchGetImage",
                own => own,
            };
            assert!(policies.contains(&format!("\"{action}\"")), "{action} is not in the policies of these settings");
        }
    }

    /// The requests to registries so far that name `repository`.
    pub fn fetched(&self, repository: &str) -> Vec<LoggedRequest> {
        let mut requests = self.registry.requests();
        requests.retain(|request| request.path.contains(&format!("/v2/{repository}/")));
        requests
    }
}

/// A version that runs `name` of the registry of that account and region.
pub fn version(account: &str, region: &str, name: &str, digest: &Digest) -> CloudVersion {
    CloudVersion::image(&format!("{}/{name}", host(account, region)), digest)
}

/// The registry of an account in a region.
pub fn host(account: &str, region: &str) -> String {
    format!("{account}.dkr.ecr.{region}.amazonaws.com")
}

/// Account, region, name and qualifier of all findings, sorted: `111111111111 eu-west-1 orders:$LATEST`.
pub fn seen(report: &Report) -> Vec<String> {
    let place = |finding: &Finding| {
        let fields = &finding.deployment;
        let [account, region] = [fields.account.as_deref(), fields.region.as_deref()].map(Option::unwrap_or_default);
        format!("{account} {region} {}:{}", fields.name, fields.qualifier.as_deref().unwrap_or_default())
    };
    let mut seen: Vec<_> = report.findings.iter().map(place).collect();
    seen.sort();
    seen
}

/// The finding of the only deployment called `name`.
pub fn finding<'a>(report: &'a Report, name: &str) -> &'a Finding {
    let found: Vec<_> = report.findings.iter().filter(|finding| finding.deployment.name == name).collect();
    let [finding] = found.as_slice() else { panic!("{} findings of {name}: {:?}", found.len(), report.errors) };
    finding
}

/// The codes of its reasons.
pub fn codes(finding: &Finding) -> Vec<&str> {
    finding.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

/// Scopes and codes of the errors.
pub fn errors(report: &Report) -> Vec<(&str, &str)> {
    assert_eq!(report.complete, report.errors.is_empty(), "{:?}", report.errors);
    report.errors.iter().map(|error| (error.scope.as_str(), error.code.as_str())).collect()
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Publishes a release for both architectures and moves the line's tag to it.
pub fn publish(stock: &Stock, repository: &str, built_at: DateTime<Utc>) -> Digest {
    let tag = LambdaTag { family: FAMILY.into(), built_at: Some(built_at), arch: None };
    let children = ["amd64", "arm64"].map(|architecture| {
        let platform = Platform::new("linux", architecture, None);
        let created = Some((built_at + TimeDelta::minutes(13)).to_rfc3339());
        let layers = layers(built_at, architecture);
        let spec = ImageSpec { platform: platform.clone(), created, layers, ..ImageSpec::default() };
        (stock.push_image(repository, &spec), platform)
    });
    let index = stock.push_index(repository, &children, &Annotations::new(), false);
    stock.tag(repository, &tag.to_string(), &index);
    stock.tag(repository, FAMILY, &index);
    index
}

pub fn layers(built_at: DateTime<Utc>, architecture: &str) -> Vec<Vec<u8>> {
    ["os".to_owned(), built_at.to_rfc3339()].map(|part| format!("{part} {architecture}").into_bytes()).into()
}

fn on_loopback(registry: &Loopback) -> HostSettings {
    HostSettings {
        endpoint: Some(registry.endpoint()),
        full_mirror: true,
        auth: AuthSettings::Anonymous,
        rate: Some(10_000.0),
        ..HostSettings::default()
    }
}

fn assert_follows_schema(report: &Report) {
    let path = repository().join("schema/report.schema.json");
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let document = serde_json::to_value(report).unwrap();
    let problems: Vec<_> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&document).map(|error| error.to_string()).collect();
    assert_eq!(problems, [""; 0]);
}
