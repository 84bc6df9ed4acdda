//! The table of findings.
//!
//! In a file with many findings, equal explanations are shared and listed below the table, to reduce the file size.

use std::collections::HashMap;

use askama::{Template, filters::HtmlSafe};

use super::{
    DashboardView, PageScope, filters, links,
    row::{DeploymentDetails, FindingRow, VerdictDetails},
    verdict_style::{counted, grouped},
};
use crate::report::{Finding, FindingQuery, group::DeploymentNames, query::SortKey};

/// The number of findings above which files are compact.
const COMPACT_ABOVE: usize = 500;
/// The number of rows per block of a compact table, which browsers render when visible.
const BLOCK: usize = 100;

/// The table of findings with its filters and paging.
#[derive(Template)]
#[template(path = "findings.html")]
pub(super) struct FindingsTable<'a> {
    is_file: bool,
    is_compact: bool,
    is_narrow: bool,
    csv: String,
    json: &'static str,
    filters: filters::FilterForm,
    tally: String,
    columns: Vec<TableColumn>,
    rows: Vec<TableEntry>,
    pages: Vec<PageLink>,
    /// Rendered explanations.
    causes: Vec<String>,
    /// The findings of the rows, in the same order.
    pub(super) selected: Vec<&'a Finding>,
    /// For files: the first finding of each explanation, and the locations. Rows refer to both by index.
    pub(super) examples: Vec<&'a Finding>,
    pub(super) locations: Vec<[Option<&'a str>; 4]>,
}

impl HtmlSafe for FindingsTable<'_> {}

struct TableColumn {
    title: &'static str,
    class: &'static str,
    key: String,
    link: Option<String>,
    order: Option<&'static str>,
}

struct TableEntry {
    row: FindingRow,
    why: usize,
    location: usize,
    details: Option<FindingDetails>,
}

struct FindingDetails {
    summary: String,
    why: VerdictDetails,
    own: DeploymentDetails,
}

struct PageLink {
    title: String,
    link: Option<String>,
    rel: &'static str,
    is_this: bool,
}

impl<'a> FindingsTable<'a> {
    pub(super) fn new(view: &DashboardView<'a>, scope: PageScope<'_>) -> Self {
        let all = view.query.select(&view.report.findings);
        let is_file = view.mode.is_file();
        let selected = if is_file { all.clone() } else { view.query.page(&all).to_vec() };
        let is_compact = is_file && selected.len() > COMPACT_ABOVE;
        let names = DeploymentNames::new(&view.report.findings);
        let mut kinds = SharedCauses::default();
        let rows = selected.iter().map(|finding| {
            let (why, location) = if is_file { kinds.number(finding) } else { (0, 0) };
            let details = || FindingDetails {
                summary: VerdictDetails::summary(finding),
                why: if is_file { VerdictDetails::new(finding) } else { VerdictDetails::served(finding) },
                own: DeploymentDetails::new(finding),
            };
            TableEntry {
                row: FindingRow::new(finding, &names.qualifier(finding), view.mode),
                why,
                location,
                details: (!is_compact).then(details),
            }
        });
        let rows = rows.collect();
        Self {
            is_file,
            is_compact,
            is_narrow: view.query.is_narrow(),
            csv: links::csv(view.query, scope),
            json: links::REPORT,
            filters: filters::FilterForm::new(view),
            tally: tally(view, all.len(), selected.len()),
            columns: columns(view.query),
            rows,
            pages: if is_file { Vec::new() } else { pages(view.query, all.len()) },
            causes: if is_compact { kinds.causes } else { Vec::new() },
            selected,
            examples: kinds.examples,
            locations: kinds.locations,
        }
    }
}

