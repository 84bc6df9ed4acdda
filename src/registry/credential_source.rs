//! Where the credentials of a registry come from: AWS, the configuration, or Docker's login.

use std::sync::Arc;

use super::{AuthSettings, AwsLogins, ECR_PUBLIC, credentials::RegistryCredential, ecr_host::EcrHost};

/// The source of credentials.
pub(super) enum CredentialSource {
    /// A private ECR registry with AWS credentials, sent without waiting for a challenge.
    Ecr { logins: Arc<dyn AwsLogins>, account: String, region: String },
    /// An ECR Public token; without `is_required`, anonymous if there is none.
    EcrPublic { logins: Option<Arc<dyn AwsLogins>>, is_required: bool },
    /// The scheme that the registry demands, with these credentials.
    OnDemand(ConfiguredCredential),
}

/// Credentials from the configuration.
pub(super) enum ConfiguredCredential {
    Anonymous,
    Given(RegistryCredential),
    Docker { is_required: bool },
}

impl CredentialSource {
    /// The source for `host` by its settings. AWS credentials apply only to the registries of ECR.
    pub(super) fn new(host: &str, auth: AuthSettings, aws: Option<Arc<dyn AwsLogins>>) -> Self {
        match (auth, EcrHost::parse(host), aws) {
            (AuthSettings::Auto, Some(ecr), Some(logins)) => {
                Self::Ecr { logins, account: ecr.account.to_owned(), region: ecr.region.to_owned() }
            }
            (AuthSettings::Auto, _, logins) if host == ECR_PUBLIC => Self::EcrPublic { logins, is_required: false },
            (AuthSettings::EcrPublic, _, logins) => Self::EcrPublic { logins, is_required: true },
            (AuthSettings::Auto, ..) => Self::OnDemand(ConfiguredCredential::Docker { is_required: false }),
            (AuthSettings::DockerConfig, ..) => Self::OnDemand(ConfiguredCredential::Docker { is_required: true }),
            (AuthSettings::Anonymous, ..) => Self::OnDemand(ConfiguredCredential::Anonymous),
            (AuthSettings::Basic { username, password }, ..) => {
                Self::OnDemand(ConfiguredCredential::Given(RegistryCredential::Basic { username, password }))
            }
        }
    }
}
