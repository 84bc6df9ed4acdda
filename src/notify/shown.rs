//! Message bodies as their readers see them, as plain text: chat cards with title and next steps, JSON with indentation.

use serde_json::Value;

/// `body`, as a channel was or would be sent it, for people at a terminal. Text from outside is not sanitized.
#[must_use]
pub fn shown(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(document @ (Value::Object(_) | Value::Array(_))) => chat_card(&document)
            .or_else(|| by_protocol(&document))
            .unwrap_or_else(|| serde_json::to_string_pretty(&document).unwrap_or_default()),
        _ => body.to_owned(),
    }
}

/// The bodies of a message that has one for each protocol.
fn by_protocol(document: &Value) -> Option<String> {
    document.get("default")?;
    let bodies = document.as_object()?.iter();
    let bodies: Option<Vec<_>> =
        bodies.map(|(protocol, body)| Some(format!("For {protocol}:\n{}", shown(body.as_str()?)))).collect();
    Some(bodies?.join("\n"))
}

/// A notification of Amazon Q Developer in chat applications.
fn chat_card(document: &Value) -> Option<String> {
    let content = document.get("content").filter(|content| content["textType"] == "client-markdown")?;
    let text = |name: &str| content[name].as_str().map(plain);
    let steps = content["nextSteps"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let steps: Vec<_> = steps.enumerate().map(|(index, step)| format!("{}. {}", index + 1, plain(step))).collect();
    let mut parts: Vec<_> = ["title", "description"].into_iter().filter_map(text).collect();
    if !steps.is_empty() {
        parts.push(format!("Next steps\n{}", steps.join("\n")));
    }
    Some(parts.join("\n\n"))
}

/// Chat markup as plain text: no emphasis, no code, no escapes.
fn plain(markdown: &str) -> String {
    let parts = markdown.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => part.replace('*', ""),
        _ => part.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chat_card_is_shown_as_chat_renders_it_and_other_json_is_indented() {
        let card = json!({ "version": "1.0", "content": {
            "textType": "client-markdown",
            "title": "payments: `a&amp;b` on an outdated base",
            "description": "As of today.\n\n*New*\n• `x&lt;y*`: stale",
            "nextSteps": ["rebuild `a&amp;amp;`", "deploy it"],
        } });
        let expected = "payments: a&b on an outdated base\n\nAs of today.\n\nNew\n• x<y*: stale\n\nNext steps\n\
                        1. rebuild a&amp;\n2. deploy it";
        assert_eq!(shown(&card.to_string()), expected);
        assert_eq!(shown("{\"a\":1}"), "{\n  \"a\": 1\n}");
        for text in ["payments: orders.\n", "12", "{\"a\":"] {
            assert_eq!(shown(text), text);
        }
        let several = json!({ "default": "text", "https": card.to_string(), "sqs": "{\"a\":1}" });
        let expected = format!("For default:\ntext\nFor https:\n{expected}\nFor sqs:\n{{\n  \"a\": 1\n}}");
        assert_eq!(shown(&several.to_string()), expected);
    }
}
