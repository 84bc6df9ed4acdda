//! Checks of a configuration against the services that it names. Sends no message and starts no build; the only thing
//! written is an object in the store, which is removed again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Result;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use tokio::{net::TcpStream, time::timeout};

use super::{AppClients, RunInstants, aws_scope, releases};
use crate::{
    aws::{Aws, AwsError},
    config::Settings,
    http,
    image::{Arn, ErrorCode, Reference},
    inventory::{DeploymentKind, ImageSource, RegionSelection},
    notify::{self, ChannelKind, EmailSettings},
    registry::{self, Registry as _},
    report::format,
    secret::SecretSource,
    store::{self, Catalog, Store, StoreLocation, WriteCondition},
};

/// Checks at the same time.
const CONCURRENCY: usize = 8;
/// The longest that one check may take; that of the inventory covers every account and region.
const CHECK_WAIT: Duration = Duration::from_mins(5);
/// The longest that opening a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Maximum number of images of the inventory that are requested.
const MAX_IMAGES: usize = 20;
/// An image that shows whether public.ecr.aws answers.
const PUBLIC_IMAGE: &str = "public.ecr.aws/lambda/provided:al2023";

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckOutcome {
    /// It works.
    Passed,
    /// It does not, and what to do.
    Failed(String),
    /// It could not be checked, and why.
    Unchecked(String),
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnlineCheck {
    /// What was checked: `store s3://bucket/prefix`.
    pub(crate) what: String,
    /// The outcome.
    pub(crate) outcome: CheckOutcome,
}

impl OnlineCheck {
    fn new(what: impl Into<String>, outcome: Result<(), String>) -> Self {
        Self { what: what.into(), outcome: outcome.map_or_else(CheckOutcome::Failed, |()| CheckOutcome::Passed) }
    }
}

/// What the checks share.
struct CheckContext<'a> {
    settings: &'a Settings,
    clients: AppClients,
}

/// Checks everything that `settings` name, in the order of the configuration file. Each check has a time limit.
///
/// # Errors
///
/// When a client cannot be created.
pub(crate) async fn check_online(settings: &Settings) -> Result<Vec<OnlineCheck>> {
    let mut network = settings.network.clone();
    (network.retries, network.retry_wait) = (1, Duration::from_secs(2));
    let clients = AppClients::with(network, Catalog::in_memory(), |aws| prepared(aws, settings))?;
    let context = CheckContext { settings, clients };
    let mut checks = Vec::new();
    let has_credentials = if context.uses_aws() {
        let identity = context.clients.aws.caller_identity().await;
        let is_known = identity.is_ok();
        let what = identity.as_ref().map_or_else(|_| "credentials".to_owned(), |arn| format!("credentials: {arn}"));
        checks.push(OnlineCheck::new(what, identity.map(drop).map_err(|failure| advised(&failure))));
        if !is_known {
            let outcome = CheckOutcome::Unchecked("they need credentials".to_owned());
            checks.push(OnlineCheck { what: "other AWS services".to_owned(), outcome });
        }
        is_known
    } else {
        true
    };
    let planned = context.planned(has_credentials);
    let timed = stream::iter(planned).map(async |(what, check)| {
        let timed_out = || vec![OnlineCheck::new(what, Err(format!("no answer within {} s", CHECK_WAIT.as_secs())))];
        tokio::time::timeout(CHECK_WAIT, check).await.unwrap_or_else(|_| timed_out())
    });
    checks.extend(timed.buffered(CONCURRENCY).collect::<Vec<_>>().await.into_iter().flatten());
    Ok(checks)
}

fn prepared(aws: Aws, settings: &Settings) -> Aws {
    aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition()).with_max_attempts(2)
}

/// Opens a connection to a mail server and closes it.
async fn mail_server(email: &EmailSettings) -> Result<(), String> {
    match timeout(CONNECT_WAIT, TcpStream::connect((email.host.as_str(), email.port))).await {
        Ok(opened) => opened.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no connection within {} s", CONNECT_WAIT.as_secs())),
    }
}

/// The message of `failure`, and what to do about it.
fn advised(failure: &AwsError) -> String {
    match failure.code {
        ErrorCode::AccessDenied => {
            format!("{}; compare the permissions with `basewatch config iam`", failure.message)
        }
        _ => failure.message.clone(),
    }
}

type PlannedCheck<'a> = (String, BoxFuture<'a, Vec<OnlineCheck>>);

