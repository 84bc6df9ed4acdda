//! Links to the AWS console: the function or service of a finding, and its image in ECR.

use super::{Finding, page_path::encode};
use crate::{
    image::{Arn, AwsPartition, Digest},
    inventory::DeploymentKind,
};

/// A link to the AWS console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLink {
    /// What it shows: `Lambda function`.
    pub title: &'static str,
    /// The URL.
    pub url: String,
}

/// The links for `finding`; none for resources outside AWS and for partitions whose console is not public.
#[must_use]
pub fn links(finding: &Finding) -> Vec<ConsoleLink> {
    let workload = finding.deployment.arn.as_ref().and_then(|arn| workload(finding, arn));
    workload.into_iter().chain(image(finding)).collect()
}

fn workload(finding: &Finding, arn: &Arn) -> Option<ConsoleLink> {
    let parts = arn.parts();
    let (partition, region, resource) = (arn.partition()?, parts.region, parts.resource);
    match finding.deployment.kind {
        DeploymentKind::Lambda => {
            let mut names = resource.strip_prefix("function:")?.split(':');
            let function = encode(names.next()?);
            let at = match finding.deployment.qualifier.as_deref() {
                None | Some("$LATEST") => String::new(),
                Some(alias) => format!("/aliases/{}", encode(alias)),
            };
            let path = format!("lambda/home?region={region}#/functions/{function}{at}");
            Some(ConsoleLink { title: "Lambda function", url: url(partition, region, &path)? })
        }
        DeploymentKind::Ecs => {
            let (cluster, service) = resource.strip_prefix("service/")?.split_once('/')?;
            let (cluster, service) = (encode(cluster), encode(service));
            let path = format!("ecs/v2/clusters/{cluster}/services/{service}/health?region={region}");
            Some(ConsoleLink { title: "ECS service", url: url(partition, region, &path)? })
        }
        DeploymentKind::Ecr | DeploymentKind::Image | DeploymentKind::Layout => None,
    }
}

/// The image in private ECR, or its repository if the digest is unknown.
fn image(finding: &Finding) -> Option<ConsoleLink> {
    let repository = finding.image.reference.repository()?;
    let (account, region, partition) = ecr_host(&repository.registry)?;
    let digest = finding.image.reference.reference().and_then(|reference| reference.digest.clone());
    let digest = digest.or_else(|| finding.image.digest.clone());
    let image = digest.as_ref().map(|digest: &Digest| format!("/_/image/{digest}/details")).unwrap_or_default();
    let path = format!("ecr/repositories/private/{account}/{}{image}?region={region}", encode(&repository.name));
    Some(ConsoleLink { title: "ECR image", url: url(partition, region, &path)? })
}

/// Account, region and partition of a host of private ECR: `123456789012.dkr.ecr.eu-west-1.amazonaws.com`.
fn ecr_host(host: &str) -> Option<(&str, &str, AwsPartition)> {
    let (account, rest) = host.split_once(".dkr.").or_else(|| host.split_once(".dkr-"))?;
    let (service, rest) = rest.split_once('.')?;
    let (region, domain) = rest.split_once('.')?;
    let partition = AwsPartition::from_region(region);
    let is_ecr = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
    let is_there = matches!(service, "ecr" | "ecr-fips") && (domain == partition.domain() || domain == "on.aws");
    (is_ecr && is_there).then_some((account, region, partition))
}

/// The URL of `path` in the console of `region`; `None` if the partition has no public console.
fn url(partition: AwsPartition, region: &str, path: &str) -> Option<String> {
    let is_region =
        !region.is_empty() && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let domain = partition.console_domain()?;
    is_region.then(|| format!("https://{region}.{domain}/{path}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn urls(deployment: &Value, reference: &str) -> Vec<String> {
        let finding = json!({
            "id": "x", "deployment": deployment, "base": null, "current": null, "behind": null, "runtime": null,
            "image": { "reference": reference, "digest": null, "platform": null, "created_at": null, "pushed_at": null },
            "verdict": "stale", "stale": true, "out_of_date": false, "deprecated": false, "severity": "high",
            "action": "rebuild", "reasons": [],
        });
        links(&serde_json::from_value(finding).unwrap()).into_iter().map(|link| link.url).collect()
    }

    #[test]
    fn each_partition_has_its_own_console() {
        let function = |partition: &str, region: &str, domain: &str| {
            let arn = format!("arn:{partition}:lambda:{region}:123456789012:function:orders:live");
            let deployment = json!({ "kind": "lambda", "name": "orders", "qualifier": "live", "arn": arn });
            urls(&deployment, &format!("123456789012.dkr.ecr.{region}.{domain}/shop/orders:1"))
        };
        let table = [
            ("aws", "eu-west-1", "amazonaws.com", "console.aws.amazon.com"),
            ("aws-us-gov", "us-gov-west-1", "amazonaws.com", "console.amazonaws-us-gov.com"),
            ("aws-cn", "cn-north-1", "amazonaws.com.cn", "console.amazonaws.cn"),
            ("aws-eusc", "eusc-de-east-1", "amazonaws.eu", "console.amazonaws-eusc.eu"),
        ];
        for (partition, region, domain, console) in table {
            let host = format!("https://{region}.{console}");
            let expected = [
                format!("{host}/lambda/home?region={region}#/functions/orders/aliases/live"),
                format!("{host}/ecr/repositories/private/123456789012/shop/orders?region={region}"),
            ];
            assert_eq!(function(partition, region, domain), expected, "{partition}");
        }
        assert_eq!(function("aws-iso", "us-iso-east-1", "c2s.ic.gov"), [""; 0], "not public");
    }

    #[test]
    fn services_and_images_are_linked_by_cluster_and_digest() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let service = json!({
            "kind": "ecs", "name": "prod/orders", "qualifier": "app",
            "arn": "arn:aws:ecs:eu-west-1:123456789012:service/prod/orders",
        });
        let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders@{digest}");
        let host = "https://eu-west-1.console.aws.amazon.com";
        let expected = [
            format!("{host}/ecs/v2/clusters/prod/services/orders/health?region=eu-west-1"),
            format!("{host}/ecr/repositories/private/123456789012/orders/_/image/{digest}/details?region=eu-west-1"),
        ];
        assert_eq!(urls(&service, &image), expected);
        for foreign in ["docker.io/library/python:3", "123456789012.dkr.ecr.eu-west-1.evil.example/orders:1"] {
            assert_eq!(urls(&json!({ "kind": "image", "name": "x" }), foreign), [""; 0], "{foreign}");
        }
    }
}
