//! `basewatch config check`: validates the configuration, shows what it would audit, and tries what it names.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use anyhow::bail;
use chrono::{DateTime, Utc};

use crate::{
    app::{CheckOutcome, ExitStatus, OnlineCheck, check_online, loaded, output::print},
    aws::{AccountSelection, AccountSettings},
    cli::ConfigCheckArgs,
    config::{CliOverrides, EnvironmentVariables, Settings, candidates},
    glob::Glob,
    image::AccountId,
    inventory::{EcrSettings, ImageSource, OwnerSettings, RegionSelection, Selector, TagPattern},
    judge::{Exemption, Policy},
    notify::{run_health::RunHealth, self_monitor::addressed},
    report::sanitize,
    resolve::ReleaseHold,
    schedule::Timetable,
};

/// Prints what the configuration would audit. The error lists all problems.
pub async fn check(
    args: ConfigCheckArgs,
    flags: &CliOverrides,
    environment: &EnvironmentVariables,
    working_folder: &Path,
) -> anyhow::Result<ExitStatus> {
    let flags = CliOverrides { config: args.file.or_else(|| flags.config.clone()), ..flags.clone() };
    let loaded = loaded(&flags, environment, working_folder).await?;
    let Some(file) = loaded.file else {
        let paths: Vec<_> = candidates(environment, working_folder);
        let paths: Vec<_> = paths.iter().map(|file| file.display().to_string()).collect();
        bail!("no configuration file found at {}; `basewatch config init` writes one", paths.join(", "));
    };
    let now = Utc::now();
    let runs = if loaded.is_served { runs(&loaded.settings.serve.timetable, now) } else { String::new() };
    print(&format!("{} is valid\n{}{runs}", file.display(), summary(&loaded.settings, now)))?;
    if !args.online {
        return Ok(ExitStatus::Clean);
    }
    let checks = check_online(&loaded.settings).await?;
    print(&online(&checks))?;
    let has_failed = checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Failed(_)));
    Ok(if has_failed { ExitStatus::CannotStart } else { ExitStatus::Clean })
}

/// A line for each check, and the counts.
fn online(checks: &[OnlineCheck]) -> String {
    let mut text = "\n".to_owned();
    let mut counts = [(0, "passed"), (0, "failed"), (0, "not checked")];
    for OnlineCheck { what, outcome } in checks {
        let (kind, title, why) = match outcome {
            CheckOutcome::Passed => (0, "ok", None),
            CheckOutcome::Failed(why) => (1, "failed", Some(why)),
            CheckOutcome::Unchecked(why) => (2, "not checked", Some(why)),
        };
        counts[kind].0 += 1;
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {title:<11}  {}", sanitize(&format!("{what}{why}")));
    }
    let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let counts: Vec<_> = counts.collect();
    let counts = if counts.is_empty() { "nothing to check".to_owned() } else { counts.join(", ") };
    text + &counts + "\n"
}

