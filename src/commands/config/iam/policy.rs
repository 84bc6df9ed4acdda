//! IAM policies for settings: a statement per purpose, with the narrowest resources that its actions support
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html>).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    own_role,
    statement::{IamCondition, IamStatement, partition, statement},
};
use crate::{
    aws::AccountSelection,
    config::Settings,
    glob::{Glob, has_wildcards},
    image::{AwsPartition, Region, Repository},
    inventory::{ImageSource, RegionSelection},
    notify::ChannelKind,
    registry::{AuthSettings, EcrHost},
};

/// An IAM policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct IamPolicy {
    version: &'static str,
    statement: Vec<IamStatement>,
}

impl IamPolicy {
    fn new(statements: impl IntoIterator<Item = Option<IamStatement>>) -> Self {
        Self { version: "2012-10-17", statement: statements.into_iter().flatten().collect() }
    }

    /// Whether the policy has no statements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statement.is_empty()
    }
}

/// The permissions to audit an account: of the role in each account with `[accounts]`; without it, of basewatch's own
/// role, including its other permissions.
#[must_use]
pub fn reading(settings: &Settings) -> IamPolicy {
    let needs = RequiredPermissions::new(settings);
    let is_own = settings.accounts.is_none();
    let own =
        is_own.then(|| [Some(public_token(settings))].into_iter().chain(own_role::statements(settings).map(Some)));
    let read = [
        needs.repositories(),
        needs.manifests(),
        needs.functions_listed(),
        needs.functions(),
        needs.clusters_listed(),
        needs.services(),
        needs.repository_tags(),
        needs.login(),
        needs.caches(),
        needs.regions_listed(),
        needs.findings_imported(),
    ];
    IamPolicy::new(read.into_iter().chain(own.into_iter().flatten().flatten()))
}

/// The additional permissions of basewatch's own role with `[accounts]`: assume roles, access the store, send alerts.
#[must_use]
pub fn running(settings: &Settings) -> IamPolicy {
    let own = own_role::statements(settings);
    let Some(accounts) = &settings.accounts else { return IamPolicy::new(own) };
    let role = |account: &str| accounts.role.arn(account);
    let assume = |roles| statement("AssumeAuditRole", &["sts:AssumeRole"], roles);
    let (assume, lists) = match &accounts.members {
        AccountSelection::Listed(listed) => (assume(listed.iter().map(|account| role(account)).collect()), None),
        // Accounts are created and closed, but all are in the same organization.
        AccountSelection::Organization { .. } => {
            let organization = BTreeMap::from([("aws:ResourceOrgID", vec!["${aws:PrincipalOrgID}".to_owned()])]);
            let condition = Some(IamCondition(BTreeMap::from([("StringEquals", organization)])));
            let all = anywhere("OrganizationsListAccounts", &["organizations:ListAccounts"]);
            (IamStatement { condition, ..assume(vec![role("*")]) }, Some(all))
        }
    };
    // Tests, and findings about bases, go to basewatch's own account.
    let findings = RequiredPermissions::new(settings).findings_imported();
    let read = [Some(assume), lists, public_token(settings), findings];
    IamPolicy::new(read.into_iter().chain(own))
}

/// The permissions that settings require.
struct RequiredPermissions<'a> {
    settings: &'a Settings,
    partition: AwsPartition,
}

impl<'a> RequiredPermissions<'a> {
    fn new(settings: &'a Settings) -> Self {
        Self { settings, partition: partition(settings) }
    }

    /// The ARNs of the resource `name` of `service` in `regions` of any account.
    fn arns(&self, service: &str, regions: &[&RegionSelection], name: &str) -> Vec<String> {
        let arn = |region: &str| format!("arn:{}:{service}:{region}:*:{name}", self.partition);
        match named(regions) {
            Some(regions) => regions.into_iter().map(arn).collect(),
            None => vec![arn("*")],
        }
    }

