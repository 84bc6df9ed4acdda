//! `basewatch demo`: audits bundled images served from a registry on loopback. Needs no account or network, and writes
//! nothing.

mod aws;
mod fleet;
mod registry;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use tempfile::TempDir;

use self::{
    fleet::{DemoCounts, DemoFleet},
    registry::{DemoContent, DemoRegistry},
};
use super::explain;
use crate::{
    app::{
        AppClients, Console, ExitStatus, RunInstants,
        audit::{exit, report},
        output::{self, ReportSink},
    },
    aws::Aws,
    cli::DemoArgs,
    config::{CatalogLocation, ServeSettings, Settings},
    identify::{self, BaseRule, BaseRules},
    image::Reference,
    inventory::{ImageSource, LambdaSettings, OwnerRule, OwnerSettings, RegionSelection, Selector},
    registry::{AuthSettings, EcrHost, HostSettings, NetworkSettings},
    report::{Explanation, RenderOptions, Report},
    resolve,
    secret::Secret,
    store::{Catalog, StoreLocation},
};

/// The registry of the base lines that the demo simulates.
const BASES: &str = "public.ecr.aws";

/// A served fleet.
pub struct Demo {
    fleet: DemoFleet,
    counts: DemoCounts,
    registry: DemoRegistry,
    settings: Settings,
    clients: AppClients,
}

/// The demo on the dashboard: a fleet for `basewatch serve`, and the folder of its store, which is removed with it.
pub struct DashboardDemo {
    demo: Demo,
    store: TempDir,
    listen: SocketAddr,
}

impl DashboardDemo {
    /// Serves the bundled fleet, for a dashboard at `listen`. Prints an introduction to standard error.
    ///
    /// # Errors
    ///
    /// When no loopback port or no temporary folder is available.
    pub fn start(listen: SocketAddr) -> Result<Self> {
        let store = tempfile::tempdir().context("cannot create a temporary folder for the store")?;
        let demo = Demo::serve()?;
        output::print_stderr(&demo.introduction());
        Ok(Self { demo, store, listen })
    }

    /// The settings of the service.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let serve = ServeSettings { listen: self.listen, ..ServeSettings::default() };
        let store = Some(StoreLocation::Folder(self.store.path().to_owned()));
        Settings { store, serve, ..self.demo.settings.clone() }
    }

    /// The AWS account of the fleet.
    #[must_use]
    pub fn aws(&self) -> Arc<Aws> {
        Arc::clone(&self.demo.clients.aws)
    }

    /// The time of the fleet, at which the service starts.
    #[must_use]
    pub fn as_of(&self) -> DateTime<Utc> {
        self.demo.fleet.as_of
    }
}

/// Serves the bundled fleet and prints the report, or explains one image. Prints an introduction to standard error.
///
/// # Errors
///
/// When no loopback port is available, the image does not exist, or the report cannot be written.
pub async fn run(args: &DemoArgs, console: Console) -> Result<ExitStatus> {
    let style = RenderOptions { hide_next: true, ..console.style() };
    if let Some(image) = &args.image {
        let format = args.format.simple().context("--format: use table or json for an explanation")?;
        let mut demo = Demo::serve()?;
        demo.choose(image)?;
        output::print(&explain::render(&demo.explanations().await, format, &style))?;
        return Ok(ExitStatus::Clean);
    }
    let sinks = ReportSink::open(&args.output, args.format)?;
    let mut demo = Demo::serve()?;
    demo.settings.fail_on = args.fail_on.threshold();
    let report = demo.report().await;
    output::print_stderr(&demo.introduction());
    output::write(sinks, &style, &report)?;
    output::print_stderr(NEXT);
    Ok(exit(&report.summary))
}

impl Demo {
    /// Serves the bundled fleet.
    ///
    /// # Errors
    ///
    /// When no loopback port is available.
    pub fn serve() -> Result<Self> {
        let fleet = DemoFleet::bundled()?;
        let mut content = DemoContent::default();
        let counts = fleet.publish(&mut content)?;
        let account = fleet.deploy(&mut content)?;
        let registry = DemoRegistry::start(content).context("cannot start a registry on loopback")?;
        let settings = settings(&fleet, &registry)?;
        let clients = AppClients::with(settings.network.clone(), Catalog::in_memory(), |aws| {
            aws.with_transport(account).with_access_key("DEMO", &Secret::new("demo".to_owned()))
        })?;
        Ok(Self { fleet, counts, registry, settings, clients })
    }

