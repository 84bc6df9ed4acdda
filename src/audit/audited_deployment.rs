//! The result of an audit, and the findings that it makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    AuditOptions,
    judged_image::{JudgedImage, judged},
    newer_image::{NewerImage, NewerImages},
};
use crate::{
    identify::Identification,
    inventory::{CollectionError, Deployment},
    judge::{Action, ChainLink, Judgement, PolicyScope, exemption_usage},
    report::{
        ErrorEntry, ExemptionFields, Finding, FindingSubjects, LineFields, Note, ReplacementFields, SubjectFields,
        SubjectNames,
    },
    resolve::{BaseQueryKey, Resolution},
};

/// The result of the first three stages of an audit.
#[derive(Debug, Default)]
pub struct AuditResult {
    pub(super) deployments: Vec<ResolvedDeployment>,
    /// The resolution of each base, without the ages of images.
    pub(super) resolutions: BTreeMap<BaseQueryKey, Resolution>,
    pub(super) replacements: NewerImages,
    pub(super) collection_errors: Vec<CollectionError>,
    /// Requests that the search for unrecorded bases has sent, without lists of tags.
    pub(super) search_request_count: usize,
    /// The positions of the configured holds that matched a release.
    pub(super) matched_holds: BTreeSet<usize>,
    /// Notes about base repositories.
    pub(super) notes: Vec<Note>,
}

/// A deployment with its identification and resolutions.
#[derive(Debug)]
pub(super) struct ResolvedDeployment {
    pub(super) deployment: Deployment,
    pub(super) identification: Arc<Identification>,
    /// One for each base in its chain, dated with the age of this image. Deployments with equal resolutions share them.
    pub(super) resolutions: Vec<Arc<Resolution>>,
}

/// One deployment with all evidence about its base.
#[derive(Clone, Copy, Debug)]
pub struct AuditedDeployment<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// How its base was identified.
    pub identification: &'a Identification,
    /// The resolutions of that base and its inner bases; empty if it could not be identified.
    pub resolutions: &'a [Arc<Resolution>],
    /// A newer image in its repository on a better base.
    pub replacement: Option<&'a NewerImage>,
}

impl AuditResult {
    /// All deployments.
    pub fn audited_deployments(&self) -> impl Iterator<Item = AuditedDeployment<'_>> {
        self.deployments.iter().map(|ResolvedDeployment { deployment, identification, resolutions }| {
            AuditedDeployment {
                deployment,
                identification,
                resolutions,
                replacement: self.replacements.for_deployment(deployment),
            }
        })
    }

    /// The fourth stage: the findings, worst first, and notes about base repositories, exemptions and holds.
    #[must_use]
    pub fn judge(&self, options: &AuditOptions) -> (Vec<Finding>, Vec<Note>) {
        let concluded: Vec<_> = self.audited_deployments().map(|audited| audited.conclude(options)).collect();
        let judged: Vec<_> = concluded.iter().map(|one| (one.subjects.subject(), &one.judgement)).collect();
        let is_complete = self.is_complete();
        // A base that could not be resolved hides no deployment, but might match a base pattern.
        let is_whole = |scope: &PolicyScope| {
            let is_listed = !self.collection_errors.iter().any(|error| scope.may_match_in(&error.affected));
            !options.is_part && is_listed && (is_complete || scope.base.is_none())
        };
        let of_holds = options.resolve.holds.iter().enumerate().filter_map(|(index, hold)| {
            let is_whole = !options.is_part && is_complete && self.collection_errors.is_empty();
            Note::hold(hold, self.matched_holds.contains(&index), is_whole, options.now)
        });
        let usages = exemption_usage(&options.policy, &judged, options.now);
        let of_exemptions =
            usages.iter().filter_map(|usage| Note::exemption(usage, is_whole(&usage.exemption.scope), options.now));
        let notes = self.notes.iter().cloned().chain(of_exemptions).chain(of_holds).collect();
        let mut findings: Vec<_> = concluded.into_iter().map(|one| one.finding(options)).collect();
        findings.sort_by(Finding::worst_first);
        (findings, notes)
    }

    /// The release lines of `findings`.
    #[must_use]
    pub fn lines(&self, findings: &[Finding]) -> Vec<LineFields> {
        LineFields::from_findings(findings, self.resolutions.values())
    }

    /// Requests that the search for unrecorded bases has sent. Lists of tags are not counted.
    #[must_use]
    pub fn search_request_count(&self) -> usize {
        self.search_request_count
    }

    /// The errors: accounts, regions and registries that could not be read.
    #[must_use]
    pub fn errors(&self) -> Vec<ErrorEntry> {
        let errors = self.collection_errors.iter().cloned().map(ErrorEntry::from);
        errors
            .chain(ErrorEntry::from_resolutions(
                self.resolutions.iter().map(|(key, resolution)| (key.repository(), resolution)),
            ))
            .collect()
    }

    /// Whether the audit is complete. A deleted image does not make it incomplete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_told = |deployment: &Deployment| deployment.image.is_ok() || deployment.is_lost();
        self.errors().is_empty() && self.deployments.iter().all(|dated| is_told(&dated.deployment))
    }
}

