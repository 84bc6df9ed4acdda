//! The judgement of one image: of its own base, and of the bases below.

use super::AuditOptions;
use crate::{
    identify::{Identification, IdentifiedBase, OCI_BASE_NAME},
    inventory::Deployment,
    judge::{ChainLink, JudgeInput, Judgement, UnidentifiedImage, judge, judge_chain},
    report::SubjectNames,
    resolve::Resolution,
};

/// The judgements of one image.
pub(super) struct JudgedImage<'a> {
    /// Its bases, each with its own judgement.
    pub(super) chain: Vec<ChainLink<'a>>,
    /// The judgement of the chain.
    pub(super) judgement: Judgement,
}

/// Judges the image of `candidate`, as if it were deployed instead of `deployment`.
pub(super) fn judged<'a>(
    deployment: &Deployment,
    candidate: &'a Deployment,
    identification: &'a Identification,
    resolutions: impl Iterator<Item = &'a Resolution>,
    options: &AuditOptions,
) -> JudgedImage<'a> {
    let judge_as = |input: JudgeInput<'_>, base: Option<&IdentifiedBase>, resolution: Option<&Resolution>| {
        let subjects = SubjectNames::new(deployment, base, resolution);
        judge(input, subjects.subject(), &options.policy, options.now)
    };
    let image = match &candidate.image {
        Ok(image) => &*image.facts,
        Err(unreadable) => {
            return JudgedImage {
                chain: Vec::new(),
                judgement: judge_as(JudgeInput::Unreadable(unreadable), None, None),
            };
        }
    };
    let bases = identification.chain.iter().zip(resolutions).enumerate();
    let chain: Vec<_> = bases
        .map(|(index, (base, resolution))| {
            let identification = (index == 0).then_some(identification);
            let input = JudgeInput::Identified { image, identification, resolution };
            ChainLink { base, resolution, judgement: judge_as(input, Some(base), Some(resolution)) }
        })
        .collect();
    let unidentified = || {
        let label = options.identify.labels.first().map_or(OCI_BASE_NAME, String::as_str);
        let input = UnidentifiedImage { image, identification, pushed_at: candidate.pushed_at, label };
        judge_as(JudgeInput::Unidentified(input), None, None)
    };
    let judgement = judge_chain(&chain, image).unwrap_or_else(unidentified);
    JudgedImage { chain, judgement }
}
