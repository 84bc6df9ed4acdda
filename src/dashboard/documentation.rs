//! The documentation of verdicts, actions and reason codes as a page: `docs/verdicts.md`, which this file embeds.

use std::sync::LazyLock;

use askama::{Template, filters::HtmlSafe};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::{PageMode, ServerActivity, frame};

const VERDICTS: &str = include_str!("../../docs/verdicts.md");

static BODY: LazyLock<String> = LazyLock::new(|| rendered(VERDICTS));

#[derive(Template)]
#[template(path = "documentation.html")]
struct DocumentationPage {
    body: &'static str,
}

impl HtmlSafe for DocumentationPage {}

/// Renders the documentation. Each reason code is the ID of its section.
#[must_use]
pub fn documentation_page(served: ServerActivity<'_>) -> String {
    let options = frame::FrameOptions::of_page("Verdicts, actions and reasons", PageMode::Served(served));
    frame::page(&options, DocumentationPage { body: &BODY })
}

/// `markdown` as HTML. Headings get IDs as on GitHub; links to other documents, which are not served, become text.
fn rendered(markdown: &str) -> String {
    let events: Vec<_> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let mut is_linked = Vec::new();
    let mut served = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let id = Some(CowStr::from(heading_id(&events[index + 1..])));
                let (level, classes, attrs) = (*level, Vec::new(), Vec::new());
                served.push(Event::Start(Tag::Heading { level, id, classes, attrs }));
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                is_linked.push(dest_url.starts_with('#'));
                if dest_url.starts_with('#') {
                    served.push(event.clone());
                }
            }
            Event::End(TagEnd::Link) => {
                if is_linked.pop() == Some(true) {
                    served.push(event.clone());
                }
            }
            Event::Start(Tag::Table(_)) => {
                served.push(Event::Html(
                    "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">".into(),
                ));
                served.push(event.clone());
            }
            Event::End(TagEnd::Table) => {
                served.push(event.clone());
                served.push(Event::Html("</div>".into()));
            }
            _ => served.push(event.clone()),
        }
    }
    let mut page = String::with_capacity(2 * markdown.len());
    html::push_html(&mut page, served.into_iter());
    page.replace("<table>", "<table class=\"plain\">").replace("<pre>", "<pre tabindex=\"0\">")
}

/// The ID of a heading, from the text that follows its start.
fn heading_id(events: &[Event<'_>]) -> String {
    let inside = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let text = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.to_lowercase()),
        _ => None,
    });
    text.collect::<String>().replace(' ', "-").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::ReasonCode;

    #[test]
    fn every_reason_code_has_a_section_and_every_link_a_target() {
        for code in ReasonCode::ALL {
            assert_eq!(BODY.matches(&format!("<h3 id=\"{code}\">")).count(), 1, "{code}");
        }
        let links: Vec<_> = BODY.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(!links.is_empty());
        for link in links {
            let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} is not served"));
            assert!(BODY.contains(&format!(" id=\"{id}\"")), "{link}");
        }
    }
}
