//! Settings of resolution, already validated.

use crate::glob::Glob;

/// Where dated tags are looked for, and how hard.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base repositories (with their registry) whose releases carry dated tags.
    pub dated_tags: Vec<Glob>,
    /// How many dated tags are asked for a digest at the most.
    pub probes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        // AWS publishes the same images with the same tags on Docker Hub.
        let lambda = ["public.ecr.aws/lambda/*", "docker.io/amazon/aws-lambda-*"];
        Self { dated_tags: lambda.map(|pattern| pattern.parse().expect("a valid pattern")).into(), probes: 4 }
    }
}
