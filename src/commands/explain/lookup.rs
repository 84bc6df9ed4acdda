//! Looks up a deployment of the configured inventory by what the table shows of it. Reads no more of the inventory than
//! what can hold it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use crate::{
    audit::{AuditResult, AuditedDeployment},
    config::Settings,
    glob::Glob,
    image::{AccountId, Arn, ArnParts, Region, is_account_id},
    inventory::{Deployment, DeploymentKind, ImageSource, InventoryFilter, RegionSelection, Selector},
    registry::EcrHost,
    report::{Finding, format},
};

/// The most deployments that an error lists.
const LISTED: usize = 20;
/// The separators of the IDs of deployments: kind, region, account, name.
const ID_PARTS: usize = 4;

/// What a name says about the deployment that it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeploymentQuery {
    /// The name as it was written.
    text: String,
    /// The function, if it can be one.
    function: Option<String>,
    /// The cluster and the service or task family, if it can be one.
    service: Option<(String, String)>,
    /// The repository and tag, if it can be an image in ECR.
    image: Option<(String, String)>,
    account: Option<AccountId>,
    region: Option<Region>,
}

impl DeploymentQuery {
    /// The query for `text`: an ARN, the ID of a finding, or a name as the table shows it.
    ///
    /// # Errors
    ///
    /// When it is the ARN of something else.
    pub(super) fn new(text: &str) -> Result<Self> {
        // The report appends the platform to the IDs of images for several.
        let text = text.split_once('#').map_or(text, |(id, _)| id);
        if text.parse::<Arn>().is_ok() {
            return Self::from_arn(text);
        }
        let parts: Vec<_> = text.splitn(ID_PARTS, ':').collect();
        let query = match parts.as_slice() {
            [kind @ ("lambda" | "ecs" | "ecr"), region, account, name] if is_account_id(account) => {
                let named = Self::from_name(name);
                let is_kind = |other: &str| *kind == other;
                Self {
                    function: named.function.filter(|_| is_kind("lambda")),
                    service: named.service.filter(|_| is_kind("ecs")),
                    image: named.image.filter(|_| is_kind("ecr")),
                    account: account.parse().ok(),
                    region: region.parse().ok(),
                    ..Self::default()
                }
            }
            _ => Self::from_name(text),
        };
        Ok(Self { text: text.to_owned(), ..query })
    }

    fn from_arn(text: &str) -> Result<Self> {
        let ArnParts { service, region, account, resource, .. } = ArnParts::parse(text).unwrap_or_default();
        let query = match service {
            "lambda" => {
                let function = resource.strip_prefix("function:").map(|name| before(name, ":").to_owned());
                Self { function, ..Self::default() }
            }
            "ecs" => {
                let service = resource.strip_prefix("service/").and_then(|name| name.split_once('/'));
                Self { service: service.map(owned), ..Self::default() }
            }
            _ => Self::default(),
        };
        if query == Self::default() {
            bail!("{text} is not the ARN of a Lambda function or of an ECS service in a cluster");
        }
        Ok(Self { text: text.to_owned(), account: account.parse().ok(), region: region.parse().ok(), ..query })
    }

    /// Functions have no slash in their names, and services have their cluster before one.
    fn from_name(name: &str) -> Self {
        let service = name.split_once('/').map(|(cluster, rest)| {
            let rest = ["task/", "daemon/", "other/"].iter().find_map(|kind| rest.strip_prefix(kind)).unwrap_or(rest);
            owned((cluster, before(before(rest, ":"), " ")))
        });
        let image = name.rsplit_once('@').filter(|(_, digest)| digest.contains(':')).or_else(|| name.rsplit_once(':'));
        let function = (!name.contains(['/', '@', ' '])).then(|| before(name, ":").to_owned());
        Self { function, service, image: image.map(owned), ..Self::default() }
    }

    /// Restricts the inventory of `settings` to what can hold the deployment, in the account and region that the name or
    /// `stored`, findings of the last report, tell.
    pub(super) fn restrict(&self, settings: &mut Settings, stored: &[Finding]) {
        settings.lambda.retain_mut(|rule| self.function.as_ref().is_some_and(|name| narrow(&mut rule.selector, name)));
        settings.ecs.retain_mut(|rule| {
            let Some((cluster, name)) = &self.service else { return false };
            let is_listed = rule.clusters.is_empty() || rule.clusters.iter().any(|pattern| pattern.matches(cluster));
            rule.clusters = exactly(cluster);
            is_listed && narrow(&mut rule.selector, name)
        });
        settings.ecr.retain_mut(|rule| {
            let Some((repository, tag)) = &self.image else { return false };
            let is_digest = tag.contains(':');
            if !is_digest {
                rule.tags.retain(|pattern| pattern.matches(tag));
                rule.tags = if rule.tags.is_empty() { Vec::new() } else { exactly(tag) };
                // Whatever was pushed since.
                rule.newest = None;
            }
            (is_digest || !rule.tags.is_empty()) && narrow(&mut rule.selector, repository)
        });
        settings.images.retain(|source| match source {
            ImageSource::Reference(reference) => {
                EcrHost::parse(&reference.repository.registry).is_some()
                    && self.image.as_ref().is_some_and(|(repository, _)| *repository == *reference.repository.name)
            }
            ImageSource::Layout { .. } | ImageSource::Unknown => false,
        });
        let of_stored = stored.iter().filter(|finding| self.is_name_of(&NameForms::from_finding(finding)));
        let (mut accounts, mut regions) = (BTreeSet::new(), BTreeSet::new());
        for finding in of_stored {
            accounts.extend(finding.deployment.account.clone());
            regions.extend(finding.deployment.region.clone());
        }
        let accounts = self.account.clone().map_or(accounts, |account| BTreeSet::from([account]));
        let regions = self.region.clone().map_or(regions, |region| BTreeSet::from([region]));
        settings.filter = InventoryFilter {
            accounts: accounts.iter().flat_map(|account| exactly(account)).collect(),
            regions: regions.iter().flat_map(|region| exactly(region)).collect(),
            ..InventoryFilter::default()
        };
        if let Some(configured) = &mut settings.accounts {
            configured.only.clone_from(&settings.filter.accounts);
        }
        settings.is_part = true;
    }

