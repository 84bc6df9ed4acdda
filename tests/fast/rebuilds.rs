//! Rebuilds over several runs, against services that check what the real ones check.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use std::{collections::BTreeMap, sync::Arc};
use testbed::{
    forge::{Forge, TOKEN, Trouble},
    sample,
};

use basewatch::{
    http::RequestCounter,
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    outbox::{DeliveryError, DeliveryReceipt},
    rebuild::{
        Rebuild, RebuildConclusion, RebuildPlan, RebuildPreset, RebuildRule, RebuildSettings, call_for, notices, plan,
        presets, rule_for,
    },
    report::{Behind, CurrentRelease, DeploymentFields, Finding, ImageFields, ReplacementFields, Report},
    secret::{Secret, SecretSource},
    webhook::{self, SignatureScheme, WebhookClient},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const LINE: &str = "public.ecr.aws/lambda/java:21";

/// A service of functions that all run the newest image of one repository, once it is deployed.
#[derive(Debug)]
struct Fleet {
    repository: &'static str,
    functions: usize,
    /// The day on which the base in use was published.
    base: i64,
    /// The same of the newest image that is in the repository.
    newest: i64,
    /// How many days a base may be behind.
    grace: i64,
}

fn release(day: i64) -> String {
    format!("21.{}", (sample::now() + TimeDelta::days(day)).format("%Y.%m.%d.%H"))
}

impl Fleet {
    fn new(functions: usize) -> Self {
        Self { repository: "orders", functions, base: -90, newest: -90, grace: 0 }
    }

    fn finding(&self, number: usize, current: i64) -> Finding {
        let fresh = sample::fresh("orders:1");
        let digest = |day: i64| sample::digest(&release(day));
        let is_behind = current - self.base > self.grace;
        let is_replaced = is_behind && self.newest > self.base;
        let mut base = fresh.base.clone().unwrap();
        base.line = Some(LINE.to_owned());
        (base.release, base.digest) = (Some(release(self.base)), Some(digest(self.base)));
        let reference = |day: i64| format!("{REGISTRY}/{}:{}", self.repository, day + 1000);
        Finding {
            id: format!("lambda:eu-west-1:123456789012:{}-{number}", self.repository),
            deployment: DeploymentFields {
                kind: DeploymentKind::Lambda,
                name: format!("{}-{number}", self.repository),
                owner: Some("payments".to_owned()),
                ..fresh.deployment.clone()
            },
            image: ImageFields { reference: reference(self.base).into(), ..fresh.image.clone() },
            base: Some(base),
            current: Some(CurrentRelease {
                reference: LINE.into(),
                pinned: None,
                digest: digest(current),
                platform_digest: None,
                release: Some(release(current)),
                published_at: None,
                published_source: None,
                estimated: false,
            }),
            behind: is_behind.then_some(Behind {
                since: None,
                days: Some(current - self.base),
                releases: None,
                exact: true,
                content_changed: Some(true),
            }),
            replacement: is_replaced.then(|| ReplacementFields {
                reference: reference(self.newest).into(),
                digest: digest(self.newest),
                pushed_at: None,
                base_release: Some(release(self.newest)),
                verdict: Verdict::Fresh,
            }),
            verdict: if is_behind { Verdict::OutOfDate } else { Verdict::Fresh },
            severity: if is_behind { Severity::Medium } else { Severity::None },
            action: match (is_behind, is_replaced) {
                (false, _) => Action::None,
                (true, true) => Action::Redeploy,
                (true, false) => Action::Rebuild,
            },
            ..fresh
        }
    }

    /// The report of a run while the release of day `current` is the current one.
    fn report(&self, current: i64) -> Report {
        let findings = (0..self.functions).map(|number| self.finding(number, current)).collect();
        Report { complete: true, ..sample::report_of(findings, Vec::new()) }
    }
}

/// Runs over one ledger, which is stored as text in between.
struct Runs {
    ledger: String,
    settings: RebuildSettings,
    /// The retries of a call within a run.
    retries: u32,
}

fn rule(preset: RebuildPreset, url: String) -> RebuildRule {
    RebuildRule {
        name: "forge".to_owned(),
        repositories: vec!["*".parse().unwrap()],
        preset,
        url: Secret::new(url),
        secret: Some(SecretSource::Here(Secret::new(TOKEN.to_owned()))),
        signature: SignatureScheme::default(),
        git_ref: matches!(preset, RebuildPreset::GitHubWorkflowDispatch | RebuildPreset::GitLab)
            .then(|| "main".to_owned()),
        build_type: (preset == RebuildPreset::TeamCity).then(|| "Shop_Orders".to_owned()),
        inputs: BTreeMap::new(),
        template: None,
    }
}

fn at(hours: i64) -> DateTime<Utc> {
    sample::now() + TimeDelta::hours(hours)
}

/// The client of one run.
fn webhooks(retries: u32) -> WebhookClient {
    let quick = webhook::WebhookClientSettings { retries, rate: 1000.0, ..webhook::WebhookClientSettings::default() };
    WebhookClient::new(quick, Arc::new(RequestCounter::default())).unwrap()
}

impl Runs {
    fn new(rule: RebuildRule) -> Self {
        let settings = RebuildSettings { rules: vec![rule], ..RebuildSettings::default() };
        // Retries would take seconds.
        Self { ledger: "{}".to_owned(), settings, retries: 0 }
    }

    fn known(&self) -> BTreeMap<String, Rebuild> {
        serde_json::from_str(&self.ledger).unwrap()
    }

    fn save(&mut self, known: &BTreeMap<String, Rebuild>) {
        self.ledger = serde_json::to_string(known).unwrap();
    }

    /// A run: plan, record, call, record.
    async fn run(&mut self, hours: i64, report: &Report) -> RebuildPlan {
        let mut known = self.known();
        let planned = plan(report, &mut known, &self.settings, &format!("run-{hours}"), at(hours));
        self.save(&known);
        for key in &planned.due {
            let rebuild = known.get_mut(key).unwrap();
            let rule = rule_for(rebuild, &self.settings).unwrap();
            let secret = rule.secret.as_ref().map(|source| match source {
                SecretSource::Here(secret) => secret.clone(),
                SecretSource::SecretsManager { arn, .. } => Secret::new(arn.to_string()),
            });
            let result = match call_for(rebuild, rule, secret.as_ref(), at(hours)) {
                Ok(call) => webhooks(self.retries).call(&call).await.map_err(DeliveryError::from),
                Err(refused) => Err(refused),
            };
            let receipt = result.map(|response| DeliveryReceipt { message_id: presets::read(rule.preset, &response) });
            rebuild.record(at(hours), &receipt);
            self.save(&known);
        }
        planned
    }

    fn notices(&self, planned: &RebuildPlan, hours: i64) -> Vec<String> {
        let notices = notices(planned, &self.known(), at(hours));
        notices.into_iter().flat_map(|notices| notices.rebuilds).map(|rebuild| rebuild.text).collect()
    }
}

fn github(forge: &Forge) -> RebuildRule {
    rule(RebuildPreset::GitHubRepositoryDispatch, forge.url("/repos/acme/orders/dispatches"))
}

fn outcomes(planned: &RebuildPlan) -> Vec<RebuildConclusion> {
    planned.followed.iter().map(|followed| followed.outcome).collect()
}

#[tokio::test]
async fn thirty_functions_get_one_rebuild_which_is_followed_to_its_end() {
    let forge = Forge::start().await;
    let mut runs = Runs::new(github(&forge));
    let mut fleet = Fleet::new(30);
    runs.run(0, &fleet.report(0)).await;
    let builds = forge.builds();
    assert_eq!(builds.len(), 1);
    assert_eq!(builds[0].path, "acme/orders basewatch-rebuild");
    assert_eq!(builds[0].given["base"], json!(format!("public.ecr.aws/lambda/java@{}", sample::digest(&release(0)))));
    assert_eq!(builds[0].given["request"]["deployment_count"], 30);
    assert_eq!(runs.run(1, &fleet.report(0)).await, RebuildPlan::default());
    fleet.newest = 0;
    let planned = runs.run(2, &fleet.report(0)).await;
    assert_eq!(outcomes(&planned), [RebuildConclusion::Rebuilt]);
    assert!(planned.followed[0].image.as_deref().unwrap().starts_with("orders:1000 is built on 21.2026.11.20"));
    assert_eq!(runs.notices(&planned, 2), Vec::<String>::new());
    fleet.base = 0;
    assert_eq!(runs.run(3, &fleet.report(0)).await, RebuildPlan::default());
    assert_eq!(forge.builds().len(), 1);
}

#[tokio::test]
async fn a_failed_rebuild_is_reported_once_and_three_in_a_row_start_a_pause() {
    let forge = Forge::start().await;
    let mut runs = Runs::new(github(&forge));
    let fleet = Fleet::new(5);
    let mut lines = Vec::new();
    for hour in 0..24 * 9 {
        let planned = runs.run(hour, &fleet.report(hour / 24)).await;
        lines.extend(runs.notices(&planned, hour).into_iter().map(|line| (hour, line)));
    }
    assert_eq!(forge.builds().len(), 3);
    let hours: Vec<_> = lines.iter().map(|(hour, _)| *hour).collect();
    assert_eq!(hours, [24, 48, 72]);
    let first = "orders: the rebuild on lambda/java:21.2026.11.20.06 was requested 24 h ago (forge); no new image has been \
                 pushed";
    assert_eq!(lines[0].1, first);
    assert!(
        lines[2].1.ends_with("3 rebuilds in a row failed, no further ones are requested until 2026-11-30 06:00 UTC")
    );
    for hour in 24 * 9..24 * 11 {
        runs.run(hour, &fleet.report(hour / 24)).await;
    }
    assert_eq!(forge.builds().len(), 4, "one more attempt");
}

#[tokio::test]
async fn a_service_that_is_down_for_a_day_loses_nothing() {
    for trouble in [Trouble::Down, Trouble::RateLimited, Trouble::TooMany(7200)] {
        let forge = Forge::start().await;
        let mut runs = Runs::new(github(&forge));
        let fleet = Fleet::new(5);
        forge.has(trouble.clone());
        let mut lines = Vec::new();
        for hour in 0..26 {
            let planned = runs.run(hour, &fleet.report(0)).await;
            lines.extend(runs.notices(&planned, hour));
        }
        assert_eq!(forge.builds(), []);
        assert!(forge.refused().len() <= 10, "{trouble:?}: it is not called every hour");
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains("was not accepted in"), "{}", lines[0]);
        forge.has(Trouble::None);
        for hour in 26..50 {
            runs.run(hour, &fleet.report(1)).await;
        }
        assert_eq!(forge.builds().len(), 1, "{trouble:?}");
        let target = &forge.builds()[0].given["base_release"];
        assert_eq!(target, &json!(release(0)), "requested as it was recorded");
    }
}

