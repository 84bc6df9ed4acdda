//! Reason texts about the identification of a base.

use chrono::{DateTime, Utc};

use super::{Reason, ReasonCode, UnidentifiedImage};
use crate::{
    identify::{Base, BaseRecord, Identification, PrefixCheck, SearchCompletion},
    image::{ImageFacts, Repository, RootFileSystem, clip},
    resolve::Resolution,
};

/// The longest part of a label that a reason quotes, in bytes: the error that follows has to fit as well.
const QUOTED_BYTES: usize = 300;

/// The reasons why no base was identified, with the remedy.
pub(super) fn unidentified_reasons(unidentified: UnidentifiedImage<'_>, now: DateTime<Utc>) -> Vec<Reason> {
    let identification = unidentified.identification;
    let mut reasons = malformed(identification);
    reasons.extend(contradicted(identification));
    reasons.extend(unfinished(unidentified, now));
    reasons.extend(not_published(unidentified, now));
    if reasons.is_empty() {
        let what = looks_like(unidentified, now);
        let message = format!("the image records no base, and no known release is a prefix of its layers; {what}");
        reasons.push(Reason::new(ReasonCode::BaseUnidentified, message));
    }
    reasons
}

/// The reason of an image that is recognizably built on a Lambda base that no published release matches.
fn not_published(unidentified: UnidentifiedImage<'_>, now: DateTime<Utc>) -> Option<Reason> {
    let SearchCompletion::Complete { lines } = &unidentified.identification.layers.search else { return None };
    if !unidentified.image.fingerprint.is_lambda_base() {
        return None;
    }
    let (bound, lines, advice) = (bound(unidentified, now), lines.join(", "), advice(unidentified));
    let message = format!(
        "the image is recognizably built on an AWS Lambda base image, but its layers begin with no release of \
         {lines}{bound}; {advice}"
    );
    Some(Reason::new(ReasonCode::BaseNotPublishedHere, message))
}

/// What the image is built on as far as its history shows, and how to make its base known.
fn looks_like(unidentified: UnidentifiedImage<'_>, now: DateTime<Utc>) -> String {
    let profile = unidentified.image.profile;
    if let Some(base) = unconfigured(unidentified.identification) {
        let advice = format!("to judge it, add [[identify.base]] with repository = \"{base}\"");
        return format!("it is built on {base}, which is not configured as a base; {advice}");
    }
    let advice = advice(unidentified);
    if unidentified.image.fingerprint.is_lambda_base() {
        let bound = bound(unidentified, now);
        return format!("it is recognizably built on an AWS Lambda base image{bound}; {advice}");
    }
    let root = profile.root.map(|root| match root {
        RootFileSystem::Scratch => "built from scratch, without a base".to_owned(),
        RootFileSystem::Flattened => "flattened, so that the layers of its base are lost".to_owned(),
        root => format!("built on {}", root.as_str()),
    });
    let client = profile.has_runtime_client.then(|| "with its own Lambda runtime interface client".to_owned());
    let squashed = profile.is_squashed.then(|| "squashed into one layer".to_owned());
    let parts: Vec<_> = [root, client, squashed].into_iter().flatten().collect();
    if parts.is_empty() { advice } else { format!("it appears to be {}; {advice}", parts.join(", ")) }
}

/// The base that provenance names and the layers prove, but that is not configured as a base.
fn unconfigured(identification: &Identification) -> Option<&Repository> {
    let is_prefix =
        |position: &usize| matches!(identification.layers.checks.get(position), Some(PrefixCheck::Prefix { .. }));
    let readings = identification.records.iter().enumerate();
    let mut proven = readings.filter(|(position, reading)| reading.kind.is_candidate() && is_prefix(position));
    proven.find_map(|(_, reading)| Some(&reading.base.as_ref().ok()?.repository))
}

/// How to make the base known.
fn advice(unidentified: UnidentifiedImage<'_>) -> String {
    let label = unidentified.label;
    format!(
        "to judge it, add LABEL {label}=\"REPOSITORY:TAG@DIGEST\" with its base to the Dockerfile; if it is built on a base \
         of your own, add [[identify.base]] with the repository of that base"
    )
}

/// The lower bound of the age of the base: the time since ECR received the image. Dates that the image itself records
/// prove nothing.
fn bound(unidentified: UnidentifiedImage<'_>, now: DateTime<Utc>) -> String {
    match unidentified.pushed_at.map(|at| (now - at).num_days()) {
        None | Some(..=0) => String::new(),
        Some(days) => {
            let plural = if days == 1 { "" } else { "s" };
            format!("; the base was published at least {days} day{plural} ago, because the image was pushed then")
        }
    }
}

