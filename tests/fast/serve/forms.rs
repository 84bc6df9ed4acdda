//! Signing in, starting runs and snoozing alerts on the dashboard, and who may not.

use std::fs;

use basewatch::notify::Ledger;
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::Value;
use testbed::{
    serve_rig::{PATIENCE, Served},
    toxic::{Reply, Toxic},
};

const NOW: &str = "2025-11-20T06:00:00Z";
const WRITER: &str = "fedcba9876543210fedcba9876543210";

/// A service with a channel and a token for writing, after its first run.
async fn writable(hook: &Toxic) -> Served {
    let further = format!(
        "[serve]\nschedule = \"0 6 * * *\"\nwrite_token = {{ file = \"writer\" }}\n\
         [[notify.webhook]]\nname = \"chat\"\nurl = \"{}\"\n",
        hook.endpoint()
    );
    let mut served = Served::prepare(NOW, &further);
    fs::write(served.folder.path().join("writer"), WRITER).unwrap();
    // Responses to forms are redirections, which the tests look at.
    served.client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).build().unwrap();
    served.run().await;
    served.wait_for_report().await;
    served.wait(async || served.json("/api/v1/status").await["running"].is_null(), "the end of the first run").await;
    served
}

fn form(served: &Served, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+")));
    let body = body.collect::<Vec<_>>().join("&");
    served.client.post(served.url(path)).header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// The cookie of a new session, and the token of its forms.
async fn signed_in(served: &Served) -> (String, String) {
    let response = form(served, "/sign-in", &[("name", "Ada"), ("token", WRITER)]).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["location"]), (303, &"/".parse().unwrap()));
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = page(served, "/", &cookie).await;
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("the page has forms");
    (cookie, rest.split('"').next().unwrap().to_owned())
}

async fn page(served: &Served, path: &str, cookie: &str) -> String {
    served.client.get(served.url(path)).header("cookie", cookie).send().await.unwrap().text().await.unwrap()
}

