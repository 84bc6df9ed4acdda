//! `catalog build` and `catalog update`: crawl base image releases into a file.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use super::{keys, stats};
use crate::{
    app::{
        AppClients, Console, ExitStatus, RunProgressBar,
        output::{print, print_stderr},
        releases::{read_signed, write_signed},
    },
    cli::{CatalogBuildArgs, CatalogUpdateArgs, CrawledLines, OutputFormat},
    config::Settings,
    glob::Glob,
    image::Repository,
    release_catalog::{CrawlJournal, CrawlProgress, CrawlScope, ReleaseCatalog, SigningKey, crawl},
};

/// The file name suffix of the journal.
const JOURNAL_SUFFIX: &str = ".progress";

/// The parameters of a crawl.
struct CrawlJob<'a> {
    settings: &'a Settings,
    lines: &'a CrawledLines,
    file: &'a Path,
    key: Option<SigningKey>,
    known: ReleaseCatalog,
    /// Distinguishes `build` and `update` of the same lines in the journal.
    purpose: &'static str,
}

/// Crawls releases into a new file.
///
/// # Errors
///
/// When a registry does not respond or a file cannot be written. The journal keeps what was read.
pub(super) async fn build(settings: &Settings, args: &CatalogBuildArgs, console: Console) -> Result<ExitStatus> {
    let key = args.key.as_deref().map(keys::read).transpose()?;
    let known = ReleaseCatalog::new(DateTime::UNIX_EPOCH);
    let (lines, file) = (&args.lines, &*args.output);
    if file.is_dir() {
        bail!("cannot write {}: is a folder", file.display());
    }
    let crawl = CrawlJob { settings, lines, file, key, known, purpose: "build" };
    run(crawl, None, console).await
}

/// Adds new releases to a file.
///
/// # Errors
///
/// As [`build`], and when the file is not a catalog or its signature is invalid.
pub(super) async fn update(settings: &Settings, args: &CatalogUpdateArgs, console: Console) -> Result<ExitStatus> {
    let key = args.key.as_deref().map(keys::read).transpose()?;
    let signed = read_signed(&args.file)?;
    // Only content with a valid signature may be signed again.
    if let (Some(key), Some(signature)) = (&key, &signed.signature) {
        let verified = key.public_key()?.verify(&signed.bytes, signature);
        verified.with_context(|| format!("{} is not updated", args.file.display()))?;
    }
    let known =
        ReleaseCatalog::decode(&signed.bytes).with_context(|| format!("cannot read {}", args.file.display()))?;
    let first_at = known.lines().iter().filter_map(|line| line.first_at).min();
    // The journal is independent of the state of the file, so that a crawl that was killed after writing it can resume.
    let crawl = CrawlJob { settings, lines: &args.lines, file: &args.file, key, known, purpose: "update" };
    run(crawl, first_at, console).await
}

/// Crawls and writes the file; without `--since`, releases from `first_at` on.
async fn run(task: CrawlJob<'_>, first_at: Option<DateTime<Utc>>, console: Console) -> Result<ExitStatus> {
    let CrawlJob { settings, lines, file, key, known, purpose } = task;
    let mut scope = CrawlScope {
        repositories: repositories(settings, &lines.line, &known),
        lines: lines.line.clone(),
        since: first_at.filter(|_| lines.since.is_none()),
    };
    // The span and not a date, because a crawl may resume on another day.
    let span = lines.since.map_or_else(String::new, |span| format!("; the last {} days", span.num_days()));
    let mut journal =
        CrawlJournal::open(&journal_of(file), &format!("{purpose}: {}{span}", scope.describe()), Utc::now())?;
    if let Some(span) = lines.since {
        scope.since = Some(journal.began_at() - span);
    }
    if !journal.is_empty() {
        print_stderr(&format!("resuming: {} platform releases already read", journal.len()));
    }
    let clients = AppClients::open(&allowing(settings, &scope.repositories))?;
    let bar = RunProgressBar::new(console.has_progress);
    let has_bar = console.has_progress;
    let progress = |progress: CrawlProgress| {
        bar.show_crawl(progress);
        if let CrawlProgress::Releases { done, total } = progress
            && !has_bar
            && (done == 0 || done % 1000 == 0)
        {
            tracing::info!("{done} of at most {total} requests done");
        }
    };
    let crawled = crawl(&*clients.client, &scope, known, &mut journal, &Utc::now, &progress).await;
    bar.clear();
    let again = || format!("the progress is in {}: run the same command again to resume", journal_of(file).display());
    let crawled = crawled.with_context(again)?;
    for skipped in &crawled.skipped {
        print_stderr(&format!("skipped: {skipped}"));
    }
    let bytes = crawled.catalog.encode();
    ReleaseCatalog::decode(&bytes).context("the releases exceed the size limit of a catalog: crawl fewer lines")?;
    let signature = key.map(|key| keys::sign(&key, &crawled.catalog, &bytes)).transpose()?;
    write_signed(file, &bytes, signature.as_deref())?;
    journal.remove()?;
    print(&stats::render(&crawled.catalog, Some(bytes.len()), OutputFormat::Table, &console.style()))?;
    print_stderr(&format!(
        "{} has {} platform releases, {} of them new",
        file.display(),
        crawled.catalog.release_count(),
        crawled.added
    ));
    Ok(if crawled.skipped.is_empty() { ExitStatus::Clean } else { ExitStatus::Incomplete })
}