#[tokio::test]
async fn a_lost_response_repeats_the_request_under_the_same_key() {
    let forge = Forge::start().await;
    let mut runs = Runs { retries: 3, ..Runs::new(github(&forge)) };
    let fleet = Fleet::new(5);
    forge.has(Trouble::Unheard);
    runs.run(0, &fleet.report(0)).await;
    assert_eq!(forge.builds().len(), 1, "a request that may have arrived is not repeated within a run");
    forge.has(Trouble::None);
    runs.run(1, &fleet.report(1)).await;
    let builds = forge.builds();
    assert_eq!(builds.len(), 2);
    assert_eq!(builds[0], builds[1]);
    assert_eq!(runs.run(2, &fleet.report(1)).await, RebuildPlan::default());
}

#[tokio::test]
async fn a_base_published_daily_causes_one_rebuild_in_two_weeks() {
    let forge = Forge::start().await;
    let mut runs = Runs::new(github(&forge));
    let mut fleet = Fleet { base: -1, newest: -1, grace: 14, ..Fleet::new(20) };
    for day in 0..60 {
        let before = forge.builds().len();
        runs.run(day * 24, &fleet.report(day)).await;
        assert!(forge.builds().len() <= before + 1);
        // An image requested yesterday is pushed today and deployed tomorrow.
        fleet.base = fleet.newest;
        if forge.builds().len() > before {
            fleet.newest = day;
        }
    }
    let requested: Vec<_> = forge.builds().iter().map(|build| build.given["base_release"].clone()).collect();
    assert_eq!(requested, [14, 29, 44, 59].map(|day| json!(release(day))));
    let ended: Vec<_> = runs.known().into_values().filter_map(|rebuild| rebuild.outcome).collect();
    assert_eq!(ended, [RebuildConclusion::Rebuilt; 3]);
}

