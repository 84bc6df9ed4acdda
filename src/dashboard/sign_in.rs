//! The form to sign in with the token for writing.

use askama::{Template, filters::HtmlSafe};

use super::{PageMode, ServerActivity, frame};

/// The maximum length of a name, in characters.
pub const LONGEST_NAME: usize = 100;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    is_wrong: bool,
    name: &'a str,
}

impl HtmlSafe for SignInPage<'_> {}

/// Renders the form with the name of the user, if known; `is_wrong` after a wrong token.
#[must_use]
pub fn sign_in_page(served: ServerActivity<'_>, name: &str, is_wrong: bool) -> String {
    let options = frame::FrameOptions::of_page("Sign in", PageMode::Served(served));
    frame::page(&options, SignInPage { is_wrong, name })
}
