//! Identification of images built by other tools: the fleet is audited by the program and compared with the ground
//! truth recorded when the images were built.

#![expect(clippy::print_stdout, reason = "the confusion table is for people")]

use testbed::{
    confusion::{self, Outcome},
    held_out::{self, HeldOut, Settings},
};

/// More than the fleet needs.
const AMPLE: u32 = 5_000;

#[test]
fn every_provable_base_of_the_held_out_fleet_is_named_and_none_is_claimed_wrongly() {
    let fleet = HeldOut::build();
    assert!(fleet.images.len() >= 200, "{} images", fleet.images.len());
    let program = fleet.program(&Settings { search_requests: AMPLE, ..Settings::default() });
    let (confusion, cold) = fleet.audit(&program);
    println!("{}{}", confusion.table(), held_out::requests(&cold));
    assert_eq!(confusion.faults, Vec::<String>::new());
    assert!(confusion.classes().all(|(class, count)| count >= class.least()), "{}", confusion.table());

    let mark = fleet.registry.mark();
    let (warm, report) = fleet.audit(&program);
    println!("{}", held_out::requests(&report));
    assert_eq!(warm, confusion, "a second run answers the same");
    let requests = fleet.registry.requests_since(mark);
    // A label with a missing digest is read again.
    let is_read =
        |request: &&String| request.starts_with("GET ") && request.ends_with(" 200") && !request.contains("/tags/list");
    assert_eq!(
        requests.iter().filter(is_read).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "nothing is read again to identify a base"
    );

    small_budgets_in_a_row(&fleet, &confusion);
    without_dated_tags(&fleet);
    without_configured_bases(&fleet);
}

/// Runs with a small request budget report nothing wrong meanwhile, and end with the same results.
fn small_budgets_in_a_row(fleet: &HeldOut, expected: &confusion::Confusion) {
    let program = fleet.program(&Settings { search_requests: 100, ..Settings::default() });
    for _ in 0..12 {
        let (confusion, report) = fleet.audit(&program);
        assert_eq!(confusion.count(Outcome::Wrong), 0, "{}{:#?}", confusion.table(), confusion.faults);
        // Two more finish the release that is being read.
        assert!(report["search"]["requests"].as_u64().is_none_or(|sent| sent <= 102), "{}", report["search"]);
        if confusion == *expected {
            return;
        }
    }
    panic!("twelve runs of a hundred requests do not find what one of many does");
}

/// A registry whose dated tags cannot be listed: little can be proven, and nothing wrong is reported.
fn without_dated_tags(fleet: &HeldOut) {
    let program = fleet.program(&Settings { has_dated_tags: false, ..Settings::default() });
    let (confusion, _) = fleet.audit(&program);
    println!("without dated tags:\n{}", confusion.table());
    assert_eq!(confusion.count(Outcome::Wrong), 0, "{}{:#?}", confusion.table(), confusion.faults);
}

/// Only AWS's repositories are bases: images on other bases have the AWS base below, or an unknown one.
fn without_configured_bases(fleet: &HeldOut) {
    let program = fleet.program(&Settings { search_requests: AMPLE, has_other_bases: false, ..Settings::default() });
    let (confusion, _) = fleet.audit(&program);
    println!("without other bases:\n{}", confusion.table());
    assert_eq!(confusion.count_in_aws(Outcome::Wrong), 0, "{}{:#?}", confusion.table(), confusion.faults);
}
