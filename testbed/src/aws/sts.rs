//! STS: caller identity and assumed roles.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use super::{
    Cloud, lock,
    reply::{CallRefusal, REQUEST_ID, Reply, escaped},
    request::Call,
    sessions::Caller,
    world::AccountStatus,
};
use basewatch::image::ArnParts;

/// The default duration of a session, and the default maximum of a role; also the maximum for role chaining
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const HOUR: u64 = 3600;
/// The shortest session.
const SHORTEST: u64 = 900;
/// The longest session of any role.
const LONGEST: u64 = 43_200;

pub(super) fn respond(cloud: &Cloud, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    match request.operation.as_str() {
        "AssumeRole" => assume_role(cloud, request, caller),
        "GetCallerIdentity" => Ok(caller_identity(caller)),
        _ => Err(CallRefusal::unknown_operation(request)),
    }
}

fn caller_identity(caller: &Caller) -> Reply {
    let Caller { account, arn, .. } = caller;
    let user = if caller.is_role { "AROALOOPBACK:session" } else { "AIDALOOPBACK" };
    result(
        "GetCallerIdentity",
        &format!("<Arn>{}</Arn><UserId>{user}</UserId><Account>{account}</Account>", escaped(arn)),
    )
}

fn assume_role(cloud: &Cloud, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    let parameter = |name: &str| request.parameters.get(name).map(String::as_str);
    let (Some(role), Some(session)) = (parameter("RoleArn"), parameter("RoleSessionName")) else {
        return Err(CallRefusal::invalid(request, "RoleArn and RoleSessionName are required"));
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&session.len()) || !session.bytes().all(is_word) {
        return Err(CallRefusal::invalid(
            request,
            "Value at 'roleSessionName' failed to satisfy constraint [\\w+=,.@-]*",
        ));
    }
    let (account, name) = parts(role).ok_or_else(|| CallRefusal::invalid(request, format!("{role} is invalid")))?;
    let duration = duration(request, caller)?;
    let is_open = cloud.world().accounts.get(account).is_some_and(|known| known.status == AccountStatus::Active);
    if !is_open || !cloud.faults().lets_in(account, parameter("ExternalId")) {
        let arn = &caller.arn;
        let message = format!("User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role}");
        return Err(CallRefusal::new(403, "AccessDenied", message));
    }
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let begun = lock(&cloud.0.sessions).begin(account, arn.clone(), duration, Utc::now());
    let key = &begun.key_id;
    let expiration = begun.expires_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let body = format!(
        "<AssumedRoleUser><AssumedRoleId>AROALOOPBACK:{session}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret-of-{key}</SecretAccessKey>\
         <SessionToken>token-of-{key}</SessionToken><Expiration>{expiration}</Expiration></Credentials>",
        escaped(&arn)
    );
    Ok(result("AssumeRole", &body))
}

/// The duration of the session.
fn duration(request: &Call, caller: &Caller) -> Result<Duration, CallRefusal> {
    let Some(text) = request.parameters.get("DurationSeconds") else { return Ok(Duration::from_secs(HOUR)) };
    let seconds = text.parse().unwrap_or(0);
    if !(SHORTEST..=LONGEST).contains(&seconds) {
        return Err(CallRefusal::invalid(request, format!("DurationSeconds must be from {SHORTEST} to {LONGEST}")));
    }
    if seconds > HOUR {
        let why = if caller.is_role {
            "the 1 hour session limit for roles assumed by role chaining"
        } else {
            "the MaxSessionDuration set for this role"
        };
        return Err(CallRefusal::invalid(request, format!("The requested DurationSeconds exceeds {why}.")));
    }
    Ok(Duration::from_secs(seconds))
}

/// Account and name of `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
fn parts(role: &str) -> Option<(&str, &str)> {
    let ArnParts { service, account, resource, .. } = ArnParts::parse(role)?;
    let name = resource.strip_prefix("role/")?.rsplit('/').next().filter(|name| !name.is_empty())?;
    (service == "iam" && !account.is_empty()).then_some((account, name))
}

fn result(operation: &str, body: &str) -> Reply {
    Reply::xml(format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{body}\
         </{operation}Result><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    ))
}