    /// A statement for actions without resource-level permissions, limited to `regions`.
    fn in_regions(sid: &'static str, actions: &[&'static str], regions: &[&RegionSelection]) -> IamStatement {
        let regions = named(regions).map(|regions| regions.into_iter().map(str::to_owned).collect());
        let condition = regions.map(|regions| {
            let named = BTreeMap::from([("aws:RequestedRegion", regions)]);
            IamCondition(BTreeMap::from([("StringEquals", named)]))
        });
        IamStatement { condition, ..anywhere(sid, actions) }
    }

    fn images(&self) -> Vec<String> {
        let mut regions = self.settings.regions();
        let named = self.named_regions().into_iter().chain(self.base_regions());
        let named: Vec<_> = named.map(|region| RegionSelection::Listed(vec![region])).collect();
        regions.extend(&named);
        self.arns("ecr", &regions, "repository/*")
    }

    /// The regions of ECR images that are audited by reference.
    fn named_regions(&self) -> BTreeSet<Region> {
        let region = |repository: &Repository| EcrHost::parse(&repository.registry)?.region.parse().ok();
        self.settings.images.iter().filter_map(ImageSource::repository).filter_map(region).collect()
    }

    /// The private ECR registries of configured base repositories, with the repository pattern.
    fn bases(&self) -> impl Iterator<Item = (EcrHost<'a>, &'a str)> {
        let rules = self.settings.identify.bases.as_slice().iter();
        rules.filter_map(|rule| EcrHost::from_pattern(rule.repository.as_str()))
    }

    fn base_regions(&self) -> impl Iterator<Item = Region> {
        self.bases().filter_map(|(host, _)| host.region.parse().ok())
    }

    fn has_ecr(&self) -> bool {
        !self.settings.regions().is_empty() || !self.named_regions().is_empty() || self.bases().next().is_some()
    }

    fn has_running(&self) -> bool {
        !self.settings.lambda.is_empty() || !self.settings.ecs.is_empty()
    }

    fn repositories(&self) -> Option<IamStatement> {
        let lists_images = !self.settings.ecr.is_empty() || self.bases().next().is_some();
        let lists = !self.settings.ecr.is_empty() || self.bases().any(|(_, name)| has_wildcards(name));
        let mut actions = Vec::new();
        actions.extend(lists.then_some("ecr:DescribeRepositories"));
        actions.extend((lists_images || self.has_running()).then_some("ecr:DescribeImages"));
        (!actions.is_empty()).then(|| statement("EcrListImages", &actions, self.images()))
    }

    fn manifests(&self) -> Option<IamStatement> {
        let actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
        self.has_ecr().then(|| statement("EcrReadImages", &actions, self.images()))
    }

    fn functions_listed(&self) -> Option<IamStatement> {
        let regions: Vec<_> = self.settings.lambda.iter().map(|lambda| &lambda.regions).collect();
        (!regions.is_empty()).then(|| Self::in_regions("LambdaListFunctions", &["lambda:ListFunctions"], &regions))
    }

    fn functions(&self) -> Option<IamStatement> {
        let lambda = &self.settings.lambda;
        let regions: Vec<_> = lambda.iter().map(|lambda| &lambda.regions).collect();
        let mut actions = vec!["lambda:GetFunction", "lambda:ListAliases"];
        // GetFunction returns tags only with permission to list them.
        let are_tags_read = !self.settings.owners.tags.is_empty() || lambda.iter().any(|it| it.selector.needs_tags());
        actions.extend(are_tags_read.then_some("lambda:ListTags"));
        let included = lambda.iter().flat_map(|lambda| &lambda.selector.include).map(Glob::as_str);
        let resources = functions_named(included).into_iter().flat_map(|name| self.arns("lambda", &regions, &name));
        (!regions.is_empty()).then(|| statement("LambdaReadFunctions", &actions, resources.collect()))
    }

    fn clusters_listed(&self) -> Option<IamStatement> {
        let regions: Vec<_> = self.settings.ecs.iter().map(|ecs| &ecs.regions).collect();
        let actions = ["ecs:ListClusters", "ecs:ListServices", "ecs:ListTasks", "ecs:DescribeTaskDefinition"];
        (!regions.is_empty()).then(|| Self::in_regions("EcsListServicesAndTasks", &actions, &regions))
    }

    fn services(&self) -> Option<IamStatement> {
        let regions: Vec<_> = self.settings.ecs.iter().map(|ecs| &ecs.regions).collect();
        let kinds = ["service/*", "service-revision/*", "task/*"];
        let resources = kinds.iter().flat_map(|kind| self.arns("ecs", &regions, kind)).collect();
        let actions = ["ecs:DescribeServices", "ecs:DescribeServiceRevisions", "ecs:DescribeTasks"];
        (!regions.is_empty()).then(|| statement("EcsReadServicesAndTasks", &actions, resources))
    }

    fn repository_tags(&self) -> Option<IamStatement> {
        let chosen = self.settings.ecr.iter().any(|ecr| ecr.selector.needs_tags());
        let is_needed = chosen || (!self.settings.owners.tags.is_empty() && !self.settings.regions().is_empty());
        is_needed.then(|| statement("EcrListTags", &["ecr:ListTagsForResource"], self.images()))
    }

    fn login(&self) -> Option<IamStatement> {
        self.has_ecr().then(|| anywhere("EcrToken", &["ecr:GetAuthorizationToken"]))
    }

    fn caches(&self) -> Option<IamStatement> {
        let is_needed = !self.settings.regions().is_empty();
        let regions = self.settings.regions();
        let actions = ["ecr:DescribePullThroughCacheRules"];
        is_needed.then(|| Self::in_regions("EcrReadPullThroughCacheRules", &actions, &regions))
    }

    /// Findings in Security Hub, in the account of each deployment.
    fn findings_imported(&self) -> Option<IamStatement> {
        let mut channels = self.settings.notify.channels.iter();
        let is_needed = channels.any(|channel| matches!(channel.kind, ChannelKind::SecurityHub));
        let regions = self.settings.regions();
        let arns = self.arns("securityhub", &regions, "product/*/default");
        is_needed.then(|| statement("SecurityHubImportFindings", &["securityhub:BatchImportFindings"], arns))
    }

    fn regions_listed(&self) -> Option<IamStatement> {
        let is_needed = self.settings.regions().contains(&&RegionSelection::Enabled);
        is_needed.then(|| anywhere("AccountListRegions", &["account:ListRegions"]))
    }
}