fn journal_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(JOURNAL_SUFFIX);
    name.into()
}

/// The base repositories with dated tags: those of AWS, those that the configuration or a line pattern names without a
/// wildcard, and those in `known`.
fn repositories(settings: &Settings, lines: &[Glob], known: &ReleaseCatalog) -> Vec<Repository> {
    let rules = &settings.identify.bases;
    let configured = rules.as_slice().iter().filter_map(|rule| exact(rule.repository.as_str()));
    // The history of moving tags cannot be crawled.
    let configured = configured.filter(|repository| rules.has_dated_tags(repository));
    let named = lines.iter().filter_map(|line| exact(line.as_str().rsplit_once(':')?.0));
    let all = settings.policy.calendar.repositories().chain(configured).chain(named);
    let all: BTreeSet<_> = all.chain(known.repositories().cloned()).collect();
    let is_selected =
        |repository: &Repository| lines.is_empty() || lines.iter().any(|line| may_match(line, repository));
    all.into_iter().filter(is_selected).collect()
}

/// Whether a line of `repository` may match the pattern. If not, its tag list is not read.
fn may_match(pattern: &Glob, repository: &Repository) -> bool {
    let (before, line) = pattern.as_str().rsplit_once(':').unwrap_or_default();
    // The colon of a port is followed by a path, and brackets may contain anything.
    let is_apart = !before.is_empty() && !line.contains(['/', ']', '}']);
    let pattern: Option<Glob> = before.parse().ok().filter(|_| is_apart);
    pattern.is_none_or(|pattern| pattern.matches(&repository.to_string()))
}

/// The repository of a pattern without wildcards.
fn exact(pattern: &str) -> Option<Repository> {
    (!pattern.contains(['*', '?', '[', '{'])).then(|| pattern.parse().ok())?
}

/// `settings` with the registries of `repositories` allowed, because the command names them.
fn allowing(settings: &Settings, repositories: &[Repository]) -> Settings {
    let mut settings = settings.clone();
    for repository in repositories {
        settings.allow(&repository.registry);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::{BaseRule, BaseRules};

    #[test]
    fn aws_repositories_and_explicitly_named_ones_are_crawled() {
        let lines: [Glob; 2] = ["quay.io/team/base:1*", "*/java:21"].map(|line| line.parse().unwrap());
        let known = ReleaseCatalog::new(DateTime::UNIX_EPOCH);
        let all = repositories(&Settings::default(), &[], &known);
        let found: Vec<_> = all.iter().map(ToString::to_string).collect();
        for name in ["dotnet", "go", "java", "nodejs", "provided", "python", "ruby"] {
            assert!(found.contains(&format!("public.ecr.aws/lambda/{name}")), "{name} of {found:?}");
        }
        let base = |name: &str, has_dated_tags| BaseRule { has_dated_tags, ..BaseRule::new(name.parse().unwrap()) };
        let rules = [("quay.io/team/dated", Some(true)), ("quay.io/team/moving", None), ("quay.io/all/*", Some(true))];
        let mut settings = Settings::default();
        settings.identify.bases = BaseRules::new(rules.map(|(name, dated)| base(name, dated)).to_vec());
        let configured: Vec<_> = repositories(&settings, &[], &known).iter().map(ToString::to_string).collect();
        assert!(configured.contains(&"quay.io/team/dated".to_owned()) && configured.len() == all.len() + 1);
        let found = repositories(&Settings::default(), &lines, &known);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["public.ecr.aws/lambda/java", "quay.io/team/base"]);
        let java: Vec<_> = repositories(&Settings::default(), &lines[1..], &known);
        assert_eq!(java.iter().map(ToString::to_string).collect::<Vec<_>>(), ["public.ecr.aws/lambda/java"]);
        for (pattern, is_possible) in [
            ("*", true),
            ("public.ecr.aws/lambda/java:*", true),
            ("public.ecr.aws/lambda/*:21", true),
            ("{a:b,public.ecr.aws/lambda/java:21}", true),
            ("127.0.0.1:5000/java", true),
            ("public.ecr.aws/lambda/python:*", false),
            ("*/python:3.*", false),
        ] {
            let found = may_match(&pattern.parse().unwrap(), &"public.ecr.aws/lambda/java".parse().unwrap());
            assert_eq!(found, is_possible, "{pattern}");
        }
        let allowed = allowing(&Settings::default(), &["quay.io/team/base".parse().unwrap()]).network.allow;
        assert!(allowed.contains(&"quay.io".to_owned()));
    }
}
