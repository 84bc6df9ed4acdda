//! The REST API of Lambda over the functions of a region.

use std::{ops::Bound, str::FromStr};

use basewatch::image::Digest;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::{CloudAlias, CloudFunction, CloudVersion, Package};
use crate::aws::{
    paging::{opened, sealed},
    reply::{CallRefusal, Reply, replace_fields},
    request::Call,
    sessions::Caller,
    world::{CloudRegion, CloudWorld},
};

/// The largest page, whatever the request (<https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>).
const PAGE: usize = 50;
/// The name of the unpublished version.
const LATEST: &str = "$LATEST";
/// The version that unqualified calls invoke on Lambda Managed Instances.
const LATEST_PUBLISHED: &str = "$LATEST.PUBLISHED";

/// Lambda in one region of one account.
struct LambdaCall<'a> {
    request: &'a Call,
    caller: &'a Caller,
    region: Option<&'a CloudRegion>,
}

pub(in crate::aws) fn respond(world: &CloudWorld, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    let here = LambdaCall { request, caller, region: world.region(&caller.account, &request.region) };
    match request.operation.as_str() {
        "ListFunctions" => here.functions(),
        "GetFunction" => here.details(),
        "ListAliases" => here.aliases(),
        _ => Err(CallRefusal::unknown_operation(request)),
    }
}

impl<'a> LambdaCall<'a> {
    /// The functions, or with `FunctionVersion=ALL` all their versions. The marker names the first entry of the next
    /// page, so that a list stays complete while functions are added and deleted.
    fn functions(&self) -> Result<Reply, CallRefusal> {
        let all = match self.parameter("FunctionVersion") {
            None => false,
            Some("ALL") => true,
            Some(other) => {
                return Err(CallRefusal::invalid(self.request, format!("FunctionVersion {other} is not ALL")));
            }
        };
        let size = self.size()?;
        let (first, skipped) = match self.parameter("Marker") {
            None => (String::new(), 0),
            Some(marker) => self.decode_marker(marker)?,
        };
        let bounds = (Bound::Included(first.as_str()), Bound::Unbounded);
        let functions = self.region.into_iter().flat_map(|region| region.functions.range::<str, _>(bounds));
        let mut entries = functions.flat_map(|(name, function)| {
            let published = function.published.iter().filter(move |_| all);
            let published = published.map(|(number, version)| (number.to_string(), version));
            // Whether it is in the list is not documented; it is a published version.
            let latest_published = function.latest_published.iter().filter(move |_| all);
            let latest_published = latest_published.map(|version| (LATEST_PUBLISHED.to_owned(), version));
            let latest = std::iter::once((LATEST.to_owned(), &function.latest));
            let versions = latest.chain(latest_published).chain(published);
            let skipped = if *name == first { skipped } else { 0 };
            versions
                .enumerate()
                .skip(skipped)
                .map(move |(position, (number, version))| (position, function, number, version))
        });
        let listed: Vec<_> = entries
            .by_ref()
            .take(size)
            .map(|(_, function, number, version)| {
                Value::Object(self.configuration(function, &number, version, all.then_some(number.as_str())))
            })
            .collect();
        let next = entries.next().map(|(position, function, ..)| sealed(&format!("{} {position}", function.name)));
        Ok(Reply::json(self.request, &json!({ "Functions": listed, "NextMarker": next })))
    }

    fn details(&self) -> Result<Reply, CallRefusal> {
        let (function, in_name) = self.function()?;
        let qualifier = self.parameter("Qualifier").or(in_name);
        let number = match qualifier {
            None => LATEST,
            Some(name) => {
                function.aliases.iter().find(|alias| alias.name == name).map_or(name, |alias| alias.version.as_str())
            }
        };
        let version = match number {
            LATEST => Some(&function.latest),
            LATEST_PUBLISHED => function.latest_published.as_ref(),
            number => u32::from_str(number).ok().and_then(|number| function.published.get(&number)),
        };
        let version = version.ok_or_else(|| self.not_found(&function.name, qualifier))?;
        let mut configuration = self.configuration(function, number, version, qualifier);
        describe_state(&mut configuration, version);
        configuration.extend(version.configuration.clone());
        let mut response = json!({ "Configuration": configuration, "Code": code(version) });
        // Tags belong to the function, not to its versions.
        if number == LATEST && !function.tags.is_empty() {
            response["Tags"] = json!(function.tags);
        }
        Ok(Reply::json(self.request, &response))
    }