#[tokio::test]
async fn each_preset_is_accepted_by_its_service() {
    let forge = Forge::start().await;
    let inputs = |given: &[(&str, &str)]| -> BTreeMap<String, String> {
        given.iter().map(|(name, template)| ((*name).to_owned(), (*template).to_owned())).collect()
    };
    let workflow = "/repos/acme/orders/actions/workflows/rebuild.yml/dispatches";
    let base = format!("public.ecr.aws/lambda/java@{}", sample::digest(&release(0)));
    let table = [
        (
            RebuildPreset::GitHubRepositoryDispatch,
            "/repos/acme/orders/dispatches",
            inputs(&[("base", "{{ base }}")]),
            "base",
            None,
        ),
        (RebuildPreset::GitHubWorkflowDispatch, workflow, inputs(&[("base", "{{ base }}")]), "base", None),
        (
            RebuildPreset::GitLab,
            "/api/v4/projects/acme%2Forders/trigger/pipeline",
            inputs(&[]),
            "BASEWATCH_BASE",
            Some("https://gitlab.example.com/acme/orders/-/pipelines/46"),
        ),
        (
            RebuildPreset::GitLab,
            "/api/v4/projects/42/trigger/pipeline",
            inputs(&[("B", "{{ base }}")]),
            "B",
            Some("https://gitlab.example.com/acme/orders/-/pipelines/46"),
        ),
        (
            RebuildPreset::TeamCity,
            "/app/rest/buildQueue",
            inputs(&[]),
            "env.BASEWATCH_BASE",
            Some("https://teamcity.example.com/build/12"),
        ),
    ];
    for (preset, path, inputs, name, id) in table {
        let mut runs = Runs::new(RebuildRule { inputs, ..rule(preset, forge.url(path)) });
        assert_eq!(presets::check(&runs.settings.rules[0]), [], "{preset:?}");
        runs.run(0, &Fleet::new(3).report(0)).await;
        let rebuild = runs.known().into_values().next().unwrap();
        assert_eq!((rebuild.sent_at, rebuild.delivery.last_error.as_deref()), (Some(at(0)), None), "{preset:?}");
        assert_eq!(rebuild.message_id.as_deref(), id, "{preset:?}");
        assert_eq!(forge.builds().last().unwrap().given[name], json!(base), "{preset:?}");
    }
    assert_eq!(forge.builds().len(), 5);
    assert_eq!(forge.refused(), []);
}

