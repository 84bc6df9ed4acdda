//! The OpenAPI 3.1 document of the API, with schemas generated from the types.

use axum::Json;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    api::{BasesResponse, FindingsResponse, HistoryResponse},
    response::HttpProblem,
    state::ServeStatus,
};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    report::{
        Report,
        query::{LARGEST_PAGE, PARAMETERS, SortKey, USUAL_PAGE},
    },
};

/// Returns the document.
pub(super) async fn get_document() -> Json<Value> {
    Json(document())
}

/// The OpenAPI document of the API.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let paths = json!({
        "/api/v1/report": { "get": report::<Report>(&mut schemas) },
        "/api/v1/findings": { "get": findings(&mut schemas) },
        "/api/v1/bases": { "get": bases(&mut schemas) },
        "/api/v1/history": { "get": history(&mut schemas) },
        "/api/v1/status": { "get": status(&mut schemas) },
        "/api/v1/audit": { "post": audit(&mut schemas) },
        "/api/v1/openapi.json": { "get": plain("openapi", "This document", "application/json") },
        "/metrics": { "get": plain("metrics", "Metrics in OpenMetrics format", "application/openmetrics-text") },
        "/healthz": { "get": open("healthz", "Liveness check", &mut schemas) },
        "/readyz": { "get": open("readyz", "Readiness check", &mut schemas) },
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "basewatch",
            "summary": "Find deployed container images that are built on outdated base images",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "serve.token of the configuration" },
                "password": { "type": "http", "scheme": "basic", "description": "The token as the password of any user" },
            },
        },
        "security": [{ "token": [] }, { "password": [] }, {}],
    })
}

/// An operation with its possible responses.
fn operation(id: &str, summary: &str, parameters: &Value, responses: &[(&str, Value)]) -> Value {
    let responses: Map<_, _> = responses.iter().map(|(status, value)| ((*status).to_owned(), value.clone())).collect();
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses })
}

fn content(description: &str, media_type: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { media_type: { "schema": schema } } })
}

fn problem(description: &str, schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<HttpProblem>());
    content(description, "application/problem+json", &schema)
}

/// The error responses of every path with access control.
fn guarded(schemas: &mut SchemaGenerator) -> Vec<(&'static str, Value)> {
    vec![
        ("401", problem("The token is missing or wrong", schemas)),
        ("403", problem("The request is not allowed", schemas)),
    ]
}

/// The other responses of paths that return parts of the last report.
fn reading(schemas: &mut SchemaGenerator) -> Vec<(&'static str, Value)> {
    let mut responses = guarded(schemas);
    responses.push(("304", json!({ "description": "Not modified" })));
    responses.push(("503", problem("There is no report yet", schemas)));
    responses
}

/// The `If-None-Match` header.
fn conditional() -> Value {
    json!({
        "name": "If-None-Match", "in": "header", "schema": { "type": "string" },
        "description": "ETag of a previous response; 304 if it is still current",
    })
}

fn report<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<T>());
    let mut responses = reading(schemas);
    responses.push(("200", content("The last report", "application/json", &schema)));
    operation("report", "The last report", &json!([conditional()]), &responses)
}

fn findings(schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<FindingsResponse<'_>>());
    let mut responses = reading(schemas);
    responses.push(("400", problem("Invalid parameter", schemas)));
    let mut found = content("A page of findings as JSON, or all findings as CSV", "application/json", &schema);
    found["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
    responses.push(("200", found));
    let mut parameters: Vec<_> = PARAMETERS.iter().map(|(name, about)| parameter(name, about)).collect();
    parameters.push(json!({
        "name": "format", "in": "query", "description": "Response format: json for a page, csv for all findings",
        "schema": { "type": "string", "enum": ["json", "csv"], "default": "json" },
    }));
    parameters.push(conditional());
    operation("findings", "The findings that match the filters", &json!(parameters), &responses)
}

fn parameter(name: &str, about: &str) -> Value {
    // HTML forms send empty values.
    let one_of = |values: Vec<&str>| {
        let values: Vec<_> = values.into_iter().chain([""]).collect();
        json!({ "type": "array", "items": { "type": "string", "enum": values } })
    };
    let schema = match name {
        "verdict" => one_of(Verdict::ALL.map(Verdict::as_str).to_vec()),
        "severity" => one_of(Severity::ALL.map(Severity::as_str).to_vec()),
        "action" => one_of(Action::ALL.map(Action::as_str).to_vec()),
        "kind" => one_of(DeploymentKind::ALL.map(DeploymentKind::as_str).to_vec()),
        "sort" => {
            let orders = SortKey::ALL.iter().flat_map(|(_, name)| [(*name).to_owned(), format!("-{name}")]);
            let orders = orders.chain([String::new()]);
            json!({ "type": "string", "enum": orders.collect::<Vec<_>>(), "default": "severity" })
        }
        "offset" => json!({ "type": "integer", "minimum": 0, "default": 0 }),
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": USUAL_PAGE }),
        "q" => json!({ "type": "string" }),
        _ => json!({ "type": "array", "items": { "type": "string" } }),
    };
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}

fn bases(schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<BasesResponse<'_>>());
    let mut responses = reading(schemas);
    responses.push(("200", content("The base lines with their releases", "application/json", &schema)));
    operation(
        "bases",
        "The base lines in use, with the deployments on each release",
        &json!([conditional()]),
        &responses,
    )
}

fn history(schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<HistoryResponse<'_>>());
    let mut responses = reading(schemas);
    responses.push(("400", problem("Invalid parameter", schemas)));
    responses.push(("200", content("Daily results", "application/json", &schema)));
    let days = json!({
        "name": "days", "in": "query", "description": "Number of days",
        "schema": { "type": "integer", "minimum": 1, "maximum": 400, "default": 90 },
    });
    operation("history", "Daily results of the last runs", &json!([days, conditional()]), &responses)
}

fn status(schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<ServeStatus>());
    let mut responses = guarded(schemas);
    responses.push(("200", content("The current, the next and the last run", "application/json", &schema)));
    operation("status", "Status of runs", &json!([]), &responses)
}

fn audit(schemas: &mut SchemaGenerator) -> Value {
    let schema = json!(schemas.subschema_for::<ServeStatus>());
    let mut responses = guarded(schemas);
    responses.push(("202", content("The run was requested", "application/json", &schema)));
    responses.push(("409", problem("A run is already in progress", schemas)));
    responses.push(("429", problem("A run has just finished", schemas)));
    responses.push(("413", json!({ "description": "The request body is too large; no body is required" })));
    operation("audit", "Request a run", &json!([]), &responses)
}

fn plain(id: &str, summary: &str, media_type: &str) -> Value {
    let schema =
        if media_type == "application/json" { json!({ "type": "object" }) } else { json!({ "type": "string" }) };
    let denied = json!({ "description": "Access denied" });
    let responses = [("200", content(summary, media_type, &schema)), ("401", denied.clone()), ("403", denied)];
    operation(id, summary, &json!([]), &responses)
}

fn open(id: &str, summary: &str, schemas: &mut SchemaGenerator) -> Value {
    let yes = content("OK", "text/plain", &json!({ "type": "string" }));
    let mut operation = operation(id, summary, &json!([]), &[("200", yes), ("503", problem("Not ready", schemas))]);
    operation["security"] = json!([]);
    operation
}
