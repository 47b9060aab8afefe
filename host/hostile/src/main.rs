//! `hookbox-hostile FOLDER`: writes the kit of hostile components.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).context("usage: hookbox-hostile FOLDER")?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let attacks = hookbox_hostile::attacks()?;
    for attack in &attacks {
        let path = folder.join(&attack.name).with_extension("wasm");
        let component = attack.component().with_context(|| attack.name.clone())?;
        std::fs::write(&path, component).with_context(|| path.display().to_string())?;
    }
    let kit = folder.join("kit.json");
    std::fs::write(&kit, serde_json::to_vec_pretty(&attacks)?).with_context(|| kit.display().to_string())?;
    println!("{} components and kit.json written to {}", attacks.len(), folder.display());
    Ok(())
}
