//! Descriptions of cron expressions in English.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Describes seconds, minutes, hours, days of the month, months and days of the week: `at 06:00 on Monday to Friday`.
pub(super) fn describe([seconds, minutes, hours, days, months, weekdays]: &[&str; 6]) -> String {
    let time = time(seconds, minutes, hours);
    let month = if is_any(months) { String::new() } else { format!(" in {}", listed(months, &name_of_month)) };
    let day_of_month = || {
        if let Some(step) = days.strip_prefix("*/") {
            return format!("on every {} day of the month", ordinal(step));
        }
        let is_one = days.bytes().all(|byte| byte.is_ascii_digit());
        let plural = if is_one { "" } else { "s" };
        format!("on day{plural} {} of the month", listed(days, &str::to_owned))
    };
    let day_of_week = || format!("on {}", listed(weekdays, &name_of_day));
    let day = match (is_any(days), is_any(weekdays)) {
        (true, true) => "every day".to_owned(),
        (false, true) => day_of_month(),
        (true, false) => day_of_week(),
        // As in crontab(5): if one of the fields starts with a star, both must match, else either one.
        (false, false) if days.starts_with('*') || weekdays.starts_with('*') => {
            format!("{}, if that is {}", day_of_month(), day_of_week())
        }
        (false, false) => format!("{} and {}", day_of_month(), day_of_week()),
    };
    // "every 15 minutes" already implies every day.
    let day = if time.starts_with("every") && day == "every day" { String::new() } else { format!(" {day}") };
    format!("{time}{day}{month}")
}

fn is_any(field: &str) -> bool {
    matches!(field, "*" | "?")
}

fn time(seconds: &str, minutes: &str, hours: &str) -> String {
    let single = |field: &str| field.parse::<u32>().ok();
    let step = |field: &str| field.strip_prefix("*/").and_then(single);
    let second = match single(seconds) {
        Some(0) => String::new(),
        _ => format!(" at second {}", listed(seconds, &str::to_owned)),
    };
    let hour_list: Option<Vec<_>> = hours.split(',').map(single).collect();
    let time = match (single(minutes), hour_list) {
        (Some(minute), Some(hours)) => {
            let times: Vec<_> = hours.iter().map(|hour| format!("{hour:02}:{minute:02}")).collect();
            format!("at {}", joined(&times))
        }
        _ if is_any(minutes) && is_any(hours) => "every minute".to_owned(),
        _ if is_any(hours) && step(minutes).is_some() => {
            format!("every {} minutes", step(minutes).unwrap_or_default())
        }
        _ if is_any(hours) => format!("every hour at minute {}", listed(minutes, &str::to_owned)),
        (Some(minute), None) if step(hours).is_some() => {
            format!("every {} hours at minute {minute}", step(hours).unwrap_or_default())
        }
        _ => format!(
            "at minute {} of the hours {}",
            if is_any(minutes) { "0 to 59".to_owned() } else { listed(minutes, &str::to_owned) },
            listed(hours, &str::to_owned)
        ),
    };
    time + &second
}

/// Lists the parts of a field, with the ends of ranges formatted by `name`.
fn listed(field: &str, name: &dyn Fn(&str) -> String) -> String {
    let range = |text: &str| match text.split_once('-') {
        Some((from, to)) => format!("{} to {}", name(from), name(to)),
        None if is_any(text) => "all".to_owned(),
        None => name(text),
    };
    let part = |text: &str| match text.split_once('/') {
        Some((all, step)) if is_any(all) => format!("every {} one", ordinal(step)),
        Some((of, step)) => format!("every {} from {}", ordinal(step), range(of)),
        None => range(text),
    };
    joined(&field.split(',').map(part).collect::<Vec<_>>())
}

/// Formats `3` as `3rd`.
fn ordinal(number: &str) -> String {
    let ending = match number {
        "1" | "21" | "31" => "st",
        "2" | "22" => "nd",
        "3" | "23" => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

fn name_of_day(text: &str) -> String {
    named(text, &DAYS, text.parse().ok().map(|day: usize| day % 7))
}

fn name_of_month(text: &str) -> String {
    named(text, &MONTHS, text.parse().ok().and_then(|month: usize| month.checked_sub(1)))
}

fn named(text: &str, names: &[&str], index: Option<usize>) -> String {
    let is_it = |name: &&&str| text.len() >= 3 && name.to_lowercase().starts_with(&text.to_lowercase());
    let found = index.and_then(|index| names.get(index)).or_else(|| names.iter().find(is_it));
    found.map_or_else(|| text.to_owned(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_described_in_english() {
        for (expression, expected) in [
            ("0 0 6 * * *", "at 06:00 every day"),
            ("0 0 6 * * mon-fri", "at 06:00 on Monday to Friday"),
            ("0 30 6,18 * * 0", "at 06:30 and 18:30 on Sunday"),
            ("0 0 6 * * 5,7", "at 06:00 on Friday and Sunday"),
            ("0 0 6 1 * *", "at 06:00 on day 1 of the month"),
            ("0 0 6 1,15 * ?", "at 06:00 on days 1 and 15 of the month"),
            ("0 0 6 24 * mon", "at 06:00 on day 24 of the month and on Monday"),
            ("0 0 6 * jan,7 *", "at 06:00 every day in January and July"),
            ("0 */15 * * * *", "every 15 minutes"),
            ("0 5,35 * * * *", "every hour at minute 5 and 35"),
            ("0 0 */6 * * *", "every 6 hours at minute 0"),
            ("0 0 9-17 * * 1-5", "at minute 0 of the hours 9 to 17 on Monday to Friday"),
            ("0 0 6 */2 * *", "at 06:00 on every 2nd day of the month"),
            ("0 0 6 */2 * mon", "at 06:00 on every 2nd day of the month, if that is on Monday"),
            ("0 */15 * * * sat", "every 15 minutes on Saturday"),
            ("20 0 6 * * *", "at 06:00 at second 20 every day"),
            ("0 * * * * *", "every minute"),
        ] {
            let fields: Vec<_> = expression.split(' ').collect();
            let fields: [&str; 6] = fields.try_into().expect("six fields");
            assert_eq!(describe(&fields), expected, "{expression}");
        }
    }
}
