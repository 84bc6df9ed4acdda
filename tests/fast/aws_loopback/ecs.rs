//! ECS: clusters, services and their revisions, and standalone tasks.

use aws_sdk_ecs::types::{ServiceField, TaskField};
use testbed::aws::{
    Cloud, CloudContainer, CloudService, CloudTask, ContainerDefinition, ServiceRevision, Tags, TaskDefinition,
};

use crate::aws_loopback::rig::{OWN, REGION, at, both_ways, digest, refusal};

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:7";

fn shop() -> CloudService {
    let containers =
        vec![CloudContainer::new("app", IMAGE, Some(&digest("app"))), CloudContainer::new("proxy", "envoy:1", None)];
    CloudService::new("shop", "shop:7", containers).tag("team", "web")
}

fn filled() -> Cloud {
    let cloud = Cloud::new(OWN);
    cloud.cluster(OWN, REGION, "prod-a", Tags::from([("env".into(), "prod".into())]));
    cloud.service(OWN, REGION, "prod-a", shop());
    let containers = || vec![CloudContainer::new("app", IMAGE, Some(&digest("app")))];
    cloud.task(OWN, REGION, "prod-a", CloudTask::standalone("t-own", "batch:3", containers()).on("arm64"));
    cloud.task(OWN, REGION, "prod-a", CloudTask::standalone("t-shop", "shop:7", containers()).of_service("shop"));
    let stopped =
        CloudTask { last_status: "STOPPED".into(), ..CloudTask::standalone("t-old", "batch:3", containers()) };
    cloud.task(OWN, REGION, "prod-a", stopped);
    for revision in [6, 7] {
        let definition = TaskDefinition {
            family: "shop".into(),
            revision,
            cpu_architecture: Some("ARM64".into()),
            containers: vec![ContainerDefinition::new("app", IMAGE)],
            ..TaskDefinition::default()
        };
        cloud.task_definition(OWN, REGION, definition);
    }
    cloud
}

#[tokio::test]
async fn the_digests_of_a_service_are_found_through_its_revision() {
    let cloud = filled();
    for way in both_ways(&cloud) {
        let ecs = way.ecs();
        let clusters = ecs.list_clusters().send().await.unwrap();
        assert_eq!(clusters.cluster_arns(), ["arn:aws:ecs:eu-west-1:123456789012:cluster/prod-a"]);
        let cluster = clusters.cluster_arns()[0].clone();
        let listed = ecs.list_services().cluster(&cluster).send().await.unwrap();
        assert_eq!(listed.service_arns(), ["arn:aws:ecs:eu-west-1:123456789012:service/prod-a/shop"]);
        let call = ecs.describe_services().cluster("prod-a").services("gone").services(&listed.service_arns()[0]);
        let described = call.include(ServiceField::Tags).send().await.unwrap();
        assert_eq!(described.failures()[0].reason(), Some("MISSING"));
        let service = &described.services()[0];
        assert_eq!(service.tags()[0].value(), Some("web"));
        assert_eq!(service.task_definition(), Some("arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:7"));
        let arn = service.current_service_revisions()[0].arn().unwrap();
        let revisions = ecs.describe_service_revisions().service_revision_arns(arn).send().await.unwrap();
        let images = revisions.service_revisions()[0].container_images();
        let images: Vec<_> = images
            .iter()
            .map(|image| (image.container_name().unwrap(), image.image().unwrap(), image.image_digest()))
            .collect();
        assert_eq!(images, [("app", IMAGE, Some(digest("app").as_str())), ("proxy", "envoy:1", None)]);
        let untold = ecs.describe_services().cluster("prod-a").services("shop").send().await.unwrap();
        assert!(untold.services()[0].tags().is_empty(), "tags are returned on request");
    }
}

#[tokio::test]
async fn a_deployment_under_way_shows_both_revisions_and_another_controller_shows_none() {
    let cloud = filled();
    let newer = ServiceRevision {
        id: "2".into(),
        created_at: at("2026-08-02T00:00:00Z"),
        task_definition: "shop:8".into(),
        containers: vec![CloudContainer::new("app", IMAGE, Some(&digest("newer")))],
    };
    let mut changing = shop();
    changing.revisions.push(newer);
    cloud.service(OWN, REGION, "prod-a", changing);
    cloud.service(
        OWN,
        REGION,
        "prod-a",
        CloudService { name: "blue".into(), controller: "CODE_DEPLOY".into(), ..shop() },
    );
    let [way, _] = both_ways(&cloud);
    let call = way.ecs().describe_services().cluster("prod-a").services("shop").services("blue");
    let described = call.send().await.unwrap();
    let [shop, blue] = described.services() else { panic!("{described:?}") };
    assert!(blue.current_service_revisions().is_empty());
    let arns = shop.current_service_revisions().iter().filter_map(|revision| revision.arn().map(str::to_owned));
    let call = way.ecs().describe_service_revisions().set_service_revision_arns(Some(arns.collect()));
    let revisions = call.send().await.unwrap();
    let definitions: Vec<_> =
        revisions.service_revisions().iter().filter_map(|revision| revision.task_definition()).collect();
    assert!(definitions[0].ends_with("/shop:7") && definitions[1].ends_with("/shop:8"), "{definitions:?}");
    assert_eq!(revisions.service_revisions()[1].created_at().unwrap().secs(), at("2026-08-02T00:00:00Z").timestamp());
}

