//! The TOML parser: values with the line that sets them.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{
    ConfigProblem, ConfigProblems,
    tree::{ConfigNode, ConfigValue, KeyPath, ValueOrigin},
};

/// Parses the TOML document `text` of `file`.
pub(super) fn parse(text: &str, file: &Path) -> Result<ConfigNode, ConfigProblems> {
    let file = file.display().to_string();
    let breaks: Vec<_> = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    let line_of = |offset: usize| breaks.partition_point(|at| *at < offset) + 1;
    let at = |offset: usize| ValueOrigin::File { file: file.clone(), line: line_of(offset) };
    let (table, errors) = DeTable::parse_recoverable(text);
    let Some(error) = errors.first() else {
        return Ok(ConfigNode { value: table_of(table.into_inner(), &at), origin: at(0) });
    };
    // Later errors are usually consequences of the first.
    let origin = at(error.span().map_or(0, |span| span.start));
    Err(ConfigProblems::from(vec![ConfigProblem {
        origin,
        path: KeyPath::default(),
        message: format!("not TOML: {}", error.message()),
    }]))
}

fn table_of(table: DeTable<'_>, at: &dyn Fn(usize) -> ValueOrigin) -> ConfigValue {
    ConfigValue::Table(
        table
            .into_iter()
            .map(|(key, value)| {
                let origin = at(key.span().start);
                (key.into_inner().into_owned(), ConfigNode { value: value_of(value.into_inner(), at), origin })
            })
            .collect(),
    )
}

fn value_of(value: DeValue<'_>, at: &dyn Fn(usize) -> ValueOrigin) -> ConfigValue {
    match value {
        DeValue::String(text) => ConfigValue::Text(text.into_owned()),
        DeValue::Boolean(flag) => ConfigValue::Boolean(flag),
        DeValue::Datetime(instant) => ConfigValue::Instant(instant.to_string()),
        // An integer out of range becomes a float, which no integer key accepts.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| ConfigValue::Float(f64::INFINITY), ConfigValue::Integer),
        DeValue::Float(number) => ConfigValue::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Table(table) => table_of(table, at),
        DeValue::Array(list) => ConfigValue::List(
            list.into_iter()
                .map(|element| {
                    let origin = at(element.span().start);
                    ConfigNode { value: value_of(element.into_inner(), at), origin }
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unclosed_inline_tables_are_rejected() {
        // Before toml_parser 1.1.6, the parser recursed once for each of them.
        let file = "[[a]]\nb = { c = \"d\"\n".repeat(2_000);
        assert!(parse(&file, Path::new("basewatch.toml")).is_err());
    }
}
