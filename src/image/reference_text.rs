//! A reference as a report shows it: a text that is parsed at most once.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::OnceLock,
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Reference, Repository};

/// How something refers to an image. Mostly a [`Reference`]; the text of a report may also be an OCI layout or `unknown`.
#[derive(Clone, Default)]
pub struct ReferenceText {
    text: String,
    parsed: OnceLock<Option<Reference>>,
}

impl ReferenceText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The reference; `None` if the text is none.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        self.parsed.get_or_init(|| self.text.parse().ok()).as_ref()
    }

    /// The repository; `None` if the text is no reference.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        self.reference().map(|reference| &reference.repository)
    }
}

impl From<String> for ReferenceText {
    fn from(text: String) -> Self {
        Self { text, parsed: OnceLock::new() }
    }
}

impl From<&str> for ReferenceText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Reference> for ReferenceText {
    fn from(reference: Reference) -> Self {
        Self { text: reference.to_string(), parsed: Some(reference).into() }
    }
}

impl Deref for ReferenceText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl AsRef<str> for ReferenceText {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl PartialEq for ReferenceText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ReferenceText {}

impl PartialOrd for ReferenceText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ReferenceText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for ReferenceText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for ReferenceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for ReferenceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for ReferenceText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ReferenceText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for ReferenceText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ReferenceText".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_reference_is_kept_as_it_is() {
        for text in ["", "unknown", "oci:images/orders", "$(reboot)"] {
            let kept = ReferenceText::from(text);
            assert_eq!((kept.as_str(), kept.reference()), (text, None));
        }
        let text = "public.ecr.aws/lambda/java:21";
        let reference: Reference = text.parse().unwrap();
        assert_eq!(ReferenceText::from(text).reference(), Some(&reference));
        assert_eq!(ReferenceText::from(reference.clone()), ReferenceText::from(text));
        assert_eq!(ReferenceText::from(text).repository(), Some(&reference.repository));
        assert_eq!(serde_json::to_string(&ReferenceText::from(text)).unwrap(), format!("{text:?}"));
    }
}
