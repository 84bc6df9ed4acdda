//! `basewatch catalog`: crawls, shows, signs and publishes release catalogs.

mod build;
mod keys;
mod stats;
mod transfer;

use anyhow::Result;

use crate::{
    app::{Console, ExitStatus},
    cli::CatalogCommand,
    config::Settings,
};

/// Runs a subcommand.
///
/// # Errors
///
/// When a file cannot be read or written, a registry does not respond, or a signature is invalid.
pub async fn run(settings: &Settings, command: &CatalogCommand, console: Console) -> Result<ExitStatus> {
    match command {
        CatalogCommand::Build(args) => build::build(settings, args, console).await,
        CatalogCommand::Update(args) => build::update(settings, args, console).await,
        CatalogCommand::Stats(args) => stats::run(settings, args, console),
        CatalogCommand::Keygen(args) => keys::generate(args),
        CatalogCommand::Verify(args) => keys::verify(settings, args),
        CatalogCommand::Import(args) => transfer::import(settings, args).await,
        CatalogCommand::Export(args) => transfer::export(settings, args).await,
    }
}
