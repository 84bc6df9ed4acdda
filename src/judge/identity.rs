//! The reasons about which base an image is built on, in words.

use chrono::{DateTime, Utc};

use super::{Reason, ReasonCode, Unidentified};
use crate::{
    identify::{Base, Identification, PrefixCheck, Reading, Search},
    image::clip,
    resolve::Resolution,
};

/// How much of a label is quoted, in bytes: what is wrong with it has to follow.
const QUOTED_BYTES: usize = 300;

/// Why no base could be identified.
pub(super) fn of_unidentified(unidentified: Unidentified<'_>, _now: DateTime<Utc>) -> Vec<Reason> {
    let identification = unidentified.identification;
    let mut reasons = malformed(identification);
    reasons.extend(contradicted(identification));
    reasons.extend(unfinished(identification));
    if reasons.is_empty() {
        let message = "neither a configured label nor org.opencontainers.image.base.* names a base";
        reasons.push(Reason::new(ReasonCode::BaseUnidentified, message));
    }
    reasons
}

/// What has to be known about how the base was identified.
pub(super) fn of_identified(identification: &Identification, resolution: &Resolution) -> Vec<Reason> {
    let mut reasons = malformed(identification);
    reasons.extend(contradicted(identification));
    reasons.extend(unconfirmed(identification));
    reasons.extend(dissent(identification, resolution));
    reasons
}

fn malformed(identification: &Identification) -> Vec<Reason> {
    let message = |(reading, error): (&Reading, _)| {
        let value = clip(reading.value.as_str(), QUOTED_BYTES);
        format!("{} {} is {value:?}: {error}", reading.kind.as_str(), reading.key)
    };
    identification.malformed().map(|pair| Reason::new(ReasonCode::LabelMalformed, message(pair))).collect()
}

/// What the image records and its layers disprove.
fn contradicted(identification: &Identification) -> Option<Reason> {
    let says: Vec<_> = identification.contradicted().map(says).collect();
    if says.is_empty() {
        return None;
    }
    let says = says.join("; ");
    let message = match identification.base() {
        Some(base) => {
            let name = base.base.reference();
            let how = match base.layer_count {
                Some(count) => format!("its first {count} layers are those of {name}"),
                None => format!("{name} is used instead"),
            };
            format!("{says}, but the image does not begin with the layers of that; {how}")
        }
        None => format!("{says}, but the image does not begin with the layers of that, nor of any known release"),
    };
    Some(Reason::new(ReasonCode::LabelContradicted, message))
}

/// Why the layers do not confirm the base.
fn unconfirmed(identification: &Identification) -> Option<Reason> {
    let (reading, base) = identification.best()?;
    let says = says((reading, base));
    let message = match identification.unconfirmed()? {
        PrefixCheck::Fewer => {
            format!("{says}, and the image has fewer layers than that: it was squashed, so nothing can be compared")
        }
        PrefixCheck::Unread => format!("{says}, and the layers of that cannot be read, so nothing can be compared"),
        PrefixCheck::Prefix { .. } | PrefixCheck::Different => return None,
    };
    Some(Reason::new(ReasonCode::LabelUnconfirmed, message))
}

/// Why not all releases were compared that the image may be built on.
fn unfinished(identification: &Identification) -> Option<Reason> {
    let message = match &identification.layers.search {
        Search::Idle | Search::Complete { .. } => return None,
        Search::Unfinished { compared_count, left_count } => format!(
            "the image records no base that holds; {compared_count} releases were compared with its layers, about \
             {left_count} are left, and the next run goes on with them"
        ),
        Search::Failed { why } => {
            format!(
                "the image records no base that holds, and the releases to compare with its layers cannot be read: {why}"
            )
        }
    };
    Some(Reason::new(ReasonCode::BaseSearchUnfinished, message))
}

fn says((reading, base): (&Reading, &Base)) -> String {
    format!("{} {} says {}", reading.kind.as_str(), reading.key, base.reference())
}

fn dissent(identification: &Identification, resolution: &Resolution) -> Option<Reason> {
    let (best, base) = identification.best()?;
    let dissenting: Vec<_> = identification.dissenting(|base| resolution.contradicts(base)).collect();
    let mut others: Vec<_> = dissenting.iter().map(|pair| says(*pair)).collect();
    // A pair may contradict itself.
    let records = |digest: &&crate::image::Digest| dissenting.iter().any(|(_, base)| base.records(digest));
    let own =
        base.further_digests.iter().filter(|digest| resolution.base.contradicting.contains(digest) && !records(digest));
    others.extend(own.map(|digest| format!("{digest} beside it names another release")));
    (!others.is_empty()).then(|| {
        let message = format!("{} was used; {}", best.key, others.join("; "));
        Reason::new(ReasonCode::EvidenceDisagrees, message)
    })
}
