//! The arguments of `catalog`.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Subcommand};

use super::{OutputFormat, values::span};
use crate::{
    glob::Glob,
    release_catalog::{CatalogSource, PublicKey},
};

const CATALOG_EXAMPLES: &str = "\
Examples:
  basewatch catalog keygen -o basewatch.key
  basewatch catalog build --since 2y --key basewatch.key -o releases.bin
  basewatch catalog update releases.bin --key basewatch.key
  basewatch catalog export releases.bin oci://111111111111.dkr.ecr.eu-west-1.amazonaws.com/basewatch:releases
  basewatch catalog import s3://my-bucket/basewatch/releases.bin";

/// The subcommands of `catalog`.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = CATALOG_EXAMPLES)]
pub enum CatalogCommand {
    /// Crawl base image releases into a file; resumes an interrupted crawl
    Build(CatalogBuildArgs),
    /// Add releases published since the file was built
    Update(CatalogUpdateArgs),
    /// Show the lines, releases and dates of a file or of the local catalog
    Stats(CatalogStatsArgs),
    /// Generate a signing key pair: write the private key, print the public key
    Keygen(CatalogKeygenArgs),
    /// Verify the signature of a file
    Verify(CatalogVerifyArgs),
    /// Download a published release catalog for later runs
    Import(CatalogImportArgs),
    /// Publish a signed file or the local catalog: as a file, to S3, or as an OCI artifact
    Export(CatalogExportArgs),
}

/// The releases to crawl.
#[derive(Clone, Debug, Default, Args)]
pub struct CrawledLines {
    /// Only lines that match this pattern, such as 'public.ecr.aws/lambda/python:3.*'; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub line: Vec<Glob>,
    /// Only releases of the last SPAN, such as 90d, 6mo or 2y
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Option<TimeDelta>,
}

/// The arguments of `catalog build`.
#[derive(Clone, Debug, Args)]
pub struct CatalogBuildArgs {
    /// The releases to crawl.
    #[command(flatten)]
    pub lines: CrawledLines,
    /// Private key to sign the file with; the signature is written to FILE.minisig
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
    /// Output file; intermediate results are kept in FILE.progress
    #[arg(short, long, value_name = "FILE", default_value = "releases.bin")]
    pub output: PathBuf,
}

/// The arguments of `catalog update`.
#[derive(Clone, Debug, Args)]
pub struct CatalogUpdateArgs {
    /// Release catalog file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The releases to crawl; without `--since`, those since the first release in the file.
    #[command(flatten)]
    pub lines: CrawledLines,
    /// Private key to sign the file with; the signature is written to FILE.minisig
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
}

/// The arguments of `catalog stats`.
#[derive(Clone, Debug, Args)]
pub struct CatalogStatsArgs {
    /// Release catalog file [default: the local catalog]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
}

/// The arguments of `catalog keygen`.
#[derive(Clone, Debug, Args)]
pub struct CatalogKeygenArgs {
    /// File for the private key, readable only by its owner; must not exist
    #[arg(short, long, value_name = "KEY")]
    pub output: PathBuf,
}

/// The arguments of `catalog verify`.
#[derive(Clone, Debug, Args)]
pub struct CatalogVerifyArgs {
    /// Release catalog file, with its signature in FILE.minisig
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Public key; overrides catalog.public_key
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PublicKey>,
}

/// The arguments of `catalog import`.
#[derive(Clone, Debug, Args)]
pub struct CatalogImportArgs {
    /// Published catalog: a file, s3://BUCKET/KEY or oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "SOURCE")]
    pub source: CatalogSource,
    /// Public key; overrides catalog.public_key
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PublicKey>,
}

/// The arguments of `catalog export`.
#[derive(Clone, Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct CatalogExportArgs {
    /// Release catalog file [default: the local catalog]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to publish: a file, s3://BUCKET/KEY or oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "TARGET")]
    pub target: CatalogSource,
    /// Private key to sign with, instead of publishing the signature in FILE.minisig
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
}
