//! The configuration as it is written: the raw structs of all sections together, and their schema.

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

/// The configuration of basewatch.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "basewatch configuration")]
pub(super) struct RawConfig {
    /// Where `basewatch run` keeps what it remembers, one place for each configuration: a folder, or
    /// `s3://BUCKET/PREFIX`.
    #[schemars(example = &"/var/lib/basewatch")]
    pub(super) store: Option<String>,
    /// How long reports are kept in the store.
    pub(super) retention: Option<RawRetention>,
    /// What is too old, and how bad that is.
    pub(super) policy: Option<RawPolicy>,
    /// Which base an image stands on, and which line that base follows.
    pub(super) identify: Option<RawIdentify>,
    /// What is audited.
    pub(super) inventory: Option<RawInventory>,
    /// Which AWS accounts are looked at, and as whom. Without it, only that of the credentials.
    pub(super) accounts: Option<RawAccounts>,
    /// Whose each deployment is.
    pub(super) owners: Option<RawOwners>,
    /// Who is told what, and when.
    pub(super) notify: Option<RawNotify>,
    /// When basewatch tells of itself: that it fails, finds nothing or does not see everything.
    pub(super) watch: Option<RawWatch>,
    /// Who is asked to build images again.
    pub(super) rebuild: Option<Vec<RawRebuild>>,
    /// How often rebuilds are asked for, and when they count as failed.
    pub(super) rebuilds: Option<RawRebuilds>,
    /// When `basewatch serve` runs, and who may read what it found.
    pub(super) serve: Option<RawServe>,
    /// Where facts are remembered, so that each digest is fetched once ever.
    pub(super) catalog: Option<RawCatalog>,
    /// How registries are talked to in general.
    pub(super) network: Option<RawNetwork>,
    /// How single registries are talked to, by the host that references name:
    /// `[registry."public.ecr.aws"]`. A registry with a table here may be contacted.
    pub(super) registry: Option<RawRegistries>,
}

/// The JSON schema of the configuration (2020-12).
#[must_use]
pub fn schema() -> Json {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<RawConfig>();
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema
}

/// Takes `null` out of the types of optional keys: TOML has none, an absent key is absent.
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