/// The IAM resource patterns of functions that match `patterns`, with and without a qualifier. IAM supports only `*`
/// and `?`.
fn functions_named<'a>(patterns: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for pattern in patterns {
        if pattern == "*" || pattern.contains(['[', '{', '\\']) {
            return BTreeSet::from(["function:*".to_owned()]);
        }
        names.insert(format!("function:{pattern}"));
        if !pattern.ends_with('*') {
            names.insert(format!("function:{pattern}:*"));
        }
    }
    names
}

/// The listed regions; `None` for all enabled regions.
fn named<'a>(regions: &[&'a RegionSelection]) -> Option<BTreeSet<&'a str>> {
    let listed: Option<Vec<_>> = regions.iter().map(|regions| regions.as_listed()).collect();
    listed.map(|listed| listed.into_iter().flatten().map(Region::as_str).collect())
}

/// The statement for ECR Public tokens, unless public.ecr.aws is accessed anonymously or at another endpoint, or the
/// partition does not have ECR Public.
fn public_token(settings: &Settings) -> Option<IamStatement> {
    let host = settings.network.hosts.get("public.ecr.aws");
    let is_needed = host.is_none_or(|host| {
        matches!(host.auth, AuthSettings::Auto | AuthSettings::EcrPublic)
            && host.endpoint.is_none()
            && host.rate.is_none_or(|rate| rate > 1.0)
    });
    let actions = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"];
    (is_needed && partition(settings).has_ecr_public()).then(|| anywhere("EcrPublicToken", &actions))
}

/// A statement for actions without resource-level permissions.
fn anywhere(sid: &'static str, actions: &[&'static str]) -> IamStatement {
    statement(sid, actions, vec!["*".to_owned()])
}
