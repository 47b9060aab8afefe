//! Makes components of the sample plugins and keeps the record of the sources they were built from.
//!
//! `guest-plugins/build` runs this after cargo has compiled a plugin to a core module.

mod component;
mod package;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::package::Package;

#[derive(Parser)]
#[command(version, about = "Make components of the sample plugins, and check the ones in the repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a component of a core module and write who it is into it
    Component {
        /// The core module that cargo built
        #[arg(long)]
        module: PathBuf,
        /// The crate's folder; its Cargo.toml says name, version, description, authors, licence, repository
        #[arg(long = "crate", value_name = "DIR")]
        krate: PathBuf,
        /// Where to write the component
        #[arg(long)]
        out: PathBuf,
    },
    /// Print the digest of the sources that the sample plugins are built from
    Digest(Root),
    /// Write the record: the sources' digest, and a digest for each component named
    Record {
        #[command(flatten)]
        root: Root,
        /// File names in the prebuilt folder
        #[arg(required = true)]
        components: Vec<String>,
    },
    /// Check that the prebuilt components are the recorded ones, built from these sources
    Verify(Root),
}

#[derive(clap::Args)]
struct Root {
    /// The repository's root
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by returning it from `main`: that can add a backtrace, and the message is for people.
            eprintln!("hookbox-pack: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Component { module, krate, out } => make_component(&module, &krate, &out),
        Command::Digest(Root { root }) => {
            println!("{}", sources::digest(&root)?);
            Ok(())
        }
        Command::Record { root: Root { root }, components } => sources::record(&root, &components),
        Command::Verify(Root { root }) => sources::verify(&root),
    }
}

fn make_component(module: &Path, krate: &Path, out: &Path) -> Result<()> {
    let package = Package::read(krate)?;
    let core = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let bytes = component::encode(&core, &package)
        .with_context(|| format!("cannot make a component of {}", module.display()))?;
    fs::write(out, bytes).with_context(|| format!("cannot write {}", out.display()))
}
