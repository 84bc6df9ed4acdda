//! Owners with the number of deployments on outdated bases.

use std::{cmp::Reverse, collections::BTreeMap};

use askama::{Template, filters::HtmlSafe};

use super::{
    DashboardView, PageScope, links,
    verdict_style::{self, BarSegment, grouped, shown},
};
use crate::{
    judge::Verdict,
    report::{format, query::NO_OWNER},
};

/// The number of owners shown initially.
const FIRST: usize = 8;
/// Maximum number of owners.
const MOST: usize = 200;

/// The owners, those with the most outdated bases first.
#[derive(Template)]
#[template(path = "owners.html")]
pub(super) struct OwnerList {
    first: Vec<OwnerEntry>,
    more: Vec<OwnerEntry>,
    more_title: String,
    rest: String,
}

impl HtmlSafe for OwnerList {}

#[derive(Template)]
#[template(path = "owner.html")]
struct OwnerEntry {
    name: String,
    link: String,
    old: String,
    all: String,
    tally: String,
    parts: Vec<BarSegment>,
}

impl HtmlSafe for OwnerEntry {}

/// The name of an owner; `no owner` for `-`.
pub(super) fn owner_name(owner: &str) -> &str {
    if owner == NO_OWNER { "no owner" } else { owner }
}

impl OwnerList {
    pub(super) fn new(view: &DashboardView<'_>, scope: PageScope<'_>) -> Self {
        let report = view.report;
        let has_pages = !view.mode.is_file() && scope == PageScope::Fleet;
        let mut by_owner: BTreeMap<&str, BTreeMap<Verdict, u64>> = BTreeMap::new();
        for finding in &report.findings {
            let owner = finding.deployment.owner.as_deref().unwrap_or(NO_OWNER);
            *by_owner.entry(owner).or_default().entry(finding.verdict).or_default() += 1;
        }
        // Without any known owner, the list is omitted.
        by_owner = if by_owner.keys().eq([&NO_OWNER]) || matches!(scope, PageScope::Owner(_)) {
            BTreeMap::new()
        } else {
            by_owner
        };
        let old = |counts: &BTreeMap<Verdict, u64>| -> u64 {
            counts.iter().filter(|(verdict, _)| verdict_style::is_old(**verdict)).map(|(_, count)| count).sum()
        };
        let mut owners: Vec<_> = by_owner.into_iter().collect();
        owners.sort_by_key(|(_, counts)| Reverse((old(counts), counts.values().sum::<u64>())));
        let all = owners.len();
        let shown_owners = owners.iter().take(MOST).map(|(name, counts)| {
            let all: u64 = counts.values().sum();
            OwnerEntry {
                name: shown(owner_name(name)),
                link: if has_pages { links::owner(name) } else { links::only("owner", name) },
                old: grouped(old(counts)),
                all: grouped(all),
                tally: format::tally(counts.iter().map(|(verdict, count)| (*verdict, *count))),
                parts: verdict_style::parts(counts, all),
            }
        });
        let mut first: Vec<_> = shown_owners.collect();
        let more = first.split_off(first.len().min(FIRST));
        let rest = all - first.len() - more.len();
        Self {
            more_title: verdict_style::more(more.len(), "owner"),
            rest: if rest == 0 { String::new() } else { format!("And {}.", verdict_style::more(rest, "owner")) },
            first,
            more,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
