//! What to do about a single deployment, and what one copies to do it.

use super::verdict_style::{shown, shown_or};
use crate::{
    judge::Action,
    report::{CurrentRelease, Finding, format},
};

/// What to do about one deployment, and what one copies to do it.
pub(super) struct TaskText {
    pub(super) text: String,
    /// A reference or a command; empty if there is none.
    pub(super) copied: String,
}

/// What to do about `finding`; `None` if nothing.
pub(super) fn task(finding: &Finding) -> Option<TaskText> {
    let is_open = finding.action != Action::None || finding.awaited_base().is_some();
    is_open.then(|| TaskText { text: sentence(finding), copied: copied(finding) })
}

/// What one copies to do the action for `finding`: a pinned reference or a command.
fn copied(finding: &Finding) -> String {
    let text = match finding.action {
        Action::Rebuild => finding.current.as_ref().map(CurrentRelease::build_on_pinned),
        Action::Redeploy => finding.replacement.as_ref().map(|image| image.reference.to_string()),
        Action::Restore => Some(finding.image.reference.to_string()),
        Action::Investigate => Some(explain(&finding.image.reference)),
        Action::None => {
            let current = finding.awaited_base().and_then(|(_, link)| link.current.as_ref());
            current.map(CurrentRelease::build_on_pinned)
        }
        Action::Upgrade | Action::Repair => None,
    };
    text.map(|text| shown(&text)).unwrap_or_default()
}

/// The action for `finding` as a sentence.
fn sentence(finding: &Finding) -> String {
    let reference = shown(&finding.image.reference);
    let name = shown(without_registry(repository(&finding.image.reference)));
    match finding.action {
        Action::Rebuild => match &finding.current {
            Some(current) => {
                let now = current.release.as_deref().map(|release| format!(" (now {})", shown(release)));
                format!("Rebuild {name} on {}{} and deploy it", shown(current.build_on()), now.unwrap_or_default())
            }
            None => format!("Rebuild {name} on the current base and deploy it"),
        },
        Action::Redeploy => {
            let better =
                shown_or(finding.replacement.as_ref().map(|image| image.reference.as_str()), "the newer image");
            format!("Deploy {better} to {}", shown(&format::deployment_name(&finding.deployment)))
        }
        Action::Upgrade => {
            let runtime =
                shown_or(finding.runtime.as_ref().map(|runtime| runtime.name.as_str()), "a deprecated runtime");
            let to = finding.runtime.as_ref().and_then(|runtime| runtime.upgrade_to.as_deref());
            format!("Upgrade {name} from {runtime} to {}", shown_or(to, "a supported runtime"))
        }
        Action::Restore => format!("Push {reference} again, or restore it from the archive"),
        Action::Repair => {
            let code = shown_or(finding.deployment.state_reason_code.as_deref(), "unknown reason");
            format!("Repair the functions with image {name}, which cannot be invoked ({code})")
        }
        Action::None if finding.awaited_base().is_some() => {
            let awaited = finding.awaited_base().map(|(outer, link)| {
                let outer = shown(without_registry(repository(&outer.reference)));
                format!("Rebuild the base {outer} on {}", shown_or(link.base.line.as_deref(), "its current base"))
            });
            awaited.unwrap_or_default()
        }
        Action::Investigate | Action::None => {
            let reason = shown_or(finding.reasons.first().map(|reason| reason.code.as_str()), "unknown");
            format!("Investigate {name} ({reason}). Run {}", explain(&finding.image.reference))
        }
    }
}

/// The `explain` command for an image, safe for shells.
pub(super) fn explain(reference: &str) -> String {
    // Only characters without a special meaning in shells.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/:@-".contains(c);
    let is_safe = !reference.is_empty() && reference.chars().all(is_plain) && !reference.starts_with('-');
    format!("basewatch explain {}", if is_safe { reference } else { "IMAGE" })
}

/// A reference without tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    match name.rsplit_once(':') {
        // A colon before the last slash is a port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// A reference without the registry, which has a dot or a port.
pub(super) fn without_registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) => rest,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_a_reference_without_tag_and_digest() {
        let table = [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/orders:421", "shop/orders"),
            ("127.0.0.1:5000/orders@sha256:abc", "orders"),
            ("127.0.0.1:5000/orders:1@sha256:abc", "orders"),
            ("orders", "orders"),
            ("shop/orders:1", "shop/orders"),
        ];
        for (reference, name) in table {
            assert_eq!(without_registry(repository(reference)), name, "{reference}");
        }
    }

    #[test]
    fn the_explain_command_is_safe_for_a_shell() {
        assert_eq!(explain("registry.example/a:1"), "basewatch explain registry.example/a:1");
        for hostile in ["a;rm -rf /", "$(id)", "-x", "", "a b", "a\n"] {
            assert_eq!(explain(hostile), "basewatch explain IMAGE");
        }
    }
}
