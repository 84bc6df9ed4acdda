//! ARNs of ECS resources.

use crate::image::ArnParts;

/// The last part of `arn`: `orders` of `…:service/prod/orders`, and of the older form `…:service/orders`.
pub(super) fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The kind of definition that tasks are started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DefinitionKind {
    /// A task definition, which `DescribeTaskDefinition` describes.
    Task,
    /// The definition of a managed daemon, which runs one task on each managed instance
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-daemons.html>).
    Daemon,
    /// An unknown kind of resource.
    Other,
}

/// The definition that tasks are started from, by its ARN or its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DefinitionName<'a> {
    pub(super) kind: DefinitionKind,
    /// `orders` of `…:task-definition/orders:7`.
    pub(super) family: &'a str,
    /// `7` of `…:task-definition/orders:7`.
    pub(super) revision: Option<&'a str>,
}

impl<'a> DefinitionName<'a> {
    /// Parses `definition`. A name that is not an ARN names a task definition.
    pub(super) fn parse(definition: &'a str) -> Self {
        let resource = ArnParts::parse(definition).map(|parts| parts.resource);
        let kind = match resource.map(|resource| resource.split_once('/').map_or(resource, |(kind, _)| kind)) {
            None | Some("task-definition") => DefinitionKind::Task,
            Some("daemon-task-definition") => DefinitionKind::Daemon,
            Some(_) => DefinitionKind::Other,
        };
        let name = last(definition);
        let (family, revision) =
            name.split_once(':').map_or((name, None), |(family, revision)| (family, Some(revision)));
        Self { kind, family, revision }
    }
}

/// The cluster of a service revision: `prod` of `…:service-revision/prod/orders/1`.
pub(super) fn cluster_of_revision(arn: &str) -> Option<&str> {
    arn.rsplit('/').nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_both_forms_are_parsed() {
        let arn = |rest: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{rest}");
        for service in ["service/prod/orders", "service/orders"] {
            assert_eq!(last(&arn(service)), "orders");
        }
        assert_eq!(last("orders"), "orders");
        assert_eq!(cluster_of_revision(&arn("service-revision/prod/orders/1")), Some("prod"));
        assert_eq!(cluster_of_revision("x"), None);
    }

    #[test]
    fn the_kind_of_a_definition_is_its_resource_type() {
        use DefinitionKind::{Daemon, Other, Task};
        for (definition, kind, family, revision) in [
            ("arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:7", Task, "orders", Some("7")),
            ("arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/orders", Task, "orders", None),
            ("arn:aws:ecs:eu-west-1:123456789012:daemon-task-definition/agent:3", Daemon, "agent", Some("3")),
            ("arn:aws:ecs:eu-west-1:123456789012:express-definition/web:1", Other, "web", Some("1")),
            (
                "arn:aws:ecs:eu-west-1:123456789012:orders:7",
                Other,
                "arn",
                Some("aws:ecs:eu-west-1:123456789012:orders:7"),
            ),
            ("arn:aws:ecs", Task, "arn", Some("aws:ecs")),
            ("orders:7", Task, "orders", Some("7")),
            ("orders", Task, "orders", None),
        ] {
            assert_eq!(DefinitionName::parse(definition), DefinitionName { kind, family, revision }, "{definition}");
        }
    }
}
