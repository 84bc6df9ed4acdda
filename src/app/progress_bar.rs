//! The progress bar on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{audit::AuditProgress, release_catalog::CrawlProgress};

/// A progress bar; hidden if standard error is not a terminal.
pub(crate) struct RunProgressBar(Option<ProgressBar>);

impl RunProgressBar {
    pub(crate) fn new(is_shown: bool) -> Self {
        let bar = is_shown.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self(bar)
    }

    pub(crate) fn show(&self, progress: AuditProgress) {
        let Some(bar) = &self.0 else { return };
        match progress {
            AuditProgress::Inventory => bar.set_message("reading the inventory"),
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
