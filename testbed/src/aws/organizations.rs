//! Organizations: the accounts of the organization.

use serde_json::json;

use super::{
    paging::{PageLimits, page},
    reply::{CallRefusal, Reply},
    request::Call,
    sessions::Caller,
    world::{AccountStatus, CloudWorld},
};

/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html>
const LIMITS: PageLimits = PageLimits { default: 20, most: 20 };
/// When all accounts joined, in seconds of the epoch.
const JOINED_AT: u32 = 1_600_000_000;

pub(super) fn respond(world: &CloudWorld, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    if request.operation != "ListAccounts" {
        return Err(CallRefusal::unknown_operation(request));
    }
    let members =
        world.accounts.iter().filter_map(|(id, account)| Some((id, account.member.as_ref()?, account.status)));
    if members.clone().next().is_none() {
        let message = "Your account is not a member of an organization.";
        return Err(CallRefusal::new(400, "AWSOrganizationsNotInUseException", message));
    }
    if caller.account != world.management {
        return Err(CallRefusal::denied(request, caller, "*"));
    }
    let management = &caller.account;
    let page = page(request, members, ("NextToken", "MaxResults"), LIMITS)?;
    let accounts: Vec<_> = page
        .items
        .into_iter()
        .map(|(id, name, status)| {
            let status = match status {
                AccountStatus::Active => "ACTIVE",
                AccountStatus::Suspended => "SUSPENDED",
            };
            json!({
                "Id": id,
                "Arn": format!("arn:aws:organizations::{management}:account/o-exampleorgid/{id}"),
                "Email": format!("{name}@example.com"),
                "Name": name,
                "Status": status,
                "State": status,
                "JoinedMethod": "CREATED",
                "JoinedTimestamp": JOINED_AT,
            })
        })
        .collect();
    Ok(Reply::json(request, &json!({ "Accounts": accounts, "NextToken": page.next })))
}