/// Summarizes the settings.
fn summary(settings: &Settings, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    let thresholds = &settings.policy.thresholds;
    let count = |count: usize, noun| if count == 0 { String::new() } else { format!(", {}", counted(count, noun)) };
    let Policy { overrides, exemptions, redeploy, .. } = &settings.policy;
    let holds = &settings.resolve.holds;
    let rules = [
        (overrides.len(), "override"),
        (exemptions.len(), "exemption"),
        (holds.len(), "hold"),
        (redeploy.len(), "redeploy rule"),
    ];
    let more = rules.map(|(number, noun)| count(number, noun)).concat();
    line(
        "policy",
        &format!("stale over {}, out-of-date after {}{more}", span(thresholds.max_age), span(thresholds.grace)),
    );
    let warnings = exemptions.iter().filter_map(|exemption| warning(exemption, now));
    for warning in warnings.chain(holds.iter().filter_map(|hold| hold_warning(hold, now))) {
        line("warning", &warning);
    }
    for lambda in &settings.lambda {
        line("lambda", &format!("{}: functions {}", regions(&lambda.regions), choice(&lambda.selector)));
    }
    for ecs in &settings.ecs {
        let of = list(&ecs.clusters);
        line("ecs", &format!("{}: clusters {of}; services {}", regions(&ecs.regions), choice(&ecs.selector)));
    }
    for ecr in &settings.ecr {
        line("ecr", &ecr_line(ecr));
    }
    for source in &settings.images {
        line("image", &source_line(source));
        if let ImageSource::Layout { folder, .. } = source
            && !folder.join("index.json").is_file()
        {
            line("warning", &format!("{} is not an OCI image layout: it has no index.json", folder.display()));
        }
    }
    if settings.kinds().is_empty() {
        line(
            "warning",
            "nothing to audit: add [[inventory.lambda]], [[inventory.ecs]], [[inventory.ecr]] or [[inventory.images]]",
        );
    }
    if let Some(accounts) = &settings.accounts {
        line("accounts", &accounts_line(accounts));
    }
    if settings.owners != OwnerSettings::default() {
        line("owners", &owners_line(&settings.owners));
    }
    line("registry", &format!("{}, and the audited ECR registries", settings.network.allow.join(", ")));
    notifications(settings, &mut line);
    let catalog = settings.catalog.as_folder().map(|folder| folder.display().to_string());
    line("catalog", catalog.as_deref().unwrap_or("disabled"));
    text
}

/// Describes the schedule of `basewatch serve`.
fn runs(timetable: &Timetable, now: DateTime<Utc>) -> String {
    format!(
        "  schedule  {} (`basewatch serve`): {timetable}\n  next      {}\n",
        timetable.description(),
        timetable.upcoming(now, 3).join(", ")
    )
}

/// Describes the store, the notification channels and the rebuild rules.
fn notifications(settings: &Settings, line: &mut dyn FnMut(&str, &str)) {
    if let Some(store) = &settings.store {
        line("store", &store.to_string());
    }
    for channel in &settings.notify.channels {
        let owners = if channel.owners.is_empty() { "all owners".to_owned() } else { list(&channel.owners) };
        let least = channel.threshold.map_or(settings.notify.threshold, |own| own.max(settings.notify.threshold));
        line("notify", &format!("{}: findings of {owners}, severity {} or higher", channel.id, least.as_str()));
    }
    for rule in &settings.rebuild.rules {
        line("rebuild", &format!("{}: {} with {}", rule.name, list(&rule.repositories), rule.preset.as_str()));
    }
    let needs_store = !settings.notify.channels.is_empty() || !settings.rebuild.rules.is_empty();
    if needs_store && settings.store.is_none() {
        line("warning", "alerts and rebuilds require a store: set store = \"FOLDER\" or \"s3://BUCKET/PREFIX\"");
    }
    let is_watched = [RunHealth::Failed, RunHealth::Empty, RunHealth::Blind, RunHealth::Incomplete]
        .into_iter()
        .any(|trouble| settings.watch.threshold(trouble).is_some());
    let has_channels = !settings.notify.channels.is_empty();
    if has_channels && is_watched && addressed(&settings.notify, &settings.watch).is_empty() {
        line("warning", "no channel is notified when runs of basewatch fail (severity high): set watch.channels");
    }
    let everything =
        settings.rebuild.rules.iter().position(|rule| rule.repositories.iter().any(|glob| glob.as_str() == "*"));
    for never in settings.rebuild.rules.iter().skip(everything.map_or(usize::MAX, |index| index + 1)) {
        line("warning", &format!("{} never applies: an earlier table matches all repositories", never.name));
    }
}

