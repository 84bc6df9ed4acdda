//! The arguments of `base` and `explain`.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::{Args, ValueHint};

use super::{OutputFormat, ReportOutput, instant, named_image, values::simple_output};
use crate::{
    image::{Platform, Reference},
    inventory::ImageSource,
};

pub(super) const BASE_EXAMPLES: &str = "\
Examples:
  basewatch base public.ecr.aws/lambda/java:21
  basewatch base public.ecr.aws/lambda/java:21 --history";

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  basewatch explain orders:live                        a Lambda alias, as the table shows it
  basewatch explain prod/orders                        an ECS service
  basewatch explain arn:aws:lambda:eu-west-1:123456789012:function:orders
  basewatch explain 123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421
  basewatch explain oci:./layout --platform linux/arm64";

/// The arguments of `base`.
#[derive(Clone, Debug, Args)]
pub struct BaseArgs {
    /// Base image with a tag or digest, such as public.ecr.aws/lambda/java:21
    #[arg(value_name = "REF", value_parser = named_image)]
    pub reference: Reference,
    /// List the releases of the line
    #[arg(long)]
    pub history: bool,
    /// Only this platform, such as linux/arm64
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
    /// Write the output to FILE, in the format of its extension: .json, .txt, .table; - for standard output; repeatable
    #[arg(short, long, value_name = "FILE", value_parser = simple_output, value_hint = ValueHint::FilePath)]
    pub output: Vec<ReportOutput>,
    /// Audit as of this time: RFC 3339, or YYYY-MM-DD for midnight UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Do not read or write the catalog
    #[arg(long)]
    pub no_catalog: bool,
}

/// The arguments of `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Deployment of the configured inventory: a function, FUNCTION:ALIAS, CLUSTER/SERVICE or REPOSITORY:TAG as the
    /// table shows it, an ARN, or the ID of a finding. Or an image: a reference with its registry, or oci:DIR[:TAG]
    #[arg(value_name = "DEPLOYMENT|IMAGE")]
    pub target: ExplainTarget,
    /// Only this platform, such as linux/arm64
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
    /// Write the output to FILE, in the format of its extension: .json, .txt, .table; - for standard output; repeatable
    #[arg(short, long, value_name = "FILE", value_parser = simple_output, value_hint = ValueHint::FilePath)]
    pub output: Vec<ReportOutput>,
    /// Audit as of this time: RFC 3339, or YYYY-MM-DD for midnight UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Do not read or write the catalog
    #[arg(long)]
    pub no_catalog: bool,
}

/// What `explain` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainTarget {
    /// An image.
    Image(ImageSource),
    /// A deployment of the inventory: its name, ARN or ID.
    Deployment(String),
}

impl FromStr for ExplainTarget {
    type Err = String;

    /// A text that names a registry or a folder is an image: no cluster, function or ID has a dot or a port before a
    /// slash.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names_host = |host: &str| host.contains(['.', ':']) || host == "localhost";
        let names_registry = !text.starts_with("arn:")
            && !["lambda:", "ecs:", "ecr:"].iter().any(|kind| text.starts_with(kind))
            && text.split_once('/').is_some_and(|(host, _)| names_host(host));
        let text = text.strip_prefix("image:").unwrap_or(text);
        if names_registry || text.starts_with("oci:") {
            return text.parse().map(Self::Image);
        }
        if text.is_empty() || text.contains(char::is_control) {
            return Err("write the name of a deployment as the table shows it, an ARN, or an image".to_owned());
        }
        Ok(Self::Deployment(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_registry_is_an_image_and_any_other_name_a_deployment() {
        for text in [
            "orders",
            "orders:live",
            "orders:$LATEST",
            "prod/orders",
            "prod/orders app",
            "shop/api:421",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders",
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/orders",
            "ecs:eu-west-1:123456789012:prod/orders:app",
        ] {
            assert_eq!(text.parse(), Ok(ExplainTarget::Deployment(text.to_owned())), "{text}");
        }
        for text in ["public.ecr.aws/lambda/java:21", "localhost/x:1", "localhost:5000/x:1"] {
            assert!(matches!(text.parse(), Ok(ExplainTarget::Image(_))), "{text}");
        }
        for text in ["", "public.ecr.aws/lambda/java", "oci:", "a\nb"] {
            assert!(text.parse::<ExplainTarget>().is_err(), "{text}");
        }
    }
}