#[tokio::test]
async fn running_tasks_have_group_architecture_and_digest() {
    let cloud = filled();
    for way in both_ways(&cloud) {
        let listed = way.ecs().list_tasks().cluster("prod-a").send().await.unwrap();
        assert_eq!(listed.task_arns().len(), 2, "stopped ones are left out");
        let of_service = way.ecs().list_tasks().cluster("prod-a").service_name("shop").send().await.unwrap();
        assert!(of_service.task_arns()[0].ends_with("/t-shop") && of_service.task_arns().len() == 1);
        let call = way.ecs().describe_tasks().cluster("prod-a").include(TaskField::Tags);
        let described = call.set_tasks(Some(listed.task_arns().to_vec())).send().await.unwrap();
        let [own, of_shop] = described.tasks() else { panic!("{described:?}") };
        assert_eq!((own.group(), own.started_by()), (Some("family:batch"), None));
        assert_eq!(own.attributes()[0].name(), "ecs.cpu-architecture");
        assert_eq!(own.attributes()[0].value(), Some("arm64"));
        assert!(own.started_at().is_some());
        assert_eq!(own.containers()[0].image_digest(), Some(digest("app").as_str()));
        assert_eq!(of_shop.group(), Some("service:shop"));
    }
}

#[tokio::test]
async fn a_family_without_a_revision_is_its_newest_revision() {
    let cloud = filled();
    let [way, _] = both_ways(&cloud);
    let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:6";
    for (named, revision) in [("shop", 7), ("shop:6", 6), (arn, 6)] {
        let found = way.ecs().describe_task_definition().task_definition(named).send().await.unwrap();
        let definition = found.task_definition().unwrap();
        assert_eq!(definition.revision(), revision);
        let platform = definition.runtime_platform().unwrap();
        assert_eq!(platform.cpu_architecture().unwrap().as_str(), "ARM64");
        assert!(platform.operating_system_family().is_none());
        assert_eq!(definition.container_definitions()[0].image(), Some(IMAGE));
    }
    let missing = way.ecs().describe_task_definition().task_definition("shop:9").send().await;
    assert_eq!(refusal(missing), ("ClientException".to_owned(), 400));
}

#[tokio::test]
async fn a_batch_over_the_limit_of_the_api_is_rejected() {
    let cloud = filled();
    let [way, _] = both_ways(&cloud);
    let names = |count: usize| Some((0..count).map(|number| format!("n{number}")).collect::<Vec<_>>());
    let invalid = ("InvalidParameterException".to_owned(), 400);
    let ecs = way.ecs();
    let services = |count| ecs.describe_services().cluster("prod-a").set_services(names(count)).send();
    assert_eq!(services(10).await.unwrap().failures().len(), 10);
    assert_eq!(refusal(services(11).await), invalid);
    let tasks = |count| ecs.describe_tasks().cluster("prod-a").set_tasks(names(count)).send();
    assert_eq!(tasks(100).await.unwrap().failures().len(), 100);
    assert_eq!(refusal(tasks(101).await), invalid);
    let revisions = |count| ecs.describe_service_revisions().set_service_revision_arns(names(count)).send();
    assert_eq!(revisions(20).await.unwrap().failures().len(), 20);
    assert_eq!(refusal(revisions(21).await), invalid);
    let nowhere = ecs.list_services().cluster("nowhere").send().await;
    assert_eq!(refusal(nowhere), ("ClusterNotFoundException".to_owned(), 400));
    let clusters = ecs.describe_clusters().clusters("prod-a").clusters("nowhere").send().await.unwrap();
    assert_eq!((clusters.clusters().len(), clusters.failures().len()), (1, 1));
}

#[tokio::test]
async fn clusters_services_and_tasks_come_in_pages() {
    let cloud = Cloud::new(OWN);
    for number in 0..105 {
        cloud.cluster(OWN, REGION, &format!("c{number:03}"), Tags::new());
        cloud.service(OWN, REGION, "c000", CloudService { name: format!("s{number:03}"), ..shop() });
        cloud.task(OWN, REGION, "c000", CloudTask::standalone(&format!("t{number:03}"), "batch:1", Vec::new()));
    }
    for way in both_ways(&cloud) {
        let ecs = way.ecs();
        assert_eq!(ecs.list_clusters().send().await.unwrap().cluster_arns().len(), 100);
        let services = ecs.list_services().cluster("c000").send().await.unwrap();
        assert_eq!(services.service_arns().len(), 10, "ten unless more are asked for");
        let mut pages = ecs.list_services().cluster("c000").max_results(100).into_paginator().items().send();
        let mut count = 0;
        while let Some(service) = pages.next().await {
            assert!(service.unwrap().ends_with(&format!("/s{count:03}")));
            count += 1;
        }
        assert_eq!(count, 105);
        let tasks = ecs.list_tasks().cluster("c000").send().await.unwrap();
        assert_eq!((tasks.task_arns().len(), tasks.next_token().is_some()), (100, true));
    }
}
