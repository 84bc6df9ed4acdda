//! What does the place add to the judgement of its image? That the image is gone, that the function fails.

use super::{Action, Judgement, Reason, ReasonCode, Severity, remedy::remedy};
use crate::{
    image::{Arch, Platform},
    inventory::{Deployment, Holding, Workload},
    resolve::Resolution,
};

/// How bad it is at least when an image can no longer be started: it is not about its base, and it breaks at
/// the worst moment.
const UNSTARTABLE: Severity = Severity::Medium;

impl Judgement {
    /// The judgement of what runs at `deployment`, where that is known. An image that is gone or archived is
    /// to be restored and a function that cannot be invoked to be repaired, whatever else is known.
    #[must_use]
    pub fn at(mut self, deployment: &Deployment, resolution: Option<&Resolution>) -> Self {
        if let Some(reason) = mismatch(deployment, resolution) {
            self.reasons.push(reason);
        }
        if !deployment.is_running() {
            return self;
        }
        if let Some(workload) = deployment.workload.as_deref() {
            self.note_state(workload);
        }
        if let Some(reason) = lost(deployment) {
            self.severity = self.severity.max(UNSTARTABLE);
            self.action = Action::Restore;
            self.reasons.retain(|known| known.code != reason.code);
            self.reasons.insert(0, reason);
        }
        self
    }

    /// Adds what AWS says of the state of a function. The first reason is the one that the action is for.
    fn note_state(&mut self, workload: &Workload) {
        if let Some(reason) = failed_update(workload) {
            self.severity = self.severity.max(Severity::Low);
            if self.action == Action::None {
                self.action = Action::Investigate;
                self.reasons.insert(0, reason);
            } else {
                self.reasons.push(reason);
            }
        }
        if !workload.is_invocable() {
            self.severity = self.severity.max(UNSTARTABLE);
            self.action = Action::Repair;
            self.reasons.insert(0, failed(workload));
        } else if workload.state.as_deref() == Some("Inactive") {
            let said = said(workload.state_reason_code.as_deref(), workload.state_reason.as_deref());
            let message =
                format!("the function has not been invoked for weeks, and its image is fetched anew when it is{said}");
            self.reasons.push(Reason::new(ReasonCode::FunctionInactive, message));
        }
    }
}

/// Why the deployed image can no longer be pulled.
fn lost(deployment: &Deployment) -> Option<Reason> {
    if !deployment.is_lost() {
        return None;
    }
    let name = deployment.repository().map_or_else(String::new, |repository| repository.name.to_string());
    let cannot = "it can be neither audited nor rolled back to, and one day no longer started";
    match deployment.holding {
        Holding::Archived => {
            let message = format!("the image that runs is archived in {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageArchived, message))
        }
        Holding::Gone => {
            let message = format!("the image that runs is no longer in {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageMissing, message))
        }
        Holding::Unknown | Holding::Held => {
            let message = format!("Lambda found the image that runs deleted from {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageMissing, message))
        }
    }
}

/// Why the function cannot be invoked, and what to do about that.
fn failed(workload: &Workload) -> Reason {
    let said = said(workload.state_reason_code.as_deref(), workload.state_reason.as_deref());
    let remedy = remedy(workload.state_reason_code.as_deref());
    Reason::new(ReasonCode::FunctionFailed, format!("the function cannot be invoked{said}; to repair it, {remedy}"))
}

/// Why the last update of the function failed, if it did.
fn failed_update(workload: &Workload) -> Option<Reason> {
    workload.is_update_failed().then(|| {
        let code = workload.last_update_status_reason_code.as_deref();
        let said = said(code, workload.last_update_status_reason.as_deref());
        let remedy = remedy(code);
        let message = format!(
            "the last update of the function failed, so an earlier deployment may still be in use{said}; \
             before the next update, {remedy}"
        );
        Reason::new(ReasonCode::UpdateFailed, message)
    })
}

/// `: CODE: reason`, as far as AWS gives them.
fn said(code: Option<&str>, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| reason.trim().trim_end_matches('.'));
    code.into_iter().chain(reason).fold(String::new(), |said, part| format!("{said}: {part}"))
}

/// Where deployment, image and base are for different architectures.
fn mismatch(deployment: &Deployment, resolution: Option<&Resolution>) -> Option<Reason> {
    let image = &deployment.image.as_ref().ok()?.facts.platform;
    let arch = |platform: &Platform| Arch::from_oci(platform.architecture());
    let workload = deployment.workload.as_deref().and_then(|workload| workload.architecture);
    let message = match (workload, arch(image)) {
        (Some(workload), Some(of)) if workload != of => format!("it runs on {workload}, and its image is for {image}"),
        _ => {
            let base = resolution?.base.platform.as_ref().filter(|base| base.architecture() != image.architecture())?;
            format!("the image is for {image}, and the base it records is for {base}")
        }
    };
    Some(Reason::new(ReasonCode::ArchitectureMismatch, message))
}
