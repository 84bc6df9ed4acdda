//! Parses `WWW-Authenticate` challenges (RFC 9110, section 11.6.1) from untrusted registries.

/// The longest header that is parsed, in characters.
const MAX_CHARS: usize = 8 * 1024;

/// One challenge of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthChallenge {
    /// The scheme in lower case: `bearer`, `basic`.
    pub(crate) scheme: String,
    parameters: Vec<(String, String)>,
}

impl AuthChallenge {
    /// The value of the first parameter `name`, in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All challenges in the values of `WWW-Authenticate` headers, in order. A syntax error ends its header.
pub(crate) fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<AuthChallenge> {
    values.into_iter().flat_map(parse_one).collect()
}

fn parse_one(value: &str) -> Vec<AuthChallenge> {
    let mut challenges: Vec<AuthChallenge> = Vec::new();
    if value.len() > MAX_CHARS {
        return challenges;
    }
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((word, after)) = token(rest) else { return challenges };
        let assigned = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        if let (Some(assigned), Some(challenge)) = (assigned, challenges.last_mut()) {
            let Some((value, after)) = parameter_value(assigned.trim_start_matches([' ', '\t'])) else {
                return challenges;
            };
            challenge.parameters.push((word.to_ascii_lowercase(), value));
            rest = after;
        } else if assigned.is_some() {
            return challenges;
        } else {
            challenges.push(AuthChallenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
            rest = after;
        }
    }
}

/// A token (RFC 9110, section 5.6.2) at the start of `text`, and the rest.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A quoted string or bare value at the start of `text`, and the rest. Bare values may have `:` and `/`, which
/// registries write although tokens exclude them.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[index + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = (String, Option<String>, Option<String>, Option<String>);

    fn read(value: &str) -> Vec<Read> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        parse([value])
            .iter()
            .map(|c| {
                let parameter = |name| owned(c.parameter(name));
                (c.scheme.clone(), parameter("realm"), parameter("service"), parameter("scope"))
            })
            .collect()
    }

    #[test]
    fn the_challenges_of_real_registries_parse() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#),
            [("bearer".into(), some("https://public.ecr.aws/token/"), some("public.ecr.aws"), some("aws"))]
        );
        assert_eq!(
            read(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull,push",error="invalid_token""#
            ),
            [(
                "bearer".into(),
                some("https://auth.docker.io/token"),
                some("registry.docker.io"),
                some("repository:library/x:pull,push")
            )]
        );
        assert_eq!(
            read(r#"Basic realm="https://12345.dkr.ecr.us-west-2.amazonaws.com/",service="ecr.amazonaws.com""#),
            [("basic".into(), some("https://12345.dkr.ecr.us-west-2.amazonaws.com/"), some("ecr.amazonaws.com"), None)]
        );
    }

    #[test]
    fn two_challenges_in_one_header_are_separated() {
        assert_eq!(
            read(r#"BEARER Realm = "a\"b" , scope=repository:x:pull, Basic realm="c", Negotiate"#),
            [
                ("bearer".into(), Some("a\"b".into()), None, Some("repository:x:pull".into())),
                ("basic".into(), Some("c".into()), None, None),
                ("negotiate".into(), None, None, None),
            ]
        );
    }

    #[test]
    fn a_syntax_error_ends_only_its_header() {
        assert_eq!(read(""), []);
        assert_eq!(read("=x"), []);
        assert_eq!(read(r#"realm="x""#), []);
        assert_eq!(read(r#"Bearer realm="open"#), [("bearer".into(), None, None, None)]);
        assert_eq!(read(&format!("Bearer realm={}", "x".repeat(MAX_CHARS))), []);
        assert_eq!(parse(["\u{0}", "Basic realm=x"]).len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[A-Za-z=", \\é:/]{0,80}"#) {
            let _ = parse([text.as_str()]);
        }

        #[test]
        fn a_quoted_value_survives_the_round_trip(value in ".{0,40}") {
            let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
            let header = format!("Bearer service=\"s\", realm=\"{quoted}\", scope=\"aws\"");
            let read = parse([header.as_str()]);
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(read[0].parameter("realm"), Some(value.as_str()));
            prop_assert_eq!(read[0].parameter("scope"), Some("aws"));
        }
    }
}
