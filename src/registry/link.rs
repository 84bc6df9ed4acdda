//! Parses `Link` headers (RFC 8288) from untrusted registries for the next page.

use reqwest::Url;

/// The target of the first link with `rel="next"` among the values of `Link` headers.
pub(crate) fn next<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    values.into_iter().find_map(next_in)
}

fn next_in(mut value: &str) -> Option<&str> {
    loop {
        let (_, opened) = value.split_once('<')?;
        let (target, rest) = opened.split_once('>')?;
        let end = end_of_parameters(rest);
        if is_next(&rest[..end]) {
            return Some(target.trim());
        }
        value = &rest[end..];
    }
}

/// The length of the parameters at the start of `text`: up to the first comma outside quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut is_quoted = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return index,
            _ => {}
        }
    }
    text.len()
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, relations)| {
        name.trim().eq_ignore_ascii_case("rel")
            && relations.trim().trim_matches('"').split_ascii_whitespace().any(|r| r.eq_ignore_ascii_case("next"))
    })
}

/// Resolves the `target` of a page's link; it must stay at the origin of that page.
pub(crate) fn resolve(page: &Url, target: &str) -> Result<Url, String> {
    let url = page.join(target).map_err(|error| format!("its next page is not a URL: {error}"))?;
    if url.origin() == page.origin() && url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err("its next page is at another host".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (value, target) in [
            (r#"</v2/x/tags/list?n=1000&last=abc>; rel="next""#, Some("/v2/x/tags/list?n=1000&last=abc")),
            ("<https://a.io/v2/x/tags/list?last=a,b;c>; rel=next", Some("https://a.io/v2/x/tags/list?last=a,b;c")),
            (r#"</first>; rel="first", </n>; title="a,b"; REL="prefetch Next""#, Some("/n")),
            (r#"</x>; rel="prev""#, None),
            (r#"</x>; title="rel=next""#, None),
            ("</x>", None),
            ("</x; rel=next", None),
            ("garbage", None),
            ("", None),
        ] {
            assert_eq!(next([value]), target, "{value}");
        }
        assert_eq!(next(["</a>; rel=prev", "</b>; rel=next"]), Some("/b"));
    }

    #[test]
    fn a_next_page_stays_at_its_origin() {
        let page: Url = "https://r.io/v2/x/tags/list?n=1000".parse().expect("valid");
        assert_eq!(resolve(&page, "/v2/x/tags/list?last=%20").expect("same").path(), "/v2/x/tags/list");
        assert_eq!(resolve(&page, "?last=a").expect("same").as_str(), "https://r.io/v2/x/tags/list?last=a");
        for target in ["https://evil.io/x", "//evil.io/x", "http://r.io/x", "https://r.io:444/x", "https://u@r.io/x"] {
            assert!(resolve(&page, target).is_err(), "{target}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[<>;,="a-z \\é]{0,60}"#) {
            let _ = next([text.as_str()]);
        }

        #[test]
        fn a_target_is_given_back_as_written(target in "[a-z0-9/?&=,;%.]{0,40}") {
            let header = format!("<{target}>; rel=\"next\"");
            prop_assert_eq!(next([header.as_str()]), Some(target.as_str()));
        }
    }
}
