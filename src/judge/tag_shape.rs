//! Tag series: `3.4.0` follows `3.3.9`; the tag of a branch, a pull request or a build cache follows neither.

use std::{cmp::Ordering, collections::BTreeSet};

/// How many hexadecimal digits a commit or content hash has in a tag: an abbreviated commit at least, SHA-256 at most.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 7..=64;

/// Prefixes of a hash, as in `sha-5f3a9c0`.
const HASH_WORDS: [&str; 4] = ["sha", "git", "commit", "digest"];

/// Prefixes of the number of a change under review, as in `pr-77`. The number identifies a change and does not order
/// images.
const REVIEW_WORDS: [&str; 4] = ["pr", "mr", "pull", "merge"];

/// A tag, split into the texts that identify its series and the numbers that order it.
///
/// Tags of one series differ in digits only; `rc` and `-alpine` have to be equal. Runs of digits compare as numbers,
/// from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagShape {
    /// The texts before, between and after the runs of digits: one more than `numbers`.
    texts: Vec<String>,
    numbers: Vec<DigitRun>,
}

/// A run of digits without leading zeros, of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DigitRun(String);

/// What all tags of a repository show about single ones: which are moving, and which are hashes.
#[derive(Clone, Debug, Default)]
pub struct TagSeries {
    /// Versions that other tags continue, with their suffixes: `3` and `-alpine` beside `3.4-alpine`.
    continued: BTreeSet<(String, String)>,
    /// The lengths of tags that are certainly hashes.
    hash_lengths: BTreeSet<usize>,
}

impl TagShape {
    /// Whether `other` belongs to the same series, at the same position or later.
    #[must_use]
    pub fn is_followed_by(&self, other: &Self) -> bool {
        self.texts == other.texts && self.numbers <= other.numbers
    }
}

impl PartialOrd for DigitRun {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((self.0.len(), &self.0).cmp(&(other.0.len(), &other.0)))
    }
}

impl<'a> FromIterator<&'a str> for TagSeries {
    fn from_iter<I: IntoIterator<Item = &'a str>>(tags: I) -> Self {
        let mut series = Self::default();
        for tag in tags {
            if is_hash(tag) && !is_digits(tag) {
                series.hash_lengths.insert(tag.len());
            }
            let (version, rest) = version_of(tag);
            for (end, _) in version.match_indices('.') {
                series.continued.insert((version[..end].to_owned(), rest.to_owned()));
            }
        }
        series
    }
}

impl TagSeries {
    /// The shape of `tag`; `None` for a hash or a moving tag.
    #[must_use]
    pub fn shape(&self, tag: &str) -> Option<TagShape> {
        let is_hash = is_hash(tag) && (!is_digits(tag) || self.hash_lengths.contains(&tag.len()));
        if is_hash || is_named_hash(tag) || self.is_moving(tag) {
            return None;
        }
        let mut shape = TagShape { texts: Vec::new(), numbers: Vec::new() };
        let (mut text, mut rest) = (String::new(), tag);
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            rest = &rest[end..];
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if end > 0 && !is_under_review(&text) {
                shape.texts.push(std::mem::take(&mut text));
                shape.numbers.push(DigitRun(rest[..end].trim_start_matches('0').to_owned()));
            } else {
                text.push_str(&rest[..end]);
            }
            rest = &rest[end..];
        }
        shape.texts.push(text);
        // A name without a number, such as latest or main, is moved to each new image.
        (!shape.numbers.is_empty()).then_some(shape)
    }

    /// Whether another tag continues the version of `tag`, as `3.4.1` continues `3`; then `tag` is a moving tag.
    fn is_moving(&self, tag: &str) -> bool {
        let (version, rest) = version_of(tag);
        self.continued.contains(&(version.to_owned(), rest.to_owned()))
    }
}

