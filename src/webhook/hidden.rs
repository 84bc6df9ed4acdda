//! What in the words of a receiver is secret? Many repeat what they were sent when they refuse it.

use reqwest::Url;

use super::Call;

/// Shorter ones are no secrets, and would take words apart.
const SHORTEST: usize = 4;
/// A part of a path that is as long as this may be what the webhook is known by.
const LONG_SEGMENT: usize = 16;
/// Headers whose values everybody may know.
const PLAIN_HEADERS: [&str; 4] = ["accept", "content-type", "user-agent", "x-github-api-version"];
/// What stands in place of a secret.
const MASK: &str = "…";

/// What no error may repeat.
#[derive(Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    /// The secrets in `call`, which goes to `url`: its path and query, the values of its headers, what it is signed
    /// with, and the token of a form.
    pub(super) fn of(call: &Call, url: &Url) -> Self {
        let mut hidden = Self::default();
        if let Some((_, secret)) = &call.signing {
            hidden.add(secret.reveal());
        }
        for (name, value) in &call.headers {
            if !PLAIN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                hidden.add(value.reveal());
                // `Bearer TOKEN`
                value.reveal().split_whitespace().skip(1).for_each(|word| hidden.add(word));
            }
        }
        if let Some(query) = url.query() {
            hidden.add(&format!("{}?{query}", url.path()));
        }
        hidden.add(url.path().trim_matches('/'));
        url.path().split('/').filter(|segment| segment.len() >= LONG_SEGMENT).for_each(|part| hidden.add(part));
        hidden.add(url.query().unwrap_or_default());
        url.query_pairs().for_each(|(_, value)| hidden.add(&value));
        if call.content_type.starts_with("application/x-www-form-urlencoded") {
            hidden.add_token(&call.body);
        }
        // The longest first: a part of it would leave the rest.
        hidden.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        hidden
    }

    fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.0.push(secret.to_owned());
        }
    }

    /// GitLab takes a trigger token in the form alone.
    fn add_token(&mut self, form: &[u8]) {
        let mut pairs = Url::parse("form:").ok();
        if let Some(url) = &mut pairs {
            url.set_query(Some(&String::from_utf8_lossy(form)));
            url.query_pairs().filter(|(name, _)| name == "token").for_each(|(_, value)| self.add(&value));
        }
    }

    /// `text` without them.
    pub(super) fn taken_out_of(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }
}