/// Explanations and locations that findings share, numbered.
#[derive(Default)]
struct SharedCauses<'a> {
    numbers: HashMap<String, usize>,
    causes: Vec<String>,
    examples: Vec<&'a Finding>,
    location_numbers: HashMap<[Option<&'a str>; 4], usize>,
    locations: Vec<[Option<&'a str>; 4]>,
}

impl<'a> SharedCauses<'a> {
    /// The numbers of the explanation and the location of `finding`.
    fn number(&mut self, finding: &'a Finding) -> (usize, usize) {
        let cause = VerdictDetails::new(finding).render().expect("writing to a string cannot fail");
        let next = self.causes.len();
        let why = *self.numbers.entry(cause).or_insert_with_key(|cause| {
            self.causes.push(cause.clone());
            self.examples.push(finding);
            next
        });
        let deployment = &finding.deployment;
        let registry = finding.image.reference.split_once('/').map(|(registry, _)| registry);
        let location = [
            Some(deployment.kind.as_str()),
            deployment.account.as_deref(),
            deployment.region.as_deref(),
            registry.filter(|registry| registry.contains(['.', ':'])),
        ];
        let next = self.locations.len();
        let location_number = *self.location_numbers.entry(location).or_insert(next);
        if location_number == next {
            self.locations.push(location);
        }
        (why, location_number)
    }
}

fn tally(view: &DashboardView<'_>, matching: usize, shown: usize) -> String {
    let all = view.report.findings.len();
    let total = if view.query.is_narrow() {
        format!("{} of {}", grouped(matching as u64), counted(all as u64, "finding"))
    } else {
        counted(all as u64, "finding")
    };
    match shown {
        0 if matching > 0 => format!("{total}; none from number {}", grouped(view.query.offset as u64 + 1)),
        shown if shown < matching => {
            let first = view.query.offset;
            format!("{total}; showing {} to {}", grouped(first as u64 + 1), grouped((first + shown) as u64))
        }
        _ => total,
    }
}

fn columns(query: &FindingQuery) -> Vec<TableColumn> {
    let columns: [(&str, &str, Option<SortKey>); 7] = [
        ("Deployment", "wide", Some(SortKey::Name)),
        ("Verdict", "", Some(SortKey::Severity)),
        ("Owner", "", Some(SortKey::Owner)),
        ("Base", "", None),
        ("Age", "num", Some(SortKey::Age)),
        ("Behind", "", Some(SortKey::Behind)),
        ("Action", "", None),
    ];
    let column = |(title, class, by): (&'static str, &'static str, Option<SortKey>)| TableColumn {
        title,
        class,
        key: by.map(|by| by.first_order().to_string()).unwrap_or_default(),
        link: by.map(|by| links::findings(&links::sorted(query, by))),
        order: by.map(|by| match (by == query.sort.by, query.sort.is_descending) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        }),
    };
    columns.into_iter().map(column).collect()
}

/// Links to the first, the adjacent and the last pages.
fn pages(query: &FindingQuery, matching: usize) -> Vec<PageLink> {
    let size = query.page_size();
    if matching <= size && query.offset == 0 {
        return Vec::new();
    }
    let this = query.offset / size;
    let last = matching.saturating_sub(1) / size;
    let link = |page: usize| Some(links::findings(&FindingQuery { offset: page * size, ..query.clone() }));
    let step = |title: &str, rel, link| PageLink { title: title.to_owned(), link, rel, is_this: false };
    let mut pages = vec![step("Previous", "prev", if this > 0 { link((this - 1).min(last)) } else { None })];
    let mut before = None;
    for page in (0..=last).filter(|page| [0, last].contains(page) || page.abs_diff(this) <= 2) {
        if before.is_some_and(|before| before + 1 < page) {
            pages.push(step("…", "", None));
        }
        let is_this = page == this;
        let link = if is_this { None } else { link(page) };
        pages.push(PageLink { title: grouped(page as u64 + 1), link, rel: "", is_this });
        before = Some(page);
    }
    pages.push(step("Next", "next", if this < last { link(this + 1) } else { None }));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(offset: usize, matching: usize) -> String {
        let pages = pages(&FindingQuery { offset, ..FindingQuery::default() }, matching);
        let title = |page: &PageLink| match (&page.link, page.is_this) {
            (_, true) => format!("[{}]", page.title),
            (Some(_), _) => page.title.clone(),
            (None, _) => format!("({})", page.title),
        };
        pages.iter().map(title).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pagination_links_the_first_last_and_adjacent_pages() {
        assert_eq!(titles(0, 100), "");
        assert_eq!(titles(0, 101), "(Previous) [1] 2 Next");
        assert_eq!(titles(500, 2341), "Previous 1 (…) 4 5 [6] 7 8 (…) 24 Next");
        assert_eq!(titles(2300, 2341), "Previous 1 (…) 22 23 [24] (Next)");
        assert_eq!(titles(9900, 150), "Previous 1 2 (Next)");
    }
}
