//! Account Management: the regions of an account.

use serde_json::json;

use super::{
    paging::{PageLimits, page},
    reply::{CallRefusal, Reply},
    request::Call,
    sessions::Caller,
    world::{CloudWorld, DEFAULT_REGIONS, OPT_IN_REGIONS},
};

/// <https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html>
const LIMITS: PageLimits = PageLimits { default: 20, most: 50 };

pub(super) fn respond(world: &CloudWorld, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
    if request.operation != "ListRegions" {
        return Err(CallRefusal::unknown_operation(request));
    }
    let id = request.text("AccountId").unwrap_or(&caller.account);
    if request.text("AccountId").is_some() && !world.manages(&caller.account, id) {
        return Err(CallRefusal::denied(request, caller, &format!("arn:aws:account::{id}:account")));
    }
    let own = world.accounts.get(id).and_then(|account| account.regions.as_ref());
    let others = own.into_iter().flatten().map(String::as_str);
    let mut names: Vec<_> = DEFAULT_REGIONS.into_iter().chain(OPT_IN_REGIONS).chain(others).collect();
    names.sort_unstable();
    names.dedup();
    let requested = request.texts("RegionOptStatusContains");
    let described = names.into_iter().map(|name| {
        let status = match (world.has_region(id, name), DEFAULT_REGIONS.contains(&name)) {
            (true, true) => "ENABLED_BY_DEFAULT",
            (true, false) => "ENABLED",
            (false, _) => "DISABLED",
        };
        (name, status)
    });
    let described = described.filter(|(_, status)| requested.is_empty() || requested.contains(status));
    let page = page(request, described, ("NextToken", "MaxResults"), LIMITS)?;
    let regions: Vec<_> =
        page.items.iter().map(|(name, status)| json!({ "RegionName": name, "RegionOptStatus": status })).collect();
    Ok(Reply::json(request, &json!({ "Regions": regions, "NextToken": page.next })))
}
