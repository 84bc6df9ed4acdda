//! Variable expansion: removes quotes and escapes and replaces variables as BuildKit does, and tracks the position of
//! each byte in the file.

use std::{collections::BTreeMap, fmt};

use super::SourceText;

/// How deep `${a:-${b:-…}}` may nest.
const MOST_NESTED: usize = 32;

/// The longest expansion, in bytes: arguments that use each other twice would grow exponentially.
const MOST_TEXT: usize = 64 << 10;

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VariableValue {
    /// A known text.
    Known(SourceText),
    /// No value, unless a `--build-arg` sets it.
    Unset(UnknownCause),
    /// A value that is only known during the build.
    Unknown(UnknownCause),
}

/// Why the value of a variable is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UnknownCause {
    NoDefault,
    NotDeclared,
    InsideStage,
    SetByBuilder,
    Inherited,
    Operator,
}

impl fmt::Display for UnknownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDefault => "has no default value",
            Self::NotDeclared => "is not declared before the first FROM",
            Self::InsideStage => {
                "is declared inside a stage, but FROM can only use arguments declared before the first FROM"
            }
            Self::SetByBuilder => "is set by the builder for each platform",
            Self::Inherited => "may be inherited from the base",
            Self::Operator => "is used with an operator that basewatch does not evaluate",
        })
    }
}

/// The result of an expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expansion {
    /// The text, without unknown values.
    pub(super) text: SourceText,
    /// The variables whose value is needed but unknown.
    pub(super) unknown: BTreeMap<String, UnknownCause>,
    /// All variables in the word.
    pub(super) names: Vec<String>,
}

impl Expansion {
    fn add(&mut self, other: Self) {
        self.text.push(&other.text);
        self.unknown.extend(other.unknown);
        self.names.extend(other.names);
    }
}

/// Expands `word`.
///
/// # Errors
///
/// The syntax error of the word.
pub(super) fn expand(
    word: &SourceText,
    escape: char,
    variable: &dyn Fn(&str) -> VariableValue,
) -> Result<Expansion, &'static str> {
    let mut expander = Expander { word, at: 0, depth: 0, escape, variable };
    let expansion = expander.until(None, false)?;
    Ok(expansion)
}

struct Expander<'a> {
    word: &'a SourceText,
    at: usize,
    depth: usize,
    escape: char,
    variable: &'a dyn Fn(&str) -> VariableValue,
}

impl<'a> Expander<'a> {
    fn rest(&self) -> &'a str {
        &self.word.as_str()[self.at..]
    }

    /// Consumes the next character.
    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Copies the next character.
    fn copy(&mut self, into: &mut Expansion) {
        let start = self.at;
        if self.next().is_some() {
            into.text.push_slice(self.word, start..self.at);
        }
    }

    /// Expands up to and including `end`, or to the end of the word. Within double quotes, only some characters are
    /// special.
    fn until(&mut self, end: Option<char>, is_quoted: bool) -> Result<Expansion, &'static str> {
        if self.depth == MOST_NESTED {
            return Err("braces nest too deep");
        }
        self.depth += 1;
        let mut expansion = Expansion::default();
        while let Some(character) = self.rest().chars().next() {
            if expansion.text.len() > MOST_TEXT {
                return Err("the text is too long");
            }
            match character {
                character if Some(character) == end => {
                    self.at += character.len_utf8();
                    self.depth -= 1;
                    return Ok(expansion);
                }
                '$' => expansion.add(self.dollar()?),
                '\'' if !is_quoted => self.single_quoted(&mut expansion)?,
                '"' if !is_quoted => {
                    self.at += 1;
                    expansion.add(self.until(Some('"'), true)?);
                }
                character if character == self.escape => self.escaped(is_quoted, &mut expansion),
                _ => self.copy(&mut expansion),
            }
        }
        if end.is_some() { Err("a quote or a brace is not closed") } else { Ok(expansion) }
    }

    fn single_quoted(&mut self, into: &mut Expansion) -> Result<(), &'static str> {
        self.at += 1;
        let length = self.rest().find('\'').ok_or("a quote is not closed")?;
        into.text.push_slice(self.word, self.at..self.at + length);
        self.at += length + 1;
        Ok(())
    }

    fn escaped(&mut self, is_quoted: bool, into: &mut Expansion) {
        let start = self.at;
        self.at += self.escape.len_utf8();
        let Some(next) = self.rest().chars().next() else { return };
        let is_special = matches!(next, '"' | '$') || next == self.escape;
        if is_quoted && !is_special {
            into.text.push_slice(self.word, start..self.at);
        } else {
            self.copy(into);
        }
    }

    fn dollar(&mut self) -> Result<Expansion, &'static str> {
        let start = self.at;
        self.at += 1;
        if !self.rest().starts_with('{') {
            let name = self.name();
            if name.is_empty() {
                let mut dollar = Expansion::default();
                dollar.text.push_slice(self.word, start..self.at);
                return Ok(dollar);
            }
            return Ok(self.value(name, None));
        }
        self.at += 1;
        let name = self.name();
        if name.is_empty() {
            return Err("${…} names no variable");
        }
        match self.next().ok_or("a brace is not closed")? {
            '}' => Ok(self.value(name, None)),
            ':' => {
                let operator = self.next().ok_or("a brace is not closed")?;
                let word = self.until(Some('}'), false)?;
                Ok(self.value(name, Some(VariableModifier { operator, is_empty_unset: true, word })))
            }
            operator => {
                let word = self.until(Some('}'), false)?;
                Ok(self.value(name, Some(VariableModifier { operator, is_empty_unset: false, word })))
            }
        }
    }

    fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn value(&self, name: &str, operation: Option<VariableModifier>) -> Expansion {
        let mut names = vec![name.to_owned()];
        let value = (self.variable)(name);
        let unknown = |why: UnknownCause, names: Vec<String>| Expansion {
            unknown: BTreeMap::from([(name.to_owned(), why)]),
            names,
            ..Expansion::default()
        };
        let Some(VariableModifier { operator, is_empty_unset, word }) = operation else {
            return match value {
                VariableValue::Known(text) => Expansion { text, names, ..Expansion::default() },
                VariableValue::Unset(why) | VariableValue::Unknown(why) => unknown(why, names),
            };
        };
        let is_set = match &value {
            VariableValue::Known(text) => !(is_empty_unset && text.is_empty()),
            VariableValue::Unset(UnknownCause::InsideStage | UnknownCause::NotDeclared | UnknownCause::NoDefault) => {
                false
            }
            VariableValue::Unset(why) | VariableValue::Unknown(why) => return unknown(*why, names),
        };
        let text = match value {
            VariableValue::Known(text) => text,
            VariableValue::Unset(_) | VariableValue::Unknown(_) => SourceText::default(),
        };
        match (operator, is_set) {
            ('-' | '?', true) => Expansion { text, names, ..Expansion::default() },
            ('-', false) | ('+', true) => {
                names.extend(word.names);
                Expansion { names, ..word }
            }
            ('+', false) => Expansion { names, ..Expansion::default() },
            ('?', false) => unknown(UnknownCause::NoDefault, names),
            _ => unknown(UnknownCause::Operator, names),
        }
    }
}

