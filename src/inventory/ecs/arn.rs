//! What do the ARNs of ECS name? Pure.

/// The account in `arn`.
pub(super) fn account(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next() == Some("arn")).then(|| parts.nth(3)).flatten().filter(|account| !account.is_empty())
}

/// What stands last in `arn`: `orders` of `…:service/prod/orders`, and of the older form `…:service/orders`.
pub(super) fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Family and revision of a task definition: `orders` and `7` of `…:task-definition/orders:7`.
pub(super) fn family(definition: &str) -> (&str, Option<&str>) {
    let name = last(definition);
    name.split_once(':').map_or((name, None), |(family, revision)| (family, Some(revision)))
}

/// The cluster of a service revision: `prod` of `…:service-revision/prod/orders/1`.
pub(super) fn cluster_of_revision(arn: &str) -> Option<&str> {
    arn.rsplit('/').nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_both_forms_are_taken_apart() {
        let arn = |rest: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{rest}");
        assert_eq!(account(&arn("service/prod/orders")), Some("123456789012"));
        assert_eq!(account("orders"), None);
        for service in ["service/prod/orders", "service/orders"] {
            assert_eq!(last(&arn(service)), "orders");
        }
        assert_eq!(last("orders"), "orders");
        assert_eq!(family(&arn("task-definition/orders:7")), ("orders", Some("7")));
        assert_eq!(family("orders"), ("orders", None));
        assert_eq!(cluster_of_revision(&arn("service-revision/prod/orders/1")), Some("prod"));
        assert_eq!(cluster_of_revision("x"), None);
    }
}
