//! The dashboards for Grafana, generated from `deploy/grafana/dashboards.toml`, which describes each panel once.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// All dashboards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dashboards {
    /// Colors by name of a series, in the order of the series.
    palette: BTreeMap<String, Vec<(String, String)>>,
    /// The data sources, by the name of their file.
    source: BTreeMap<String, DataSource>,
    panel: Vec<Panel>,
}

/// A data source, which has a dashboard of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataSource {
    plugin: Plugin,
    title: String,
    description: String,
    /// The time range.
    days: u32,
    /// Variables besides the data source.
    variable: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    id: String,
    name: String,
    version: String,
}

/// A panel.
#[derive(Deserialize)]
struct Panel {
    title: String,
    /// `row`, `stat`, `stacked`, `lines`, `bars`, `bargauge` or `table`.
    kind: String,
    palette: Option<String>,
    description: Option<String>,
    defaults: Option<Map<String, Value>>,
    /// What differs, by data source; those without an entry do not have the panel.
    #[serde(flatten)]
    placed: BTreeMap<String, Placed>,
}

/// A panel on the dashboard of a data source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    /// Column, line, width and height.
    at: Option<[u32; 4]>,
    /// The line of a row.
    y: Option<u32>,
    description: Option<String>,
    defaults: Option<Map<String, Value>>,
    options: Option<Map<String, Value>>,
    /// Properties by column.
    #[serde(default)]
    overrides: BTreeMap<String, Map<String, Value>>,
    /// Colors of the series, in order, instead of a palette.
    colors: Option<Vec<String>>,
    /// Colors and the values at which they start.
    steps: Option<Vec<Vec<Value>>>,
    /// What takes the color of the steps: `background` or `value`.
    color: Option<String>,
    #[serde(default)]
    graph: bool,
    // Of Prometheus:
    expr: Option<String>,
    #[serde(default)]
    legend: String,
    #[serde(default)]
    instant: bool,
    // Of CloudWatch:
    #[serde(default)]
    metrics: Vec<String>,
    statistic: Option<String>,
    period: Option<String>,
    // Of the JSON API:
    path: Option<String>,
    #[serde(default)]
    root: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// Selector, title and type.
    #[serde(default)]
    columns: Vec<[String; 3]>,
}

#[test]
fn the_dashboards_are_generated_from_one_description() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana");
    let text = fs::read_to_string(folder.join("dashboards.toml")).unwrap();
    let dashboards: Dashboards = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    for (name, source) in &dashboards.source {
        let file = folder.join(format!("{name}.json"));
        let generated = serde_json::to_string_pretty(&dashboards.generate(name, source)).unwrap() + "\n";
        if std::env::var_os("UPDATE_DASHBOARDS").is_some() {
            fs::write(&file, &generated).unwrap();
        }
        let is_current = fs::read_to_string(&file).is_ok_and(|written| written == generated);
        assert!(is_current, "{name}.json is out of date: UPDATE_DASHBOARDS=1 cargo nextest run --test fast deploy");
    }
}

impl Dashboards {
    fn generate(&self, name: &str, source: &DataSource) -> Value {
        let Plugin { id, name: plugin, version } = &source.plugin;
        let reference = json!({ "type": id, "uid": "${datasource}" });
        let placed = self.panel.iter().filter_map(|panel| Some((panel, panel.placed.get(name)?)));
        let panels: Vec<_> =
            placed.zip(1..).map(|((panel, placed), id)| self.panel(id, panel, placed, &reference)).collect();
        json!({
            "__inputs": [],
            "__requires": [
                { "type": "grafana", "id": "grafana", "name": "Grafana", "version": "11.0.0" },
                { "type": "datasource", "id": id, "name": plugin, "version": version },
            ],
            "annotations": { "list": [] },
            "description": source.description,
            "editable": true,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "links": [],
            "panels": panels,
            "refresh": "5m",
            "schemaVersion": 39,
            "tags": ["basewatch"],
            "templating": { "list": variables(source, &reference) },
            "time": { "from": format!("now-{}d", source.days), "to": "now" },
            "timezone": "browser",
            "title": source.title,
            "uid": format!("basewatch-{name}"),
            "version": 1,
        })
    }

    fn panel(&self, id: u32, panel: &Panel, placed: &Placed, source: &Value) -> Value {
        if let Some(y) = placed.y {
            let position = position([0, y, 24, 1]);
            return json!({ "id": id, "type": "row", "title": panel.title, "collapsed": false, "gridPos": position, "panels": [] });
        }
        let kind = match panel.kind.as_str() {
            "stacked" | "lines" | "bars" => "timeseries",
            other => other,
        };
        json!({
            "id": id,
            "type": kind,
            "title": panel.title,
            "description": placed.description.as_ref().or(panel.description.as_ref()).map_or("", String::as_str),
            "datasource": source,
            "gridPos": position(placed.at.expect("a place")),
            "fieldConfig": { "defaults": defaults(panel, placed), "overrides": self.overrides(panel, placed) },
            "options": options(kind, placed),
            "targets": targets(placed, source),
        })
    }

