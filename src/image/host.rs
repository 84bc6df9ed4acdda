//! Registry hosts and patterns over them, normalized to one spelling for each registry.

/// Docker Hub, as references name it; its API is at other hosts.
pub const DOCKER_HUB: &str = "docker.io";
/// The hosts of Docker Hub's API, which references name as well.
const DOCKER_HUB_API: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
/// The namespace of Docker Hub's official images, which references may leave out.
const OFFICIAL: &str = "library/";

/// The normalized registry `host`: lower case, without port 443, and `docker.io` for all hosts of Docker Hub.
#[must_use]
pub fn normalize_host(host: &str) -> String {
    let mut host = host.to_ascii_lowercase();
    if let Some((name, port)) = host.rsplit_once(':')
        && let Ok(port) = port.parse::<u16>()
    {
        // A name without a dot is a registry only with a port, and loopback uses plain HTTP.
        let is_https = port == 443 && name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
        host = if is_https { name.to_owned() } else { format!("{name}:{port}") };
    }
    if DOCKER_HUB_API.contains(&host.as_str()) { DOCKER_HUB.to_owned() } else { host }
}

/// All spellings of the registry `host`, itself first.
pub fn host_spellings(host: &str) -> impl Iterator<Item = &str> {
    let others: &[&str] = if host == DOCKER_HUB { &DOCKER_HUB_API } else { &[] };
    std::iter::once(host).chain(others.iter().copied())
}

/// The normalized repository `name` at `host`: `python` on Docker Hub is `library/python`.
pub(super) fn normalize_name(host: &str, name: &str) -> String {
    let is_official = host == DOCKER_HUB && !name.contains('/');
    if is_official { format!("{OFFICIAL}{name}") } else { name.to_owned() }
}

/// The normalized `pattern` over repositories with their registry or over lines: `index.docker.io/python:*` becomes
/// `docker.io/library/python:*`.
#[must_use]
pub fn normalize_pattern(pattern: &str) -> String {
    let is_wild = |text: &str| text.contains(['*', '?', '[', '{', '\\']);
    let Some((host, rest)) = pattern.split_once('/').filter(|(host, _)| !is_wild(host)) else {
        return pattern.to_owned();
    };
    let host = normalize_host(host);
    // A pattern that begins with a wildcard also matches with the namespace, because `*` crosses slashes.
    let is_official =
        host == DOCKER_HUB && !rest.contains('/') && rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    let name = rest.split([':', '@']).next().unwrap_or(rest);
    match (is_official, is_wild(name)) {
        (false, _) => format!("{host}/{rest}"),
        (true, true) => format!("{host}/{{{OFFICIAL}{rest},{rest}}}"),
        (true, false) => format!("{host}/{OFFICIAL}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_registry_are_normalized() {
        for (host, expected) in [
            ("Public.ECR.aws", "public.ecr.aws"),
            ("index.docker.io", "docker.io"),
            ("Registry-1.Docker.io:443", "docker.io"),
            ("docker.io", "docker.io"),
            ("r.corp:443", "r.corp"),
            ("r.corp:0443", "r.corp"),
            ("r.corp:05000", "r.corp:5000"),
            ("auth.docker.io", "auth.docker.io"),
            // Without its port it would be no registry, and plain http has another one.
            ("registry:443", "registry:443"),
            ("localhost:443", "localhost:443"),
            ("127.0.0.1:443", "127.0.0.1:443"),
        ] {
            assert_eq!(normalize_host(host), expected, "{host}");
        }
        assert_eq!(host_spellings("docker.io").count(), 3);
        assert_eq!(host_spellings("public.ecr.aws").collect::<Vec<_>>(), ["public.ecr.aws"]);
    }

    #[test]
    fn a_pattern_matches_normalized_names() {
        for (pattern, matched) in [
            ("docker.io/python", "docker.io/library/python"),
            ("docker.io/python:3.*", "docker.io/library/python:3.12"),
            ("registry-1.docker.io/python", "docker.io/library/python"),
            ("index.docker.io/*", "docker.io/library/python"),
            ("docker.io/py*", "docker.io/library/python"),
            ("docker.io/py*", "docker.io/pytorch/pytorch"),
            ("docker.io/library/python", "docker.io/library/python"),
            ("index.docker.io/amazon/aws-lambda-*", "docker.io/amazon/aws-lambda-python"),
            ("Public.ECR.aws/lambda/*", "public.ecr.aws/lambda/java:21"),
            ("*.docker.io/x", "eu.docker.io/x"),
            ("*java*", "public.ecr.aws/lambda/java:21"),
        ] {
            let glob: crate::glob::Glob = normalize_pattern(pattern).parse().expect(pattern);
            assert!(glob.matches(matched), "{pattern} as {glob:?}: {matched}");
        }
        let glob: crate::glob::Glob = normalize_pattern("docker.io/python").parse().expect("valid");
        assert!(!glob.matches("docker.io/library/python2") && !glob.matches("docker.io/other/python"));
    }
}