#[tokio::test]
async fn a_request_refused_by_a_service_is_recorded_as_failed() {
    let forge = Forge::start().await;
    let workflow = forge.url("/repos/acme/orders/actions/workflows/rebuild.yml/dispatches");
    let gitlab = forge.url("/api/v4/projects/42/trigger/pipeline");
    let teamcity = forge.url("/app/rest/buildQueue");
    let wrong = Some(SecretSource::Here(Secret::new("wrong".to_owned())));
    let inputs = |name: &str| BTreeMap::from([(name.to_owned(), "x".to_owned())]);
    let many = (0..11).map(|number| (format!("i{number}"), String::new())).collect();
    let table = [
        (RebuildRule { secret: wrong.clone(), ..github(&forge) }, 401, "Bad credentials"),
        (
            RebuildRule { inputs: many, ..github(&forge) },
            422,
            "No more than 10 properties are allowed; 11 were supplied",
        ),
        (
            RebuildRule { inputs: inputs("nonsense"), ..rule(RebuildPreset::GitHubWorkflowDispatch, workflow.clone()) },
            422,
            "Unexpected inputs provided: [\"nonsense\"]",
        ),
        (rule(RebuildPreset::GitHubWorkflowDispatch, workflow.clone()), 422, "Required input 'base' not provided"),
        (
            RebuildRule {
                git_ref: Some("gone".to_owned()),
                inputs: inputs("base"),
                ..rule(RebuildPreset::GitHubWorkflowDispatch, workflow)
            },
            422,
            "No ref found for: gone",
        ),
        (RebuildRule { secret: wrong.clone(), ..rule(RebuildPreset::GitLab, gitlab.clone()) }, 404, "404 Not Found"),
        (
            RebuildRule { git_ref: Some("gone".to_owned()), ..rule(RebuildPreset::GitLab, gitlab) },
            400,
            "Reference not found",
        ),
        (
            RebuildRule { secret: wrong, ..rule(RebuildPreset::TeamCity, teamcity.clone()) },
            401,
            "Incorrect username or password.",
        ),
        (
            RebuildRule { build_type: Some("Gone".to_owned()), ..rule(RebuildPreset::TeamCity, teamcity) },
            404,
            "No build type nor template is found by id 'Gone'.",
        ),
    ];
    for (rule, status, message) in table {
        let mut runs = Runs::new(rule);
        runs.run(0, &Fleet::new(3).report(0)).await;
        assert_eq!(forge.refused().last(), Some(&(status, message.to_owned())));
        let rebuild = runs.known().into_values().next().unwrap();
        assert_eq!((rebuild.sent_at, rebuild.delivery.attempts), (None, 1));
        // A wrong token or address concerns the service, not this rebuild.
        assert_eq!(rebuild.delivery.refusals, u32::from(!matches!(status, 401 | 404)), "{message}");
        assert!(!runs.ledger.contains(TOKEN) && !runs.ledger.contains("wrong"));
    }
    assert_eq!(forge.builds(), []);
}