    /// The deployments of `audit` that are meant, one for each platform.
    ///
    /// # Errors
    ///
    /// When there are none, or several with different images.
    pub(super) fn choose<'a>(
        &self,
        audit: &'a AuditResult,
        searched: &str,
        stored: &[Finding],
    ) -> Result<Vec<AuditedDeployment<'a>>> {
        let mut found: BTreeMap<&str, Vec<AuditedDeployment<'_>>> = BTreeMap::new();
        let named = audit.audited_deployments().filter_map(|audited| {
            let forms = NameForms::from_deployment(audited.deployment);
            self.is_name_of(&forms).then(|| (forms.shown == self.text, audited))
        });
        let named: Vec<_> = named.collect();
        // The table shows the name of a function alone for `$LATEST`; without that, it means all aliases.
        let is_shown = named.iter().any(|(is_shown, _)| *is_shown);
        for (_, audited) in named.into_iter().filter(|(shown, _)| *shown || !is_shown) {
            found.entry(before(&audited.deployment.id, "#")).or_default().push(audited);
        }
        let images = |chosen: &[AuditedDeployment<'_>]| -> BTreeSet<_> {
            let digests = chosen.iter().map(|it| it.deployment.image.as_ref().map(|image| image.digest.clone()).ok());
            digests.collect()
        };
        let distinct: BTreeSet<_> = found.values().map(|chosen| images(chosen)).collect();
        let ids: Vec<_> = found.keys().map(|id| (*id).to_owned()).collect();
        match (distinct.len(), found.into_values().next()) {
            // Aliases with one image have one explanation.
            (1, Some(chosen)) => Ok(chosen),
            (_, Some(_)) => {
                let more = ids.len().saturating_sub(LISTED);
                let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
                let lines = ids[..ids.len() - more].join("\n  ") + &rest;
                bail!("{:?} is the name of {} deployments; explain one of them:\n  {lines}", self.text, ids.len())
            }
            (_, None) => bail!(
                "no deployment {:?} in {searched}{}{}",
                self.text,
                did_you_mean(&self.text, stored),
                unread(audit)
            ),
        }
    }

    fn is_name_of(&self, forms: &NameForms) -> bool {
        let text = self.text.as_str();
        forms.names.iter().any(|name| name == text)
            || forms.arn.as_deref().is_some_and(|arn| {
                let is_unqualified = |rest: &str| rest.is_empty() || rest.starts_with(':');
                arn.strip_prefix(text).is_some_and(is_unqualified)
            })
    }
}

/// The ways to name one deployment.
#[derive(Debug)]
struct NameForms {
    /// As the table shows it.
    shown: String,
    names: Vec<String>,
    arn: Option<String>,
}

impl NameForms {
    fn new(id: &str, kind: DeploymentKind, name: &str, qualifier: Option<&str>, arn: Option<&Arn>) -> Self {
        let id = before(id, "#");
        // All images of a repository share its ARN.
        let arn = arn.filter(|_| kind != DeploymentKind::Ecr).map(ToString::to_string);
        let mut names = vec![id.to_owned(), name.to_owned()];
        names.extend(qualifier.iter().flat_map(|qualifier| [":", " "].map(|mark| format!("{name}{mark}{qualifier}"))));
        Self { shown: format::display_name(kind, name, qualifier), names, arn }
    }

    fn from_deployment(deployment: &Deployment) -> Self {
        let Deployment { id, kind, name, qualifier, arn, .. } = deployment;
        Self::new(id, *kind, name, qualifier.as_deref(), arn.as_ref())
    }

    fn from_finding(finding: &Finding) -> Self {
        let of = &finding.deployment;
        Self::new(&finding.id, of.kind, &of.name, of.qualifier.as_deref(), of.arn.as_ref())
    }
}

