//! From a core module to a component that says who it is.

use anyhow::{Context, Result};
use wasm_metadata::{AddMetadata, AddMetadataField, Authors, Description, Licenses, Source, Version};
use wit_component::ComponentEncoder;

use crate::package::Package;

/// Make a component of `module` and write the package's facts into it, where `wasm-tools metadata` and OCI tools read
/// them.
pub(crate) fn encode(module: &[u8], package: &Package) -> Result<Vec<u8>> {
    let component = ComponentEncoder::default().validate(true).module(module)?.encode()?;

    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(package.name.clone());
    metadata.version = AddMetadataField::Set(Version::new(package.version.clone()));
    if let Some(description) = &package.description {
        metadata.description = AddMetadataField::Set(Description::new(description.clone()));
    }
    if !package.authors.is_empty() {
        metadata.authors = AddMetadataField::Set(Authors::new(package.authors.join(", ")));
    }
    if let Some(license) = &package.license {
        let licenses = Licenses::new(license)
            .with_context(|| format!("the licence {license:?} is not an SPDX expression"))?;
        metadata.licenses = AddMetadataField::Set(licenses);
    }
    // Without an address of its own, a plugin names its folder in Hookbox's tree.
    let here = format!("urn:hookbox:guest-plugins:{}", package.name);
    let source = package.repository.as_ref().unwrap_or(&here);
    let source = Source::new(source).with_context(|| format!("the repository {source:?} is not a URL"))?;
    metadata.source = AddMetadataField::Set(source);
    metadata.to_wasm(&component)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use serde_json::json;
    use wasm_metadata::Payload;
    use wit_component::{StringEncoding, embed_component_metadata};
    use wit_parser::Resolve;

    fn module() -> Result<Vec<u8>> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("t.wit", "package a:b; world w { export run: func(); }")?;
        let world = resolve.select_world(&[package], None)?;
        let mut module = wat::parse_str(r#"(module (func (export "run")))"#)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        Ok(module)
    }

    fn package(license: &str) -> Result<Package> {
        Ok(serde_json::from_value(json!({
            "name": "sample",
            "version": "1.2.3",
            "description": "Does a thing.",
            "authors": ["Ada", "Grace"],
            "license": license,
            "repository": "https://example.com/sample",
            "manifest_path": "",
        }))?)
    }

    #[test]
    fn a_component_says_who_it_is() -> Result<()> {
        let component = encode(&module()?, &package("Apache-2.0")?)?;

        let payload = Payload::from_binary(&component)?;
        assert!(matches!(payload, Payload::Component { .. }));
        let metadata = payload.metadata();
        assert_eq!(metadata.name.as_deref(), Some("sample"));
        let text = |field: Option<String>| field.unwrap_or_default();
        assert_eq!(text(metadata.version.as_ref().map(ToString::to_string)), "1.2.3");
        assert_eq!(text(metadata.description.as_ref().map(ToString::to_string)), "Does a thing.");
        assert_eq!(text(metadata.authors.as_ref().map(ToString::to_string)), "Ada, Grace");
        assert_eq!(text(metadata.licenses.as_ref().map(ToString::to_string)), "Apache-2.0");
        assert_eq!(text(metadata.source.as_ref().map(ToString::to_string)), "https://example.com/sample");
        Ok(())
    }

    #[test]
    fn a_licence_that_is_not_spdx_is_refused() -> Result<()> {
        let error = encode(&module()?, &package("do what you like")?).unwrap_err();

        assert!(error.to_string().contains("do what you like"), "{error}");
        Ok(())
    }
}
