//! The progress bar on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    audit::AuditProgress,
    inventory::{InventoryCounts, ReadCount},
    release_catalog::CrawlProgress,
    report::format::count,
};

/// A progress bar; hidden if standard error is not a terminal.
pub(crate) struct RunProgressBar(Option<ProgressBar>);

impl RunProgressBar {
    pub(crate) fn new(is_shown: bool) -> Self {
        let bar = is_shown.then(|| {
            let bar = ProgressBar::new_spinner();
            // Truncates a message that does not fit the terminal.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self(bar)
    }

    pub(crate) fn show(&self, progress: AuditProgress) {
        let Some(bar) = &self.0 else { return };
        match progress {
            AuditProgress::Inventory(counts) => bar.set_message(inventory_message(counts)),
            AuditProgress::Bases { done, total } => {
                if done == 0 {
                    let style = ProgressStyle::with_template("{spinner} resolving bases {bar:30} {pos}/{len}");
                    if let Ok(style) = style {
                        bar.set_style(style);
                    }
                    bar.set_length(total as u64);
                }
                bar.set_position(done as u64);
            }
        }
    }

    pub(crate) fn show_crawl(&self, progress: CrawlProgress) {
        let Some(bar) = &self.0 else { return };
        match progress {
            CrawlProgress::Lists { done, total } => bar.set_message(format!("reading tag lists: {done} of {total}")),
            CrawlProgress::Releases { done, total } => {
                if bar.length() != Some(total as u64) {
                    let template = "{spinner} reading releases {bar:30} {pos}/{len} requests, {eta} left";
                    if let Ok(style) = ProgressStyle::with_template(template) {
                        bar.set_style(style);
                    }
                    bar.set_length(total as u64);
                    // Resumed progress must not distort the estimate.
                    bar.set_position(done as u64);
                    bar.reset_eta();
                }
                bar.set_position(done as u64);
            }
        }
    }

    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// `reading the inventory: 3000 functions (1200 of 2950 versions read), 35 repositories, 320 of 410 images read`.
fn inventory_message(counts: InventoryCounts) -> String {
    let InventoryCounts { functions, versions, services, repositories, images } = counts;
    let found = |number: usize, noun| (number > 0).then(|| count(number as u64, noun));
    let read = |ReadCount { done, total }: ReadCount, noun| {
        (total > 0).then(|| format!("{done} of {} read", count(total as u64, noun)))
    };
    let versions = read(versions, "version").map(|read| format!(" ({read})")).unwrap_or_default();
    let functions = found(functions, "function").map(|functions| functions + &versions);
    let repositories = match repositories {
        0 => None,
        1 => Some("1 repository".to_owned()),
        number => Some(format!("{number} repositories")),
    };
    let parts = [functions, found(services, "service"), repositories, read(images, "image")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let separator = if parts.is_empty() { "" } else { ": " };
    format!("reading the inventory{separator}{}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_counts_what_has_been_found_and_read() {
        let counts = InventoryCounts {
            functions: 3000,
            versions: ReadCount { done: 1200, total: 2950 },
            services: 1,
            repositories: 35,
            images: ReadCount { done: 320, total: 410 },
        };
        let all = "reading the inventory: 3000 functions (1200 of 2950 versions read), 1 service, 35 repositories, \
                   320 of 410 images read";
        assert_eq!(inventory_message(counts), all);
        assert_eq!(inventory_message(InventoryCounts::default()), "reading the inventory");
        let cached = InventoryCounts { functions: 1, ..InventoryCounts::default() };
        assert_eq!(inventory_message(cached), "reading the inventory: 1 function");
    }
}
