//! Schedules in AWS notation, `cron(…)` and `rate(…)`, and their crontab equivalents.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>.

/// The crontab equivalent of `text`, as an error message, if `text` is in AWS notation.
pub(super) fn equivalent(text: &str) -> Option<String> {
    let text = text.trim();
    let inside = |name: &str| text.strip_prefix(name)?.strip_suffix(')').map(str::trim);
    if let Some(rate) = inside("rate(") {
        return Some(say("an AWS rate", cron_from_rate(rate)));
    }
    let fields: Vec<_> = inside("cron(").unwrap_or(text).split_ascii_whitespace().collect();
    let is_foreign = inside("cron(").is_some() || (fields.len() == 6 && fields[2..5].contains(&"?"));
    if is_foreign {
        return Some(say("an AWS schedule", cron_from_aws_fields(&fields)));
    }
    fields.contains(&"?").then(|| {
        let plain: Vec<_> = fields.iter().map(|field| if *field == "?" { "*" } else { field }).collect();
        format!("has a ? where * is meant: write {:?}", plain.join(" "))
    })
}

fn say(what: &str, instead: Option<String>) -> String {
    match instead {
        Some(instead) => format!("is {what}: write {instead:?}"),
        None => format!(
            "is {what} that a cron expression with five fields cannot express: write one as in \"0 6 * * mon-fri\" (minute, hour, day of the \
             month, month, day of the week)"
        ),
    }
}

/// The expression for `1 day`, `12 hours` or `30 minutes`; `None` if there is none.
fn cron_from_rate(rate: &str) -> Option<String> {
    let (number, unit) = rate.split_once(' ')?;
    let number: u32 = number.parse().ok()?;
    match (number, unit.trim().trim_end_matches('s')) {
        (1, "minute") => Some("* * * * *".to_owned()),
        (1, "hour") | (60, "minute") => Some("0 * * * *".to_owned()),
        (1, "day") | (24, "hour") => Some("0 6 * * *".to_owned()),
        (7, "day") => Some("0 6 * * mon".to_owned()),
        (2..60, "minute") if 60 % number == 0 => Some(format!("*/{number} * * * *")),
        (2..24, "hour") if 24 % number == 0 => Some(format!("0 */{number} * * *")),
        _ => None,
    }
}

/// Converts AWS fields (minutes, hours, day of the month, month, day of the week, year). In AWS, Sunday is 1.
fn cron_from_aws_fields(fields: &[&str]) -> Option<String> {
    let [minutes, hours, days, months, weekdays, "*"] = fields else { return None };
    // `L` is the last day, `W` the nearest weekday.
    if days.contains(['L', 'W']) {
        return None;
    }
    let any = |field: &str| if field == "?" { "*".to_owned() } else { field.to_owned() };
    let weekdays = weekdays.split(',').map(weekday_range).collect::<Option<Vec<_>>>()?.join(",");
    let fields = [any(minutes), any(hours), any(days), any(months), any(&weekdays)];
    Some(fields.join(" "))
}

fn weekday_range(part: &str) -> Option<String> {
    let day = |text: &str| {
        if let Ok(number) = text.parse::<u32>() {
            return (1..=7).contains(&number).then(|| (number - 1).to_string());
        }
        let name = text.to_lowercase();
        ["*", "?", "sun", "mon", "tue", "wed", "thu", "fri", "sat"].contains(&name.as_str()).then_some(name)
    };
    match part.split_once('-') {
        Some((from, to)) => Some(format!("{}-{}", day(from)?, day(to)?)),
        None => day(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_schedules_are_converted_to_crontab() {
        for (text, expected) in [
            ("cron(0 6 * * ? *)", "write \"0 6 * * *\""),
            ("cron(0 6 ? * MON-FRI *)", "write \"0 6 * * mon-fri\""),
            ("cron(0 6 ? * 2-6 *)", "write \"0 6 * * 1-5\""),
            ("cron(0 6 ? * 1,7 *)", "write \"0 6 * * 0,6\""),
            ("cron(15 10 1 * ? *)", "write \"15 10 1 * *\""),
            ("0 6 ? * MON-FRI *", "write \"0 6 * * mon-fri\""),
            ("rate(1 day)", "write \"0 6 * * *\""),
            ("rate(5 minutes)", "write \"*/5 * * * *\""),
            ("rate(12 hours)", "write \"0 */12 * * *\""),
            ("? 6 * * *", "write \"* 6 * * *\""),
        ] {
            let found = equivalent(text).expect(text);
            assert!(found.ends_with(expected), "{text}: {found}");
        }
    }

    #[test]
    fn aws_schedules_without_an_equivalent_are_rejected() {
        for text in [
            "rate(7 minutes)",
            "rate(5 hours)",
            "rate(often)",
            "cron(0 6 L * ? *)",
            "cron(0 6 ? * 6L *)",
            "cron(0 6 ? * 3#2 *)",
            "cron(0 6 * * ? 2027)",
            "cron(0 6 * *)",
        ] {
            let found = equivalent(text).expect(text);
            assert!(found.contains("cannot express"), "{text}: {found}");
        }
        for text in ["0 6 * * *", "often", "", "0 6 * *"] {
            assert_eq!(equivalent(text), None, "{text}");
        }
    }
}
