//! Image names in container definitions, completed with Docker's defaults.

use crate::image::{Digest, InvalidReference, Reference};

/// The registry of names without one.
const DOCKER_HUB: &str = "docker.io";

/// The image that `name` names: `nginx` is `docker.io/library/nginx:latest`.
///
/// The rules are those of distribution/reference (`normalize.go`): the first part is a registry only if it has a
/// dot or a port or is `localhost`.
pub(super) fn reference(name: &str) -> Result<Reference, InvalidReference> {
    let name = name.trim();
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
    let mut reference: Reference = match name.split_once('/') {
        Some((host, _)) if is_host(host) => name.parse()?,
        _ if name.is_empty() => return Err(InvalidReference::Empty),
        _ => format!("{DOCKER_HUB}/{name}").parse()?,
    };
    if reference.tag.is_none() && reference.digest.is_none() {
        reference.tag = Some("latest".to_owned());
    }
    Ok(reference)
}

/// The digest that `name` ends in.
pub(super) fn digest(name: &str) -> Option<Digest> {
    name.trim().split_once('@')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        let pin = Digest::sha256(b"x");
        for (name, expected) in [
            ("nginx".to_owned(), "docker.io/library/nginx:latest".to_owned()),
            ("nginx:1.27".into(), "docker.io/library/nginx:1.27".into()),
            ("grafana/grafana".into(), "docker.io/grafana/grafana:latest".into()),
            ("docker.io/library/nginx:1".into(), "docker.io/library/nginx:1".into()),
            ("index.docker.io/library/nginx:1".into(), "docker.io/library/nginx:1".into()),
            ("localhost/x:1".into(), "localhost/x:1".into()),
            ("localhost:5000/x".into(), "localhost:5000/x:latest".into()),
            ("public.ecr.aws/nginx/nginx".into(), "public.ecr.aws/nginx/nginx:latest".into()),
            (format!("nginx@{pin}"), format!("docker.io/library/nginx@{pin}")),
            (format!("quay.io/x:1@{pin}"), format!("quay.io/x:1@{pin}")),
            (" nginx ".into(), "docker.io/library/nginx:latest".into()),
        ] {
            assert_eq!(reference(&name).unwrap().to_string(), expected, "{name}");
        }
        for garbage in ["", "Nginx", "nginx:${TAG}", "https://x.y/z", "nginx@sha256:1"] {
            assert!(reference(garbage).is_err(), "{garbage}");
        }
    }

    #[test]
    fn only_a_complete_digest_counts() {
        let pin = Digest::sha256(b"x");
        assert_eq!(digest(&format!("nginx:1@{pin}")), Some(pin));
        assert_eq!((digest("nginx"), digest("nginx@sha256:1")), (None, None));
    }
}
