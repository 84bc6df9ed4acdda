//! Here-documents of an instruction, by BuildKit's rule: a word of the form `<<EOF`, `<<-EOF` or `3<<"EOF"` anywhere in
//! a `RUN`, `COPY` or `ADD`.

/// A here-document that an instruction begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The terminating line.
    pub(super) name: String,
    /// Whether tabs before that line are ignored.
    is_indented: bool,
}

impl Heredoc {
    pub(super) fn ends_with(&self, line: &str) -> bool {
        let line = if self.is_indented { line.trim_start_matches('\t') } else { line };
        line == self.name
    }
}

/// The here-documents that the instruction `line` begins, in order.
pub(super) fn begun_by(keyword: &str, line: &str) -> Vec<Heredoc> {
    let (keyword, line) = if keyword == "onbuild" { trigger(line) } else { (keyword.to_owned(), line) };
    if !matches!(keyword.as_str(), "run" | "copy" | "add") || !line.contains("<<") || is_json(line) {
        return Vec::new();
    }
    // For BuildKit, a line with an unclosed quote has no here-documents.
    let words = split(line, QuoteHandling::Keep).unwrap_or_default();
    words.iter().filter_map(|word| heredoc(word)).collect()
}

/// The keyword and line of an instruction in `ONBUILD`.
fn trigger(line: &str) -> (String, &str) {
    let line = line.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim_start();
    (line.split_whitespace().next().unwrap_or_default().to_lowercase(), line)
}

/// Whether the arguments, without flags, are a JSON list, which no shell interprets.
fn is_json(line: &str) -> bool {
    let arguments = line.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim_start();
    let start =
        arguments.find('[').filter(|start| arguments[..*start].split_whitespace().all(|flag| flag.starts_with("--")));
    start.is_some_and(|start| serde_json::from_str::<Vec<String>>(arguments[start..].trim()).is_ok())
}

fn heredoc(word: &str) -> Option<Heredoc> {
    let (descriptor, rest) = word.split_once("<<")?;
    if !descriptor.bytes().all(|byte| byte.is_ascii_digit()) || rest.contains('<') {
        return None;
    }
    let (is_indented, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    match &split(rest, QuoteHandling::Remove)?[..] {
        [name] => Some(Heredoc { name: name.clone(), is_indented }),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum QuoteHandling {
    Keep,
    Remove,
}

/// The words of a line, split like a shell; `None` if a quote or a brace is not closed.
fn split(line: &str, quotes: QuoteHandling) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\'' | '"' => {
                let length = quoted(rest)?;
                let inner = 1..length - 1;
                word.push_str(if quotes == QuoteHandling::Keep { &rest[..length] } else { &rest[inner] });
                length
            }
            '$' if rest.starts_with("${") => {
                let length = braced(rest)?;
                word.push_str(&rest[..length]);
                length
            }
            '\\' => {
                let escaped = rest[1..].chars().next();
                if quotes == QuoteHandling::Keep {
                    word.push('\\');
                }
                word.extend(escaped);
                1 + escaped.map_or(0, char::len_utf8)
            }
            blank if blank.is_whitespace() => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                blank.len_utf8()
            }
            other => {
                word.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    Some(words)
}

/// The length of the quoted text at the start of `text`, including both quotes.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Some(at + 1),
            '\\' if quote == '"' => drop(characters.next()),
            _ => {}
        }
    }
    None
}

/// The length of the `${…}` at the start of `text`.
fn braced(text: &str) -> Option<usize> {
    let mut at = "${".len();
    let mut depth = 1;
    while let Some(character) = text[at..].chars().next() {
        at += match character {
            '\'' | '"' => quoted(&text[at..])?,
            '\\' => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            '$' if text[at..].starts_with("${") => {
                depth += 1;
                2
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
                1
            }
            other => other.len_utf8(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_here_document_may_begin_anywhere_in_the_line() {
        let table: [(&str, &[&str]); 14] = [
            ("RUN <<EOF", &["EOF"]),
            ("RUN cat <<EOF > /x", &["EOF"]),
            ("COPY --chmod=755 <<A <<-\"B\" /x/", &["A", "B"]),
            ("RUN 3<<'E F' cat", &["E F"]),
            ("RUN cat <<<\"x\"", &[]),
            ("RUN x=$((1<<A))", &[]),
            ("RUN echo \"<<EOF\"", &[]),
            ("RUN echo it's <<EOF", &[]),
            ("RUN << EOF", &[]),
            ("RUN [\"cat\", \"<<EOF\"]", &[]),
            ("RUN --mount=type=bind [\"cat\", \"<<EOF\"]", &[]),
            ("ONBUILD RUN <<EOF", &["EOF"]),
            ("ENV A=<<EOF", &[]),
            ("RUN ${A:-<<EOF} <<B", &["B"]),
        ];
        for (line, names) in table {
            let keyword = line.split_whitespace().next().expect("a keyword").to_lowercase();
            let begun: Vec<_> = begun_by(&keyword, line).into_iter().map(|heredoc| heredoc.name).collect();
            assert_eq!(begun, names, "{line}");
        }
    }

    #[test]
    fn tabs_before_the_end_of_an_indented_here_document_are_ignored() {
        let [plain, indented] = &begun_by("run", "RUN <<A <<-B")[..] else { panic!("two here-documents") };
        assert!(plain.ends_with("A") && !plain.ends_with("\tA") && !plain.ends_with("A "));
        assert!(indented.ends_with("\t\tB") && !indented.ends_with(" B"));
    }
}
