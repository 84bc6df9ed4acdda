//! The state of the workload itself: an image that was deleted, a function that cannot be invoked.

use super::{Action, Judgement, Reason, ReasonCode, Severity, remedy::remedy};
use crate::{
    image::{LambdaArch, Platform},
    inventory::{Deployment, ImageAvailability, Workload},
    resolve::Resolution,
};

/// The lowest severity of a workload that can no longer start: it fails at the next scale-up, whatever its base is.
const UNSTARTABLE: Severity = Severity::Medium;

impl Judgement {
    /// Adds the state of the workload to the judgement. A deleted or archived image gets the action `restore`, a
    /// function that cannot be invoked `repair`, whatever the state of the base.
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

    /// Adds the function state that AWS reports. The first reason is the one that the action addresses.
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
            let reported = reported(workload.state_reason_code.as_deref(), workload.state_reason.as_deref());
            let message = format!(
                "the function has not been invoked for weeks; Lambda pulls its image again on the next invocation{reported}"
            );
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
    let cannot = "it cannot be audited, rolled back to or cold-started";
    match deployment.holding {
        ImageAvailability::Archived => {
            let message = format!("the running image was archived in {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageArchived, message))
        }
        ImageAvailability::Gone => {
            let message = format!("the running image was deleted from {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageMissing, message))
        }
        ImageAvailability::Unknown | ImageAvailability::Held => {
            let message = format!("Lambda reports that the running image was deleted from {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageMissing, message))
        }
    }
}

/// Why the function cannot be invoked, with the remedy.
fn failed(workload: &Workload) -> Reason {
    let reported = reported(workload.state_reason_code.as_deref(), workload.state_reason.as_deref());
    let remedy = remedy(workload.state_reason_code.as_deref());
    Reason::new(ReasonCode::FunctionFailed, format!("the function cannot be invoked{reported}; to repair it, {remedy}"))
}

/// Why the last update of the function failed, if it did.
fn failed_update(workload: &Workload) -> Option<Reason> {
    workload.is_update_failed().then(|| {
        let code = workload.last_update_status_reason_code.as_deref();
        let reported = reported(code, workload.last_update_status_reason.as_deref());
        let remedy = remedy(code);
        let message = format!(
            "the last update of the function failed, so an earlier version may still be running{reported}; \
             before the next update, {remedy}"
        );
        Reason::new(ReasonCode::UpdateFailed, message)
    })
}

/// `: CODE: reason`, as far as AWS provides them.
fn reported(code: Option<&str>, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| reason.trim().trim_end_matches('.'));
    code.into_iter().chain(reason).fold(String::new(), |reported, part| format!("{reported}: {part}"))
}

/// The reason for deployment, image and base with different architectures.
fn mismatch(deployment: &Deployment, resolution: Option<&Resolution>) -> Option<Reason> {
    let image = &deployment.image.as_ref().ok()?.facts.platform;
    let arch = |platform: &Platform| LambdaArch::from_oci(platform.architecture());
    let workload = deployment.workload.as_deref().and_then(|workload| workload.architecture);
    let message = match (workload, arch(image)) {
        (Some(workload), Some(of)) if workload != of => {
            format!("the workload runs on {workload}, but its image is built for {image}")
        }
        _ => {
            let base = resolution?.base.platform.as_ref().filter(|base| base.architecture() != image.architecture())?;
            format!("the image is built for {image}, but the base that it records is built for {base}")
        }
    };
    Some(Reason::new(ReasonCode::ArchitectureMismatch, message))
}
