//! Judgement of a base chain: each base is judged by itself, and the worst verdict decides.

use super::{Action, Judgement, LinePosition, Reason, ReasonCode, Verdict};
use crate::{
    identify::IdentifiedBase,
    image::{Digest, ImageFacts},
    resolve::Resolution,
};

/// One base in the chain of an image, with its judgement.
#[derive(Clone, Debug)]
pub struct ChainLink<'a> {
    /// The base.
    pub base: &'a IdentifiedBase,
    /// Its resolution.
    pub resolution: &'a Resolution,
    /// Its judgement, as if the image were built on it alone.
    pub judgement: Judgement,
}

impl ChainLink<'_> {
    /// Whether the current release of the `outer` base is built on the current release of this one. `Some(false)` if it
    /// is still built on the release in use; `None` if neither is proven.
    #[must_use]
    pub fn is_adopted_by(&self, outer: &Resolution, image: &ImageFacts) -> Option<bool> {
        let current = outer.current.as_ref()?.diff_ids.as_deref()?;
        let newest = self.resolution.current.as_ref().and_then(|current| current.diff_ids.as_deref());
        if newest.is_some_and(|newest| is_prefix(newest, current)) {
            return Some(true);
        }
        let in_use = image.diff_ids.get(..self.base.layer_count?)?;
        match self.judgement.line_position {
            LinePosition::Unknown => None,
            position => is_prefix(in_use, current).then_some(position.is_newest()),
        }
    }

    fn is_behind(&self) -> bool {
        matches!(self.judgement.line_position, LinePosition::Behind | LinePosition::Held)
            && !self.judgement.is_deprecated
    }

    /// The release line, or the base as recorded if the line is unknown.
    fn name(&self) -> String {
        let line = self.resolution.line.as_ref().map(|(line, _)| line.to_string());
        line.unwrap_or_else(|| self.base.base.reference().to_string())
    }
}

fn is_prefix(layers: &[Digest], of: &[Digest]) -> bool {
    !layers.is_empty() && of.starts_with(layers)
}

/// The innermost link of `chain` that is behind because the base above it has not been rebuilt, and that base. The
/// chain begins with the base of `image`.
#[must_use]
pub fn awaited<'a, 'b>(
    chain: &'b [ChainLink<'a>],
    image: &ImageFacts,
) -> Option<(&'b ChainLink<'a>, &'b ChainLink<'a>)> {
    let pairs = chain.windows(2).map(|pair| (&pair[0], &pair[1]));
    let is_awaited = |(outer, inner): &(&ChainLink<'_>, &ChainLink<'_>)| {
        inner.is_behind() && inner.is_adopted_by(outer.resolution, image) == Some(false)
    };
    pairs.rev().find(is_awaited)
}

/// The judgement of `image` by all bases of its `chain`, outermost first; `None` for an empty chain.
///
/// The verdict is that of the worst base. If an inner base is behind, the base above it has to be rebuilt first: the
/// image waits for that and needs no rebuild of its own.
#[must_use]
pub fn judge_chain(chain: &[ChainLink<'_>], image: &ImageFacts) -> Option<Judgement> {
    let (outer, below) = chain.split_first()?;
    let mut judgement = outer.judgement.clone();
    for link in below {
        let inner = &link.judgement;
        judgement.is_stale |= inner.is_stale;
        judgement.is_out_of_date |= inner.is_out_of_date;
        judgement.is_deprecated |= inner.is_deprecated;
        judgement.runtime = judgement.runtime.take().or_else(|| inner.runtime.clone());
        judgement.severity = judgement.severity.max(inner.severity);
        judgement.verdict = worse(judgement.verdict, inner.verdict);
        judgement.rule = judgement.rule.take().or_else(|| inner.rule.clone());
    }
    for link in below {
        let name = link.name();
        let reasons = link.judgement.reasons.iter();
        let reasons = reasons.map(|reason| Reason::new(reason.code, format!("{name}: {}", reason.message)));
        // The reasons of the worst base come first.
        let index = if link.judgement.severity > outer.judgement.severity { 0 } else { judgement.reasons.len() };
        judgement.reasons.splice(index..index, reasons);
    }
    if let Some((above, inner)) = awaited(chain, image) {
        judgement.action = Action::None;
        let (above, inner) = (&above.base.base.repository, inner.name());
        let message = format!(
            "{above} has to be rebuilt first: its current release is built on an outdated release of {inner}, so \
             rebuilding this image does not help"
        );
        judgement.reasons.insert(0, Reason::new(ReasonCode::WaitsForBase, message));
    } else if judgement.is_deprecated {
        judgement.action = Action::Upgrade;
    } else if judgement.action == Action::None && is_open(below) {
        judgement.action = Action::Investigate;
    }
    Some(judgement)
}

/// Whether an inner base needs a rebuild or an investigation.
fn is_open(below: &[ChainLink<'_>]) -> bool {
    below.iter().any(|link| matches!(link.judgement.action, Action::Rebuild | Action::Investigate))
}

/// The worse verdict. An unknown base makes a fresh chain unknown; otherwise the known verdict counts.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Unknown, Verdict::Fresh) | (Verdict::Fresh, Verdict::Unknown) => Verdict::Unknown,
        (Verdict::Unknown, known) | (known, Verdict::Unknown) => known,
        (one, other) => one.max(other),
    }
}