/// The version at the start of a tag and its suffix: `v3.4` and `-alpine`.
fn version_of(tag: &str) -> (&str, &str) {
    let start = usize::from(tag.starts_with('v'));
    let end = tag[start..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(tag.len(), |end| start + end);
    tag.split_at(end)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether all of `tag` may be a hash. Digits alone may be a number as well.
fn is_hash(tag: &str) -> bool {
    HASH_LENGTHS.contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `tag` is a hash with a prefix of `HASH_WORDS`.
fn is_named_hash(tag: &str) -> bool {
    tag.split_once(['-', '_', '.'])
        .is_some_and(|(word, hash)| is_hash(hash) && HASH_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Whether `before`, which a number follows, ends in a word for a change under review.
fn is_under_review(before: &str) -> bool {
    let word = before.trim_end_matches(['-', '_', '.']);
    let word = word.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    REVIEW_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an image tagged `candidate` may follow one tagged `deployed`, in a repository with `others` too.
    fn follows(deployed: &str, candidate: &str, others: &[&str]) -> bool {
        let tags: TagSeries = others.iter().copied().chain([deployed, candidate]).collect();
        match (tags.shape(deployed), tags.shape(candidate)) {
            (Some(deployed), Some(candidate)) => deployed.is_followed_by(&candidate),
            _ => false,
        }
    }

    #[test]
    fn a_tag_of_the_same_shape_and_a_later_number_follows() {
        for (deployed, candidate) in [
            ("421", "422"),
            ("99", "100"),
            ("421", "421"),
            ("007", "8"),
            ("3.3.9", "3.4.0"),
            ("3.9.0", "3.10.0"),
            ("v3.3.9", "v4.0.0"),
            ("3.3.9-alpine", "3.4.0-alpine"),
            ("3.4.0-rc1", "3.4.0-rc2"),
            ("3.4.0-rc.1", "3.5.0-rc.1"),
            ("3.4.0-SNAPSHOT", "3.4.1-SNAPSHOT"),
            ("main-421", "main-422"),
            ("2026-11-20.1", "2026-11-21.1"),
            ("20261119", "20261120"),
            ("1795240610506", "1795240610507"),
            ("18446744073709551615", "18446744073709551616"),
            ("3.4.0-feature_x-1234", "3.4.0-feature_x-1240"),
            ("pr-77-build-3", "pr-77-build-4"),
        ] {
            assert!(follows(deployed, candidate, &["latest", "buildcache"]), "{deployed} {candidate}");
        }
    }

    #[test]
    fn a_tag_of_another_shape_or_an_earlier_number_does_not_follow() {
        for (deployed, candidate) in [
            ("3.3.9", "3.4.0-feature_x-1234"),
            ("421", "3.4.0-feature_x-1234"),
            ("3.3.9", "pr-77"),
            ("421", "pr-77"),
            ("3.3.9", "buildcache"),
            ("421", "buildcache"),
            ("421", "latest"),
            ("3.3.9", "3.4.0-rc1"),
            ("3.4.0-rc1", "3.4.0"),
            ("3.4.0-beta1", "3.4.0-rc1"),
            ("3.3.9", "3.4.0-SNAPSHOT"),
            ("3.3.9", "3.4"),
            ("3.3.9", "v3.4.0"),
            ("3.3.9", "3.4.0-alpine"),
            ("3.10.0", "3.9.0"),
            ("3.4.1", "3.3.12"),
            ("422", "421"),
            ("feature_x-12", "feature_y-13"),
            ("pr-77", "pr-78"),
            ("PR77", "PR78"),
            ("1.0-mr_5", "1.1-mr_6"),
        ] {
            assert!(!follows(deployed, candidate, &[]), "{deployed} {candidate}");
        }
    }

    #[test]
    fn hashes_and_moving_tags_have_no_shape() {
        let long = "0a".repeat(32);
        for tag in ["5f3a9c0", "5F3A9C0", &long, "sha-5f3a9c0", "sha-1234567", "git_5f3a9c0b12de", "latest", "main", ""]
        {
            assert_eq!(TagSeries::default().shape(tag), None, "{tag}");
        }
        for (tag, others, expected) in [
            ("3", ["3.4.1", "x"], false),
            ("3.4", ["3.4.1", "x"], false),
            ("v3", ["v3.4", "x"], false),
            ("3-alpine", ["3.4-alpine", "x"], false),
            ("3-alpine", ["3.4", "4.1-alpine"], true),
            ("3", ["30.1", "2.9"], true),
            ("3.4.1", ["3", "3.4"], true),
            // Only other tags distinguish a number from a hash that has digits only.
            ("1234567", ["1234568", "x"], true),
            ("1234567", ["5f3a9c0", "x"], false),
            ("20261120", ["5f3a9c0", "x"], true),
        ] {
            let tags: TagSeries = others.into_iter().collect();
            assert_eq!(tags.shape(tag).is_some(), expected, "{tag} beside {others:?}");
        }
    }

    #[test]
    fn any_text_is_taken_as_a_tag() {
        for tag in ["ü1", "v", "v.", "...", "1..2", "١٢", "sha-", "-1-", "0"] {
            let tags: TagSeries = [tag].into_iter().collect();
            if let Some(shape) = tags.shape(tag) {
                assert!(shape.is_followed_by(&shape), "{tag}");
            }
        }
    }
}
