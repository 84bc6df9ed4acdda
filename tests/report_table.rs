//! What people read: every table of the sample, as it comes out of the program.

#[path = "support/sample.rs"]
mod sample;

use basewatch::{
    judge::Verdict,
    report::{AgeDistribution, Finding, Harmless, Report, Style, Summary, base_table, explain, json, table},
};
use proptest::prelude::*;

fn at(width: usize) -> Style {
    Style { width: Some(width), ..Style::default() }
}

#[test]
fn the_table_at_80_columns() {
    insta::assert_snapshot!(table::render(&sample::report(), &at(80)));
}

#[test]
fn the_table_at_140_columns() {
    insta::assert_snapshot!(table::render(&sample::report(), &at(140)));
}

#[test]
fn the_table_in_colour() {
    let style = Style { color: true, ..at(140) };
    insta::assert_snapshot!(table::render(&sample::report(), &style).replace('\x1b', "␛"));
}

#[test]
fn the_table_with_everything() {
    insta::assert_snapshot!(table::render(&sample::report(), &Style { show_all: true, ..at(120) }));
}

#[test]
fn the_table_of_an_audit_that_found_nothing() {
    insta::assert_snapshot!(table::render(&sample::report_of(Vec::new(), Vec::new()), &at(80)));
}

#[test]
fn the_table_of_an_audit_where_all_is_well() {
    let findings = ["gateway:9", "thumbnails:3"].map(sample::fresh).to_vec();
    insta::assert_snapshot!(table::render(&sample::report_of(findings, Vec::new()), &at(80)));
}

#[test]
fn the_report_as_json() {
    insta::assert_snapshot!(json::render(&sample::report()));
}

#[test]
fn a_base_at_80_columns() {
    insta::assert_snapshot!(base_table::render(&sample::base_report(), &at(80)));
}

#[test]
fn an_explanation_at_80_columns() {
    insta::assert_snapshot!(explain::render(&sample::explanation(), &at(80)));
}