struct VariableModifier {
    operator: char,
    is_empty_unset: bool,
    word: Expansion,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(word: &str) -> Result<(String, Vec<String>), &'static str> {
        let mut text = SourceText::default();
        text.push_str(word, 0);
        let variable = |name: &str| match name {
            "A" => VariableValue::Known(SourceText::from_elsewhere("a")),
            "EMPTY" => VariableValue::Known(SourceText::default()),
            "TARGETARCH" => VariableValue::Unknown(UnknownCause::SetByBuilder),
            _ => VariableValue::Unset(UnknownCause::NoDefault),
        };
        let expansion = expand(&text, '\\', &variable)?;
        Ok((expansion.text.as_str().to_owned(), expansion.unknown.into_keys().collect()))
    }

    #[test]
    fn operators_quotes_and_escapes_are_those_of_buildkit() {
        for (word, text) in [
            ("$A-${A}", "a-a"),
            ("${X:-b}${X-b}", "bb"),
            ("${A:-b}${EMPTY-b}|${EMPTY:-b}", "a|b"),
            ("${A:+b}${X:+b}${EMPTY+c}", "bc"),
            ("${X:-$A${X:-'}'}}", "a}"),
            ("\"a b\"'$A'\\$A", "a b$A$A"),
            ("\"$A\\\"\\x\"", "a\"\\x"),
            ("$", "$"),
            ("$.x", "$.x"),
            ("${A:?no}", "a"),
        ] {
            assert_eq!(expanded(word), Ok((text.to_owned(), vec![])), "{word}");
        }
    }

    #[test]
    fn values_known_only_during_the_build_are_reported_as_unknown() {
        for (word, names) in [
            ("$X", vec!["X"]),
            ("x-${TARGETARCH:-amd64}", vec!["TARGETARCH"]),
            ("${X:?message}", vec!["X"]),
            ("${A#a}", vec!["A"]),
            ("${X:-$Y}", vec!["Y"]),
            ("${A:-$Y}", vec![]),
        ] {
            assert_eq!(
                expanded(word).map(|(_, unknown)| unknown),
                Ok(names.into_iter().map(str::to_owned).collect()),
                "{word}"
            );
        }
        for word in ["${A", "\"a", "'a", "${}", "${:-x}", "${A:"] {
            assert!(expanded(word).is_err(), "{word}");
        }
        assert!(expanded(&"${X:-".repeat(100_000)).is_err() && expanded(&"$A".repeat(100_000)).is_err());
    }
}
