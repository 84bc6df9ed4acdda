//! The cost of 10,000 deployments of 300 images. Each image and each line must be fetched only once.

use std::collections::BTreeMap;

use crate::{
    fleet::{APPS, Fleet, REPOSITORY},
    measure::{self, megabytes, row},
    rivals::{audit, check},
};

const DEPLOYMENTS: usize = 10_000;
const IMAGES: usize = 300;
const LINES: usize = 40;
/// Releases of each line that are in use.
const IN_USE: usize = 6;

/// Audits them and prints the counts.
pub async fn count() {
    let fleet = Fleet::fill(IMAGES, LINES, IN_USE).await;
    println!("{DEPLOYMENTS} deployments of {IMAGES} images on {LINES} lines");
    // With a digest, a tag is only a hint: these are different names of the same image.
    let references: Vec<String> = (0..DEPLOYMENTS)
        .map(|number| {
            let image = number % IMAGES;
            format!("{APPS}/{REPOSITORY}:deployment-{number}@{}", fleet.digests[image])
        })
        .collect();
    let program = fleet.program(&references);
    let mark = fleet.registry.mark();
    let cold = measure::run(&mut audit(&program));
    let requests = fleet.registry.requests_since(mark);
    check(&cold, DEPLOYMENTS);
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    for request in &requests {
        *times.entry(request).or_default() += 1;
    }
    let again = times.values().filter(|times| **times > 1).count();
    let (request, most) = times.iter().max_by_key(|(_, times)| **times).expect("there were requests");
    let about_images = requests.iter().filter(|request| request.contains("/v2/team/")).count();
    row("cold audit", format!("{:.2?}, peak {} MB  (at most 150)", cold.wall, megabytes(cold.peak_bytes)));
    row("  requests about images, about bases", format!("{about_images}, {}", requests.len() - about_images));
    row("  the same request at most", format!("{most}×  ({again} more than once, such as {request})"));
    let mark = fleet.registry.mark();
    let warm = measure::run(&mut audit(&program));
    check(&warm, DEPLOYMENTS);
    let requests = fleet.registry.requests_since(mark).len();
    row("warm audit", format!("{:.2?}, {requests} requests, peak {} MB", warm.wall, megabytes(warm.peak_bytes)));
}
