//! Shell commands in a build history, parsed as far as needed to find the programs that a step runs.
//!
//! Commands may hold secrets; nothing of them is stored.

/// How deep `sh -c` may nest.
const DEPTH: usize = 3;
/// The part of a step that is parsed, in bytes.
const STEP_BYTES: usize = 64 * 1024;

const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "busybox"];
/// Prefix programs that run the command after them.
const PREFIXES: [&str; 11] = ["sudo", "exec", "time", "nice", "env", "if", "then", "else", "do", "while", "!"];

/// Calls `visit` with the words of each simple command in `text`, the program first, without its folder.
pub(super) fn each_command(text: &str, mut visit: impl FnMut(&[&str])) {
    let text = &text[..text.floor_char_boundary(STEP_BYTES)];
    // The classic builder writes `|1 NAME=value /bin/sh -c …` for build arguments, with unquoted values.
    let text = match text.strip_prefix('|') {
        Some(rest) => rest.split_once(" -c ").map_or("", |(_, command)| command),
        None => text,
    };
    // buildah writes its shell also before commands in exec form.
    let text = text.strip_prefix("/bin/sh -c ").filter(|rest| rest.starts_with('[')).unwrap_or(text);
    visit_each(text, DEPTH, &mut visit);
}

fn visit_each(text: &str, depth: usize, visit: &mut impl FnMut(&[&str])) {
    match serde_json::from_str::<Vec<String>>(text.trim()) {
        Ok(words) => visit_command(&words, depth, visit),
        Err(_) => simple_commands(text).iter().for_each(|words| visit_command(words, depth, visit)),
    }
}

fn visit_command(words: &[String], depth: usize, visit: &mut impl FnMut(&[&str])) {
    let is_assignment = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    let is_before = |word: &&String| PREFIXES.contains(&word.as_str()) || is_assignment(word) || word.starts_with("--");
    let words = &words[words.iter().take_while(is_before).count()..];
    let Some((program, arguments)) = words.split_first() else { return };
    let program = program.rsplit('/').next().unwrap_or(program);
    let script = arguments.iter().position(|word| word.starts_with('-') && word.ends_with('c'));
    match script.filter(|_| SHELLS.contains(&program)) {
        Some(_) if depth == 0 => {}
        Some(option) => match &arguments[option + 1..] {
            // Builders write the command of `/bin/sh -c` without quotes; then the words are already split.
            [script] if script.contains(char::is_whitespace) || script.starts_with('[') => {
                visit_each(script, depth - 1, visit);
            }
            words => visit_command(words, depth - 1, visit),
        },
        None => {
            let words: Vec<_> = std::iter::once(program).chain(arguments.iter().map(String::as_str)).collect();
            visit(&words);
        }
    }
}

/// The words of each simple command, separated by unquoted `;`, `&&`, `||`, `|`, brackets and line ends. Comments and
/// redirections are left out.
fn simple_commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut is_quoted = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (is_quoted, character) {
            (Some(quote), _) if character == quote => is_quoted = None,
            (None, '"' | '\'') => is_quoted = Some(character),
            (None | Some('"'), '\\') => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => word.push(escaped),
            },
            (None, '#') if word.is_empty() => while characters.next_if(|next| *next != '\n').is_some() {},
            (None, '>' | '<') => {
                word.clear();
                while characters.next_if(|next| matches!(next, '>' | '<' | '&' | ' ')).is_some() {}
                while characters.next_if(|next| !next.is_whitespace() && !is_separator(*next)).is_some() {}
            }
            (None, _) if is_separator(character) || character.is_whitespace() => {
                let last = commands.last_mut().expect("there is always one");
                last.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                if is_separator(character) && !last.is_empty() {
                    commands.push(Vec::new());
                }
            }
            _ => word.push(character),
        }
    }
    commands.last_mut().expect("there is always one").extend(Some(word).filter(|word| !word.is_empty()));
    commands
}

fn is_separator(character: char) -> bool {
    matches!(character, ';' | '&' | '|' | '(' | ')' | '{' | '}' | '\n' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(text: &str) -> Vec<String> {
        let mut commands = Vec::new();
        each_command(text, |words| commands.push(words.join(" ")));
        commands
    }

    #[test]
    fn the_commands_of_a_step_are_separated() {
        for (text, expected) in [
            ("/bin/sh -c dnf -y update && dnf clean all # buildkit", &["dnf -y update", "dnf clean all"][..]),
            ("|1 A=x y /bin/sh -c set -ex; yum update -y", &["set -ex", "yum update -y"]),
            (r#"["dnf","-y","update"]"#, &["dnf -y update"]),
            (r#"/bin/sh -c ["microdnf", "update"]"#, &["microdnf update"]),
            ("/bin/bash -o pipefail -c A=b sudo /usr/bin/dnf upgrade 2>&1 | tee /x", &["dnf upgrade", "tee /x"]),
            (r#"bash -ec "apk upgrade; true""#, &["apk upgrade", "true"]),
            ("--mount=type=cache,target=/c dnf update", &["dnf update"]),
            ("a \\\n  b\nc", &["a b", "c"]),
            (r#"echo "a; dnf update" 'b && c' >> /x"#, &["echo a; dnf update b && c"]),
            ("(cd /a && b) || { c; } # d; e\nf", &["cd /a", "b", "c", "f"]),
            ("if ! apk upgrade; then exit 1; fi", &["apk upgrade", "exit 1", "fi"]),
            ("", &[]),
            ("|2 A=b", &[]),
            ("'unclosed; x", &["unclosed; x"]),
        ] {
            assert_eq!(commands(text), expected, "{text}");
        }
    }

    #[test]
    fn nested_shells_and_long_steps_end() {
        let nested =
            (0..10).fold("dnf update".to_owned(), |inner, _| serde_json::json!(["sh", "-c", inner]).to_string());
        assert!(commands(&nested).is_empty());
        assert!(commands(&"a;".repeat(1 << 20)).len() <= STEP_BYTES);
    }
}
