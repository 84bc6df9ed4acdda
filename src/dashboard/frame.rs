//! The frame of every page: head, navigation and footer, with style and script linked or inlined.

use std::sync::LazyLock;

use askama::{Template, filters::HtmlSafe};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use super::{PageMode, WriteAccess, links, verdict_style::shown};

const STYLE: &str = include_str!("dashboard.css");
const SCRIPT: &str = include_str!("dashboard.js");
const ICON: &str = include_str!("icon.svg");

/// The `Content-Security-Policy` of served pages.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                          connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A static file of served pages. Its name contains a hash of its content, so that it can be cached indefinitely.
#[derive(Debug)]
pub struct StaticAsset {
    /// The path: `/assets/dashboard-0123456789ab.css`.
    pub path: String,
    /// The media type.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

static ASSETS: LazyLock<[StaticAsset; 3]> = LazyLock::new(|| {
    [
        asset("dashboard", "css", "text/css; charset=utf-8", STYLE),
        asset("dashboard", "js", "text/javascript; charset=utf-8", SCRIPT),
        asset("icon", "svg", "image/svg+xml", ICON),
    ]
});

/// The static files of served pages.
#[must_use]
pub fn assets() -> &'static [StaticAsset] {
    &*ASSETS
}

fn asset(name: &str, ending: &str, content_type: &'static str, content: &'static str) -> StaticAsset {
    let hash = links::short_hash(content);
    StaticAsset { path: format!("/assets/{name}-{hash}.{ending}"), content_type, bytes: content.as_bytes() }
}

/// The `Content-Security-Policy` of a file, which allows only its own style and script.
static FILE_POLICY: LazyLock<String> = LazyLock::new(|| {
    let source = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; form-action 'none'; base-uri 'none'",
        source(STYLE),
        source(SCRIPT)
    )
});

/// What the frame shows around the content of a page.
pub(super) struct FrameOptions<'a> {
    pub(super) is_file: bool,
    pub(super) title: &'a str,
    /// Links with their titles.
    pub(super) nav: Vec<(String, &'static str)>,
    pub(super) access: WriteAccess<'a>,
}

impl<'a> FrameOptions<'a> {
    /// A page besides the dashboard itself.
    pub(super) fn of_page(title: &'a str, mode: PageMode<'a>) -> Self {
        let nav = [("/", "All deployments"), links::ALERTS, links::DOCUMENTATION];
        let nav = nav.map(|(link, title)| (link.to_owned(), title)).into();
        Self { is_file: mode.is_file(), title, nav, access: mode.served().access }
    }
}

/// Renders a page with `body`.
pub(super) fn page<B: Template + HtmlSafe>(options: &FrameOptions<'_>, body: B) -> String {
    let [style, script, icon] = &*ASSETS;
    let is_file = options.is_file;
    let (user, csrf) = match options.access {
        WriteAccess::SignedIn { name, csrf } => (shown(name), csrf),
        _ => (String::new(), ""),
    };
    let frame = PageFrame {
        is_file,
        title: options.title,
        nav: &options.nav,
        can_sign_in: matches!(options.access, WriteAccess::SignedOut),
        user,
        csrf,
        body,
        version: env!("CARGO_PKG_VERSION"),
        policy: &FILE_POLICY,
        style: if is_file { STYLE } else { &style.path },
        script: if is_file { SCRIPT } else { &script.path },
        icon: if is_file { data_url(ICON) } else { icon.path.clone() },
    };
    frame.render().expect("writing to a string cannot fail")
}

fn data_url(svg: &str) -> String {
    format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))
}

#[derive(Template)]
#[template(path = "frame.html")]
struct PageFrame<'a, B: Template + HtmlSafe> {
    is_file: bool,
    title: &'a str,
    nav: &'a [(String, &'static str)],
    can_sign_in: bool,
    user: String,
    csrf: &'a str,
    body: B,
    version: &'a str,
    policy: &'a str,
    style: &'a str,
    script: &'a str,
    icon: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_do_not_contain_end_tags() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }

    #[test]
    fn style_and_script_load_nothing() {
        for (name, text) in [("style", STYLE), ("script", SCRIPT)] {
            for foreign in ["http:", "https:", "//cdn", "@import", "url(", "XMLHttpRequest", "eval("] {
                assert!(!text.contains(foreign), "{name} has {foreign}");
            }
        }
        // Its own pages, which the policy of served pages limits to the same origin and that of a file forbids.
        assert_eq!(SCRIPT.matches("fetch(").count(), 1);
        assert!(POLICY.contains("connect-src 'self'") && !FILE_POLICY.contains("connect-src"));
    }
}
