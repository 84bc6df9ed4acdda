//! Running workloads: better images in the repository, deleted images, failed functions.

use std::sync::Arc;

use super::*;
use crate::{
    image::LambdaArch,
    inventory::{DeployedImage, Deployment, DeploymentKind, ImageAvailability, ImageSource, Workload},
    judge::Replacement,
};

fn deployment(kind: DeploymentKind, holding: ImageAvailability, workload: Workload) -> Deployment {
    Deployment {
        id: "lambda:eu-west-1:123456789012:orders:live".into(),
        kind,
        name: "orders".into(),
        qualifier: Some("live".into()),
        account: None,
        region: None,
        arn: None,
        owner: None,
        workload: Some(Arc::new(workload)),
        reference: "r.test/orders:421".parse::<ImageSource>().unwrap(),
        pushed_at: None,
        holding,
        image: Ok(DeployedImage {
            descriptor_annotations: std::sync::Arc::default(),
            digest: Digest::sha256(b"image"),
            facts: Arc::new(scenario(10, None).image),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        }),
    }
}

fn running(holding: ImageAvailability, workload: Workload) -> Deployment {
    deployment(DeploymentKind::Lambda, holding, workload)
}

fn state(state: &str, code: Option<&str>) -> Workload {
    let state_reason_code = code.map(str::to_owned);
    Workload { state: Some(state.into()), state_reason_code, ..Workload::default() }
}

/// Severity, action and codes of a base published and superseded so many days ago, at `deployment`.
fn at(deployment: &Deployment, published: i64, superseded: Option<i64>) -> (Severity, Action, Vec<&'static str>) {
    let judgement = scenario(published, superseded).judge(&Policy::default(), now()).at(deployment, None);
    (judgement.severity, judgement.action, judgement.reasons.iter().map(|reason| reason.code.as_str()).collect())
}

#[test]
fn a_deleted_image_is_to_be_restored_whatever_its_base_is() {
    let active = || state("Active", None);
    for (holding, workload, published, superseded, severity, codes) in [
        (ImageAvailability::Gone, active(), 10, None, Severity::Medium, vec!["image-missing"]),
        (ImageAvailability::Archived, active(), 10, None, Severity::Medium, vec!["image-archived"]),
        (
            ImageAvailability::Gone,
            active(),
            90,
            Some(89),
            Severity::High,
            vec!["image-missing", "base-too-old", "base-superseded"],
        ),
        (
            ImageAvailability::Unknown,
            state("Failed", Some("ImageDeleted")),
            10,
            None,
            Severity::Medium,
            vec!["image-missing", "function-failed"],
        ),
    ] {
        let judged = at(&running(holding, workload), published, superseded);
        assert_eq!(judged, (severity, Action::Restore, codes), "{holding:?}");
    }
}

#[test]
fn an_available_image_and_an_unlisted_repository_leave_the_judgement_unchanged() {
    for holding in [ImageAvailability::Held, ImageAvailability::Unknown] {
        let judged = at(&running(holding, state("Active", None)), 10, None);
        assert_eq!(judged, (Severity::None, Action::None, vec![]), "{holding:?}");
    }
    let tag = deployment(DeploymentKind::Ecr, ImageAvailability::Gone, state("Active", None));
    assert_eq!(at(&tag, 10, None).1, Action::None, "a tag runs nowhere");
}

#[test]
fn a_function_that_cannot_be_invoked_is_to_be_repaired_whatever_its_base_is() {
    let repair = |codes: Vec<&'static str>| (Severity::Medium, Action::Repair, codes);
    for (state_name, code) in [
        ("Failed", Some("ImageAccessDenied")),
        ("Failed", Some("SubnetOutOfIPAddresses")),
        ("Failed", None),
        ("Inactive", Some("ImageAccessDenied")),
        ("Inactive", Some("DisabledKMSKey")),
        ("Inactive", Some("InvalidImage")),
        ("Inactive", Some("NewInNextYear")),
        // The image was pushed again: it is there, and the function does not know.
        ("Inactive", Some("ImageDeleted")),
    ] {
        let broken = running(ImageAvailability::Held, state(state_name, code));
        assert_eq!(at(&broken, 10, None), repair(vec!["function-failed"]), "{code:?}");
        let behind = at(&broken, 20, Some(15));
        assert_eq!(behind, repair(vec!["function-failed", "base-superseded"]), "{code:?}: no build helps");
        assert_eq!(at(&broken, 90, Some(89)).0, Severity::High, "{code:?}");
    }
}