#[tokio::test]
async fn an_incomplete_rule_makes_no_call() {
    let forge = Forge::start().await;
    let mut runs = Runs::new(RebuildRule {
        git_ref: None,
        ..rule(RebuildPreset::GitLab, forge.url("/api/v4/projects/42/trigger/pipeline"))
    });
    runs.run(0, &Fleet::new(3).report(0)).await;
    let rebuild = runs.known().into_values().next().unwrap();
    assert_eq!(rebuild.delivery.last_error.as_deref(), Some("cannot build the call of rule forge: ref is missing"));
    assert_eq!((forge.builds(), forge.refused()), (vec![], vec![]));
}

/// The constraints of CloudEvents 1.0.2 on an event in the JSON format: its required attributes and the types of
/// those that it defines (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>, "Context
/// Attributes"; `formats/json-format.md`).
fn cloud_events_schema() -> Value {
    let some_text = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "required": ["id", "source", "specversion", "type"],
        "properties": {
            "id": some_text,
            "source": { "type": "string", "minLength": 1, "format": "uri-reference" },
            "specversion": { "const": "1.0" },
            "type": some_text,
            "datacontenttype": { "type": "string", "pattern": "^[\\w.+-]+/[\\w.+-]+(;.*)?$" },
            "dataschema": { "type": "string", "minLength": 1, "format": "uri" },
            "subject": some_text,
            "time": { "type": "string", "format": "date-time" },
        },
        // Names of attributes are lower-case letters and digits; data is no attribute.
        "propertyNames": { "pattern": "^[a-z0-9]+$" },
        "not": { "required": ["data", "data_base64"] },
    })
}

