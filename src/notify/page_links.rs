//! Links from messages to the pages of the dashboard, if its address is configured.

use super::{Message, MessageKind};
use crate::report::page_path::{deployment_page, owner_page};

/// Adds to `message` and its items the links to their pages below `dashboard`, the URL of the dashboard.
pub(super) fn add(message: &mut Message, dashboard: Option<&str>) {
    let Some(dashboard) = dashboard else { return };
    // A rebuild is about a repository, which has no page.
    for item in message.items.iter_mut().filter(|item| item.rebuild.is_none()) {
        item.page = Some(format!("{dashboard}{}", deployment_page(&item.finding)));
    }
    let of_owner = message.owner.as_deref().map(|owner| owner_page(Some(owner)));
    let path = match (message.kind, message.items.as_slice()) {
        (MessageKind::Findings, [item]) if message.left_out == 0 && item.rebuild.is_none() => {
            deployment_page(&item.finding)
        }
        (MessageKind::Findings | MessageKind::Rebuilds, _) => of_owner.unwrap_or_else(|| "/".to_owned()),
        (MessageKind::Backlog, _) => "/alerts".to_owned(),
        (MessageKind::Watch | MessageKind::Test, _) => "/".to_owned(),
    };
    message.page = Some(format!("{dashboard}{path}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::select::sample_message;

    #[test]
    fn a_message_links_to_the_deployment_or_the_owner_it_is_about() {
        let mut message = sample_message();
        add(&mut message, None);
        assert_eq!((&message.page, &message.items[0].page), (&None, &None));
        let url = "https://basewatch.example.com/x";
        let deployment = format!("{url}/deployments/lambda:eu-west-1:123456789012:orders:%24LATEST");
        add(&mut message, Some(url));
        assert_eq!(message.page.as_deref(), Some(deployment.as_str()));
        message.left_out = 3;
        add(&mut message, Some(url));
        assert_eq!(message.page, Some(format!("{url}/owners/payments")));
        assert_eq!(message.items[0].page.as_deref(), Some(deployment.as_str()));
        message.owner = None;
        add(&mut message, Some(url));
        assert_eq!(message.page, Some(format!("{url}/")), "of several owners");
        message.kind = MessageKind::Backlog;
        add(&mut message, Some(url));
        assert_eq!(message.page, Some(format!("{url}/alerts")));
    }
}
