//! Pagination with opaque cursors.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{reply::CallRefusal, request::Call};

/// How large the pages of an operation are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLimits {
    /// The default page size.
    pub(super) default: usize,
    /// The largest page size.
    pub(super) most: usize,
}

/// One page.
#[derive(Debug)]
pub(super) struct CallPage<T> {
    pub(super) items: Vec<T>,
    /// The cursor of the next page, if there is one.
    pub(super) next: Option<String>,
}

/// The page of `items` that the JSON body requests with `names.0` (cursor) and `names.1` (size).
pub(super) fn page<T>(
    request: &Call,
    items: impl Iterator<Item = T>,
    names: (&str, &str),
    limits: PageLimits,
) -> Result<CallPage<T>, CallRefusal> {
    let size = match request.body.get(names.1) {
        None | Some(Value::Null) => limits.default,
        Some(size) => match size.as_u64().and_then(|size| usize::try_from(size).ok()) {
            Some(size) if (1..=limits.most).contains(&size) => size,
            _ => return Err(CallRefusal::invalid(request, format!("{} must be from 1 to {}", names.1, limits.most))),
        },
    };
    let size = request.page_size.map_or(size, |most| size.min(most));
    let start = match request.text(names.0) {
        None => 0,
        Some(cursor) => opened(cursor)
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| CallRefusal::invalid(request, format!("the {} is not valid", names.0)))?,
    };
    let mut items = items.skip(start);
    let items: (Vec<_>, Option<T>) = (items.by_ref().take(size).collect(), items.next());
    Ok(CallPage { next: items.1.is_some().then(|| sealed(&(start + size).to_string())), items: items.0 })
}

/// A cursor that holds `position`.
pub(super) fn sealed(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("loopback {position}"))
}

/// What a cursor holds, if it is one of ours.
pub(super) fn opened(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("loopback ").map(str::to_owned)
}
