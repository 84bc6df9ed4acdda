//! Templates in Jinja syntax over JSON fields.

use std::{collections::BTreeMap, io};

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, value::Serde};
use serde_json::Value as Json;

/// Maximum size of rendered text, in bytes.
const MAX_BYTES: usize = 60_000;
/// Maximum size of a template, in bytes.
const MAX_TEMPLATE_BYTES: usize = 32 * 1024;
/// Maximum length of an expression or statement, in bytes: compiling `1+1+1+…` recurses.
const MAX_EXPRESSION_BYTES: usize = 500;
/// Maximum number of `elif`: compiling them recurses as well.
const MAX_ELIFS: usize = 100;
/// Maximum number of steps: some hundred per finding of the longest message, too few for nested loops over all findings.
const MAX_STEPS: u64 = 500_000;

/// Renders `template` over `context` as text. Null is rendered as nothing.
///
/// # Errors
///
/// When the template is invalid, uses an unknown field, or renders too much.
pub fn text(template: &str, context: &Json) -> Result<String, String> {
    render(template, context, ValueFormat::Text, MAX_BYTES)?.ok_or_else(|| too_much(MAX_BYTES))
}

/// Renders `template` over `context` as JSON: every value is rendered as JSON, and so must be the whole.
///
/// # Errors
///
/// As [`text`], and when the result is not JSON.
pub fn json(template: &str, context: &Json) -> Result<Json, String> {
    json_within(template, context, MAX_BYTES)?.ok_or_else(|| too_much(MAX_BYTES))
}

/// As [`json`], but `None` when the result exceeds `most_bytes`.
///
/// # Errors
///
/// As [`json`].
pub fn json_within(template: &str, context: &Json, most_bytes: usize) -> Result<Option<Json>, String> {
    let Some(text) = render(template, context, ValueFormat::Json, most_bytes)? else { return Ok(None) };
    let parsed = serde_json::from_str(&text);
    parsed.map(Some).map_err(|error| format!("the rendered template is not JSON: {error}"))
}

/// Renders `templates` as by [`text`].
///
/// # Errors
///
/// As [`text`], with the name of the template.
pub fn all(templates: &BTreeMap<String, String>, context: &Json) -> Result<BTreeMap<String, String>, String> {
    let rendered = |(name, template): (&String, &String)| match text(template, context) {
        Ok(value) => Ok((name.clone(), value)),
        Err(why) => Err(format!("{name}: {why}")),
    };
    templates.iter().map(rendered).collect()
}

/// How values are rendered.
#[derive(Clone, Copy, Debug)]
enum ValueFormat {
    Text,
    Json,
}

fn too_much(most_bytes: usize) -> String {
    format!("the rendered template exceeds {most_bytes} bytes")
}

/// Output of a template up to a limit.
struct LimitedWriter {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl io::Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full |= self.bytes.len() + bytes.len() > self.most;
        if self.is_full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `None` when the result exceeds `most_bytes`.
fn render(template: &str, context: &Json, form: ValueFormat, most_bytes: usize) -> Result<Option<String>, String> {
    if template.len() > MAX_TEMPLATE_BYTES {
        return Err(format!("the template is longer than {MAX_TEMPLATE_BYTES} bytes"));
    }
    if longest_expression(template) > MAX_EXPRESSION_BYTES {
        return Err(format!("an expression is longer than {MAX_EXPRESSION_BYTES} bytes"));
    }
    if template.matches("elif").count() > MAX_ELIFS {
        return Err(format!("the template has more than {MAX_ELIFS} elif"));
    }
    let environment = environment(form);
    let template = environment.template_from_str(template).map_err(|error| describe(&error))?;
    let mut output = LimitedWriter { bytes: Vec::new(), most: most_bytes, is_full: false };
    let rendered = template.render_captured_to(Value::from(Serde(context)), &mut output).map(drop);
    if output.is_full {
        return Ok(None);
    }
    rendered.map_err(|error| describe(&error))?;
    String::from_utf8(output.bytes).map(Some).map_err(|error| error.to_string())
}

/// The length in bytes of the longest text from `{{` to `}}`, or from `{%` to `%}`. Neither ends inside of quotes or
/// brackets.
fn longest_expression(template: &str) -> usize {
    let (mut rest, mut longest) = (template, 0);
    while let Some(start) = ["{{", "{%"].into_iter().filter_map(|open| rest.find(open)).min() {
        rest = &rest[start + 2..];
        let length = expression_length(rest.as_bytes());
        longest = longest.max(length);
        rest = &rest[length..];
    }
    longest
}

/// The length of the expression or statement that `text` begins with.
fn expression_length(text: &[u8]) -> usize {
    let (mut quote, mut is_escaped, mut depth) = (None, false, 0_usize);
    for (at, byte) in text.iter().copied().enumerate() {
        match (quote, byte) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), b'\\') => is_escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, _) if depth == 0 && (text[at..].starts_with(b"}}") || text[at..].starts_with(b"%}")) => return at,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

fn environment(form: ValueFormat) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MAX_STEPS));
    // The formatter alone decides how values are rendered: no template can bypass it.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(move |out, _, value| {
        let text = match form {
            _ if value.is_undefined() => return Err(Error::from(ErrorKind::UndefinedError)),
            ValueFormat::Json => serde_json::to_string(value)
                .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?,
            ValueFormat::Text if value.is_none() => String::new(),
            ValueFormat::Text => value.to_string(),
        };
        out.write_str(&text).map_err(Error::from)
    });
    environment
}

