//! The OpenAPI 3.1 document of the API, with schemas generated from the types.

use axum::Json;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

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
    let paths = paths(&mut schemas);
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

/// The operations by path and method.
fn paths(schemas: &mut SchemaGenerator) -> Value {
    let mut schema = |of: fn(&mut SchemaGenerator) -> Schema| json!(of(schemas));
    let report = schema(SchemaGenerator::subschema_for::<Report>);
    let findings = schema(SchemaGenerator::subschema_for::<FindingsResponse<'_>>);
    let bases = schema(SchemaGenerator::subschema_for::<BasesResponse<'_>>);
    let history = schema(SchemaGenerator::subschema_for::<HistoryResponse<'_>>);
    let status = schema(SchemaGenerator::subschema_for::<ServeStatus>);
    let problem = schema(SchemaGenerator::subschema_for::<HttpProblem>);
    let problem = |description| content(description, "application/problem+json", &problem);
    let json = |description, schema| content(description, "application/json", schema);
    let guarded =
        json!({ "401": problem("The token is missing or wrong"), "403": problem("The request is not allowed") });
    let no_report = json!({ "304": { "description": "Not modified" }, "503": problem("There is no report yet") });
    let reading = |responses| with(with(guarded.clone(), &no_report), &responses);
    let invalid = problem("Invalid parameter");
    let mut page = json("A page of findings as JSON, or all findings as CSV", &findings);
    page["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
    let report = reading(json!({ "200": json("The last report", &report) }));
    let bases = reading(json!({ "200": json("The release lines with their releases", &bases) }));
    let history = reading(json!({ "200": json("Daily results", &history), "400": invalid }));
    let requested = json!({
        "202": json("The run was requested", &status),
        "403": problem("The request is not allowed; it needs serve.write_token, if that is configured"),
        "409": problem("A run is already in progress"),
        "429": problem("A run has just finished"),
        "413": { "description": "The request body is too large; no body is required" },
    });
    let status = json!({ "200": json("The current, the next and the last run", &status) });
    let page = reading(json!({ "200": page, "400": invalid }));
    let list = "The release lines in use, with the deployments on each release";
    let ready = problem("Not ready");
    json!({
        "/api/v1/report": { "get": operation("report", "The last report", &[conditional()], &report) },
        "/api/v1/findings": { "get": operation("findings", "The findings that match the filters", &filters(), &page) },
        "/api/v1/bases": { "get": operation("bases", list, &[conditional()], &bases) },
        "/api/v1/history": {
            "get": operation("history", "Daily results of the last runs", &[days(), conditional()], &history),
        },
        "/api/v1/status": { "get": operation("status", "Status of runs", &[], &with(guarded.clone(), &status)) },
        "/api/v1/audit": { "post": operation("audit", "Request a run", &[], &with(guarded.clone(), &requested)) },
        "/api/v1/openapi.json": { "get": plain("openapi", "This document", "application/json") },
        "/metrics": { "get": plain("metrics", "Metrics in OpenMetrics format", "application/openmetrics-text") },
        "/healthz": { "get": health("healthz", "Liveness check", &ready) },
        "/readyz": { "get": health("readyz", "Readiness check", &ready) },
    })
}

fn operation(id: &str, summary: &str, parameters: &[Value], responses: &Value) -> Value {
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses })
}

fn content(description: &str, media_type: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { media_type: { "schema": schema } } })
}

/// `responses` and `others`.
fn with(mut responses: Value, others: &Value) -> Value {
    let others = others.as_object().into_iter().flatten();
    others.for_each(|(status, response)| responses[status] = response.clone());
    responses
}

fn plain(id: &str, summary: &str, media_type: &str) -> Value {
    let kind = if media_type == "application/json" { "object" } else { "string" };
    let denied = json!({ "description": "Access denied" });
    let granted = content(summary, media_type, &json!({ "type": kind }));
    operation(id, summary, &[], &json!({ "200": granted, "401": denied, "403": denied }))
}

fn health(id: &str, summary: &str, unready: &Value) -> Value {
    let healthy = content("OK", "text/plain", &json!({ "type": "string" }));
    let operation = operation(id, summary, &[], &json!({ "200": healthy, "503": unready }));
    with(operation, &json!({ "security": [] }))
}

/// The `If-None-Match` header.
fn conditional() -> Value {
    json!({
        "name": "If-None-Match", "in": "header", "schema": { "type": "string" },
        "description": "ETag of a previous response; 304 if it is still current",
    })
}

fn days() -> Value {
    json!({
        "name": "days", "in": "query", "description": "Number of days",
        "schema": { "type": "integer", "minimum": 1, "maximum": 400, "default": 90 },
    })
}

/// The parameters of findings.
fn filters() -> Vec<Value> {
    let format = json!({
        "name": "format", "in": "query", "description": "Response format: json for a page, csv for all findings",
        "schema": { "type": "string", "enum": ["json", "csv"], "default": "json" },
    });
    PARAMETERS.iter().map(|(name, about)| parameter(name, about)).chain([format, conditional()]).collect()
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
            json!({ "type": "string", "enum": orders.collect::<Vec<_>>(), "default": "-severity" })
        }
        "offset" => json!({ "type": "integer", "minimum": 0, "default": 0 }),
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": USUAL_PAGE }),
        "q" => json!({ "type": "string" }),
        _ => json!({ "type": "array", "items": { "type": "string" } }),
    };
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}