/// A warning about the end of an exemption. It is not an error, because validity must not depend on the date.
fn warning(exemption: &Exemption, now: DateTime<Utc>) -> Option<String> {
    let Exemption { reason, owner, until, .. } = exemption;
    let what = match () {
        () if until.is_over(now) => format!("ended on {until} and no longer applies"),
        () if until.is_far(now) => format!("ends on {until}, more than two years from now"),
        () => return None,
    };
    Some(format!("the exemption {reason:?} of {owner} {what}"))
}

/// A warning about the end of a hold.
fn hold_warning(hold: &ReleaseHold, now: DateTime<Utc>) -> Option<String> {
    let ReleaseHold { release, until, .. } = hold;
    let what = match () {
        () if until.is_over(now) => format!("ended on {until} and no longer applies"),
        () if until.is_far(now) => format!("ends on {until}, more than two years from now"),
        () => return None,
    };
    Some(format!("the hold on {} {what}", release.as_str()))
}

fn ecr_line(ecr: &EcrSettings) -> String {
    let parts = [
        Some(format!("repositories {}", choice(&ecr.selector))),
        (!ecr.tags.is_empty()).then(|| format!("tags {}", list(&ecr.tags))),
        ecr.untagged.then(|| "untagged images".to_owned()),
        ecr.newest.map(|newest| format!("the newest {newest}")),
    ];
    format!("{}: {}", regions(&ecr.regions), parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn list(globs: &[Glob]) -> String {
    globs.iter().map(Glob::as_str).collect::<Vec<_>>().join(", ")
}

/// Describes what is included and excluded.
fn choice(choice: &Selector) -> String {
    let tags = |patterns: &[TagPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Selector { include, exclude, resource_tags, exclude_resource_tags, owners, exclude_owners } = choice;
    let parts = [
        ("", list(include)),
        ("except ", list(exclude)),
        ("with tags ", tags(resource_tags)),
        ("without tags ", tags(exclude_resource_tags)),
        ("owned by ", list(owners)),
        ("not owned by ", list(exclude_owners)),
    ];
    let parts = parts.into_iter().filter(|(_, named)| !named.is_empty());
    parts.map(|(lead, named)| format!("{lead}{named}")).collect::<Vec<_>>().join("; ")
}

fn accounts_line(accounts: &AccountSettings) -> String {
    let list = |accounts: &BTreeSet<AccountId>| accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ");
    let members = match &accounts.members {
        AccountSelection::Listed(accounts) => list(accounts),
        AccountSelection::Organization { exclude } if exclude.is_empty() => {
            "all accounts of the organization".to_owned()
        }
        AccountSelection::Organization { exclude } => {
            format!("all accounts of the organization except {}", list(exclude))
        }
    };
    format!("{members}; role {}", accounts.role)
}

fn owners_line(owners: &OwnerSettings) -> String {
    let parts = [
        (!owners.tags.is_empty()).then(|| format!("by tag {}", owners.tags.join(", "))),
        (!owners.rules.is_empty()).then(|| counted(owners.rules.len(), "rule")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn regions(regions: &RegionSelection) -> String {
    match regions {
        RegionSelection::Listed(regions) => regions.join(", "),
        RegionSelection::Enabled => "all enabled regions".to_owned(),
    }
}

fn source_line(source: &ImageSource) -> String {
    match source {
        ImageSource::Reference(_) | ImageSource::Unknown => source.to_string(),
        ImageSource::Layout { folder, tag: None } => format!("oci:{}", folder.display()),
        ImageSource::Layout { folder, tag: Some(tag) } => format!("oci:{}:{tag}", folder.display()),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Formats a duration in the largest unit that divides it.
fn span(duration: chrono::Duration) -> String {
    let seconds = duration.num_seconds();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(length, _)| seconds % length == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_as_in_the_configuration() {
        for (seconds, text) in [(45 * 86_400, "45d"), (36 * 3_600, "36h"), (90 * 60, "90m"), (61, "61s"), (0, "0d")] {
            assert_eq!(span(chrono::Duration::seconds(seconds)), text);
        }
    }
}
