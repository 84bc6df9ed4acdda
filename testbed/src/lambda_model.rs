//! Lambda in memory: functions by region with their versions and aliases, listed in pages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    aws_replay::{Answer, Call},
    ecr_model::{ACCOUNT, Image},
};

const FUNCTIONS: &str = "GET /2015-03-31/functions";

/// A function.
#[derive(Clone)]
pub struct Function {
    /// Its name.
    pub name: String,
    region: String,
    /// The response of `GetFunction` by version.
    versions: BTreeMap<String, Value>,
    aliases: Vec<Value>,
}

impl Function {
    /// A function of which `$LATEST` runs `image`, deployed as `repository:tag`.
    pub fn new(region: &str, name: &str, image: &Image) -> Self {
        let host = format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com");
        let code = json!({
            "RepositoryType": "ECR",
            "ImageUri": format!("{host}/orders:421"),
            "ResolvedImageUri": format!("{host}/orders@{}", image.digest()),
        });
        let arn = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}");
        let configuration = json!({
            "FunctionName": name, "FunctionArn": arn, "Role": "arn:aws:iam::123456789012:role/x", "CodeSize": 0,
            "Timeout": 3, "MemorySize": 512, "LastModified": "2026-11-19T06:00:00.000+0000",
            "CodeSha256": image.digest().hex(), "Version": "$LATEST", "RevisionId": "r1", "PackageType": "Image",
            "Architectures": ["x86_64"], "State": "Active", "LastUpdateStatus": "Successful",
        });
        let latest = json!({ "Configuration": configuration, "Code": code, "Tags": { "team": "payments" } });
        let versions = BTreeMap::from([("$LATEST".to_owned(), latest)]);
        Self { name: name.to_owned(), region: region.to_owned(), versions, aliases: Vec::new() }
    }

    /// The same with `$LATEST` published under a number.
    pub fn published(mut self, number: &str) -> Self {
        let mut version = self.versions["$LATEST"].clone();
        version["Configuration"]["Version"] = number.into();
        version["Configuration"]["RevisionId"] = format!("r{number}").into();
        version.as_object_mut().unwrap().remove("Tags");
        self.versions.insert(number.to_owned(), version);
        self
    }

    /// The same with an alias.
    pub fn aliased(mut self, name: &str, version: &str, weights: &[(&str, f64)]) -> Self {
        let mut alias = json!({
            "AliasArn": format!("{}:{name}", self.arn()), "Name": name, "FunctionVersion": version, "RevisionId": "a1",
        });
        if !weights.is_empty() {
            let weights: BTreeMap<_, _> = weights.iter().copied().collect();
            alias["RoutingConfig"] = json!({ "AdditionalVersionWeights": weights });
        }
        self.aliases.push(alias);
        self
    }

    /// The same with a part of `$LATEST` changed: `configured("State", …)`.
    pub fn configured(self, field: &str, value: Value) -> Self {
        self.with("Configuration", field, value)
    }

    /// The same with a part of its code changed: `coded("ImageUri", …)`.
    pub fn coded(self, field: &str, value: Value) -> Self {
        self.with("Code", field, value)
    }

    /// The same with tags.
    pub fn tagged(mut self, tags: Value) -> Self {
        *self.versions.get_mut("$LATEST").unwrap().get_mut("Tags").unwrap() = tags;
        self
    }

    fn with(mut self, part: &str, field: &str, value: Value) -> Self {
        self.versions.get_mut("$LATEST").unwrap()[part][field] = value;
        self
    }

    fn arn(&self) -> &str {
        self.versions["$LATEST"]["Configuration"]["FunctionArn"].as_str().unwrap()
    }

    /// The subset of fields that a list has.
    fn listed(&self) -> impl Iterator<Item = Value> + '_ {
        self.versions.iter().map(|(number, version)| {
            let mut listed = version["Configuration"].clone();
            listed["FunctionArn"] = format!("{}:{number}", self.arn()).into();
            for field in ["State", "StateReason", "StateReasonCode", "LastUpdateStatus"] {
                listed.as_object_mut().unwrap().remove(field);
            }
            listed
        })
    }
}

/// The functions of all regions.
#[derive(Clone, Default)]
pub struct LambdaModel {
    functions: Vec<Function>,
    page: Option<usize>,
}

impl LambdaModel {
    /// The same with functions.
    pub fn with(mut self, functions: impl IntoIterator<Item = Function>) -> Self {
        self.functions.extend(functions);
        self
    }

    /// The same with so many entries a page.
    pub fn paged(self, page: usize) -> Self {
        Self { page: Some(page), ..self }
    }

    /// The response of Lambda.
    pub fn answer(&self, call: &Call) -> Answer {
        let region = call.host.split('.').nth(1).unwrap_or_default();
        let here = || self.functions.iter().filter(|function| function.region == region);
        let find = |name: &str| here().find(|function| function.name == name);
        if call.operation == FUNCTIONS {
            assert_eq!((&*call.query["FunctionVersion"], &*call.query["MaxItems"]), ("ALL", "50"));
            return self.paged_response(call, "Functions", &here().flat_map(Function::listed).collect::<Vec<_>>());
        }
        let path = call.operation.strip_prefix(FUNCTIONS).unwrap_or_default().trim_start_matches('/');
        let qualifier = call.query.get("Qualifier").map_or("$LATEST", String::as_str);
        let found = match path.strip_suffix("/aliases") {
            Some(name) => find(name).map(|function| self.paged_response(call, "Aliases", &function.aliases)),
            None => find(path).and_then(|function| function.versions.get(qualifier).cloned().map(Answer::ok)),
        };
        found.unwrap_or_else(not_found)
    }

    fn paged_response(&self, call: &Call, field: &str, items: &[Value]) -> Answer {
        let start: usize = call.query.get("Marker").map_or(0, |marker| marker.parse().unwrap());
        let end = items.len().min(start + self.page.unwrap_or(50));
        let mut response = json!({ field: items[start..end] });
        if end < items.len() {
            response["NextMarker"] = end.to_string().into();
        }
        Answer::ok(response)
    }
}

/// The error of Lambda for a function that does not exist.
pub fn not_found() -> Answer {
    Answer::Http(404, json!({ "Type": "User", "__type": "ResourceNotFoundException", "Message": "Function not found" }))
}

/// The throttling error of Lambda.
pub fn throttled() -> Answer {
    let body = json!({ "Reason": "CallerRateLimitExceeded", "__type": "TooManyRequestsException", "message": "Rate exceeded" });
    Answer::Http(429, body)
}

/// The calls so far, shortened: `list`, `aliases orders`, `get orders`, `get orders 3`; in order of their names.
pub fn asked(calls: &[Call]) -> Vec<String> {
    let mut asked: Vec<_> = calls.iter().filter_map(shortened).collect();
    asked.sort();
    asked
}

fn shortened(call: &Call) -> Option<String> {
    let path = call.operation.strip_prefix(FUNCTIONS)?.trim_start_matches('/');
    let qualifier = call.query.get("Qualifier").map(|version| format!(" {version}")).unwrap_or_default();
    Some(match path.strip_suffix("/aliases") {
        _ if path.is_empty() => "list".to_owned(),
        Some(name) => format!("aliases {name}"),
        None => format!("get {path}{qualifier}"),
    })
}
