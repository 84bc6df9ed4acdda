//! `basewatch demo`: the whole pipeline over bundled images served from a registry on loopback. No
//! account, no network, nothing written.

mod fleet;

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use self::fleet::Fleet;
use super::{
    Console, Exit, Instants, Ports,
    audit::{exit, report},
    output::{self, Sink},
};
use crate::{
    cli::DemoArgs,
    config::{CatalogPlace, Settings},
    image::Reference,
    inventory::ImageSource,
    registry::{Auth, HostSettings, Loopback, NetworkSettings, Stock},
    report::Report,
    store::Catalog,
};

/// The host that the demo's base lines are at in the real world.
const BASES: &str = "public.ecr.aws";

/// What the demo did.
pub struct Demo {
    /// The report.
    pub report: Report,
    /// What was served, for people.
    pub introduction: String,
    /// What to try next, for people.
    pub next: String,
}

/// Serves the bundled fleet, audits it and prints the report; what it shows is told on standard error.
///
/// # Errors
///
/// As [`show`], and when the report cannot be written.
pub async fn run(args: &DemoArgs, console: Console) -> Result<Exit> {
    let demo = show().await?;
    output::say(&demo.introduction);
    output::write(Sink::open(&[], args.format)?, console, &demo.report)?;
    output::say(&demo.next);
    Ok(exit(&demo.report, args.fail_on.threshold()))
}

/// Serves the bundled fleet and audits it as of the instant it was made for.
///
/// # Errors
///
/// When no port on loopback can be had.
pub async fn show() -> Result<Demo> {
    let fleet = Fleet::bundled()?;
    let stock = Stock::new();
    let shelved = fleet.shelve(&stock)?;
    let registry = Loopback::start(stock).context("no registry could be started on loopback")?;
    let settings = settings(&fleet, &registry)?;
    let ports = Ports::with_catalog(settings.network.clone(), Catalog::in_memory())?;
    let instants = Instants { now: fleet.as_of, clock: fleet.as_of };
    let report = report(&settings, &ports, instants, &|_| {}).await;
    let abouts: Vec<_> = fleet.image.iter().map(|image| format!("  {:<16} {}", image.name, image.about)).collect();
    let introduction = format!(
        "Served {} images and {} releases of {} base lines from a registry at {}, which stands in for\n\
         {} and {BASES}. The instant is {}.\n\n{}\n",
        fleet.image.len(),
        shelved.releases,
        shelved.lines,
        registry.host(),
        fleet.registry,
        fleet.as_of.format("%Y-%m-%d %H:%M UTC"),
        abouts.join("\n"),
    );
    Ok(Demo { report, introduction, next: NEXT.to_owned() })
}

/// What to try after the demo.
const NEXT: &str = "\
Try next:
  basewatch demo --format json                     the same report for machines
  basewatch base public.ecr.aws/lambda/java:21     a base line as it stands today
  basewatch audit REGISTRY/REPOSITORY:TAG          an image of your own
  basewatch config init                            a configuration for your own account
";

/// The demo's settings: both registries are the one on loopback, without credentials, at full speed.
fn settings(fleet: &Fleet, registry: &Loopback) -> Result<Settings> {
    let host = HostSettings {
        endpoint: Some(registry.endpoint()),
        auth: Auth::Anonymous,
        rate: Some(f64::from(u16::MAX)),
        ..HostSettings::default()
    };
    let images = fleet.image.iter().map(|image| {
        let text = format!("{}/{}", fleet.registry, image.name);
        let reference: Reference = text.parse().with_context(|| text.clone())?;
        Ok(ImageSource::Reference(reference))
    });
    let hosts = [fleet.registry.as_str(), BASES];
    Ok(Settings {
        images: images.collect::<Result<_>>()?,
        network: NetworkSettings {
            allow: hosts.map(str::to_owned).to_vec(),
            hosts: hosts.into_iter().map(|name| (name.to_owned(), host.clone())).collect::<BTreeMap<_, _>>(),
            ..NetworkSettings::default()
        },
        catalog: CatalogPlace::Off,
        ..Settings::default()
    })
}