#[tokio::test]
async fn a_cloud_event_conforms_to_the_specification() {
    let forge = Forge::start().await;
    let mut runs = Runs::new(rule(RebuildPreset::CloudEvents, forge.url("/events")));
    runs.run(0, &Fleet::new(3).report(0)).await;
    let builds = forge.builds();
    let event = &builds[0].given;
    let schema = jsonschema::options().should_validate_formats(true).build(&cloud_events_schema()).unwrap();
    let problems: Vec<_> = schema.iter_errors(event).map(|error| error.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
    let known = runs.known();
    let (key, rebuild) = known.first_key_value().unwrap();
    assert_eq!((&event["id"], &event["subject"]), (&json!(key), &json!("orders")));
    assert_eq!(event["data"], serde_json::to_value(&rebuild.request).unwrap());
    assert_eq!(event["time"], "2026-11-20T06:00:00Z");
}

/// The rule that a `[[rebuild]]` of the page describes.
fn documented(table: &toml::Table) -> RebuildRule {
    let text = |key: &str| table.get(key).map(|value| value.as_str().unwrap().to_owned());
    let preset = text("preset").unwrap();
    let inputs = table.get("inputs").map(|inputs| inputs.as_table().unwrap().clone()).unwrap_or_default();
    RebuildRule {
        name: "documented".to_owned(),
        repositories: table["repositories"]
            .as_array()
            .unwrap()
            .iter()
            .map(|glob| glob.as_str().unwrap().parse().unwrap())
            .collect(),
        preset: RebuildPreset::ALL.into_iter().find(|known| known.as_str() == preset).unwrap(),
        url: Secret::new(text("url").unwrap()),
        secret: table.get("secret").map(|_| SecretSource::Here(Secret::new(TOKEN.to_owned()))),
        signature: SignatureScheme::default(),
        git_ref: text("ref"),
        build_type: text("build_type"),
        inputs: inputs.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect(),
        template: text("template"),
    }
}

#[test]
fn the_page_shows_rules_that_work_and_every_field() {
    let page = include_str!("../../docs/rebuilds.md");
    let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("toml\n"));
    let mut presets_shown = Vec::new();
    for block in blocks {
        let block: toml::Table = block.parse().unwrap();
        for table in block["rebuild"].as_array().unwrap() {
            let rule = documented(table.as_table().unwrap());
            assert_eq!(presets::check(&rule), [], "{table}");
            presets_shown.push(rule.preset.as_str());
        }
    }
    for preset in RebuildPreset::ALL {
        assert!(presets_shown.contains(&preset.as_str()), "{preset:?}");
        assert!(page.contains(&format!(": `{}`\n", preset.as_str())), "a heading for {preset:?}");
    }
    for outcome in [
        RebuildConclusion::Rebuilt,
        RebuildConclusion::Overdue,
        RebuildConclusion::Refused,
        RebuildConclusion::Obsolete,
    ] {
        let word = serde_json::to_value(outcome).unwrap();
        assert!(page.contains(&format!("| `{}` |", word.as_str().unwrap())), "{word}");
    }
    let mut known = BTreeMap::new();
    let settings =
        RebuildSettings { rules: vec![rule(RebuildPreset::CloudEvents, String::new())], ..RebuildSettings::default() };
    plan(&Fleet::new(1).report(0), &mut known, &settings, "run", at(0));
    let request = serde_json::to_value(&known.into_values().next().unwrap().request).unwrap();
    for field in request.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}