    fn aliases(&self) -> Result<Reply, CallRefusal> {
        let (function, _) = self.function()?;
        let requested = self.parameter("FunctionVersion");
        let points_there = |alias: &&CloudAlias| requested.is_none_or(|requested| alias.version == requested);
        let start = match self.parameter("Marker") {
            None => 0,
            Some(marker) => self.decode_marker(marker)?.1,
        };
        let size = self.size()?;
        let mut aliases = function.aliases.iter().filter(points_there).skip(start);
        let listed: Vec<_> = aliases
            .by_ref()
            .take(size)
            .map(|alias| {
                let arn = self.arn(&function.name, Some(&alias.name));
                let mut described = json!({
                    "AliasArn": arn,
                    "Name": alias.name,
                    "FunctionVersion": alias.version,
                    "Description": "",
                    "RevisionId": uuid(&format!("{arn} {alias:?}")),
                });
                if let Some((other, weight)) = alias.additional {
                    described["RoutingConfig"] = json!({ "AdditionalVersionWeights": { other.to_string(): weight } });
                }
                described
            })
            .collect();
        let next = aliases.next().map(|_| sealed(&format!("{} {}", function.name, start + size)));
        Ok(Reply::json(self.request, &json!({ "Aliases": listed, "NextMarker": next })))
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.request.parameters.get(name).map(String::as_str)
    }

    fn size(&self) -> Result<usize, CallRefusal> {
        match self.parameter("MaxItems").map(usize::from_str) {
            None => Ok(self.request.page_size.unwrap_or(PAGE)),
            Some(Ok(size)) if (1..=10_000).contains(&size) => Ok(size.min(self.request.page_size.unwrap_or(PAGE))),
            Some(_) => Err(CallRefusal::invalid(self.request, "MaxItems must be from 1 to 10000")),
        }
    }

    /// The function's name and the position within it that a marker holds.
    fn decode_marker(&self, marker: &str) -> Result<(String, usize), CallRefusal> {
        let text = opened(marker);
        let parts = text.as_deref().and_then(|text| text.split_once(' '));
        let position = parts.and_then(|(name, position)| Some((name.to_owned(), position.parse().ok()?)));
        position.ok_or_else(|| CallRefusal::invalid(self.request, "The provided marker is invalid"))
    }

    /// The function that the path names, by name or by ARN, and the qualifier after its name.
    fn function(&self) -> Result<(&'a CloudFunction, Option<&'a str>), CallRefusal> {
        let named = self.request.segments.get(2).map(String::as_str).unwrap_or_default();
        let named = match named.strip_prefix(self.arn("", None).as_str()) {
            Some(name) => name,
            None if named.starts_with("arn:") => return Err(CallRefusal::denied(self.request, self.caller, named)),
            None => named,
        };
        let (name, qualifier) = named.split_once(':').map_or((named, None), |(name, rest)| (name, Some(rest)));
        let function = self.region.and_then(|region| region.functions.get(name));
        Ok((function.ok_or_else(|| self.not_found(name, qualifier))?, qualifier))
    }

    fn not_found(&self, name: &str, qualifier: Option<&str>) -> CallRefusal {
        let arn = self.arn(name, qualifier);
        CallRefusal::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
    }

    fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let arn = format!("arn:aws:lambda:{}:{}:function:{name}", self.request.region, self.caller.account);
        qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
    }

    /// The fields of a version in ListFunctions: without its state and code location
    /// (<https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>).
    fn configuration(
        &self,
        function: &CloudFunction,
        number: &str,
        version: &CloudVersion,
        qualifier: Option<&str>,
    ) -> Map<String, Value> {
        let account = &self.caller.account;
        let code_sha256 = code_sha256(version);
        let arn = self.arn(&function.name, Some(number));
        let revision = format!("{arn} {} {code_sha256} {}", version.revision, version.memory_mb);
        let mut described = Map::new();
        let mut put = |name: &str, value: Value| described.insert(name.to_owned(), value);
        put("FunctionName", json!(function.name));
        put("FunctionArn", json!(self.arn(&function.name, qualifier)));
        put("Role", json!(format!("arn:aws:iam::{account}:role/{}", function.name)));
        put("CodeSize", json!(0));
        put("Description", json!(""));
        put("Timeout", json!(30));
        put("MemorySize", json!(version.memory_mb));
        // Lambda's own form of ISO 8601: with milliseconds, and +0000 for the zone.
        let modified = version.last_modified.to_rfc3339_opts(SecondsFormat::Millis, true).replace('Z', "+0000");
        put("LastModified", json!(modified));
        put("CodeSha256", json!(code_sha256));
        put("Version", json!(number));
        put("TracingConfig", json!({ "Mode": "PassThrough" }));
        put("RevisionId", json!(uuid(&revision)));
        put("Architectures", json!([version.architecture.to_string()]));
        put("EphemeralStorage", json!({ "Size": 512 }));
        if function.is_managed {
            let arn = format!("arn:aws:lambda:{}:{account}:capacity-provider:pool", self.request.region);
            let provider = json!({ "CapacityProviderArn": arn });
            put("CapacityProviderConfig", json!({ "LambdaManagedInstancesCapacityProviderConfig": provider }));
        }
        match &version.package {
            Package::Image { .. } => put("PackageType", json!("Image")),
            Package::Zip { runtime } => {
                put("Runtime", json!(runtime));
                put("Handler", json!("index.handler"));
                put("PackageType", json!("Zip"))
            }
        };
        described
    }
}

/// Adds the fields that only GetFunction has. That a list has no `ImageConfigResponse` is not documented: it is left
/// out of lists so that no client depends on it.
fn describe_state(described: &mut Map<String, Value>, version: &CloudVersion) {
    let mut put = |name: &str, value: Value| described.insert(name.to_owned(), value);
    let state = &version.state;
    put("State", json!(state.name));
    if let Some(code) = &state.reason_code {
        put("StateReasonCode", json!(code));
    }
    if let Some(reason) = &state.reason {
        put("StateReason", json!(reason));
    }
    if let Some((code, reason)) = &version.failed_update {
        put("LastUpdateStatus", json!("Failed"));
        put("LastUpdateStatusReasonCode", json!(code));
        put("LastUpdateStatusReason", json!(reason));
    } else {
        put("LastUpdateStatus", json!("Successful"));
    }
    if let Package::Image { command, .. } = &version.package
        && !command.is_empty()
    {
        put("ImageConfigResponse", json!({ "ImageConfig": { "Command": command } }));
    }
}

/// The location of the code (<https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html>).
fn code(version: &CloudVersion) -> Value {
    let mut code = match &version.package {
        Package::Zip { .. } => json!({ "RepositoryType": "S3", "Location": "https://example.invalid/code.zip" }),
        Package::Image { uri, digest, .. } => {
            let mut code = json!({ "RepositoryType": "ECR", "ImageUri": uri });
            if let Some(digest) = digest {
                code["ResolvedImageUri"] = format!("{}@{digest}", repository(uri)).into();
            }
            code
        }
    };
    replace_fields(&mut code, &version.code);
    code
}

/// `uri` without tag and digest.
fn repository(uri: &str) -> &str {
    let named = uri.split_once('@').map_or(uri, |(named, _)| named);
    let path = named.find('/').unwrap_or(0);
    named[path..].rfind(':').map_or(named, |colon| &named[..path + colon])
}

fn code_sha256(version: &CloudVersion) -> String {
    match (&version.code_sha256, &version.package) {
        (Some(given), _) => given.clone(),
        (None, Package::Image { digest: Some(digest), .. }) => digest.hex().to_owned(),
        (None, package) => Digest::sha256(format!("{package:?}").as_bytes()).hex().to_owned(),
    }
}

/// A UUID that is the same for the same text.
fn uuid(text: &str) -> String {
    let digest = Digest::sha256(text.as_bytes());
    let hex = digest.hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_of_an_image_is_what_stands_before_tag_and_digest() {
        for (uri, expected) in [
            ("1.dkr.ecr.eu-west-1.amazonaws.com/orders:421", "1.dkr.ecr.eu-west-1.amazonaws.com/orders"),
            ("1.dkr.ecr.eu-west-1.amazonaws.com/a/b@sha256:00", "1.dkr.ecr.eu-west-1.amazonaws.com/a/b"),
            ("127.0.0.1:5000/orders:1@sha256:00", "127.0.0.1:5000/orders"),
            ("127.0.0.1:5000/orders", "127.0.0.1:5000/orders"),
        ] {
            assert_eq!(repository(uri), expected);
        }
    }
}
