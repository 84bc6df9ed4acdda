//! A part of a report as a report of its own: the findings of an owner, or on a release line.

use super::{Finding, LineFields, Report, Summary};

impl Report {
    /// The report of the findings that `is_in` accepts, with counts of its own. It has no errors and notes, which are
    /// about the whole audit, but it is incomplete if the audit is.
    #[must_use]
    pub fn narrowed(&self, is_in: impl Fn(&Finding) -> bool) -> Self {
        let findings: Vec<_> = self.findings.iter().filter(|finding| is_in(finding)).cloned().collect();
        let lines = self.lines.iter().map(|line| line.recounted(&findings)).filter(|line| line.deployments > 0);
        Self {
            schema: self.schema.clone(),
            run_id: self.run_id.clone(),
            generated_at: self.generated_at,
            complete: self.complete,
            policy: self.policy.clone(),
            summary: Summary::new(&findings),
            lines: lines.collect(),
            findings,
            parts: Vec::new(),
            errors: Vec::new(),
            notes: Vec::new(),
            requests: self.requests.clone(),
            requests_by_kind: self.requests_by_kind.clone(),
            search: None,
            authentication: self.authentication.clone(),
        }
    }
}

impl LineFields {
    /// The line with its releases, and the counts of `findings`.
    fn recounted(&self, findings: &[Finding]) -> Self {
        let mut line = Self { deployments: 0, by_verdict: [].into(), ..self.clone() };
        for release in &mut line.releases {
            release.deployments = 0;
            release.by_verdict.clear();
        }
        for finding in findings {
            let Some(base) = finding.base.as_ref().filter(|base| base.line.as_deref() == Some(&*self.reference)) else {
                continue;
            };
            line.deployments += 1;
            *line.by_verdict.entry(finding.verdict).or_default() += 1;
            let is_same = |release: &&mut super::LineRelease| match &base.release {
                Some(name) => release.release.as_ref() == Some(name),
                None => release.release.is_none() && release.digest == base.digest,
            };
            if let Some(release) = line.releases.iter_mut().find(is_same) {
                release.deployments += 1;
                *release.by_verdict.entry(finding.verdict).or_default() += 1;
            }
        }
        line
    }
}