/// What is searched in the inventory of `settings`, for an error.
pub(super) fn searched(settings: &Settings) -> String {
    let regions = |selection: &RegionSelection| match selection {
        RegionSelection::Listed(regions) => regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", "),
        RegionSelection::Enabled => "all enabled regions".to_owned(),
    };
    let functions = settings.lambda.iter().map(|rule| format!("the Lambda functions of {}", regions(&rule.regions)));
    let services = settings.ecs.iter().map(|rule| format!("the ECS services of {}", regions(&rule.regions)));
    let images = settings.ecr.iter().map(|rule| format!("the ECR repositories of {}", regions(&rule.regions)));
    let searched: BTreeSet<_> = functions.chain(services).chain(images).collect();
    if searched.is_empty() {
        return "the configured inventory, which has nothing of that form".to_owned();
    }
    searched.into_iter().collect::<Vec<_>>().join(" and ")
}

/// Suggests the closest name of the last report.
fn did_you_mean(text: &str, stored: &[Finding]) -> String {
    let names = stored.iter().flat_map(|finding| NameForms::from_finding(finding).names);
    let nearest = names
        .map(|name| (strsim::osa_distance(text, &name), name))
        .filter(|(distance, name)| distance * 3 <= name.chars().count())
        .min();
    nearest.map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default()
}

/// What could not be read, in which the deployment may be.
fn unread(audit: &AuditResult) -> String {
    let errors: BTreeSet<_> =
        audit.errors().iter().map(|error| format!("\n  {}: {}", error.scope, error.message)).collect();
    if errors.is_empty() {
        return String::new();
    }
    format!("\nnot everything could be read:{}", errors.into_iter().collect::<String>())
}

/// Restricts `selector` to `name`; `false` if it does not admit it.
fn narrow(selector: &mut Selector, name: &str) -> bool {
    let is_admitted = selector.admits_name(name);
    selector.include = exactly(name);
    is_admitted && !selector.include.is_empty()
}

/// The pattern that matches `name` alone; none for a text that no name of AWS can be.
fn exactly(name: &str) -> Vec<Glob> {
    let is_literal = |c: char| c.is_ascii_alphanumeric() || "-_./$:@".contains(c);
    name.chars().all(is_literal).then(|| name.parse().ok()).flatten().into_iter().collect()
}

fn before<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or(text, |(start, _)| start)
}

fn owned((one, two): (&str, &str)) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_kinds_of_deployments_it_can_mean() {
        let query = |text: &str| DeploymentQuery::new(text).unwrap();
        let live = query("orders:live");
        assert_eq!(
            (live.function.as_deref(), &live.service, live.image),
            (Some("orders"), &None, Some(owned(("orders", "live"))))
        );
        let service = query("prod/orders app");
        assert_eq!((service.function, service.service, service.image), (None, Some(owned(("prod", "orders"))), None));
        let image = query("shop/api:421");
        assert_eq!((image.function, image.image), (None, Some(owned(("shop/api", "421")))));
        let digest = format!("shop/api@sha256:{}", "0".repeat(64));
        assert_eq!(query(&digest).image, Some(owned(("shop/api", &digest["shop/api@".len()..]))));
    }

    #[test]
    fn an_arn_and_an_id_tell_account_and_region() {
        for text in [
            "arn:aws:lambda:eu-west-1:123456789012:function:orders",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders:live",
            "lambda:eu-west-1:123456789012:orders:live",
        ] {
            let query = DeploymentQuery::new(text).unwrap();
            assert_eq!(query.function.as_deref(), Some("orders"), "{text}");
            assert_eq!((&query.service, &query.image), (&None, &None), "{text}");
            assert_eq!((query.account.as_deref(), query.region.as_deref()), (Some("123456789012"), Some("eu-west-1")));
        }
        for text in [
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/orders",
            "ecs:eu-west-1:123456789012:prod/orders:app",
            "ecs:eu-west-1:123456789012:prod/task/orders:app#linux/arm64",
        ] {
            assert_eq!(DeploymentQuery::new(text).unwrap().service, Some(owned(("prod", "orders"))), "{text}");
        }
        for text in ["arn:aws:s3:::bucket", "arn:aws:ecs:eu-west-1:123456789012:service/orders"] {
            assert!(DeploymentQuery::new(text).unwrap_err().to_string().contains("is not the ARN"), "{text}");
        }
    }

    #[test]
    fn a_deployment_has_the_names_of_the_table_its_id_and_its_arn() {
        let arn: Arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live".parse().unwrap();
        let id = "lambda:eu-west-1:123456789012:orders:live#linux/arm64";
        let forms = NameForms::new(id, DeploymentKind::Lambda, "orders", Some("live"), Some(&arn));
        for text in [
            "orders",
            "orders:live",
            "lambda:eu-west-1:123456789012:orders:live",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders",
            arn.as_str(),
        ] {
            assert!(DeploymentQuery::new(text).unwrap().is_name_of(&forms), "{text}");
        }
        for text in ["order", "orders:test", "arn:aws:lambda:eu-west-1:123456789012:function:order"] {
            assert!(!DeploymentQuery::new(text).unwrap().is_name_of(&forms), "{text}");
        }
    }
}
