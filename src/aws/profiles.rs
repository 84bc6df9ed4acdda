//! Profiles in `~/.aws/config` and `~/.aws/credentials`, for messages about missing credentials.

use aws_config::profile::{self, ProfileSet};
use aws_types::os_shim_internal::{Env, Fs};

/// The most profiles that a message names.
const MOST_NAMED: usize = 20;
/// The most `source_profile` steps that are followed.
const MOST_SOURCES: usize = 8;

/// The profiles, read with the SDK; `None` if they cannot be read, which the SDK reports itself.
pub(super) async fn read() -> Option<ProfileSet> {
    read_as(&Fs::real(), &Env::real()).await
}

async fn read_as(files: &Fs, environment: &Env) -> Option<ProfileSet> {
    #[expect(deprecated, reason = "`load` takes this alias; its new name is in a crate that is no direct dependency")]
    let places = profile::profile_file::ProfileFiles::default();
    profile::load(files, environment, &places, None).await.ok()
}

/// The message that the selected profile does not exist, with the existing ones; `None` for the default profile, which
/// is optional.
pub(super) fn unknown(profiles: &ProfileSet) -> Option<String> {
    let selected = profiles.selected_profile();
    if selected == "default" || profiles.get_profile(selected).is_some() {
        return None;
    }
    let mut names: Vec<_> = profiles.profiles().collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    let there = match (names.is_empty(), more) {
        (true, _) => "neither ~/.aws/config nor ~/.aws/credentials has a profile".to_owned(),
        (false, 0) => format!("the profiles are {}", names.join(", ")),
        (false, more) => format!("the profiles are {}, and {more} more", names.join(", ")),
    };
    Some(format!("AWS_PROFILE names the profile {selected:?}, which does not exist: {there}"))
}

/// How to sign in again, if the selected profile uses sign-in credentials.
pub(super) fn sign_in(profiles: &ProfileSet) -> Option<String> {
    let mut name = profiles.selected_profile();
    for _ in 0..MOST_SOURCES {
        let profile = profiles.get_profile(name)?;
        let command = match () {
            () if profile.get("sso_session").or(profile.get("sso_start_url")).is_some() => "aws sso login",
            () if profile.get("login_session").is_some() => "aws login",
            () => {
                name = profile.get("source_profile").filter(|source| *source != name)?;
                continue;
            }
        };
        return Some(format!("sign in: {command} --profile {name}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
[default]
region = eu-west-1
[profile plain]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = x
[profile people]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = audit
[profile legacy]
sso_start_url = https://corp.awsapps.com/start
[profile console]
login_session = arn:aws:iam::123456789012:user/x
[profile audit]
role_arn = arn:aws:iam::123456789012:role/audit
source_profile = people
[profile loop]
role_arn = arn:aws:iam::123456789012:role/audit
source_profile = loop
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
";

    async fn profiles(selected: &str) -> ProfileSet {
        let files = Fs::from_slice(&[("/aws/config", CONFIG)]);
        let variables = [
            ("AWS_CONFIG_FILE", "/aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/aws/none"),
            ("AWS_PROFILE", selected),
        ];
        read_as(&files, &Env::from_slice(&variables)).await.expect("profiles")
    }

    #[tokio::test]
    async fn an_unknown_profile_is_reported_with_the_existing_ones() {
        let message = unknown(&profiles("prdo").await).expect("unknown");
        let expected = "AWS_PROFILE names the profile \"prdo\", which does not exist: the profiles are audit, console, \
                        default, legacy, loop, people, plain";
        assert_eq!(message, expected);
        assert_eq!(unknown(&profiles("audit").await), None);
        assert_eq!(unknown(&profiles("default").await), None);
    }

    #[tokio::test]
    async fn the_sign_in_command_is_that_of_the_source_profile() {
        for (selected, expected) in [
            ("people", Some("sign in: aws sso login --profile people")),
            ("legacy", Some("sign in: aws sso login --profile legacy")),
            ("audit", Some("sign in: aws sso login --profile people")),
            ("console", Some("sign in: aws login --profile console")),
            ("plain", None),
            ("loop", None),
            ("default", None),
        ] {
            assert_eq!(sign_in(&profiles(selected).await).as_deref(), expected, "{selected}");
        }
    }
}
