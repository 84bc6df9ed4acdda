//! Loads settings from the file, the environment and flags: find, read, merge, check, validate.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::Deserialize as _;

use super::{
    CONFIG_VARIABLE, CatalogLocation, Concurrency, ConfigProblem, ConfigProblems, EnvironmentVariables, Settings,
    accounts, catalog,
    check::ConfigValidator,
    environment, identify, inventory, network, notify, owners,
    parse::parse,
    policy,
    raw::{RawConfig, schema},
    rebuild, registry, serve,
    shape::ConfigSchema,
    store,
    tree::{ConfigNode, ConfigValue, KeyPath, ValueOrigin},
    values::time_zone,
    watch,
};
use crate::{
    inventory::{ImageSource, InventoryFilter},
    judge::Verdict,
    store::ObjectLocation,
};

/// The file name of the configuration.
pub const FILE_NAME: &str = "basewatch.toml";
/// The size limit of a configuration file, in bytes.
pub const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// Settings from the command line.
#[derive(Clone, Debug, Default)]
pub struct CliOverrides {
    /// `--config`: the configuration file.
    pub config: Option<PathBuf>,
    /// `--max-age`: overrides `policy.max_age`.
    pub max_age: Option<String>,
    /// `--grace`: overrides `policy.grace`.
    pub grace: Option<String>,
    /// `--listen`: overrides `serve.listen`.
    pub listen: Option<String>,
    /// `--schedule`: overrides `serve.schedule`.
    pub schedule: Option<String>,
    /// `--no-catalog`: fetches everything again.
    pub no_catalog: bool,
    /// `--owner`, `--region`, `--account` and `--kind`: which part of the inventory to audit.
    pub filter: InventoryFilter,
    /// `--fail-on`: the least severe verdict that fails the run; `None` for never.
    pub fail_on: Option<Verdict>,
    /// Images to audit instead of the configured inventory; their registries may be contacted.
    pub images: Vec<ImageSource>,
    /// Further registries named on the command line, which may be contacted.
    pub registries: Vec<String>,
    /// The content of the file, if it was fetched from S3 ([`object`]).
    pub fetched: Option<String>,
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    /// The settings.
    pub settings: Settings,
    /// The file that was loaded, if there is one.
    pub file: Option<PathBuf>,
    /// Whether `[serve]` is set.
    pub is_served: bool,
}

/// Loads the settings: the file, then `BASEWATCH_…` variables, then flags, each overriding the previous.
///
/// The file is `--config`, else `BASEWATCH_CONFIG`, else `basewatch.toml` in `working_folder`, else in the user's
/// configuration folder, else none.
///
/// A file in S3 is not fetched here: the caller passes its content. Relative paths in it are relative to
/// `working_folder`.
pub fn load(
    flags: &CliOverrides,
    environment: &EnvironmentVariables,
    working_folder: &Path,
) -> Result<LoadedConfig, ConfigProblems> {
    let object = object(flags, environment)?;
    let file = match &object {
        Some(object) => Some(PathBuf::from(object.to_string())),
        None => find(flags, environment, working_folder),
    };
    let mut tree = match &file {
        Some(file) => parse(&text(file, object.is_some(), flags)?, file)?,
        None => ConfigNode::empty(),
    };
    let shape = ConfigSchema::new(schema());
    let mut problems = environment::overlay(&mut tree, environment, &shape);
    overlay_flags(&mut tree, flags);
    problems.extend(shape.prune(&mut tree));
    problems.extend(environment::unusable(environment));
    let raw = RawConfig::deserialize(tree.to_toml()).map_err(|error| {
        let file = file.as_deref().map(|file| file.display().to_string());
        let origin = file.map_or(ValueOrigin::Nowhere, |file| ValueOrigin::File { file, line: 0 });
        ConfigProblems::from(vec![ConfigProblem { origin, path: KeyPath::default(), message: error.to_string() }])
    })?;
    let own_folder = file.as_deref().filter(|_| object.is_none()).and_then(Path::parent);
    let file_folder = own_folder.unwrap_or(working_folder);
    let mut check = ConfigValidator { tree: &tree, environment, file_folder, working_folder, problems };
    let mut settings = validate(&raw, &mut check);
    if !check.problems.is_empty() {
        return Err(check.problems.into());
    }
    apply_named(&mut settings, flags);
    settings.config_object = object;
    settings.environment_region =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| environment.get(name)).map(str::to_owned);
    Ok(LoadedConfig { settings, file, is_served: raw.serve.is_some() })
}

/// The S3 object that `flags` or `environment` name as the configuration file, if they do: `s3://BUCKET/KEY`.
///
/// # Errors
///
/// When a value that starts with `s3://` is not a valid object URI.
pub fn object(
    flags: &CliOverrides,
    environment: &EnvironmentVariables,
) -> Result<Option<ObjectLocation>, ConfigProblems> {
    let (origin, location) = if let Some(file) = &flags.config {
        (ValueOrigin::Flag("--config"), file.to_string_lossy().into_owned())
    } else {
        let named = environment.get(CONFIG_VARIABLE).unwrap_or_default();
        (ValueOrigin::Variable(CONFIG_VARIABLE.to_owned()), named.to_owned())
    };
    if !location.starts_with("s3://") {
        return Ok(None);
    }
    let problem = |message| ConfigProblems::from(vec![ConfigProblem { origin, path: KeyPath::default(), message }]);
    location.parse().map(Some).map_err(problem)
}

/// The content of the file.
fn text(file: &Path, is_object: bool, flags: &CliOverrides) -> Result<String, ConfigProblems> {
    match &flags.fetched {
        Some(text) if is_object => Ok(text.clone()),
        None if is_object => {
            let origin = ValueOrigin::File { file: file.display().to_string(), line: 0 };
            let message = "cannot be read: it was not fetched from S3".to_owned();
            Err(ConfigProblems::from(vec![ConfigProblem { origin, path: KeyPath::default(), message }]))
        }
        _ => read(file),
    }
}

