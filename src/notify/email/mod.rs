//! The mail channel: one mail per message, over SMTP.

mod html;
mod refusal;

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor,
    message::{
        MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::{EmailSettings, Message, MessagePreview, Notifier, SmtpEncryption, body, chatbot, text};
use crate::{
    aws::Aws,
    outbox::{DeliveryError, DeliveryOutcome, DeliveryReceipt, DeliveryTarget},
    secret::Secret,
};

/// Timeout of opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of one mail, from the connection to the last reply. RFC 5321, section 4.5.3.2, allows minutes for each reply,
/// which a run does not have.
const MAIL_TIMEOUT: Duration = Duration::from_mins(1);

/// Client of a mail channel.
#[derive(Debug)]
pub struct EmailNotifier {
    id: String,
    settings: EmailSettings,
    aws: Arc<Aws>,
    timeout: Duration,
}

impl EmailNotifier {
    /// The channel with the ledger id `id`. A password in Secrets Manager is fetched with the first message.
    #[must_use]
    pub fn new(id: String, settings: EmailSettings, aws: Arc<Aws>) -> Self {
        Self { id, settings, aws, timeout: MAIL_TIMEOUT }
    }

    /// With another timeout of one mail.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    async fn one(&self, message: &Message) -> DeliveryOutcome {
        let password = match &self.settings.login {
            Some(login) => Some(self.aws.secret(&login.password).await?),
            None => None,
        };
        let mail = self.mail(message).map_err(DeliveryError::for_entry)?;
        let transport = self.transport(password.as_ref())?;
        let server = &self.settings.host;
        match tokio::time::timeout(self.timeout, transport.send(mail)).await {
            Ok(Ok(_)) => Ok(DeliveryReceipt { message_id: Some(self.mail_id(&message.dedup_key)) }),
            Ok(Err(error)) => Err(refusal::of_mail(server, &error, password.as_ref())),
            Err(_) => Err(DeliveryError {
                may_have_arrived: true,
                ..DeliveryError::for_target(format!("{server} did not answer within {} s", self.timeout.as_secs()))
            }),
        }
    }

    fn transport(&self, password: Option<&Secret>) -> Result<AsyncSmtpTransport<Tokio1Executor>, DeliveryError> {
        let EmailSettings { host, port, encryption, login, .. } = &self.settings;
        let parameters = || {
            let parameters = TlsParameters::new_rustls(host.clone());
            parameters.map_err(|error| DeliveryError::for_target(format!("TLS to {host} is not possible: {error}")))
        };
        let tls = match encryption {
            SmtpEncryption::StartTls => Tls::Required(parameters()?),
            SmtpEncryption::Tls => Tls::Wrapper(parameters()?),
            SmtpEncryption::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        let hello = ClientId::Domain(self.settings.from.email.domain().to_owned());
        let builder = builder.port(*port).tls(tls).timeout(Some(CONNECT_TIMEOUT)).hello_name(hello);
        Ok(match (login, password) {
            (Some(login), Some(password)) => {
                builder.credentials(Credentials::new(login.user.clone(), password.reveal().to_owned())).build()
            }
            _ => builder.build(),
        })
    }

    /// The mail for `message`. Every attempt sends the same, so that mail programs and lists recognize a repeat.
    fn mail(&self, message: &Message) -> Result<Mail, String> {
        let EmailSettings { from, to, .. } = &self.settings;
        let mut mail = Mail::builder()
            .from(from.clone())
            .subject(text::subject(message))
            .date(message.at.into())
            .message_id(Some(self.mail_id(&message.dedup_key)))
            // Messages of one owner form a thread below a mail that was never sent.
            .references(self.mail_id(&chatbot::thread(message)))
            // No out-of-office replies (RFC 3834, section 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for recipient in to {
            mail = mail.to(recipient.clone());
        }
        let plain = text::render(message, body::MOST_BYTES);
        let parts = MultiPart::alternative_plain_html(plain, html::render(message)?);
        mail.multipart(parts).map_err(|error| format!("{}: {error}", self.id))
    }

    /// The mail id with `name` before the domain of the sender.
    fn mail_id(&self, name: &str) -> String {
        format!("<{name}@{}>", self.settings.from.email.domain())
    }
}

impl DeliveryTarget<Message> for EmailNotifier {
    fn deliver<'a>(&'a self, messages: &'a [&'a Message]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        async move {
            let mut outcomes = Vec::new();
            for message in messages {
                outcomes.push(self.one(message).await);
            }
            outcomes
        }
        .boxed()
    }
}

impl Notifier for EmailNotifier {
    fn preview(&self, message: &Message) -> MessagePreview {
        let to = self.settings.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        MessagePreview { to, subject: Some(text::subject(message)), body: text::render(message, body::MOST_BYTES) }
    }
}
