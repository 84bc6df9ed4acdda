//! The command line of release catalogs: `catalog`.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Subcommand};

use super::{Format, values::span};
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

/// What `catalog` can do.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = CATALOG_EXAMPLES)]
pub enum CatalogCommand {
    /// Crawl the releases of base images into a file; resumes where it was stopped
    Build(CatalogBuildArgs),
    /// Add to a file what was released since it was built
    Update(CatalogUpdateArgs),
    /// Show the lines, releases and dates of a file, or of this machine's catalog
    Stats(CatalogStatsArgs),
    /// Make a key pair for signing: write the private key, print the public one
    Keygen(CatalogKeygenArgs),
    /// Check that a file is signed for a public key, and whole
    Verify(CatalogVerifyArgs),
    /// Fetch a published release catalog and keep it for later runs
    Import(CatalogImportArgs),
    /// Publish a signed file, or this machine's catalog: as a file, in S3, or as an OCI artifact
    Export(CatalogExportArgs),
}

/// What decides which releases are crawled.
#[derive(Clone, Debug, Default, Args)]
pub struct CrawledLines {
    /// Only lines that match this pattern, as in 'public.ecr.aws/lambda/python:3.*'; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub line: Vec<Glob>,
    /// Only releases of the last SPAN: 90d, 6mo, 2y
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Option<TimeDelta>,
}

/// What `catalog build` takes.
#[derive(Clone, Debug, Args)]
pub struct CatalogBuildArgs {
    /// What is crawled.
    #[command(flatten)]
    pub lines: CrawledLines,
    /// Sign the file with this private key: the signature is written to FILE.minisig
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
    /// The file to write; what is read meanwhile is kept in FILE.progress
    #[arg(short, long, value_name = "FILE", default_value = "releases.bin")]
    pub output: PathBuf,
}

/// What `catalog update` takes.
#[derive(Clone, Debug, Args)]
pub struct CatalogUpdateArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What is crawled; without --since, what is not older than the file's first release
    #[command(flatten)]
    pub lines: CrawledLines,
    /// Sign the file with this private key: the signature is written to FILE.minisig
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
}

/// What `catalog stats` takes.
#[derive(Clone, Debug, Args)]
pub struct CatalogStatsArgs {
    /// The file; without one, this machine's catalog
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The format on standard output: table, json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

/// What `catalog keygen` takes.
#[derive(Clone, Debug, Args)]
pub struct CatalogKeygenArgs {
    /// The file to write the private key to, readable by its owner alone; it must not exist
    #[arg(short, long, value_name = "KEY")]
    pub output: PathBuf,
}

/// What `catalog verify` takes.
#[derive(Clone, Debug, Args)]
pub struct CatalogVerifyArgs {
    /// The file; its signature is in FILE.minisig
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The public key, instead of catalog.public_key
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PublicKey>,
}

/// What `catalog import` takes.
#[derive(Clone, Debug, Args)]
pub struct CatalogImportArgs {
    /// Where it is published: a file, s3://BUCKET/KEY, or oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "SOURCE")]
    pub source: CatalogSource,
    /// The public key for which it must be signed, instead of catalog.public_key
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PublicKey>,
}

/// What `catalog export` takes.
#[derive(Clone, Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct CatalogExportArgs {
    /// The file; without one, this machine's catalog
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to publish it: a file, s3://BUCKET/KEY, or oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "TARGET")]
    pub target: CatalogSource,
    /// Sign it with this private key, instead of publishing the signature in FILE.minisig
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
}
