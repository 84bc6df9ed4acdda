//! The speed of an audit, and its number of requests to registries. `cargo bench --bench audit [MODE…]`
//!
//! Everything runs on loopback. The first two need docker-registry and skopeo, which `scripts/test` installs:
//!
//! - `fleet`: 500 images of one repository, named by tag, on 40 lines in docker-registry. A cold audit against `skopeo
//!   inspect` in parallel, a bare HTTP loop over the two documents of each image and over all that the audit fetched, and
//!   one process of `curl --parallel`, in turns; then a warm one.
//! - `deployments`: 10,000 deployments of 300 images. Requests and memory.
//! - `pace`: requests per line against ECR Public's one request a second.
//! - `functions`: 10,000 Lambda functions in four accounts and three regions of an AWS with Lambda's quotas. Time compared
//!   with the quotas, AWS calls, cold and warm, and memory.
//! - `alerts`: 10,000 findings at once, recorded and sent.
//! - `catalog`: the facts of 10,000 digests, written to a folder and read again; and a release catalog of 25,000 platform
//!   releases, decoded and indexed.
//! - `identify`: images built with buildah, skopeo and umoci, and the accuracy of their bases: the confusion table, and
//!   the requests of a cold and of a warm run. Building them takes a minute or two.
//! - `start`: from the start of the process to its first AWS call, and the size of the program.
//! - `serve`: a thousand requests a second to `basewatch serve` while a run is on, with a report of 10,000 findings.
//!
//! `BASEWATCH_PROGRAM` names another binary to measure, one that was built as a release for instance.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    clippy::panic,
    reason = "a bench is a program that prints"
)]

mod alerts;
mod aws_fleet;
mod catalog;
mod deployments;
mod fleet;
mod functions;
mod identify;
mod measure;
mod pace;
mod rivals;
mod serve;
mod start;

fn main() {
    // Cargo passes `--bench`; the other arguments are modes.
    let modes: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let chosen = |mode: &str| modes.is_empty() || modes.iter().any(|name| name == mode);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if chosen("fleet") {
        runtime.block_on(rivals::races());
    }
    if chosen("deployments") {
        runtime.block_on(deployments::count());
    }
    if chosen("pace") {
        runtime.block_on(pace::count());
    }
    if chosen("functions") {
        runtime.block_on(functions::count());
    }
    if chosen("alerts") {
        runtime.block_on(alerts::notify());
    }
    if chosen("catalog") {
        catalog::read();
    }
    if chosen("identify") {
        identify::compare();
    }
    if chosen("start") {
        start::measure();
    }
    if chosen("serve") {
        runtime.block_on(serve::load());
    }
}
