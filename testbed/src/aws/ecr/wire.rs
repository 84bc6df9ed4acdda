//! The JSON API of ECR over the repositories of a region.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::{CloudRepository, images};
use crate::aws::{
    paging::{PageLimits, page},
    reply::{CallRefusal, Reply},
    request::Call,
    sessions::Caller,
    world::{CloudRegion, CloudWorld},
};

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html>
pub(super) const LIMITS: PageLimits = PageLimits { default: 100, most: 1000 };
/// When everything was created, in seconds of the epoch.
const CREATED_AT: u32 = 1_600_000_000;
const CURSOR: (&str, &str) = ("nextToken", "maxResults");

/// The ECR registry of one account in one region, as the caller sees it.
pub(super) struct EcrCall<'a> {
    pub(super) request: &'a Call,
    caller: &'a Caller,
    /// The account of the registry.
    pub(super) owner: &'a str,
    region: Option<&'a CloudRegion>,
}

pub(in crate::aws) fn respond(world: &CloudWorld, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    let owner = request.text("registryId").unwrap_or(&caller.account);
    let here = EcrCall { request, caller, owner, region: world.region(owner, &request.region) };
    if owner != caller.account && !world.shared_registries.contains(owner) {
        return Err(CallRefusal::denied(request, caller, &here.arn(request.text("repositoryName").unwrap_or("*"))));
    }
    let body = match request.operation.as_str() {
        "DescribeRepositories" => here.repositories(),
        "DescribeImages" => images::describe(&here, here.repository()?),
        "BatchGetImage" => images::batch_get(&here, here.repository()?),
        "ListImageReferrers" => images::referrers(&here, here.repository()?),
        "GetAuthorizationToken" => Ok(here.authorization()),
        "ListTagsForResource" => here.tags(),
        "DescribePullThroughCacheRules" => here.rules(),
        "DescribeRegistry" => Ok(json!({ "registryId": owner, "replicationConfiguration": { "rules": [] } })),
        _ => Err(CallRefusal::unknown_operation(request)),
    }?;
    Ok(Reply::json(request, &body))
}

impl<'a> EcrCall<'a> {
    fn repositories(&self) -> Result<Value, CallRefusal> {
        let requested = self.request.texts("repositoryNames");
        if let Some(missing) = requested.iter().find(|name| self.named(name).is_none()) {
            return Err(self.no_repository(missing));
        }
        if requested.len() > 100 {
            return Err(CallRefusal::invalid(self.request, "repositoryNames must have at most 100 members"));
        }
        let names = self.region.into_iter().flat_map(|region| region.repositories.keys());
        let names = names.filter(|name| requested.is_empty() || requested.contains(&name.as_str()));
        let page = page(self.request, names, CURSOR, LIMITS)?;
        let (owner, region) = (self.owner, &self.request.region);
        let described = page.items.iter().map(|name| {
            json!({
                "repositoryName": name,
                "registryId": owner,
                "repositoryArn": self.arn(name),
                "repositoryUri": format!("{owner}.dkr.ecr.{region}.amazonaws.com/{name}"),
                "createdAt": CREATED_AT,
                "imageTagMutability": "MUTABLE",
            })
        });
        Ok(json!({ "repositories": described.collect::<Vec<_>>(), "nextToken": page.next }))
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
    fn authorization(&self) -> Value {
        let (account, region) = (&self.caller.account, &self.request.region);
        let endpoint = format!("https://{account}.dkr.ecr.{region}.amazonaws.com");
        let expires_at = (Utc::now() + TimeDelta::hours(12)).timestamp();
        let token = STANDARD.encode(format!("AWS:loopback-{account}-{region}"));
        json!({ "authorizationData": [
            { "authorizationToken": token, "expiresAt": expires_at, "proxyEndpoint": endpoint }
        ] })
    }

    fn tags(&self) -> Result<Value, CallRefusal> {
        let arn = self.request.text("resourceArn").unwrap_or_default();
        let name = arn.split_once(":repository/").map(|(_, name)| name).unwrap_or_default();
        if arn != self.arn(name) {
            return Err(CallRefusal::invalid(
                self.request,
                format!("{arn} is not a repository of this registry and region"),
            ));
        }
        let repository = self.named(name).ok_or_else(|| self.no_repository(name))?;
        let tags: Vec<_> = repository.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        Ok(json!({ "tags": tags }))
    }

    fn rules(&self) -> Result<Value, CallRefusal> {
        let requested = self.request.texts("ecrRepositoryPrefixes");
        let rules = || self.region.into_iter().flat_map(|region| &region.rules);
        if let Some(missing) = requested.iter().find(|prefix| rules().all(|rule| rule.prefix != **prefix)) {
            let message = format!("The pull through cache rule with prefix '{missing}' does not exist");
            return Err(CallRefusal::new(400, "PullThroughCacheRuleNotFoundException", message));
        }
        let rules = rules().filter(|rule| requested.is_empty() || requested.contains(&rule.prefix.as_str()));
        let page = page(self.request, rules, CURSOR, LIMITS)?;
        let described = page.items.iter().map(|rule| {
            let mut described = json!({
                "ecrRepositoryPrefix": rule.prefix,
                "upstreamRegistryUrl": rule.upstream_url,
                "upstreamRegistry": rule.upstream,
                "registryId": self.owner,
                "createdAt": CREATED_AT,
                "updatedAt": CREATED_AT,
            });
            if let Some(prefix) = &rule.upstream_prefix {
                described["upstreamRepositoryPrefix"] = json!(prefix);
            }
            described
        });
        Ok(json!({ "pullThroughCacheRules": described.collect::<Vec<_>>(), "nextToken": page.next }))
    }

    fn repository(&self) -> Result<&'a CloudRepository, CallRefusal> {
        let name = self.repository_name();
        self.named(name).ok_or_else(|| self.no_repository(name))
    }

    pub(super) fn repository_name(&self) -> &'a str {
        self.request.text("repositoryName").unwrap_or_default()
    }

    fn named(&self, name: &str) -> Option<&'a CloudRepository> {
        self.region?.repositories.get(name)
    }

    fn no_repository(&self, name: &str) -> CallRefusal {
        let owner = self.owner;
        let message = format!("The repository with name '{name}' does not exist in the registry with id '{owner}'");
        CallRefusal::new(400, "RepositoryNotFoundException", message)
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{name}", self.request.region, self.owner)
    }
}
