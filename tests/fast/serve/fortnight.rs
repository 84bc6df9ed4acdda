//! Two weeks of scheduled runs with a clock that jumps forward and back, stops and sleeps.

use chrono::TimeDelta;

use testbed::{
    serve_rig::{Served, at},
    toxic::{Reply, Toxic},
};

const BERLIN: &str = "time_zone = \"Europe/Berlin\"\n[serve]\nschedule = \"30 2 * * *\"\n";

/// Lets time pass until `end`, and waits until no run is in progress.
pub(crate) async fn pass(served: &Served, end: &str) {
    served.clock.run_until(end);
    let is_then = async || {
        let status = served.json("/api/v1/status").await;
        let next = status["next_run_at"].as_str().map(at);
        served.clock.now() + TimeDelta::minutes(1) > at(end)
            && status["running"].is_null()
            && next.is_some_and(|next| next > at(end) - TimeDelta::minutes(1))
    };
    served.wait(is_then, end).await;
}

/// The runs, as days and times in UTC.
fn runs(served: &Served) -> Vec<String> {
    served.runs().iter().map(|run| format!("{}T{}:{}", &run[6..8], &run[9..11], &run[11..13])).collect()
}

/// The same to the hour.
fn hours(served: &Served) -> Vec<String> {
    runs(served).iter().map(|run| run[..5].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_autumn_each_day_has_one_run() {
    let served = Served::start("2026-10-18T12:00:00Z", BERLIN).await;
    pass(&served, "2026-11-01T12:00:00Z").await;
    let summer = (19..=25).map(|day| format!("{day}T00:30"));
    let winter = (26..=31).chain([1]).map(|day| format!("{day:02}T01:30"));
    let expected: Vec<_> = ["18T12:00".to_owned()].into_iter().chain(summer).chain(winter).collect();
    assert_eq!(runs(&served), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_spring_each_day_has_one_run_even_in_the_skipped_hour() {
    let served = Served::start("2026-03-22T12:00:00Z", BERLIN).await;
    pass(&served, "2026-04-05T12:00:00Z").await;
    let winter = (23..=28).map(|day| format!("{day}T01:30"));
    let summer = (30..=31).chain(1..=5).map(|day| format!("{day:02}T00:30"));
    let expected: Vec<_> =
        ["22T12:00".to_owned()].into_iter().chain(winter).chain(["29T01:00".to_owned()]).chain(summer).collect();
    assert_eq!(runs(&served), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_missed_while_the_service_was_down_are_made_up_once() {
    let mut served = Served::start("2026-06-01T12:00:00Z", "[serve]\nschedule = \"0 6 * * *\"\n").await;
    pass(&served, "2026-06-03T12:30:00Z").await;
    served.stop().await;
    served.clock.set(TimeDelta::days(4) + TimeDelta::hours(1));
    served.run().await;
    pass(&served, "2026-06-09T12:00:00Z").await;
    assert_eq!(hours(&served), ["01T12", "02T06", "03T06", "07T13", "08T06", "09T06"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_machine_runs_once_and_one_with_its_clock_set_back_waits() {
    let served = Served::start("2026-06-01T12:00:00Z", "[serve]\nschedule = \"0 6 * * *\"\n").await;
    pass(&served, "2026-06-02T03:30:00Z").await;
    // It sleeps during three runs.
    served.clock.set(TimeDelta::hours(54));
    pass(&served, "2026-06-05T03:00:00Z").await;
    assert_eq!(hours(&served), ["01T12", "04T09"]);
    // Its clock was a day ahead.
    served.clock.set(-TimeDelta::days(1));
    pass(&served, "2026-06-04T12:00:00Z").await;
    assert_eq!(hours(&served), ["01T12", "04T06", "04T09"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_overlaps_the_next_one_skips_it() {
    let clock = testbed::serve_rig::SetClock::at("2026-06-01T12:30:00Z");
    let slow = clock.clone();
    // The webhook takes three hours to respond.
    let hook = Toxic::start(move |request| {
        if request.nth == 0 {
            slow.set(TimeDelta::hours(3));
        }
        Reply::new(200, "{}")
    });
    let further = format!(
        "[[notify.webhook]]\nname = \"chat\"\nurl = \"{}/in\"\n[serve]\nschedule = \"0 * * * *\"\n",
        hook.endpoint()
    );
    let mut served = Served::prepare("2026-06-01T12:30:00Z", &further);
    served.clock = clock;
    served.run().await;
    served.wait_for_report().await;
    pass(&served, "2026-06-01T18:30:00Z").await;
    assert_eq!(runs(&served), ["01T12:30", "01T16:00", "01T17:00", "01T18:00"]);
}
