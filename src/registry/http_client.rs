//! HTTP clients, one for each CA file.

use std::{path::Path, sync::Arc};

use reqwest::Client;

use super::{NetworkSettings, SettingsError, client::ClientKey, host};
use crate::http::HostResolver;

/// The HTTP client for one TLS setting, with names resolved by `resolver`.
pub(super) fn http_client(
    settings: &NetworkSettings,
    (ca_file, is_loopback): &ClientKey,
    resolver: &Arc<HostResolver>,
) -> Result<Client, SettingsError> {
    let certificates = ca_file.as_deref().map(certificates_in).transpose()?;
    host::http_client(settings.connect_timeout, certificates, *is_loopback, Arc::clone(resolver))
        .map_err(|error| SettingsError::Tls { why: error.to_string() })
}

fn certificates_in(file: &Path) -> Result<Vec<reqwest::Certificate>, SettingsError> {
    let wrong = |why: String| SettingsError::CaFile { file: file.to_owned(), why };
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() { Err(wrong("it contains no PEM certificate".to_owned())) } else { Ok(certificates) }
}
