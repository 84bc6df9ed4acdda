//! `config`: is a configuration valid, what would be audited, and how does one begin?

use std::{fmt::Write as _, fs, io::Write as _, path::Path};

use anyhow::{Context as _, bail};

use super::{Exit, print};
use crate::{
    cli::{ConfigCheckArgs, ConfigInitArgs},
    config::{EXAMPLE, Environment, Flags, Settings, candidates, load},
    glob::Glob,
    inventory::{EcrSettings, ImageSource, Regions},
};

/// Says what the configuration would audit; what is wrong with it is the error.
pub fn check(
    args: ConfigCheckArgs,
    flags: &Flags,
    environment: &Environment,
    working_folder: &Path,
) -> anyhow::Result<Exit> {
    let flags = Flags { config: args.file.or_else(|| flags.config.clone()), ..flags.clone() };
    let loaded = load(&flags, environment, working_folder)?;
    let Some(file) = loaded.file else {
        let looked: Vec<_> = candidates(environment, working_folder);
        let looked: Vec<_> = looked.iter().map(|file| file.display().to_string()).collect();
        bail!("there is no configuration file: looked for {}; `basewatch config init` writes one", looked.join(", "));
    };
    print(&format!("{} is valid\n{}", file.display(), summary(&loaded.settings)))?;
    Ok(Exit::Clean)
}

/// Writes the commented example.
pub fn init(args: &ConfigInitArgs) -> anyhow::Result<Exit> {
    if args.file == Path::new("-") {
        print(EXAMPLE)?;
        return Ok(Exit::Clean);
    }
    let name = args.file.display();
    let mut options = fs::OpenOptions::new();
    let options = if args.force { options.create(true).truncate(true) } else { options.create_new(true) };
    let mut file = match options.write(true).open(&args.file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{name} exists already; --force overwrites it")
        }
        result => result.with_context(|| format!("failed to write {name}"))?,
    };
    file.write_all(EXAMPLE.as_bytes()).with_context(|| format!("failed to write {name}"))?;
    print(&format!("wrote {name}; say in it what to audit, then: basewatch config check {name}\n"))?;
    Ok(Exit::Clean)
}

/// What the settings mean, in a few lines.
fn summary(settings: &Settings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    let terms = &settings.policy.terms;
    let overrides = match settings.policy.overrides.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "override")),
    };
    line("policy", &format!("stale over {}, out-of-date after {}{overrides}", span(terms.max_age), span(terms.grace)));
    for ecr in &settings.ecr {
        line("ecr", &ecr_line(ecr));
    }
    for source in &settings.images {
        line("image", &source_line(source));
    }
    if settings.ecr.is_empty() && settings.images.is_empty() {
        line("nothing", "is audited yet: add [[inventory.ecr]] or [[inventory.images]]");
    }
    line("allowed", &format!("{}, and the audited ECR registries", settings.network.allow.join(", ")));
    let catalog = settings.catalog.as_folder().map(|folder| folder.display().to_string());
    line("catalog", catalog.as_deref().unwrap_or("off"));
    text
}

fn ecr_line(ecr: &EcrSettings) -> String {
    let list = |globs: &[Glob]| globs.iter().map(Glob::as_str).collect::<Vec<_>>().join(", ");
    let parts = [
        Some(format!("repositories {}", list(&ecr.choice.include))),
        (!ecr.choice.exclude.is_empty()).then(|| format!("without {}", list(&ecr.choice.exclude))),
        (!ecr.tags.is_empty()).then(|| format!("tags {}", list(&ecr.tags))),
        ecr.untagged.then(|| "untagged images".to_owned()),
        ecr.newest.map(|newest| format!("only the newest {newest}")),
    ];
    format!("{}: {}", regions(&ecr.regions), parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn regions(regions: &Regions) -> String {
    match regions {
        Regions::Listed(regions) => regions.join(", "),
        Regions::Enabled => "all enabled regions".to_owned(),
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

/// A duration in the largest unit that divides it.
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
    fn durations_read_as_they_are_written() {
        for (seconds, text) in [(45 * 86_400, "45d"), (36 * 3_600, "36h"), (90 * 60, "90m"), (61, "61s"), (0, "0d")] {
            assert_eq!(span(chrono::Duration::seconds(seconds)), text);
        }
    }
}
