//! The cost of 10,000 functions with Lambda's real quotas, cold and warm.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use testbed::{
    aws::{Calls, Cloud, CloudQuotas, CloudServer},
    registry::Loopback,
};

use crate::{
    aws_fleet::{self, AwsFleet, FUNCTIONS, FleetRegion},
    measure::{self, Measured, megabytes, row},
    rivals::{audit, check},
};

/// Requests a second in one region of one account.
const GET_FUNCTION: f64 = 100.0;
const OTHERS: f64 = 15.0;
/// The interval of checks whether Lambda is still called.
const LOOK: Duration = Duration::from_millis(20);

/// Audits them, cold and warm, and prints the counts.
pub async fn count() {
    let aws_fleet = aws_fleet::fill();
    let server = CloudServer::start(aws_fleet.cloud.clone()).expect("a loopback port");
    let registry = Loopback::start(aws_fleet.stock.clone()).expect("a loopback port");
    let program = aws_fleet.program(server.endpoint(), &registry.endpoint());
    println!(
        "{FUNCTIONS} functions, {} with what aliases point to, in {} regions with the quotas of AWS",
        aws_fleet.deployments,
        aws_fleet.regions.len()
    );

    aws_fleet.cloud.limit(CloudQuotas::real());
    let (cold, asked_for) = run(audit(&program), &aws_fleet.cloud).await;
    check(&cold, aws_fleet.deployments);
    let calls = aws_fleet.cloud.calls();
    let (least, why) = least(&aws_fleet);
    row("cold audit", format!("{:.2?}, peak {} MB  (below 150)", cold.wall, megabytes(cold.peak_bytes)));
    row("  the quotas allow at best", format!("{least:.2} s: {why}"));
    row("  times as long", format!("{:.2}  (at most 1.2)", cold.wall.as_secs_f64() / least));
    row("  until Lambda's last answer, and from then on", phases(&cold, asked_for));
    row("  GetFunction, others of Lambda that it takes", {
        let sum = |count: fn(&FleetRegion) -> usize| aws_fleet.regions.iter().map(count).sum::<usize>();
        format!("{}, {}", sum(FleetRegion::gets), sum(FleetRegion::lists))
    });
    row("  calls that were throttled, that were refused", endings(&calls));
    row("  calls of AWS", actions(&calls));
    let requests = registry.requests().len();
    row("  requests to registries about images, about bases", about(&registry, 0));

    aws_fleet.cloud.forget_calls();
    // A minute later, the buckets are full again.
    aws_fleet.cloud.limit(CloudQuotas::real());
    let (warm, asked_for) = run(audit(&program), &aws_fleet.cloud).await;
    check(&warm, aws_fleet.deployments);
    let calls = aws_fleet.cloud.calls();
    row("warm audit", format!("{:.2?}, peak {} MB  (below 150)", warm.wall, megabytes(warm.peak_bytes)));
    row("  until Lambda's last answer, and from then on", phases(&warm, asked_for));
    row("  calls of Lambda that are not lists", format!("{}  (none)", not_lists(&calls)));
    row("  calls that were throttled, that were refused", endings(&calls));
    row("  calls of AWS", actions(&calls));
    row("  requests to registries about images, about bases", about(&registry, requests));
}

/// Runs it to its end, and returns for how long Lambda was called. AWS and the registries run on this runtime: waiting
/// for the child must not block its threads.
async fn run(mut command: Command, cloud: &Cloud) -> (Measured, Duration) {
    let begun = Instant::now();
    let mut child = tokio::task::spawn_blocking(move || measure::run(&mut command));
    let (mut count, mut asked_for) = (0, Duration::ZERO);
    loop {
        if let Ok(ended) = tokio::time::timeout(LOOK, &mut child).await {
            return (ended.expect("a run"), asked_for);
        }
        let calls = cloud.calls().sum(|call| call.service == "lambda").calls;
        if calls > count {
            (count, asked_for) = (calls, begun.elapsed());
        }
    }
}

fn phases(run: &Measured, asked_for: Duration) -> String {
    format!("{asked_for:.2?}, {:.2?}", run.wall.saturating_sub(asked_for))
}

/// The seconds of the slowest region if every call is made as early as the rates allow, and its limiting quota. Each quota
/// is for one account and region; regions do not wait for each other. Bursts within a quota are not considered.
fn least(aws_fleet: &AwsFleet) -> (f64, String) {
    let seconds = |count: usize, rate: f64| measure::ratio(count, 1) / rate;
    let regions = aws_fleet.regions.iter().flat_map(|region| {
        let (gets, lists) = (region.gets(), region.lists());
        [
            (seconds(gets, GET_FUNCTION), format!("{gets} GetFunction at {GET_FUNCTION}/s in one region")),
            (seconds(lists, OTHERS), format!("{lists} other calls at {OTHERS}/s in one region")),
        ]
    });
    regions.max_by(|one, other| one.0.total_cmp(&other.0)).expect("there are regions")
}

fn endings(calls: &Calls) -> String {
    let total = calls.total();
    format!("{}, {}", total.throttled, total.refused)
}

fn actions(calls: &Calls) -> String {
    let actions = calls.by_action().into_iter().map(|(action, count)| format!("{action} {count}"));
    actions.collect::<Vec<_>>().join(", ")
}

fn not_lists(calls: &Calls) -> u64 {
    calls.sum(|call| call.service == "lambda" && !call.operation.starts_with("List")).calls
}

/// Requests to the registry since there were `seen`.
fn about(registry: &Loopback, seen: usize) -> String {
    let mut counts = BTreeMap::<bool, usize>::new();
    for request in registry.requests().split_off(seen) {
        *counts.entry(request.path.starts_with("/v2/lambda/")).or_default() += 1;
    }
    let count = |is_base| counts.get(&is_base).copied().unwrap_or_default();
    format!("{}, {}", count(false), count(true))
}