impl CheckContext<'_> {
    fn uses_aws(&self) -> bool {
        let is_bucket = matches!(self.settings.store, Some(StoreLocation::S3 { .. }));
        let has_arns = self.settings.topic_arns().next().is_some() || self.settings.secret_arns().next().is_some();
        is_bucket || has_arns || !self.aws_inventories().is_empty() || self.settings.accounts.is_some()
    }

    /// The regions of each inventory in AWS.
    fn aws_inventories(&self) -> Vec<(DeploymentKind, &RegionSelection)> {
        let lambda = self.settings.lambda.iter().map(|lambda| (DeploymentKind::Lambda, &lambda.regions));
        let ecs = self.settings.ecs.iter().map(|ecs| (DeploymentKind::Ecs, &ecs.regions));
        let ecr = self.settings.ecr.iter().map(|ecr| (DeploymentKind::Ecr, &ecr.regions));
        lambda.chain(ecs).chain(ecr).collect()
    }

    /// The checks to make; without credentials, those of AWS are left out.
    fn planned(&self, has_credentials: bool) -> Vec<PlannedCheck<'_>> {
        let mut planned: Vec<PlannedCheck<'_>> = Vec::new();
        if has_credentials && !self.aws_inventories().is_empty() {
            planned.push(("inventory".to_owned(), self.inventories().boxed()));
        }
        planned.extend(self.images());
        if has_credentials && !self.aws_inventories().is_empty() {
            planned.push(one("registry public.ecr.aws", self.public_registry()));
        }
        if let Some(source) = &self.settings.releases.source {
            let fetched = releases::fetch(source, &self.clients);
            planned.push(one("release catalog", fetched.map(|it| it.map(drop).map_err(|error| format!("{error:#}")))));
        }
        if let Some(location) = &self.settings.store
            && (has_credentials || matches!(location, StoreLocation::Folder(_)))
        {
            let store = store::open(location, Arc::clone(&self.clients.aws));
            planned.push(one(format!("store {location}"), async move { probed(&*store).await }));
        }
        if has_credentials {
            let mut known = BTreeSet::new();
            let topics = self.settings.topic_arns().filter(|topic| known.insert(topic.as_str()));
            planned.extend(topics.map(|topic| (format!("topic {topic}"), self.topic(topic).boxed())));
            planned.extend(self.secrets());
        }
        planned.extend(self.hosts());
        planned
    }

    async fn inventories(&self) -> Vec<OnlineCheck> {
        let scope = aws_scope(self.settings, &self.clients, RunInstants::new(None));
        let probed = scope.probe(&self.aws_inventories()).await;
        let accounts = self.clients.aws.sessions().await.opened.len() as u64;
        let mut checks = Vec::new();
        if self.settings.accounts.is_some() {
            let what = format!("roles in {}", format::count(accounts, "account"));
            checks.extend((accounts > 0).then(|| OnlineCheck::new(what, Ok(()))));
        }
        for (call, regions) in &probed.allowed {
            let regions = format::count(*regions as u64, "region");
            let what = match accounts {
                0 | 1 => format!("{call} in {regions}"),
                accounts => format!("{call} in {regions} of {accounts} accounts"),
            };
            checks.push(OnlineCheck::new(what, Ok(())));
        }
        checks.extend(probed.errors.into_iter().map(|error| {
            let failure = AwsError { code: error.code, message: error.message };
            OnlineCheck::new(error.scope, Err(advised(&failure)))
        }));
        checks
    }

    /// Requests of the first images of the inventory.
    fn images(&self) -> Vec<PlannedCheck<'_>> {
        let named = self.settings.images.iter().filter_map(|source| match source {
            ImageSource::Reference(reference) => Some(reference),
            ImageSource::Layout { .. } | ImageSource::Unknown => None,
        });
        let checks = named.take(MAX_IMAGES).map(|reference| {
            let answer = self.clients.client.head(reference);
            one(format!("image {reference}"), answer.map(|it| it.map(drop).map_err(|error| error.to_string())))
        });
        checks.collect()
    }

    /// Whether the registry of most bases answers. That it does not have an image is an answer, too.
    async fn public_registry(&self) -> Result<(), String> {
        let image: Reference = PUBLIC_IMAGE.parse().map_err(|_| "not a reference".to_owned())?;
        match self.clients.client.head(&image).await {
            Ok(_) | Err(registry::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether `topic` exists. Nothing shows whether a message could be published, except one.
    async fn topic(&self, topic: &Arn) -> Vec<OnlineCheck> {
        let what = format!("topic {topic}");
        vec![match self.clients.aws.check_topic(topic).await {
            Ok(()) => OnlineCheck::new(what, Ok(())),
            Err(failure) if failure.code == ErrorCode::AccessDenied => {
                let why =
                    "sns:GetTopicAttributes is not allowed, and not needed; `basewatch notify test` sends a message";
                OnlineCheck { what, outcome: CheckOutcome::Unchecked(why.to_owned()) }
            }
            Err(failure) => OnlineCheck::new(what, Err(failure.message)),
        }]
    }

    fn secrets(&self) -> Vec<PlannedCheck<'_>> {
        let mut known = BTreeSet::new();
        let mut planned = Vec::new();
        for source in self.settings.secret_sources() {
            let SecretSource::SecretsManager { arn, key } = source else { continue };
            if known.insert((arn.as_str(), key.as_deref())) {
                let key = key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
                let secret = self.clients.aws.secret(source);
                let secret = secret.map(|secret| secret.map(drop).map_err(|failure| advised(&failure)));
                planned.push(one(format!("secret {arn}{key}"), secret));
            }
        }
        planned
    }

    /// Connections to the hosts of webhooks, build services and heartbeats.
    fn hosts(&self) -> Vec<PlannedCheck<'_>> {
        let mut urls = Vec::new();
        let mut planned: Vec<PlannedCheck<'_>> = Vec::new();
        for channel in &self.settings.notify.channels {
            match &channel.kind {
                ChannelKind::Webhook(webhook) => urls.push((format!("webhook {}", channel.id), webhook.url.clone())),
                ChannelKind::Email(email) => {
                    planned.push(one(format!("mail server {}:{}", email.host, email.port), mail_server(email)));
                }
                // Nothing shows whether a message could be sent, except one.
                ChannelKind::Sns(_) | ChannelKind::SecurityHub => {}
            }
        }
        for rule in &self.settings.rebuild.rules {
            urls.push((format!("rebuild service of {}", rule.name), SecretSource::Here(rule.url.clone())));
        }
        let watch = &self.settings.watch;
        for (name, url) in [("heartbeat", &watch.heartbeat), ("heartbeat_fail", &watch.heartbeat_fail)] {
            urls.extend(url.clone().map(|url| (name.to_owned(), url)));
        }
        planned.extend(urls.into_iter().map(|(what, url)| (what.clone(), self.host(what, url).boxed())));
        planned
    }

    async fn host(&self, what: String, url: SecretSource) -> Vec<OnlineCheck> {
        if http::has_proxy() {
            let why = "requests go through the proxy of the environment".to_owned();
            return vec![OnlineCheck { what, outcome: CheckOutcome::Unchecked(why) }];
        }
        let connected = match self.clients.aws.secret(&url).await {
            Ok(url) => http::connect(url.reveal(), CONNECT_WAIT).await,
            Err(failure) => Err(advised(&failure)),
        };
        vec![OnlineCheck::new(what, connected)]
    }
}

/// A check with one outcome.
fn one<'a>(what: impl Into<String>, outcome: impl Future<Output = Result<(), String>> + Send + 'a) -> PlannedCheck<'a> {
    let what = what.into();
    (what.clone(), async move { vec![OnlineCheck::new(what, outcome.await)] }.boxed())
}

/// Reads the ledger, and writes and removes an object. The second write of the object must be refused: without that, two
/// runs would overwrite each other's ledger.
async fn probed(store: &dyn Store) -> Result<(), String> {
    notify::read(store).await.map_err(|error| error.to_string())?;
    let name = format!("config-check-{}", ulid::Ulid::generate());
    let write = || store.write(&name, b"written by basewatch config check --online".to_vec(), WriteCondition::Absent);
    let first = write().await;
    let second = if first.is_ok() { Some(write().await) } else { None };
    let removed = store.remove(&name).await;
    first.map_err(|error| error.to_string())?;
    match second {
        Some(Err(store::Error::Conflict { .. })) | None => {}
        Some(Ok(_)) => return Err("it ignores conditional writes, so two runs would overwrite each other".to_owned()),
        Some(Err(error)) => return Err(error.to_string()),
    }
    removed.map_err(|error| error.to_string())
}