impl<'a> AuditedDeployment<'a> {
    /// The finding of this deployment.
    #[must_use]
    pub fn judge(&self, options: &AuditOptions) -> Finding {
        self.conclude(options).finding(options)
    }

    fn conclude(self, options: &AuditOptions) -> FindingDraft<'a> {
        let Self { deployment, identification, replacement, .. } = self;
        let resolution = self.resolution();
        let JudgedImage { chain, mut judgement } = self.judged(options);
        let mut fields = None;
        if let (Some(newer), Some(resolution)) = (replacement, resolution) {
            let other = newer.judged(deployment, options);
            let replacement = newer.replacement(&other);
            if replacement.is_better(&judgement, resolution) {
                fields = Some(newer.fields(&other));
                judgement = judgement.with(&replacement);
            }
        }
        let subjects = SubjectNames::new(deployment, identification.base(), resolution);
        if let Some(resolution) =
            resolution.filter(|_| identification.is_itself() && judgement.action == Action::Redeploy)
        {
            let thresholds = options.policy.thresholds_for(subjects.subject()).0;
            fields = ReplacementFields::current_release(resolution, thresholds.max_age, options.now);
        }
        FindingDraft {
            audited: self,
            chain,
            subjects,
            workload: Judgement::for_workload(deployment),
            base: judgement.clone(),
            judgement: judgement.at(deployment, resolution),
            replacement: fields,
        }
    }

    /// The resolution of the image's own base.
    #[must_use]
    pub fn resolution(&self) -> Option<&'a Resolution> {
        self.resolutions.first().map(Arc::as_ref)
    }

    /// The judgement of its image, without the workload.
    pub(super) fn judgement(&self, options: &AuditOptions) -> Judgement {
        self.judged(options).judgement
    }

    fn judged(&self, options: &AuditOptions) -> JudgedImage<'a> {
        let resolutions = self.resolutions.iter().map(Arc::as_ref);
        judged(self.deployment, self.deployment, self.identification, resolutions, options)
    }
}

/// The judgements of a deployment, from which its finding is made.
struct FindingDraft<'a> {
    audited: AuditedDeployment<'a>,
    chain: Vec<ChainLink<'a>>,
    subjects: SubjectNames,
    /// The combined judgement of base and workload.
    judgement: Judgement,
    /// The judgement of the base alone.
    base: Judgement,
    /// The judgement of the workload alone, if it has a problem.
    workload: Option<Judgement>,
    replacement: Option<ReplacementFields>,
}

impl FindingDraft<'_> {
    fn finding(self, options: &AuditOptions) -> Finding {
        let Self { audited, chain, subjects: names, judgement, base, workload, replacement } = self;
        let exemption_for =
            |judgement: &Judgement| options.policy.exemption_for(names.subject(), judgement, options.now);
        let exemption = exemption_for(&judgement).map(ExemptionFields::new);
        let alone = |judgement: &Judgement| SubjectFields::new(judgement, exemption_for(judgement).is_some());
        let subjects = workload.map(|workload| FindingSubjects { base: alone(&base), workload: alone(&workload) });
        let finding = Finding::new(audited.deployment, &chain, judgement, options.now);
        Finding { replacement, subjects, exemption, ..finding }
    }
}