    /// The colors of series, and the properties of columns.
    fn overrides(&self, panel: &Panel, placed: &Placed) -> Value {
        let palette = panel.palette.as_ref().map(|name| &self.palette[name]);
        let colors = placed.colors.as_ref().map(|colors| colors.iter().map(|color| ("", color)).collect());
        let colors = colors.or_else(|| Some(palette?.iter().map(|(name, color)| (name.as_str(), color)).collect()));
        let colors: Vec<(&str, &String)> = colors.unwrap_or_default();
        let given = |(name, properties): (&str, &Map<String, Value>)| {
            let properties: Vec<_> = properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
            json!({ "matcher": { "id": "byName", "options": name }, "properties": properties })
        };
        let colored = colors.iter().enumerate().filter_map(|(index, (name, color))| {
            // CloudWatch names series by their metric.
            let name = if placed.metrics.is_empty() { *name } else { placed.metrics.get(index)? };
            let color = json!({ "color": { "mode": "fixed", "fixedColor": color } });
            Some(given((name, color.as_object()?)))
        });
        colored.chain(placed.overrides.iter().map(|(name, properties)| given((name, properties)))).collect()
    }
}

fn position([x, y, w, h]: [u32; 4]) -> Value {
    json!({ "h": h, "w": w, "x": x, "y": y })
}

fn variables(source: &DataSource, reference: &Value) -> Vec<Value> {
    let common = json!({ "hide": 0, "regex": "", "multi": false, "includeAll": false, "current": {} });
    let mut own = json!({ "name": "datasource", "type": "datasource", "label": "Data source", "refresh": 1 });
    own["query"] = json!(source.plugin.id);
    let own = own.as_object().cloned().unwrap_or_default();
    let complete = |variable: &Map<String, Value>| {
        let mut complete = common.clone();
        if variable["type"] == "query" {
            complete["datasource"] = reference.clone();
        }
        complete.as_object_mut().expect("an object").extend(variable.clone());
        complete
    };
    [&own].into_iter().chain(&source.variable).map(complete).collect()
}

fn defaults(panel: &Panel, placed: &Placed) -> Value {
    let mut defaults = match panel.kind.as_str() {
        "stacked" => json!({
            "custom": {
                "stacking": { "mode": "normal", "group": "A" }, "fillOpacity": 40, "lineWidth": 1, "showPoints": "never",
            },
            "min": 0,
        }),
        "lines" => json!({ "custom": { "lineWidth": 2, "showPoints": "never" }, "min": 0 }),
        "bars" => json!({ "custom": { "drawStyle": "bars", "fillOpacity": 60 }, "min": 0 }),
        "table" => json!({ "custom": { "filterable": true } }),
        _ => json!({}),
    };
    if let Some(steps) = &placed.steps {
        let step = |step: &Vec<Value>| json!({ "color": step[0], "value": step.get(1) });
        let steps: Vec<_> = steps.iter().map(step).collect();
        defaults["thresholds"] = json!({ "mode": "absolute", "steps": steps });
    }
    let given = panel.defaults.iter().chain(&placed.defaults).flatten();
    defaults.as_object_mut().expect("an object").extend(given.map(|(key, value)| (key.clone(), value.clone())));
    defaults
}

fn options(kind: &str, placed: &Placed) -> Value {
    // The API returns a table with a column for each figure.
    let fields = if placed.columns.is_empty() { "" } else { "/.*/" };
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": fields, "values": false });
    let mut options = match kind {
        "timeseries" => {
            json!({ "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi" } })
        }
        "stat" => json!({
            "colorMode": placed.color.as_deref().unwrap_or("none"),
            "graphMode": if placed.graph { "area" } else { "none" },
            "reduceOptions": reduce,
        }),
        "bargauge" => json!({ "reduceOptions": reduce }),
        "table" => json!({ "showHeader": true }),
        other => unreachable!("{other}: which options?"),
    };
    options.as_object_mut().expect("an object").extend(placed.options.clone().unwrap_or_default());
    options
}

fn targets(placed: &Placed, source: &Value) -> Vec<Value> {
    let mut targets: Vec<Value> = Vec::new();
    if let Some(expr) = &placed.expr {
        let mut target = json!({ "expr": expr, "legendFormat": placed.legend });
        if placed.instant {
            target["instant"] = json!(true);
            target["range"] = json!(false);
        }
        targets.push(target);
    }
    targets.extend(placed.metrics.iter().map(|metric| {
        json!({
            "queryMode": "Metrics", "metricQueryType": 0, "metricEditorMode": 0, "namespace": "basewatch",
            "metricName": metric, "dimensions": { "FunctionName": "$function" }, "matchExact": true,
            "statistic": placed.statistic, "period": placed.period.as_deref().unwrap_or("86400"),
            "region": "$region", "label": metric, "id": "", "expression": "",
        })
    }));
    if let Some(path) = &placed.path {
        let column = |[selector, text, kind]: &[String; 3]| json!({ "selector": selector, "text": text, "type": kind });
        let columns: Vec<_> = placed.columns.iter().map(column).collect();
        let parameters: Vec<_> =
            placed.parameters.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        targets.push(json!({
            "type": "json", "source": "url", "parser": "backend", "format": "table", "url": format!("${{url}}{path}"),
            "root_selector": placed.root, "columns": columns,
            "url_options": { "method": "GET", "data": "", "params": parameters }, "filters": [],
        }));
    }
    for (target, letter) in targets.iter_mut().zip('A'..) {
        target["refId"] = json!(letter);
        target["datasource"] = source.clone();
    }
    targets
}
