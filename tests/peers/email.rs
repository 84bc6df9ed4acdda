//! Mail through a mail server that others wrote, as Python's own parser reads it.

use std::{sync::Arc, time::Duration};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    notify::{EmailNotifier, EmailSettings, Message, SmtpEncryption},
    outbox::{DeliveryOutcome, DeliveryTarget as _},
};
use serde_json::Value;

use testbed::{
    messages::{self, HOSTILE},
    peers::{self, Certificate, PASSWORD, Peer, USER},
    program::Program,
};

/// A channel without encryption, from `from` to `to`.
fn notifier(server: &Peer, from: &str, to: &[&str]) -> EmailNotifier {
    let (host, port) = server.address.split_once(':').expect("a host and a port");
    let settings = EmailSettings {
        host: host.to_owned(),
        port: port.parse().expect("a port"),
        encryption: SmtpEncryption::None,
        login: None,
        from: from.parse().expect("an address"),
        to: to.iter().map(|to| to.parse().expect("an address")).collect(),
    };
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    EmailNotifier::new("mail".to_owned(), settings, aws)
}

async fn send(server: &Peer, to: &[&str], messages: &[Message]) -> Vec<DeliveryOutcome> {
    let notifier = notifier(server, "Base Watch <basewatch@example.com>", to);
    notifier.deliver(&messages.iter().collect::<Vec<_>>()).await
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail["headers"][name].as_str().unwrap_or_else(|| panic!("no {name} in {mail:#}"))
}

#[tokio::test]
async fn a_mail_has_both_parts_a_stable_id_and_a_thread_per_owner() {
    let server = peers::mail_server(None);
    let sent = [messages::small(), messages::events(), messages::small()];
    let outcomes = send(&server, &["a@example.com", "Bé <b@example.com>"], &sent).await;
    let ids: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("accepted").message_id).collect();
    let mails = peers::mails(&server);
    assert_eq!(mails.len(), 3);
    for (mail, (message, id)) in mails.iter().zip(sent.iter().zip(&ids)) {
        assert_eq!(mail["defects"], serde_json::json!([]), "{mail:#}");
        assert_eq!(header(mail, "x-envelope-to"), "a@example.com, b@example.com");
        assert_eq!(header(mail, "from"), "Base Watch <basewatch@example.com>");
        assert_eq!(header(mail, "message-id"), format!("<{}@example.com>", message.dedup_key));
        assert_eq!(id.as_deref(), Some(header(mail, "message-id")));
        assert_eq!(header(mail, "auto-submitted"), "auto-generated");
        assert!(header(mail, "subject").starts_with("payments: "), "{mail:#}");
        for part in ["text/plain", "text/html"] {
            let text = mail["parts"][part].as_str().expect("a part");
            assert!(text.contains("orders") && text.contains("basewatch alerts snooze"), "{part}: {text}");
        }
    }
    assert_eq!(header(&mails[0], "message-id"), header(&mails[2], "message-id"), "a repeat is recognizable");
    assert_eq!(header(&mails[0], "references"), header(&mails[1], "references"), "one owner, one thread");
}

#[tokio::test]
async fn text_from_outside_adds_no_header_and_no_markup() {
    let server = peers::mail_server(None);
    let marks = ["<script>alert(1)</script>", "x\r\nBcc: evil@example.com", "<img src=https://evil.example.com/x>"];
    let texts: Vec<_> = HOSTILE.into_iter().chain(marks).collect();
    let sent = texts.iter().map(|text| {
        let mut message = messages::small();
        message.owner = Some((*text).to_owned());
        message.items[0].name = (*text).to_owned();
        (*text).clone_into(&mut message.subscription_reason);
        message
    });
    let sent: Vec<_> = sent.chain([messages::hostile(), messages::watch_hostile()]).collect();
    for outcome in send(&server, &["a@example.com"], &sent).await {
        outcome.expect("accepted");
    }
    let mails = peers::mails(&server);
    assert_eq!(mails.len(), sent.len());
    for mail in &mails {
        assert!(mail["headers"]["bcc"].is_null(), "{mail:#}");
        assert_eq!(header(mail, "x-envelope-to"), "a@example.com");
        let html = mail["parts"]["text/html"].as_str().expect("a part");
        let mut tags = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
        let loads = |tag: &str| tag.starts_with("script") || tag.starts_with("img") || tag.contains("src=");
        assert!(!tags.any(loads), "{html}");
    }
}