    /// Audits the fleet as of its time.
    pub async fn report(&self) -> Report {
        report(&self.settings, &self.clients, self.instants(), &|_| {}).await
    }

    /// Explains the selected images.
    pub async fn explanations(&self) -> Vec<Explanation> {
        explain::explanations(&self.settings, &self.clients, self.instants()).await
    }

    /// Selects the image `name`, as listed in the introduction.
    fn choose(&mut self, name: &str) -> Result<()> {
        let names: Vec<_> = self.fleet.image.iter().map(|image| image.name.as_str()).collect();
        let Some(at) = names.iter().position(|known| *known == name) else {
            bail!("the demo has no image {name:?}; its images are {}", names.join(", "));
        };
        self.settings.images = vec![source(&self.fleet, names[at])?];
        self.settings.lambda.clear();
        Ok(())
    }

    fn instants(&self) -> RunInstants {
        RunInstants { now: self.fleet.as_of, clock: self.fleet.as_of }
    }

    /// The introduction of the demo.
    #[must_use]
    pub fn introduction(&self) -> String {
        let abouts: Vec<_> =
            self.fleet.image.iter().map(|image| format!("  {:<15} {}", image.name, image.about)).collect();
        format!(
            "Serving {} images and {} releases of {} base lines from a registry at {},\n\
            which simulates {} and {BASES}.\n\n{}\n",
            self.fleet.image.len(),
            self.counts.releases,
            self.counts.lines,
            self.registry.host(),
            self.fleet.registry,
            abouts.join("\n"),
        )
    }
}

/// Suggestions after the demo.
const NEXT: &str = "\
Try next:
  basewatch demo orders:421                        explain how this base was identified and dated
  basewatch demo -o report.html                    write the report as a web page
  basewatch demo --serve                           show the images on the dashboard
  basewatch base public.ecr.aws/lambda/java:21     show the current release of a base image
  basewatch audit REGISTRY/REPOSITORY:TAG          audit your own image
  basewatch config init                            write a configuration for your own account
";

/// The image `name` in the registry of the fleet.
fn source(fleet: &DemoFleet, name: &str) -> Result<ImageSource> {
    let text = format!("{}/{name}", fleet.registry);
    let reference: Reference = text.parse().with_context(|| text.clone())?;
    Ok(ImageSource::Reference(reference))
}

/// The rule that repositories below `platform/` are company bases.
fn company_bases(fleet: &DemoFleet) -> Result<BaseRules> {
    let pattern = format!("{}/platform/*", fleet.registry).parse().map_err(anyhow::Error::msg)?;
    Ok(BaseRules::new(vec![BaseRule { is_company: Some(true), ..BaseRule::new(pattern) }]))
}

/// The settings of the demo: the loopback registry serves both registries, without credentials or rate limit.
fn settings(fleet: &DemoFleet, registry: &DemoRegistry) -> Result<Settings> {
    let host = HostSettings {
        endpoint: Some(format!("http://{}", registry.host())),
        full_mirror: true,
        auth: AuthSettings::Anonymous,
        rate: Some(f64::from(u16::MAX)),
        ..HostSettings::default()
    };
    let named = fleet.image.iter().filter(|image| image.is_named());
    let images = named.map(|image| source(fleet, &image.name));
    let region = EcrHost::parse(&fleet.registry).and_then(|host| host.region.parse().ok());
    let hosts = [fleet.registry.as_str(), BASES];
    Ok(Settings {
        images: images.collect::<Result<_>>()?,
        lambda: vec![LambdaSettings {
            regions: RegionSelection::Listed(region.into_iter().collect()),
            selector: Selector::default(),
            refresh: Duration::ZERO,
        }],
        owners: OwnerSettings {
            tags: vec![fleet.owners.tag.clone()],
            rules: vec![OwnerRule { pattern: "*".parse().expect("a pattern"), owner: fleet.owners.default.clone() }],
        },
        network: NetworkSettings {
            allow: hosts.map(str::to_owned).to_vec(),
            hosts: hosts.into_iter().map(|name| (name.to_owned(), host.clone())).collect::<BTreeMap<_, _>>(),
            ..NetworkSettings::default()
        },
        resolve: resolve::ResolveSettings { bases: company_bases(fleet)?, ..resolve::ResolveSettings::default() },
        identify: identify::IdentifySettings { bases: company_bases(fleet)?, ..identify::IdentifySettings::default() },
        catalog: CatalogLocation::Off,
        ..Settings::default()
    })
}