fn describe(error: &Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => format!("{line}the template takes too many steps"),
        (kind, Some(detail)) => format!("{line}{kind}: {detail}"),
        (kind, None) => format!("{line}{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json as value;

    use super::*;

    fn sample() -> Json {
        value!({ "name": "orders", "release": null, "number": 7, "from": ["21.2026.08.22.00"], "owners": ["payments"] })
    }

    #[test]
    fn fields_are_rendered_and_null_is_rendered_as_nothing() {
        let given = text("{{ name }}|{{ release }}|{{ number }}|{{ from | join(',') }}", &sample());
        assert_eq!(given.as_deref(), Ok("orders||7|21.2026.08.22.00"));
        let conditional = text("{% if release %}{{ release }}{% else %}{{ name }}{% endif %}", &sample());
        assert_eq!(conditional.as_deref(), Ok("orders"));
    }

    #[test]
    fn a_field_that_does_not_exist_is_an_error() {
        assert!(text("{{ nam }}", &sample()).is_err_and(|why| why.contains("undefined")));
        assert!(text("{{ name", &sample()).is_err());
        assert!(text("{{ name | nonsense }}", &sample()).is_err());
    }

    #[test]
    fn a_template_that_would_overflow_the_stack_is_refused() {
        let sample = sample();
        let most = MAX_EXPRESSION_BYTES;
        for unit in ["-", "not ", "+1", ".a", "()", "[0]", "|e", "**1", " and 1", " if 1 else 1"] {
            for times in [most, 4 * most] {
                let expression = unit.repeat(times);
                assert!(text(&format!("{{{{ 1{expression} }}}}"), &sample).is_err(), "{unit}");
                assert!(text(&format!("{{% if {expression}1 %}}{{% endif %}}"), &sample).is_err(), "{unit}");
            }
            // Valid or not, compiling it is safe.
            let _ = text(&format!("{{{{ 1{} }}}}", unit.repeat(most / unit.len() - 4)), &sample);
        }
        for start in ["'}}'", "'\\'}}'", "[{'a':{'b':1}}][0]"] {
            assert!(text(&format!("{{{{ {start}{} }}}}", "~1".repeat(3_000)), &sample).is_err(), "{start}");
        }
        let elifs = |count: usize| format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(count));
        assert_eq!(text(&elifs(MAX_ELIFS), &sample).as_deref(), Ok(""));
        assert!(text(&elifs(2_000), &sample).is_err());
        let _ = text(&"{% if 1 %}".repeat(2_000), &sample);
    }

    #[test]
    fn in_a_body_every_value_is_rendered_as_json() {
        let body = json(r#"{"n": {{ name }}, "all": {{ from }}, "r": {{ release }}, "7": {{ number }}}"#, &sample());
        assert_eq!(body, Ok(value!({ "n": "orders", "all": ["21.2026.08.22.00"], "r": null, "7": 7 })));
        assert!(json(r#"{"n": {{ name | safe }}}"#, &sample()).is_ok(), "`safe` does not bypass it");
        assert!(json("{{ name }}, 1", &sample()).is_err_and(|why| why.contains("not JSON")));
    }

    #[test]
    fn loops_iterate_over_lists() {
        let template = "[{% for one in from %}{{ one }}{% if not loop.last %},{% endif %}{% endfor %}]";
        assert_eq!(json(template, &value!({ "from": ["a", "b"] })), Ok(value!(["a", "b"])));
        let named = "{% for item in items %}{{ item.name }}{% endfor %}";
        assert_eq!(json(named, &value!({ "items": [{ "name": "x" }] })), Ok(value!("x")));
        let inner = "[{% for one in from %}{{ one.x }}{% endfor %}]";
        assert_eq!(json(inner, &value!({ "from": [{ "x": null }] })), Ok(value!([null])));
    }

    #[test]
    fn an_error_names_its_line() {
        let why = text("{{ name }}\n{{ nam }}", &sample()).expect_err("undefined");
        assert!(why.starts_with("line 2: undefined"), "{why}");
    }

    #[test]
    fn output_size_and_steps_are_limited() {
        let flood = "{% for i in range(9000) %}{{ name }}{% endfor %}{% for i in range(9000) %}{{ name }}{% endfor %}";
        assert!(text(flood, &sample()).is_err_and(|why| why.contains("exceeds 60000 bytes")));
        assert_eq!(json_within("[{{ name }}, {{ name }}]", &sample(), 19), Ok(None));
        assert!(json_within("[{{ name }}, {{ name }}]", &sample(), 20).is_ok_and(|body| body.is_some()));
        let endless = "{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}";
        assert!(text(endless, &sample()).is_err_and(|why| why.contains("too many steps")));
        assert!(text(&"x".repeat(40_000), &sample()).is_err_and(|why| why.contains("longer than")));
    }

    #[test]
    fn a_template_cannot_read_files_or_other_templates() {
        for template in ["{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as x %}", "{{ env('HOME') }}"] {
            assert!(text(template, &sample()).is_err(), "{template}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_embedded_in_the_body_without_injection(name in any::<String>(), last in any::<i64>()) {
            let context = value!({ "name": name, "last": last });
            let body = json(r#"{"name": {{ name }}, "said": {{ "by " ~ name }}, "last": {{ last }}}"#, &context);
            prop_assert_eq!(body, Ok(value!({ "name": name, "said": format!("by {name}"), "last": last })));
        }

        #[test]
        fn no_template_panics_or_renders_invalid_json(template in "[{}%a-z\" |\\[\\]0-9~.(),'-]{0,40}") {
            if let Ok(body) = json_within(&template, &sample(), 500) {
                prop_assert!(body.is_none_or(|body| body.to_string().len() <= 600));
            }
        }
    }
}
