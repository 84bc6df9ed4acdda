//! The raw structs of all sections, and their JSON schema.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{
    accounts::RawAccounts,
    catalog::RawCatalog,
    identify::RawIdentify,
    inventory::RawInventory,
    network::RawNetwork,
    notify::RawNotify,
    owners::RawOwners,
    policy::RawPolicy,
    rebuild::{RawRebuild, RawRebuilds},
    registry::RawRegistries,
    serve::RawServe,
    store::RawRetention,
    watch::RawWatch,
};

/// Top-level keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "basewatch configuration")]
pub(super) struct RawConfig {
    /// The store of `run`, `serve` and `lambda`: a folder or `s3://BUCKET/PREFIX`. Each configuration needs its own.
    #[schemars(example = &"/var/lib/basewatch")]
    pub(super) store: Option<String>,
    /// Time zone of `serve.schedule` and `notify.quiet_hours`, by its name in the tz database.
    #[schemars(extend("default" = "UTC"))]
    pub(super) time_zone: Option<String>,
    /// How long the store keeps reports.
    pub(super) retention: Option<RawRetention>,
    /// When a base is too old, and how severe that is.
    pub(super) policy: Option<RawPolicy>,
    /// How the base of an image and the line of a base are found.
    pub(super) identify: Option<RawIdentify>,
    /// What to audit.
    pub(super) inventory: Option<RawInventory>,
    /// The AWS accounts to audit, and the role to assume in each.
    pub(super) accounts: Option<RawAccounts>,
    /// How the owner of a deployment is determined.
    pub(super) owners: Option<RawOwners>,
    /// When alerts are sent to notification channels.
    pub(super) notify: Option<RawNotify>,
    /// Notifications about basewatch's own runs.
    pub(super) watch: Option<RawWatch>,
    /// Services that rebuild images.
    pub(super) rebuild: Option<Vec<RawRebuild>>,
    /// When rebuilds are requested, and when they count as failed.
    pub(super) rebuilds: Option<RawRebuilds>,
    /// Schedule, address and access control of `basewatch serve`.
    pub(super) serve: Option<RawServe>,
    /// The catalog: image metadata by digest, so that each digest is fetched only once.
    pub(super) catalog: Option<RawCatalog>,
    /// Connection settings for all registries.
    pub(super) network: Option<RawNetwork>,
    /// Connection settings of single registries, by the host in references: `[registry."public.ecr.aws"]`.
    pub(super) registry: Option<RawRegistries>,
}

/// The JSON schema of the configuration (draft 2020-12).
#[must_use]
pub fn schema() -> Json {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<RawConfig>();
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema
}

/// Removes `null` from the types of optional keys, because TOML has no null.
fn without_null(schema: &mut Json) {
    match schema {
        Json::Array(list) => list.iter_mut().for_each(without_null),
        Json::Object(object) => {
            unwrap_optional(object);
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

fn unwrap_optional(object: &mut Map<String, Json>) {
    let null = Json::from("null");
    if let Some(Json::Array(types)) = object.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [kind] = types.as_slice() {
            let kind = kind.clone();
            object.insert("type".to_owned(), kind);
        }
    }
    let Some(Json::Array(variants)) = object.get("anyOf") else { return };
    let kept: Vec<_> = variants.iter().filter(|variant| variant["type"] != null).cloned().collect();
    if let [Json::Object(only)] = kept.as_slice() {
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}
