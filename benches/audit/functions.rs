//! The cost of 10,000 functions with Lambda's real quotas, cold and warm.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use basewatch::{
    aws::loopback::{Calls, Cloud, CloudQuotas, CloudServer},
    registry::Loopback,
};

use crate::{
    estate::{self, Estate, FUNCTIONS, Place},
    measure::{self, Measured, megabytes, row},
    rivals::{audit, check},
};

/// Requests a second in one region of one account.
const GET_FUNCTION: f64 = 100.0;
const OTHERS: f64 = 15.0;
/// The interval of checks whether Lambda is still called.
const LOOK: Duration = Duration::from_millis(20);

/// Audits them, cold and warm; counts, prints.
pub async fn count() {
    let estate = estate::fill();
    let server = CloudServer::start(estate.cloud.clone()).expect("a loopback port");
    let registry = Loopback::start(estate.stock.clone()).expect("a loopback port");
    let program = estate.program(server.endpoint(), &registry.endpoint());
    println!(
        "{FUNCTIONS} functions, {} with what aliases point to, in {} places with the quotas of AWS",
        estate.deployments,
        estate.places.len()
    );

    estate.cloud.limit(CloudQuotas::real());
    let (cold, asked_for) = run(audit(&program), &estate.cloud).await;
    check(&cold, estate.deployments);
    let calls = estate.cloud.calls();
    let (least, why) = least(&estate);
    row("cold audit", format!("{:.2?}, peak {} MB  (below 150)", cold.wall, megabytes(cold.peak_bytes)));
    row("  the quotas allow at best", format!("{least:.2} s: {why}"));
    row("  times as long", format!("{:.2}  (at most 1.2)", cold.wall.as_secs_f64() / least));
    row("  until Lambda's last answer, and from then on", phases(&cold, asked_for));
    row("  GetFunction, others of Lambda that it takes", {
        let sum = |count: fn(&Place) -> usize| estate.places.iter().map(count).sum::<usize>();
        format!("{}, {}", sum(Place::gets), sum(Place::lists))
    });
    row("  calls that were throttled, that were refused", endings(&calls));
    row("  calls of AWS", actions(&calls));
    let requests = registry.requests().len();
    row("  requests to registries about images, about bases", about(&registry, 0));

    estate.cloud.forget_calls();
    // A minute later, the buckets are full again.
    estate.cloud.limit(CloudQuotas::real());
    let (warm, asked_for) = run(audit(&program), &estate.cloud).await;
    check(&warm, estate.deployments);
    let calls = estate.cloud.calls();
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

/// The seconds of the slowest place if every call is made as early as the rates allow, and its limiting quota. Each quota
/// is for one account and region; places do not wait for each other. Bursts within a quota are not considered.
fn least(estate: &Estate) -> (f64, String) {
    let seconds = |count: usize, rate: f64| measure::ratio(count, 1) / rate;
    let places = estate.places.iter().flat_map(|place| {
        let (gets, lists) = (place.gets(), place.lists());
        [
            (seconds(gets, GET_FUNCTION), format!("{gets} GetFunction at {GET_FUNCTION}/s in one place")),
            (seconds(lists, OTHERS), format!("{lists} other calls at {OTHERS}/s in one place")),
        ]
    });
    places.max_by(|one, other| one.0.total_cmp(&other.0)).expect("there are places")
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
