//! Writes `wit/openedx-filters` and `wit/openedx-events` anew from `wit/catalog`.
//!
//! `cargo run -p hookbox-hooks --example generate-wit`

use std::collections::BTreeSet;
use std::path::Path;

use hookbox_hooks::{Catalogue, wit};

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let files = wit::generate(Catalogue::embedded());
    let wanted: BTreeSet<_> = files.iter().map(|file| root.join(&file.path)).collect();
    for folder in ["openedx-filters", "openedx-events"] {
        std::fs::create_dir_all(root.join(folder))?;
        for entry in std::fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            if !wanted.contains(&path) {
                std::fs::remove_file(path)?;
            }
        }
    }
    for file in &files {
        std::fs::write(root.join(&file.path), &file.text)?;
    }
    println!("{} files written", files.len());
    Ok(())
}
