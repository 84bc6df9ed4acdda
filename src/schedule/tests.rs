//! Cron expressions, and schedules across clock changes.

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn timetable(expression: &str, zone: &str) -> Timetable {
    Timetable::new(expression, zone.parse().unwrap()).unwrap()
}

/// The instants after `from` at which a run is due, as hours and minutes of UTC on days of the month.
fn due(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let timetable = timetable(expression, zone);
    std::iter::successors(timetable.next(at(from)), |due| timetable.next(*due))
        .take(count)
        .map(|due| due.format("%d %H:%M").to_string())
        .collect()
}

#[test]
fn five_fields_and_six_fields_starting_with_seconds_are_accepted() {
    let from = "2026-11-20T05:00:00Z"; // a Friday
    for expression in ["0 6 * * *", "0 0 6 * * *", "0 6 ? * *", " 0  6 * * 0-7 ", "0 6 * * mon-sun", "@daily"] {
        let midnight = if expression == "@daily" { "21 00:00" } else { "20 06:00" };
        assert_eq!(due(expression, "UTC", from, 1), [midnight], "{expression}");
    }
}

#[test]
fn sunday_is_0_or_7_and_days_may_be_names() {
    let from = "2026-11-20T07:00:00Z";
    let table = [
        ("0 6 * * 0", ["22 06:00", "29 06:00"]),
        ("0 6 * * 7", ["22 06:00", "29 06:00"]),
        ("0 6 * * sun", ["22 06:00", "29 06:00"]),
        ("0 6 * * 1", ["23 06:00", "30 06:00"]),
        ("0 6 * * MON", ["23 06:00", "30 06:00"]),
        ("0 6 * * 6-7", ["21 06:00", "22 06:00"]),
        ("0 6 * * sat-sun", ["21 06:00", "22 06:00"]),
        ("0 6 * * 1-5/2", ["23 06:00", "25 06:00"]),
        ("0 6 * * */3", ["21 06:00", "22 06:00"]),
        ("0 6 * * 5,0", ["22 06:00", "27 06:00"]),
    ];
    for (expression, expected) in table {
        assert_eq!(due(expression, "UTC", from, 2), expected, "{expression}");
    }
}

#[test]
fn a_day_of_the_month_and_a_day_of_the_week_match_separately() {
    assert_eq!(due("0 6 24 * mon", "UTC", "2026-11-20T07:00:00Z", 3), ["23 06:00", "24 06:00", "30 06:00"]);
}

#[test]
fn a_time_that_a_clock_change_skips_is_due_at_the_end_of_the_gap() {
    // In Berlin, 02:00 to 03:00 is skipped on 29 March 2026, at 01:00 UTC.
    assert_eq!(due("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3), ["28 01:30", "29 01:00", "30 00:30"]);
    assert_eq!(due("15,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3), ["29 01:00", "30 00:15", "30 00:45"]);
    // In Lord Howe it is half an hour.
    assert_eq!(due("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 2), ["03 15:30", "04 15:15"]);
}

#[test]
fn a_time_that_occurs_twice_is_due_once() {
    // In Berlin, 02:00 to 03:00 is shown twice on 25 October 2026, at 00:00 and 01:00 UTC.
    assert_eq!(due("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["25 00:30", "26 01:30"]);
    let after_the_first = due("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 1);
    assert_eq!(after_the_first, ["26 01:30"]);
    assert_eq!(due("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["26 01:30"]);
}

#[test]
fn an_hourly_run_is_due_after_an_hour_across_clock_changes() {
    let spring = due("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4);
    assert_eq!(spring, ["29 00:30", "29 01:30", "29 02:30", "29 03:30"]);
    let autumn = due("30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", 4);
    assert_eq!(autumn, ["24 23:30", "25 00:30", "25 01:30", "25 02:30"]);
    let quarters = due("*/15 * * * *", "Europe/Berlin", "2026-10-25T00:40:00Z", 4);
    assert_eq!(quarters, ["25 00:45", "25 01:00", "25 01:15", "25 01:30"]);
}

#[test]
fn runs_are_in_order_through_a_year_of_clock_changes() {
    let zones =
        ["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"];
    for zone in zones {
        for expression in ["0 6 * * *", "30 1,2,3 * * *", "10 * * * *", "0 0 * * 1", "0 2 31 * *"] {
            let timetable = timetable(expression, zone);
            let mut last = at("2026-01-01T00:00:00Z");
            let mut count = 0;
            while last < at("2027-01-01T00:00:00Z") && count < 10_000 {
                let next = timetable.next(last).unwrap();
                assert!(next > last, "{expression} in {zone} at {last}");
                (last, count) = (next, count + 1);
            }
            let fewest = match expression {
                "0 6 * * *" => 365,
                "30 1,2,3 * * *" => 3 * 365 - 8,
                "10 * * * *" => 8_760,
                "0 0 * * 1" => 52,
                _ => 7,
            };
            assert!(count >= fewest, "{expression} in {zone}: {count}");
        }
    }
}

#[test]
fn a_run_is_missed_if_one_was_due_since_the_last() {
    let timetable = timetable("0 6 * * *", "UTC");
    assert!(timetable.has_missed(at("2026-11-19T06:00:10Z"), at("2026-11-20T06:00:00Z")));
    assert!(!timetable.has_missed(at("2026-11-19T06:00:10Z"), at("2026-11-20T05:59:59Z")));
    assert!(!timetable.has_missed(at("2026-11-20T06:00:00Z"), at("2026-11-20T18:00:00Z")));
}

#[test]
fn invalid_expressions_are_rejected_with_a_hint() {
    let table = [
        ("", "has 0 fields: write five fields"),
        ("0 6 * *", "has 4 fields"),
        ("0 0 6 * * * 2026", "has 7 fields"),
        ("61 6 * * *", "is not a cron expression"),
        ("0 6 * * ? *", "is an AWS schedule: write \"0 6 * * *\""),
        ("0 6 * ? *", "has a ? where * is meant: write \"0 6 * * *\""),
        ("0 6 * * 8", "has an invalid day of the week: use 0-7 or sun-sat"),
        ("0 6 * * mo", "has an invalid day of the week"),
        ("0 6 * * 5-2", "has an invalid day of the week"),
        ("0 6 * * 1/0", "has an invalid day of the week"),
        ("0 6 30 2 *", "never matches"),
        ("* * * * * *", "more than once a minute"),
        ("0,30 0 6 * * *", "more than once a minute"),
        ("@reboot", "has 1 fields"),
        ("every day", "has 2 fields"),
    ];
    for (expression, expected) in table {
        let error = Timetable::new(expression, Tz::UTC).unwrap_err();
        assert!(error.contains(expected), "{expression}: {error}");
    }
}

#[test]
fn a_timetable_is_displayed_with_its_time_zone() {
    let timetable = timetable("0 6 * * mon-fri", "Europe/London");
    assert_eq!(timetable.to_string(), "0 6 * * mon-fri (Europe/London)");
    assert_eq!(timetable.local(at("2026-07-01T05:00:00Z")), "2026-07-01 06:00 BST");
}