#[test]
fn a_function_that_cannot_be_invoked_for_a_deleted_image_gets_the_image_back() {
    let inactive = state("Inactive", Some("ImageDeleted"));
    for holding in [ImageAvailability::Gone, ImageAvailability::Unknown] {
        let judged = at(&running(holding, inactive.clone()), 10, None);
        assert_eq!(judged, (Severity::Medium, Action::Restore, vec!["image-missing", "function-failed"]));
    }
    let denied = state("Failed", Some("ImageAccessDenied"));
    assert_eq!(
        at(&running(ImageAvailability::Gone, denied), 10, None).1,
        Action::Restore,
        "access to a deleted image does not help"
    );
}

#[test]
fn an_idle_function_gets_a_reason_but_no_action() {
    for code in [Some("Idle"), None] {
        let idle = running(ImageAvailability::Held, state("Inactive", code));
        assert_eq!(at(&idle, 10, None), (Severity::None, Action::None, vec!["function-inactive"]));
        let codes = vec!["base-superseded", "function-inactive"];
        assert_eq!(
            at(&idle, 20, Some(15)),
            (Severity::Medium, Action::Rebuild, codes),
            "what the action is for is first"
        );
    }
    for other in ["Active", "Pending", "ActiveNonInvocable", "DRAINING"] {
        assert_eq!(at(&running(ImageAvailability::Held, state(other, None)), 10, None).2, [""; 0], "{other}");
    }
}

#[test]
fn a_failed_update_is_to_be_investigated_and_other_reasons_stay() {
    let failed = Workload {
        last_update_status: Some("Failed".into()),
        last_update_status_reason_code: Some("ImageAccessDenied".into()),
        last_update_status_reason: Some("Lambda does not have permission to access the ECR image.".into()),
        ..state("Active", None)
    };
    let failed = running(ImageAvailability::Held, failed);
    assert_eq!(at(&failed, 10, None), (Severity::Low, Action::Investigate, vec!["update-failed"]));
    let codes = vec!["base-superseded", "update-failed"];
    assert_eq!(at(&failed, 20, Some(15)), (Severity::Medium, Action::Rebuild, codes));
    let message = &scenario(10, None).judge(&Policy::default(), now()).at(&failed, None).reasons[0].message;
    assert_eq!(
        message,
        "the last update of the function failed, so an earlier version may still be running: ImageAccessDenied: \
         Lambda does not have permission to access the ECR image; before the next update, allow lambda.amazonaws.com to \
         call ecr:BatchGetImage and ecr:GetDownloadUrlForLayer in the policy of the repository, then update the function \
         with the same image"
    );
    let under_way = Workload { last_update_status: Some("InProgress".into()), ..state("Active", None) };
    assert_eq!(at(&running(ImageAvailability::Held, under_way), 10, None).2, [""; 0]);
}

#[test]
fn different_architectures_are_reported() {
    let on_x86 = Workload { architecture: Some(LambdaArch::X86_64), ..Workload::default() };
    assert_eq!(at(&running(ImageAvailability::Held, on_x86), 10, None).2, ["architecture-mismatch"]);
    let on_arm = Workload { architecture: Some(LambdaArch::Arm64), ..Workload::default() };
    let on_arm = running(ImageAvailability::Held, on_arm);
    assert!(at(&on_arm, 10, None).2.is_empty());
    let mut scenario = scenario(10, None);
    scenario.resolution.base.platform = Some("linux/amd64".parse().unwrap());
    let judgement = scenario.judge(&Policy::default(), now()).at(&on_arm, Some(&scenario.resolution));
    assert_eq!(
        judgement.reasons[0].message,
        "the image is built for linux/arm64, but the base that it records is built for linux/amd64"
    );
}

