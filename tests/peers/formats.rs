//! Reports read by other parsers: Markdown by GitHub's and by one that linkifies everything, CSV by Python, SARIF by
//! the validator of its authors.

use std::{fs, path::Path};

use basewatch::report::{Report, Sanitized, csv, markdown, sarif};
use serde_json::Value;

use testbed::{peers, poison::poisoned, sample};

/// What a parser, or the site behind it, would do something with.
const PIECES: [&str; 40] = [
    "|",
    "\\",
    "\\|",
    "`",
    "``",
    "<b>",
    "<script>alert(1)</script>",
    "</td></table>",
    "<!--",
    "&lt;",
    "&#64;",
    "[a](b)",
    "![a](b)",
    "[x]: y",
    "<https://x.yy>",
    "@team",
    "o/r#12",
    "GH-12",
    "www.x.yy",
    "https://x.yy/z",
    "x.com",
    "1.2.3.4",
    "a@b.cc",
    ":smile:",
    "**b**",
    "_x_",
    "~~d~~",
    "$x$",
    "\r\n",
    "\t",
    "=1+1",
    "-1",
    ",",
    ";",
    "\"",
    "{0}",
    "\u{202e}",
    "注",
    " ",
    "x",
];

/// Each piece, and many of them one after another, always the same.
fn hostile_texts() -> Vec<String> {
    let mut state: u32 = 7;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        PIECES[(state >> 16) as usize % PIECES.len()]
    };
    let single = PIECES.iter().map(|piece| (*piece).to_owned()).collect::<Vec<_>>();
    let composed = (0..160).map(|number| (0..2 + number % 9).map(|_| next()).collect::<String>());
    single.into_iter().chain(composed).collect()
}

/// What the reader makes of the pages that `render` makes of the sample with each of `texts` in every field.
fn read(how: &str, texts: &[String], render: fn(&Report) -> String) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<_> = (0..texts.len()).map(|number| folder.path().join(number.to_string())).collect();
    for (text, file) in texts.iter().zip(&files) {
        fs::write(file, render(&poisoned(&sample::report(), text))).expect("a file in a new folder");
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/read_formats.py");
    let mut arguments = vec![program.as_path(), Path::new(how)];
    arguments.extend(files.iter().map(std::path::PathBuf::as_path));
    serde_json::from_str(&peers::run_python(&arguments)).expect("JSON")
}

/// `text` as a cell shows it, `width` columns of it.
fn shown(text: &str, width: usize) -> String {
    let text = Sanitized::from(text).shortened(width);
    if text.is_empty() { "–".to_owned() } else { text.as_str().replace("\\|", "\\\\u{7c}") }
}

/// Blanks in Markdown are one blank.
fn collapsed(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn markdown_parsers_read_the_intended_cells_only() {
    let mut texts = hostile_texts();
    texts.push("tame".to_owned());
    let pages = read("markdown", &texts, markdown::render);
    for parser in ["cmark-gfm", "markdown-it"] {
        let tame = &pages[texts.len() - 1][parser];
        assert!(tame["rows"].as_array().expect("rows").len() > 10, "{tame}");
        for (text, page) in texts.iter().zip(&pages) {
            let page = &page[parser];
            assert_eq!(page["odd"], serde_json::json!([]), "{parser} {text:?}");
            for list in ["rows", "items"] {
                let counts = [page, tame].map(|page| page[list].as_array().expect("a list").len());
                assert_eq!(counts[0], counts[1], "{parser} {text:?}: {list}");
            }
            let name = shown(text, 100);
            // With an alias, and with a container.
            let names =
                [text.clone(), format!("{text}:{text}"), format!("{text} {text}")].map(|name| shown(&name, 100));
            for row in page["rows"].as_array().expect("rows").iter().skip(1).map(strings) {
                assert_eq!(row.len(), 9, "{parser} {text:?}");
                let is_name = |name: &String| collapsed(&row[2]).starts_with(&collapsed(name));
                assert!(names.iter().any(is_name), "{parser} {text:?}: {:?}", row[2]);
                assert!(["–", &name].contains(&row[3].as_str()), "{parser} {text:?}: {:?}", row[3]);
                let why = collapsed(&format!("{name}: {}", shown_in_prose(text)));
                assert!(collapsed(&row[8]).starts_with(&why), "{parser} {text:?}: {:?} is not {why:?}", row[8]);
            }
            let owners = page["rows"].as_array().expect("rows").iter().map(|row| row[3].as_str().expect("a text"));
            assert!(owners.filter(|owner| *owner == name).count() > 1, "{parser} {text:?}");
        }
    }
}

/// `text` as a sentence in a cell shows it.
fn shown_in_prose(text: &str) -> String {
    if Sanitized::from(text).is_empty() { String::new() } else { shown(text, 300) }
}

#[test]
fn a_csv_parser_reads_the_intended_cells() {
    let texts = hostile_texts();
    let titles: Vec<_> = csv::titles().collect();
    let name = titles.iter().position(|title| *title == "name").expect("a column");
    let count = sample::report().findings.len();
    for (text, rows) in texts.iter().zip(read("csv", &texts, csv::render)) {
        let rows: Vec<_> = rows.as_array().expect("rows").iter().map(strings).collect();
        assert_eq!(rows.len(), 1 + count, "{text:?}");
        assert_eq!(rows[0], titles, "{text:?}");
        for row in &rows[1..] {
            assert_eq!((row.len(), row[name].as_str()), (titles.len(), csv::cell(text).as_str()), "{text:?}");
        }
    }
}

#[test]
fn the_sarif_validator_reports_no_problems() {
    let nothing: Vec<String> = Vec::new();
    assert_eq!(peers::sarif_problems(&sarif::render(&sample::report())), nothing);
    assert_eq!(peers::sarif_problems(&sarif::render(&sample::report_of(Vec::new(), Vec::new()))), nothing);
    let text = PIECES.concat();
    assert_eq!(peers::sarif_problems(&sarif::render(&poisoned(&sample::report(), &text))), nothing);
    // GitHub shows no result without a location.
    let mut broken: Value = serde_json::from_str(&sarif::render(&sample::report())).expect("JSON");
    broken["runs"][0]["results"][0].as_object_mut().expect("a result").remove("locations");
    assert!(!peers::sarif_problems(&broken.to_string()).is_empty());
}