/// The reasons about the evidence for an identified base.
pub(super) fn identity_reasons(
    identification: &Identification,
    image: &ImageFacts,
    resolution: &Resolution,
) -> Vec<Reason> {
    let mut reasons = malformed(identification);
    reasons.extend(contradicted(identification));
    reasons.extend(unconfirmed(identification));
    reasons.extend(dissent(identification, resolution));
    reasons.extend(updated(identification, image));
    reasons
}

/// The reason of packages that were updated above the layers of the base.
fn updated(identification: &Identification, image: &ImageFacts) -> Option<Reason> {
    let base_layers = identification.base()?.layer_count?;
    let updates = image.build.package_updates.iter().filter(|update| update.is_after(base_layers));
    // The last complete update counts; a partial one only if there is no complete one.
    let update = updates.max_by_key(|update| (!update.is_partial, update.layer))?;
    let on = update.at.map(|at| format!(" on {}", at.format("%Y-%m-%d"))).unwrap_or_default();
    let what = if update.is_partial {
        "some packages of the operating system"
    } else {
        "the packages of the operating system"
    };
    let message = format!("{what} were updated with {}{on}, after the layers of the base", update.manager.as_str());
    Some(Reason::new(ReasonCode::PackagesUpdated, message))
}

fn malformed(identification: &Identification) -> Vec<Reason> {
    let message = |(reading, error): (&BaseRecord, _)| {
        let value = clip(reading.value.as_str(), QUOTED_BYTES);
        format!("{} {} is {value:?}: {error}", reading.kind.as_str(), reading.key)
    };
    identification.malformed().map(|pair| Reason::new(ReasonCode::LabelMalformed, message(pair))).collect()
}

/// The recorded bases that the layers disprove.
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
            format!("{says}, but the image does not begin with the layers of that base; {how}")
        }
        None => format!(
            "{says}, but the image begins neither with the layers of that base nor with those of a known release"
        ),
    };
    Some(Reason::new(ReasonCode::LabelContradicted, message))
}

/// The reason why the layers do not confirm the base.
fn unconfirmed(identification: &Identification) -> Option<Reason> {
    let (reading, base) = identification.best()?;
    let says = says((reading, base));
    let message = match identification.unconfirmed()? {
        PrefixCheck::Fewer => {
            format!(
                "{says}, but the image has fewer layers than that base: it was squashed, so the layers cannot be compared"
            )
        }
        PrefixCheck::Unread => {
            format!("{says}, but the layers of that base cannot be read, so the layers cannot be compared")
        }
        PrefixCheck::Prefix { .. } | PrefixCheck::Different => return None,
    };
    Some(Reason::new(ReasonCode::LabelUnconfirmed, message))
}

/// The reason of a layer search that is not finished.
fn unfinished(unidentified: UnidentifiedImage<'_>, now: DateTime<Utc>) -> Option<Reason> {
    let is_lambda = unidentified.image.fingerprint.is_lambda_base();
    let bound = if is_lambda { bound(unidentified, now) } else { String::new() };
    let message = match &unidentified.identification.layers.search {
        SearchCompletion::Idle | SearchCompletion::Complete { .. } => return None,
        SearchCompletion::Unfinished { compared_count, left_count } => format!(
            "the image records no usable base; {compared_count} releases were compared with its layers, about \
             {left_count} are left, and the next run continues with them{bound}"
        ),
        SearchCompletion::Failed { why } => {
            format!(
                "the image records no usable base, and the releases to compare with its layers cannot be read: {why}{bound}"
            )
        }
    };
    Some(Reason::new(ReasonCode::BaseSearchUnfinished, message))
}

fn says((reading, base): (&BaseRecord, &Base)) -> String {
    format!("{} {} names {}", reading.kind.as_str(), reading.key, base.reference())
}

fn dissent(identification: &Identification, resolution: &Resolution) -> Option<Reason> {
    let (best, base) = identification.best()?;
    let dissenting: Vec<_> = identification.dissenting(|base| resolution.contradicts(base)).collect();
    let mut others: Vec<_> = dissenting.iter().map(|pair| says(*pair)).collect();
    // A tag and a digest in one record may contradict each other.
    let records = |digest: &&crate::image::Digest| dissenting.iter().any(|(_, base)| base.records(digest));
    let own =
        base.further_digests.iter().filter(|digest| resolution.base.contradicting.contains(digest) && !records(digest));
    others.extend(own.map(|digest| format!("{digest} in the same record names another release")));
    (!others.is_empty()).then(|| {
        let message = format!("{} was used; {}", best.key, others.join("; "));
        Reason::new(ReasonCode::EvidenceDisagrees, message)
    })
}
