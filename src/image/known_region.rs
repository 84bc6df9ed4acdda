//! The AWS regions that are known, to suggest one for a misspelt name.
//!
//! AWS adds several regions a year, so a name that is not here may be right: nothing is rejected for that.

/// The regions of all partitions (`partitions.json` of botocore).
const REGIONS: [&str; 48] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "me-west-1",
    "mx-central-1",
    "sa-east-1",
    "sa-west-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// The most edits that a misspelt name is away from the right one.
const MOST_EDITS: usize = 2;

/// The known region that `name` probably misspells; `None` if it is known, or may be a newer region: one that differs
/// from a known one only in its number.
#[must_use]
pub fn misspelt_region(name: &str) -> Option<&'static str> {
    let place = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    if REGIONS.iter().any(|known| place(known) == place(name)) {
        return None;
    }
    let near = REGIONS.into_iter().map(|known| (strsim::osa_distance(name, known), known));
    near.filter(|(edits, _)| *edits <= MOST_EDITS).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_region_is_recognized_and_a_newer_one_is_not_mistaken_for_one() {
        for (name, meant) in [
            ("eu-wst-1", Some("eu-west-1")),
            ("eu-wset-1", Some("eu-west-1")),
            ("us-eats-2", Some("us-east-2")),
            ("ap-southest-2", Some("ap-southeast-2")),
            ("us-gov-wst-1", Some("us-gov-west-1")),
            ("euwest-1", Some("eu-west-1")),
            ("eu-west-1", None),
            ("eu-west-9", None),
            ("us-east-12", None),
            ("mars-north-1", None),
            ("", None),
        ] {
            assert_eq!(misspelt_region(name), meant, "{name}");
        }
    }
}