#[tokio::test]
async fn a_greylisted_mail_is_retried_later_and_a_refused_one_does_not_hold_up_others() {
    let server = peers::mail_server(None);
    for (to, status, is_about_entry) in [("later@example.com", "451", false), ("nobody@example.com", "550", true)] {
        let error = send(&server, &[to], &[messages::small()]).await.remove(0).expect_err("refused");
        assert!(error.why.contains(&format!("answered {status}: ")), "{error:?}");
        assert_eq!((error.is_about_entry, error.may_have_arrived), (is_about_entry, false), "{error:?}");
    }
    let slow = notifier(&server, "slow@example.com", &["a@example.com"]).with_timeout(Duration::from_millis(1500));
    let error = slow.deliver(&[&messages::small()]).await.remove(0).expect_err("no answer");
    assert!(error.may_have_arrived && error.why.contains("did not answer within"), "{error:?}");
    assert!(peers::mails(&server).is_empty());
    let address = server.address.clone();
    drop(server);
    let closed = format!("{}: ", address.split(':').next().expect("a host"));
    let mut gone = peers::mail_server(None);
    "127.0.0.1:1".clone_into(&mut gone.address);
    let error = send(&gone, &["a@example.com"], &[messages::small()]).await.remove(0).expect_err("nobody listens");
    assert!(error.why.starts_with(&closed) && !error.is_about_entry, "{error:?}");
}

/// The program with a mail channel at `server`.
fn program(server: &Peer, encryption: &str, password: &str) -> Program {
    let port = server.address.split_once(':').expect("a port").1;
    let config = format!(
        "[[notify.email]]\nhost = \"localhost\"\nport = {port}\nencryption = \"{encryption}\"\nuser = \"{USER}\"\n\
         password = {{ env = \"SMTP_PASSWORD\" }}\nfrom = \"basewatch@example.com\"\nto = [\"team@example.com\"]\n"
    );
    Program::with_config(&config).env("SMTP_PASSWORD", password)
}

#[test]
fn the_login_is_sent_over_tls_to_a_trusted_server_only() {
    let certificate = Certificate::generate();
    let authority = certificate.authority.to_str().expect("a path");
    for (encryption, is_wrapped) in [("starttls", false), ("tls", true)] {
        let server = peers::mail_server(Some((&certificate, is_wrapped)));
        let printed = program(&server, encryption, PASSWORD).env("SSL_CERT_FILE", authority).run(&["notify", "test"]);
        assert_eq!(printed.code, 0, "{}", printed.errors);
        assert!(printed.errors.contains("team@example.com acknowledged a test message, as <"), "{}", printed.errors);
        let mails = peers::mails(&server);
        assert_eq!((mails.len(), header(&mails[0], "x-is-encrypted")), (1, "True"));
        assert_eq!(header(&mails[0], "subject"), "basewatch test message");

        let untrusted = program(&server, encryption, PASSWORD).run(&["notify", "test"]);
        assert!(untrusted.code != 0 && untrusted.errors.to_lowercase().contains("certificate"), "{}", untrusted.errors);
        let wrong = program(&server, encryption, "hunter2-wrong").env("SSL_CERT_FILE", authority);
        let wrong = wrong.run(&["notify", "test"]);
        assert!(wrong.code != 0 && wrong.errors.contains("answered 535"), "{}", wrong.errors);
        assert!(!wrong.errors.contains("hunter2-wrong"), "{}", wrong.errors);
    }
    // A server without STARTTLS gets no password.
    let server = peers::mail_server(None);
    let plain = program(&server, "starttls", PASSWORD).env("SSL_CERT_FILE", authority).run(&["notify", "test"]);
    assert!(plain.code != 0 && peers::mails(&server).is_empty(), "{}", plain.errors);
}
