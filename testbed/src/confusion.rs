//! The confusion table: identified bases compared with the ground truth.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use crate::{
    held_out::{NamedRelease, Truth},
    program::{codes, findings},
};

/// How a result compares with the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The base that can be proven is named, as confirmed.
    Right,
    /// No base can be proven, and the recorded base is named as unconfirmed.
    Unconfirmed,
    /// No base can be proven, and none is named.
    UnknownRightly,
    /// A base can be proven, but none is named, or one as unconfirmed.
    UnknownWrongly,
    /// Another base is named.
    Wrong,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Right, "right"),
    (Outcome::Unconfirmed, "unconfirmed"),
    (Outcome::UnknownRightly, "unknown rightly"),
    (Outcome::UnknownWrongly, "unknown wrongly"),
    (Outcome::Wrong, "wrong"),
];

/// The classes of images that are not built on AWS's bases alone, and such that only support others.
const OTHERS: [&str; 3] = ["company", "company-dated", "other-vendor"];

/// The name of a class of images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(String);

impl Class {
    /// How many images of it there are at the least.
    pub fn least(&self) -> usize {
        if matches!(&*self.0, "company-dated" | "copied" | "not-configured") { 4 } else { 10 }
    }
}

/// The number of images by class and result.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    counts: BTreeMap<(Class, Outcome), usize>,
    /// The deviations, with their images.
    pub faults: Vec<String>,
}

impl Confusion {
    /// Compares the findings of a report with the truth about the images.
    pub fn new(images: &[Truth], report: &Value) -> Self {
        let mut confusion = Self::default();
        let by_image: BTreeMap<&str, &Value> = findings(report)
            .iter()
            .map(|finding| (finding["image"]["reference"].as_str().expect("a reference"), finding))
            .collect();
        for truth in images {
            let finding = by_image.get(&*truth.image).unwrap_or_else(|| panic!("no finding of {}", truth.image));
            let outcome = outcome(truth, finding);
            *confusion.counts.entry((Class(truth.class.clone()), outcome)).or_default() += 1;
            let mut wrongs = Vec::new();
            if matches!(outcome, Outcome::UnknownWrongly | Outcome::Wrong) {
                wrongs.push(format!("{outcome:?}"));
            }
            if outcome == Outcome::Right && !is_chain(&truth.chain, &finding["base"]["chain"]) {
                wrongs.push("another chain".to_owned());
            }
            if codes(finding).contains(&"label-contradicted") != truth.contradicted {
                wrongs.push(format!("label contradicted: {}", truth.contradicted));
            }
            if !wrongs.is_empty() {
                let base = &finding["base"];
                confusion.faults.push(format!("{}: {wrongs:?}, named {base}, true is {truth:?}", truth.image));
            }
        }
        confusion
    }

    /// The number of results with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.counts.iter().filter(|((_, found), _)| *found == outcome).map(|(_, count)| count).sum()
    }

    /// The same of images that are built on bases of AWS alone.
    pub fn count_in_aws(&self, outcome: Outcome) -> usize {
        let of_others = |class: &Class| OTHERS.contains(&&*class.0);
        let counts = self.counts.iter().filter(|((class, found), _)| *found == outcome && !of_others(class));
        counts.map(|(_, count)| count).sum()
    }

    /// The classes, each with how many images it has.
    pub fn classes(&self) -> impl Iterator<Item = (&Class, usize)> {
        let mut classes: BTreeMap<&Class, usize> = BTreeMap::new();
        for ((class, _), count) in &self.counts {
            *classes.entry(class).or_default() += count;
        }
        classes.into_iter()
    }

    /// The counts by class and outcome, for people.
    pub fn table(&self) -> String {
        let mut table = format!("{:<18}", "class");
        let mut line = |class: &str, count: &dyn Fn(Outcome) -> usize| {
            let _ = write!(table, "\n{class:<18}");
            for (outcome, name) in OUTCOMES {
                let _ = write!(table, "{:>width$}", count(outcome), width = name.len() + 2);
            }
        };
        for (class, _) in self.classes() {
            line(&class.0, &|outcome| self.counts.get(&(class.clone(), outcome)).copied().unwrap_or_default());
        }
        line("all", &|outcome| self.count(outcome));
        let names = OUTCOMES.map(|(_, name)| name).join("  ");
        table.replacen('\n', &format!("  {names}\n"), 1) + "\n"
    }
}

fn outcome(truth: &Truth, finding: &Value) -> Outcome {
    let base = &finding["base"];
    let is_confirmed = base["confidence"] == "confirmed";
    let is_among = |releases: &[NamedRelease]| releases.iter().any(|release| release.is(base));
    match &truth.base {
        Some(_) if base.is_null() => Outcome::UnknownWrongly,
        Some(releases) if is_confirmed && is_among(releases) => Outcome::Right,
        // It is not reported as proven, so it is neither wrong nor correct.
        Some(_) if !is_confirmed => Outcome::UnknownWrongly,
        None if base.is_null() => Outcome::UnknownRightly,
        None if !is_confirmed && is_among(&truth.unconfirmed) => Outcome::Unconfirmed,
        Some(_) | None => Outcome::Wrong,
    }
}

/// Whether the bases below the first one are named as they are.
fn is_chain(expected: &[Vec<NamedRelease>], links: &Value) -> bool {
    let links = links.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_link = |(releases, link): (&Vec<NamedRelease>, &Value)| releases.iter().any(|it| it.is(&link["base"]));
    expected.len() == links.len() && expected.iter().zip(links).all(is_link)
}
