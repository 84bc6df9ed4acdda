//! The accuracy of base identification for images whose bases are known.

use std::time::Instant;

use testbed::held_out::{HeldOut, Settings, requests};

/// Builds the images, audits them cold and warm, and compares the results with the truth.
pub fn compare() {
    println!("identify: images by buildah, skopeo and umoci over stand-in bases");
    let fleet = HeldOut::build();
    let program = fleet.program(&Settings { search_requests: 5_000, ..Settings::default() });
    for run in ["cold", "warm"] {
        let started_at = Instant::now();
        let (confusion, report) = fleet.audit(&program);
        println!("{run}, {:.1} s\n{}{}", started_at.elapsed().as_secs_f64(), confusion.table(), requests(&report));
        confusion.faults.iter().for_each(|fault| println!("{fault}"));
    }
}
