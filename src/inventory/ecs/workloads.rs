//! Observed workloads of a task group: one for each container and image.

use std::sync::Arc;

use super::{
    arn::DefinitionKind,
    image,
    task_groups::{RunningContainer, TaskGroup},
};
use crate::{
    image::{Arn, Digest, Reference},
    inventory::{
        Deployment, DeploymentKind, ImageError, ImageErrorCode, ImageSource, ResourceTags, Workload,
        account_region::AccountRegion, read::ObservedWorkload,
    },
};

/// The workloads of the `running` containers of `task_group` at `account_region`, with those tags that `matters` selects.
pub(super) fn workloads(
    account_region: &AccountRegion,
    task_group: &TaskGroup<'_>,
    running: Vec<RunningContainer>,
    matters: &impl Fn(&str) -> bool,
) -> Vec<ObservedWorkload> {
    let arn = task_group.arn().parse::<Arn>().ok();
    let account = arn.as_ref().and_then(Arn::account);
    let (cluster, name) = (task_group.cluster, task_group.name);
    let part = match (task_group.service, task_group.kind) {
        (Some(_), _) => name.to_owned(),
        (None, DefinitionKind::Task) => format!("task/{name}"),
        (None, DefinitionKind::Daemon) => format!("daemon/{name}"),
        (None, DefinitionKind::Other) => format!("other/{name}"),
    };
    let whole = format!("ecs:{}:{}:{cluster}/{part}", account_region.region, account.as_deref().unwrap_or_default());
    let tags: ResourceTags = {
        let tags = task_group.tags();
        let tags = tags.iter().filter(|(key, _)| matters(key));
        tags.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let workload = |image: RunningContainer| {
        let (source, digest) = named(&image);
        let others = match (&digest, image.is_main) {
            (Ok(digest), false) => format!("@{}", digest.short()),
            _ => String::new(),
        };
        let workload = Workload {
            version: image.version,
            state: task_group.state().map(str::to_owned),
            architecture: image.architecture,
            ..Workload::default()
        };
        let id = format!("{whole}:{}{others}", image.container);
        let deployment = Deployment {
            account: account.clone(),
            region: Some(account_region.region.clone()),
            arn: arn.clone(),
            qualifier: Some(image.container),
            workload: Some(Arc::new(workload)),
            ..Deployment::unread(DeploymentKind::Ecs, id, format!("{cluster}/{name}"), source)
        };
        ObservedWorkload {
            draft: deployment.into(),
            digest,
            tags: tags.clone(),
            session: Arc::clone(&account_region.session),
        }
    };
    running.into_iter().map(workload).collect()
}

/// The reference of an image, and its digest.
fn named(running: &RunningContainer) -> (ImageSource, Result<Digest, ImageError>) {
    let unknown =
        |what: &str| ImageError::new(ImageErrorCode::DigestUnknown, format!("ECS does not report which {what}"));
    let Some(name) = &running.image else { return (ImageSource::Unknown, Err(unknown("image runs"))) };
    let Reference { repository, tag, .. } = match image::reference(name) {
        Ok(reference) => reference,
        Err(error) => {
            let why =
                ImageError::new(ImageErrorCode::ImageMalformed, format!("{name:?} is not an image name: {error}"));
            return (ImageSource::Unknown, Err(why));
        }
    };
    let pinned = if tag.is_none() { running.digest.clone() } else { None };
    let digest = running.digest.clone().ok_or_else(|| unknown(&format!("digest of {name} runs")));
    (ImageSource::Reference(Reference { repository, tag, digest: pinned }), digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(image: Option<&str>, digest: Option<&Digest>) -> RunningContainer {
        RunningContainer {
            container: "app".into(),
            image: image.map(str::to_owned),
            digest: digest.cloned(),
            version: None,
            architecture: None,
            is_main: true,
        }
    }

    #[test]
    fn the_reference_of_an_image_has_its_tag_or_else_the_running_digest() {
        let (runs, written) = (Digest::sha256(b"runs"), Digest::sha256(b"written"));
        for (image, expected) in [
            ("nginx".to_owned(), "docker.io/library/nginx:latest".to_owned()),
            (format!("quay.io/x:1@{written}"), "quay.io/x:1".into()),
            (format!("quay.io/x@{written}"), format!("quay.io/x@{runs}")),
        ] {
            let (source, digest) = named(&running(Some(&image), Some(&runs)));
            assert_eq!((source.to_string(), digest), (expected, Ok(runs.clone())), "{image}");
        }
    }

    #[test]
    fn a_missing_name_or_digest_is_reported() {
        for (image, expected, code) in [
            (Some("nginx:1"), "docker.io/library/nginx:1", ImageErrorCode::DigestUnknown),
            (None, "unknown", ImageErrorCode::DigestUnknown),
            (Some("Nginx"), "unknown", ImageErrorCode::ImageMalformed),
        ] {
            let (source, digest) = named(&running(image, None));
            assert_eq!((source.to_string().as_str(), digest.unwrap_err().code), (expected, code));
        }
    }
}
