//! `basewatch config init`: writes the example configuration.

use std::{fs, io::Write as _, path::Path};

use anyhow::{Context as _, bail};

use crate::{
    app::{ExitStatus, output::print},
    cli::ConfigInitArgs,
    config::EXAMPLE,
};

/// Writes the commented example configuration.
pub fn init(args: &ConfigInitArgs) -> anyhow::Result<ExitStatus> {
    if args.file == Path::new("-") {
        print(EXAMPLE)?;
        return Ok(ExitStatus::Clean);
    }
    let name = args.file.display();
    let mut options = fs::OpenOptions::new();
    let options = if args.force { options.create(true).truncate(true) } else { options.create_new(true) };
    let mut file = match options.write(true).open(&args.file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{name} already exists; use --force to overwrite it")
        }
        result => result.with_context(|| format!("cannot write {name}"))?,
    };
    file.write_all(EXAMPLE.as_bytes()).with_context(|| format!("cannot write {name}"))?;
    print(&format!("wrote {name}; set what to audit, then run: basewatch config check {name}\n"))?;
    Ok(ExitStatus::Clean)
}
