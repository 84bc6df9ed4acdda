//! What does the place add to the judgement of its image? That the image is gone, that the function fails.

use super::{Action, Judgement, Reason, ReasonCode, Severity};
use crate::{
    image::{Arch, Platform},
    inventory::{Deployment, Holding},
    resolve::Resolution,
};

/// The reason code of a function whose image Lambda could not find
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>, `StateReasonCode`).
const IMAGE_DELETED: &str = "ImageDeleted";

/// How bad it is at least when an image can no longer be started: it is not about its base, and it breaks at
/// the worst moment.
const UNSTARTABLE: Severity = Severity::Medium;

impl Judgement {
    /// The judgement of what runs at `deployment`, where that is known. An image that is gone or archived is
    /// to be restored, whatever else is known.
    #[must_use]
    pub fn at(mut self, deployment: &Deployment, resolution: Option<&Resolution>) -> Self {
        if let Some(reason) = mismatch(deployment, resolution) {
            self.reasons.push(reason);
        }
        if !deployment.is_running() {
            return self;
        }
        if let Some(reason) = state(deployment) {
            if reason.code == ReasonCode::FunctionFailed {
                self.severity = self.severity.max(UNSTARTABLE);
                self.action = if self.action == Action::None { Action::Investigate } else { self.action };
            }
            self.reasons.insert(0, reason);
        }
        if let Some(reason) = lost(deployment) {
            self.severity = self.severity.max(UNSTARTABLE);
            self.action = Action::Restore;
            self.reasons.retain(|known| known.code != reason.code);
            self.reasons.insert(0, reason);
        }
        self
    }
}

/// Why the deployed image can no longer be pulled.
fn lost(deployment: &Deployment) -> Option<Reason> {
    let workload = deployment.workload.as_deref();
    let is_deleted = workload.is_some_and(|workload| workload.state_reason_code.as_deref() == Some(IMAGE_DELETED));
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
        Holding::Unknown if is_deleted => {
            let message = format!("Lambda found the image that runs deleted from {name}: {cannot}");
            Some(Reason::new(ReasonCode::ImageMissing, message))
        }
        Holding::Unknown | Holding::Held => None,
    }
}

/// What the state of a function says.
fn state(deployment: &Deployment) -> Option<Reason> {
    let workload = deployment.workload.as_deref()?;
    let code = match workload.state.as_deref()? {
        "Failed" => ReasonCode::FunctionFailed,
        "Inactive" => ReasonCode::FunctionInactive,
        _ => return None,
    };
    let said: Vec<_> = [&workload.state_reason_code, &workload.state_reason].into_iter().flatten().cloned().collect();
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.join(": ")) };
    let message = match code {
        ReasonCode::FunctionFailed => format!("the function cannot be invoked{said}"),
        _ => format!("the function has not been invoked for weeks, and its image is fetched anew when it is{said}"),
    };
    Some(Reason::new(code, message))
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