/// The judgement with a newer image on a base published and superseded so many days ago.
fn with_newer(ours: (i64, Option<i64>), newer: (i64, Option<i64>)) -> Option<(Action, Vec<&'static str>)> {
    let (ours, newer) = (scenario(ours.0, ours.1), scenario(newer.0, newer.1));
    let (judgement, other) = (ours.judge(&Policy::default(), now()), newer.judge(&Policy::default(), now()));
    let replacement = Replacement {
        name: "orders:422",
        pushed_at: Some(days_ago(2)),
        judgement: &other,
        resolution: &newer.resolution,
    };
    replacement.is_better(&judgement, &ours.resolution).then(|| {
        let judgement = judgement.with(&replacement);
        (judgement.action, judgement.reasons.iter().map(|reason| reason.code.as_str()).collect())
    })
}

#[test]
fn a_better_image_in_the_repository_is_redeployed_instead_of_rebuilt() {
    let better = vec!["not-deployed", "base-too-old", "base-superseded"];
    assert_eq!(with_newer((90, Some(89)), (5, None)), Some((Action::Redeploy, better.clone())));
    assert_eq!(with_newer((90, Some(89)), (9, Some(8))), Some((Action::Redeploy, better)), "within its grace");
    assert_eq!(
        with_newer((9, Some(8)), (5, None)).map(|it| it.0),
        Some(Action::Redeploy),
        "superseded, and a fresh one"
    );
}

#[test]
fn a_better_image_that_is_too_old_itself_still_needs_a_rebuild() {
    let still = vec!["base-too-old", "base-superseded", "not-deployed"];
    assert_eq!(with_newer((90, Some(89)), (50, Some(49))), Some((Action::Rebuild, still)));
}

#[test]
fn a_newer_image_on_the_same_or_an_older_base_is_not_better() {
    assert_eq!(with_newer((90, Some(89)), (90, Some(89))), None);
    assert_eq!(with_newer((50, Some(49)), (90, Some(89))), None);
    assert_eq!(with_newer((20, Some(15)), (90, Some(89))), None);
}

#[test]
fn a_newer_image_with_an_unknown_base_is_not_better() {
    let (ours, newer) = (scenario(90, Some(89)), scenario(90, Some(89)));
    let judgement = ours.judge(&Policy::default(), now());
    let unknown = Scenario { readings: Vec::new(), ..scenario(1, None) }.judge(&Policy::default(), now());
    let replacement =
        Replacement { name: "orders:422", pushed_at: None, judgement: &unknown, resolution: &newer.resolution };
    assert!(!replacement.is_better(&judgement, &ours.resolution));
}

#[test]
fn the_severity_of_a_workload_problem_does_not_depend_on_its_base() {
    let gone = running(ImageAvailability::Gone, state("Active", None));
    let workload = Judgement::for_workload(&gone).unwrap();
    let codes: Vec<_> = workload.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!((workload.severity, workload.action, codes), (Severity::Medium, Action::Restore, vec!["image-missing"]));
    assert_eq!(at(&gone, 90, Some(89)).0, Severity::High, "together they are as bad as the worse of both");
    let denied =
        Judgement::for_workload(&running(ImageAvailability::Held, state("Failed", Some("ImageAccessDenied")))).unwrap();
    assert_eq!((denied.severity, denied.reasons.len()), (Severity::Medium, 1));
    for well in [state("Active", None), state("Inactive", Some("Idle"))] {
        assert_eq!(Judgement::for_workload(&running(ImageAvailability::Held, well)), None);
    }
    let tag = deployment(DeploymentKind::Ecr, ImageAvailability::Gone, Workload::default());
    assert_eq!(Judgement::for_workload(&tag), None, "a tag runs nowhere");
}
