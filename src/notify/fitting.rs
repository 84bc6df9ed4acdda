//! Messages within a size limit: as many items as fit.

use super::Message;

/// `render` applied to `message` with as many leading items as fit into `most_bytes`; the others are counted as left out.
/// `None` if it does not fit without items.
pub(super) fn fitting(message: &Message, most_bytes: usize, render: impl Fn(&Message) -> String) -> Option<String> {
    fitting_if(message, render, |body| body.len() <= most_bytes)
}

/// As [`fitting`], with the limit as a condition.
pub(super) fn fitting_if<T>(
    message: &Message,
    render: impl Fn(&Message) -> T,
    is_small: impl Fn(&T) -> bool,
) -> Option<T> {
    let bare = Message { items: Vec::new(), ..message.clone() };
    let with = |kept: usize| {
        let left_out = message.left_out.saturating_add((message.items.len() - kept) as u64);
        let items = message.items[..kept].to_vec();
        let body = render(&Message { items, left_out, ..bare.clone() });
        is_small(&body).then_some(body)
    };
    if let Some(whole) = with(message.items.len()) {
        return Some(whole);
    }
    let (mut fits, mut too_many) = (0, message.items.len());
    let mut best = with(0)?;
    while too_many - fits > 1 {
        let kept = fits + (too_many - fits) / 2;
        match with(kept) {
            Some(body) => (fits, best) = (kept, body),
            None => too_many = kept,
        }
    }
    Some(best)
}