/// The file to load. A file that was named explicitly may not exist.
fn find(flags: &CliOverrides, environment: &EnvironmentVariables, working_folder: &Path) -> Option<PathBuf> {
    let location = flags.config.clone().or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from));
    if let Some(file) = location {
        return Some(working_folder.join(file));
    }
    candidates(environment, working_folder).into_iter().find(|file| file.exists())
}

/// The default locations of the file, in order.
#[must_use]
pub fn candidates(environment: &EnvironmentVariables, working_folder: &Path) -> Vec<PathBuf> {
    let folders = [Some(working_folder.to_owned()), environment.config_folder()];
    folders.into_iter().flatten().map(|folder| folder.join(FILE_NAME)).collect()
}

fn read(file: &Path) -> Result<String, ConfigProblems> {
    let read = || {
        let mut text = String::new();
        fs::File::open(file)?.take(FILE_LIMIT + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_LIMIT {
            return Err(io::Error::other("it is larger than 4 MiB"));
        }
        Ok(text)
    };
    read().map_err(|error: io::Error| {
        let origin = ValueOrigin::File { file: file.display().to_string(), line: 0 };
        let why = match error.kind() {
            io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
            _ => error.to_string(),
        };
        ConfigProblems::from(vec![ConfigProblem {
            origin,
            path: KeyPath::default(),
            message: format!("cannot be read: {why}"),
        }])
    })
}

fn overlay_flags(tree: &mut ConfigNode, flags: &CliOverrides) {
    let max_age =
        flags.max_age.as_ref().map(|text| (["policy", "max_age"], ConfigValue::Text(text.clone()), "--max-age"));
    let grace = flags.grace.as_ref().map(|text| (["policy", "grace"], ConfigValue::Text(text.clone()), "--grace"));
    let listen = flags.listen.as_ref().map(|text| (["serve", "listen"], ConfigValue::Text(text.clone()), "--listen"));
    let schedule =
        flags.schedule.as_ref().map(|text| (["serve", "schedule"], ConfigValue::Text(text.clone()), "--schedule"));
    for (keys, value, flag) in [max_age, grace, listen, schedule].into_iter().flatten() {
        tree.set(&KeyPath::from_iter(keys), value, &ValueOrigin::Flag(flag));
    }
}

fn validate(raw: &RawConfig, check: &mut ConfigValidator<'_>) -> Settings {
    let at = |section: &str| KeyPath::from_iter([section]);
    macro_rules! section {
        ($name:ident) => {
            raw.$name.as_ref().unwrap_or(&Default::default())
        };
    }
    let hosts = registry::validate(section!(registry), &at("registry"), check);
    let zone = raw.time_zone.as_deref().unwrap_or("UTC");
    let zone = check.accept(&at("time_zone"), time_zone(zone)).unwrap_or_default();
    let notify = notify::validate(section!(notify), zone, &at("notify"), check);
    let inventory = inventory::validate(section!(inventory), &at("inventory"), check);
    let identify = identify::validate(section!(identify), &at("identify"), check);
    let mut settings = Settings {
        policy: policy::validate(section!(policy), &at("policy"), check),
        resolve: crate::resolve::ResolveSettings {
            bases: identify.bases.clone(),
            holds: policy::holds(section!(policy), &at("policy"), check).into(),
        },
        identify,
        lambda: inventory.lambda,
        ecs: inventory.ecs,
        ecr: inventory.ecr,
        images: inventory.images,
        accounts: raw.accounts.as_ref().and_then(|raw| accounts::validate(raw, &at("accounts"), check)),
        owners: owners::validate(section!(owners), &at("owners"), check),
        filter: InventoryFilter::default(),
        is_part: false,
        fail_on: None,
        config_object: None,
        environment_region: None,
        network: network::validate(section!(network), hosts, &at("network"), check),
        store: store::location(raw.store.as_ref(), &at("store"), check),
        retention: store::retention(section!(retention), &at("retention"), check),
        watch: watch::validate(section!(watch), &at("watch"), &notify, check),
        notify,
        rebuild: rebuild::validate(
            section!(rebuilds),
            &at("rebuilds"),
            raw.rebuild.as_deref().unwrap_or_default(),
            &at("rebuild"),
            check,
        ),
        serve: serve::validate(section!(serve), zone, &at("serve"), check),
        catalog: catalog::validate(section!(catalog), &at("catalog"), check),
        releases: catalog::releases(section!(catalog), &at("catalog"), check),
        concurrency: Concurrency::default(),
    };
    settings.notify.dashboard.clone_from(&settings.serve.public_url);
    settings.allow_images();
    settings
}

/// Replaces the configured inventory by the images of the command line, and allows their registries: the allow list
/// restricts what labels can name, not what the user names.
fn apply_named(settings: &mut Settings, flags: &CliOverrides) {
    settings.filter = flags.filter.clone();
    settings.fail_on = flags.fail_on;
    if flags.no_catalog {
        settings.catalog = CatalogLocation::Off;
    }
    settings.is_part = flags.filter != InventoryFilter::default() || !flags.images.is_empty();
    if let Some(accounts) = &mut settings.accounts {
        accounts.only.clone_from(&flags.filter.accounts);
    }
    for registry in &flags.registries {
        settings.allow(registry);
    }
    if !flags.images.is_empty() {
        settings.images.clone_from(&flags.images);
        settings.ecr.clear();
        settings.lambda.clear();
        settings.ecs.clear();
        settings.allow_images();
    }
}