fn ledger(served: &Served) -> Ledger {
    let text = fs::read_to_string(served.folder.path().join("store/ledger.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_for_writing_pages_have_no_buttons_and_forms_are_refused() {
    let served = Served::start(NOW, "").await;
    let text = page(&served, "/", "").await;
    assert!(!text.contains("<form method=\"post\"") && !text.contains("Sign in"), "{text}");
    assert_eq!(served.get("/sign-in").await.status(), 404);
    for path in ["/sign-in", "/sign-out", "/runs", "/alerts/x/snooze", "/alerts/x/unsnooze"] {
        let response = form(&served, path, &[("name", "Ada"), ("token", ""), ("csrf", "")]).send().await.unwrap();
        assert_eq!(response.status(), 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_in_snoozes_an_alert_and_ends_the_snooze() {
    let hook = Toxic::start(|_| Reply::new(200, ""));
    let served = writable(&hook).await;
    let id = ledger(&served).alerts.values().next().unwrap().id.clone();
    let path = format!("/alerts/{id}");
    assert!(!page(&served, &path, "").await.contains("Snooze for"), "only who signed in");
    let (cookie, csrf) = signed_in(&served).await;
    assert!(page(&served, &path, &cookie).await.contains("Snooze for"));
    let snooze = |days: &'static str, reason: &'static str| {
        let fields = [("csrf", csrf.as_str()), ("days", days), ("reason", reason)];
        form(&served, &format!("{path}/snooze"), &fields).header("cookie", &cookie).send()
    };
    for (days, reason) in [("7", " "), ("400", "later"), ("x", "later")] {
        assert_eq!(snooze(days, reason).await.unwrap().status(), 400, "{days} {reason:?}");
    }
    let response = snooze("7", "waits for the vendor").await.unwrap();
    assert_eq!((response.status().as_u16(), location(&response)), (303, path.as_str()));
    let known = ledger(&served);
    let snoozed = known.alerts.values().find(|alert| alert.id == id).unwrap().snooze.clone().unwrap();
    assert_eq!((snoozed.by.as_deref(), snoozed.reason.as_deref()), (Some("Ada"), Some("waits for the vendor")));
    assert_eq!(snoozed.until.to_rfc3339(), "2025-11-27T06:00:00+00:00");
    let shown = page(&served, &path, &cookie).await;
    assert!(shown.contains("until 2025-11-27 06:00 UTC by Ada: waits for the vendor"), "{shown}");
    assert!(page(&served, "/", "").await.contains("1 snoozed"), "the top of the dashboard counts it");
    let ended = form(&served, &format!("{path}/unsnooze"), &[("csrf", &csrf)]).header("cookie", &cookie);
    assert_eq!(ended.send().await.unwrap().status(), 303);
    assert!(ledger(&served).alerts.values().all(|alert| alert.snooze.is_none()));
    let unknown = form(&served, "/alerts/000000000000/unsnooze", &[("csrf", &csrf)]).header("cookie", &cookie);
    assert_eq!(unknown.send().await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_forms_change_nothing() {
    let hook = Toxic::start(|_| Reply::new(200, ""));
    let served = writable(&hook).await;
    let id = ledger(&served).alerts.values().next().unwrap().id.clone();
    let (cookie, csrf) = signed_in(&served).await;
    let (_, of_another_session) = signed_in(&served).await;
    let path = format!("/alerts/{id}/snooze");
    let snooze = |csrf: &str| form(&served, &path, &[("csrf", csrf), ("days", "7"), ("reason", "no")]);
    let forged = [
        ("no session", snooze(&csrf)),
        ("a wrong session", snooze(&csrf).header("cookie", format!("{cookie}0"))),
        ("no token", snooze("").header("cookie", &cookie)),
        ("the token of another session", snooze(&of_another_session).header("cookie", &cookie)),
        ("another origin", snooze(&csrf).header("cookie", &cookie).header("origin", "https://evil.example")),
        ("another site", snooze(&csrf).header("cookie", &cookie).header("sec-fetch-site", "cross-site")),
        ("an opaque origin", snooze(&csrf).header("cookie", &cookie).header("origin", "null")),
    ];
    for (what, request) in forged {
        assert_eq!(request.send().await.unwrap().status(), 403, "{what}");
    }
    assert!(ledger(&served).alerts.values().all(|alert| alert.snooze.is_none()));
    served.clock.set(chrono::TimeDelta::hours(12));
    assert_eq!(snooze(&csrf).header("cookie", &cookie).send().await.unwrap().status(), 403, "the session has ended");
    for token in ["", "0123456789abcdef"] {
        let response = form(&served, "/sign-in", &[("name", "Ada"), ("token", token)]).send().await.unwrap();
        assert!(response.status() == 403 && !response.headers().contains_key("set-cookie"), "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_now_starts_a_run_and_signing_out_ends_the_session() {
    let hook = Toxic::start(|_| Reply::new(200, ""));
    let served = writable(&hook).await;
    let (cookie, csrf) = signed_in(&served).await;
    assert!(page(&served, "/", &cookie).await.contains("Check now"));
    let check = || form(&served, "/runs", &[("csrf", &csrf)]).header("cookie", &cookie).send();
    assert_eq!(check().await.unwrap().status(), 429, "a run has just finished");
    served.clock.set(chrono::TimeDelta::minutes(5));
    assert_eq!(check().await.unwrap().status(), 303);
    served.wait(async || served.runs().len() == 2, "the second run").await;
    // The API takes the same token, and no other.
    let api = served.url("/api/v1/audit");
    assert_eq!(served.client.post(&api).send().await.unwrap().status(), 403);
    let with = served.client.post(&api).bearer_auth(WRITER).send().await.unwrap();
    assert!([202, 409, 429].contains(&with.status().as_u16()), "{}", with.status());
    let out = form(&served, "/sign-out", &[("csrf", &csrf)]).header("cookie", &cookie).send().await.unwrap();
    assert!(out.headers()["set-cookie"].to_str().unwrap().starts_with("basewatch=; Path=/; Max-Age=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_links_to_its_page_if_the_address_is_configured() {
    let hook = Toxic::start(|_| Reply::new(200, ""));
    let further = format!(
        "[serve]\npublic_url = \"https://basewatch.example.com/\"\n[[notify.webhook]]\nname = \"chat\"\nurl = \"{}\"\n",
        hook.endpoint()
    );
    let served = Served::start(NOW, &further).await;
    served.wait(async || !hook.log().is_empty(), "a message").await;
    let message: Value = serde_json::from_str(&hook.log()[0].body).unwrap();
    assert_eq!(message["page"], "https://basewatch.example.com/owners/payments");
    let links: Vec<_> =
        message["items"].as_array().unwrap().iter().map(|item| item["page"].as_str().unwrap()).collect();
    assert_eq!(links.len(), 2);
    for link in links {
        let path = link.strip_prefix("https://basewatch.example.com").unwrap();
        let response = served.get(path).await;
        assert!(response.status() == 200 && path.starts_with("/deployments/"), "{path}");
    }
    assert_eq!(served.get("/owners/payments").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_a_deployment_that_is_gone_leads_to_its_alert() {
    let hook = Toxic::start(|_| Reply::new(200, ""));
    let further = format!(
        "[serve]\npublic_url = \"https://basewatch.example.com/\"\n[[notify.webhook]]\nname = \"chat\"\nurl = \"{}\"\n",
        hook.endpoint()
    );
    let mut served = Served::start(NOW, &further).await;
    served.wait(async || !hook.log().is_empty(), "a message").await;
    let message: Value = serde_json::from_str(&hook.log()[0].body).unwrap();
    let items = message["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["name"].as_str().unwrap().contains("billing")).unwrap();
    let path = item["page"].as_str().unwrap().strip_prefix("https://basewatch.example.com").unwrap();
    served.stop().await;
    let file = served.folder.path().join("basewatch.toml");
    let config = fs::read_to_string(&file).unwrap();
    let (orders, fresh) =
        (served.fleet.references(&["orders"]), served.fleet.references(&["orders", "billing", "fresh"]));
    fs::write(&file, config.replace(&fresh, &orders)).unwrap();
    served.clock.set(chrono::TimeDelta::days(1));
    served.run().await;
    served.wait(async || served.json("/api/v1/report").await["summary"]["deployments"] == 1, "a second run").await;
    let response = served.get(path).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.url().path(), format!("/alerts/{}", item["alert"].as_str().unwrap()));
    assert_eq!(served.get("/deployments/image:unknown").await.status(), 404);
}
