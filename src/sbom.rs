// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the program and its packages are made of, and what they bring into a qube, in CycloneDX
//! 1.6 (<https://cyclonedx.org/docs/1.6/json/>). Without a time or a serial number, so that it is
//! the same for the same packages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::manifest::{GENERATOR, Manifest, Record};
use crate::provider::{self, Pin};
use crate::read::printable;
use crate::refusal::Refusal;
use crate::render::embedded;

/// The bill of materials of the packages that a manifest lists, as JSON text.
///
/// # Errors
/// If it lists none, or its input is not of the form that this version writes.
pub fn of(manifest: &Manifest) -> Result<String, Refusal> {
    if manifest.packages.is_empty() {
        return Err(Refusal::new(
            "the manifest lists no packages",
            "a bill of materials is that of packages",
            "name a folder that `build` or `package` wrote",
        ));
    }
    let input = manifest.input.known().map_err(|reason| {
        Refusal::new(
            format!(
                "its input is not as {GENERATOR} writes it: {}",
                printable(reason)
            ),
            "a bill of materials names what each provider of the input brings",
            format!(
                "use {}, which wrote the manifest, or build the packages anew",
                manifest.generator
            ),
        )
    })?;
    let (tool, crates, mut dependencies) = program();
    let mut components: Vec<Value> = crates;

    let installed = installed(input);
    let brought: Vec<_> = installed.keys().collect();
    for package in &manifest.packages {
        let reference = format!("file:{}", package.file);
        components.push(json!({
            "type": "application",
            "bom-ref": reference,
            "name": package.file,
            "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
            "licenses": [{ "expression": env!("CARGO_PKG_LICENSE") }],
        }));
        // The template's package brings nothing of its own: its programs are the distribution's.
        let depends_on = if package.file.contains("-dom0-") {
            json!(brought)
        } else {
            json!([])
        };
        dependencies.push(json!({ "ref": reference, "dependsOn": depends_on }));
    }
    components.extend(installed.into_values());

    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": tool },
        "components": components,
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&bill).expect("a JSON value can be written") + "\n")
}

/// `Cargo.lock`, as far as it matters.
#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
    /// Names, with a version where there are several.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Locked {
    fn url(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

impl Lock {
    fn find(&self, dependency: &str) -> &Locked {
        let (name, version) = match dependency.split_once(' ') {
            Some((name, version)) => (name, Some(version)),
            None => (dependency, None),
        };
        self.package
            .iter()
            .find(|locked| locked.name == name && version.is_none_or(|v| v == locked.version))
            .expect("Cargo.lock holds what it names")
    }
}

/// This program, the crates that it is built from on any platform, and what needs which.
fn program() -> (Value, Vec<Value>, Vec<Value>) {
    let lock: Lock = toml::from_str(include_str!("../Cargo.lock")).expect("Cargo writes TOML");
    let declared: toml::Table =
        toml::from_str(include_str!("../Cargo.toml")).expect("Cargo reads TOML");
    let declared = declared["dependencies"]
        .as_table()
        .expect("dependencies are a table");

    let root = lock.find(env!("CARGO_PKG_NAME"));
    let mut reached = BTreeMap::new();
    let mut next = vec![root];
    while let Some(locked) = next.pop() {
        let needs: Vec<_> = locked
            .dependencies
            .iter()
            .map(|dependency| lock.find(dependency))
            // In the lock file, those of the tests stand among the program's own.
            .filter(|needed| !std::ptr::eq(locked, root) || declared.contains_key(&needed.name))
            .collect();
        let urls: BTreeSet<_> = needs.iter().map(|needed| needed.url()).collect();
        if reached.insert(locked.url(), (locked, urls)).is_none() {
            next.extend(needs);
        }
    }
    let dependencies = reached
        .iter()
        .map(|(url, (_, needs))| json!({ "ref": url, "dependsOn": needs }))
        .collect();
    let crates = reached
        .iter()
        .filter(|(_, (locked, _))| !std::ptr::eq(*locked, root))
        .map(|(url, (locked, _))| {
            json!({
                "type": "library",
                "bom-ref": url,
                "name": locked.name,
                "version": locked.version,
                "purl": url,
                "hashes": [{ "alg": "SHA-256", "content": locked.checksum }],
            })
        })
        .collect();
    let tool = json!({
        "type": "application",
        "bom-ref": root.url(),
        "name": root.name,
        "version": root.version,
        "purl": root.url(),
        "licenses": [{ "expression": env!("CARGO_PKG_LICENSE") }],
    });
    (tool, crates, dependencies)
}

/// What the states install in the servers beside the distribution's packages, by package URL.
fn installed(input: &Record) -> BTreeMap<String, Value> {
    let mut all = npm_packages();
    for provider in input.servers.iter().flat_map(|server| &server.providers) {
        let install = provider::setup(provider.get()).install.iter();
        all.extend(install.flat_map(|install| &install.pins).map(pinned));
    }
    all
}

fn pinned(pin: &Pin) -> (String, Value) {
    let url = format!("{}@{}", pin.package, pin.version);
    let name = pin.package.rsplit('/').next().unwrap_or(&pin.package);
    let mut component = json!({
        "type": "application",
        "bom-ref": url,
        "name": name,
        "version": pin.version,
        "purl": url,
    });
    if let Some(sha256) = &pin.sha256 {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
    }
    if pin.source.starts_with("https://") {
        component["externalReferences"] = json!([{ "type": "distribution", "url": pin.source }]);
    }
    (url, component)
}

/// npm's packages, from the lock file that goes into the qube.
fn npm_packages() -> BTreeMap<String, Value> {
    let text = embedded("templates/qube/usr/local/lib/openclaw/package-lock.json");
    let lock: Value = serde_json::from_str(text).expect("npm writes JSON");
    let packages = lock["packages"].as_object().expect("npm lists packages");
    packages
        .iter()
        .filter_map(|(path, package)| {
            let (_, name) = path.rsplit_once("node_modules/")?;
            let version = package["version"].as_str()?;
            let url = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
            let mut component = json!({
                "type": "library",
                "bom-ref": url,
                "name": name,
                "version": version,
                "purl": url,
            });
            // A package that comes inside another has no hash of its own.
            if let Some(digest) = package["integrity"].as_str() {
                let content = hex(digest.strip_prefix("sha512-")?);
                component["hashes"] = json!([{ "alg": "SHA-512", "content": content }]);
            }
            if let Some(license) = package["license"].as_str() {
                component["licenses"] = json!([{ "license": { "name": license } }]);
            }
            Some((url, component))
        })
        .collect()
}

fn hex(base64: &str) -> String {
    let bytes = STANDARD.decode(base64).expect("npm writes base64");
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Package;
    use crate::model::{Deployment, PackageVersion, ProviderSet, Server};
    use crate::plan::Plan;

    #[test]
    fn what_a_provider_brings_is_not_left_out_in_silence() {
        let deployment = Deployment {
            package: PackageVersion::default(),
            servers: vec![Server::standard(ProviderSet::first())],
        };
        let packages = vec![Package::new("a-dom0-1.rpm".to_owned(), b"")];
        let plan = Plan::new(&deployment);
        let manifest = Manifest::new(&deployment, 0, &plan, Vec::new(), packages);
        let bill = of(&manifest).unwrap();
        let installs = provider::all().filter_map(|(_, setup)| setup.install.as_ref());
        for pin in installs.flat_map(|install| &install.pins) {
            let url = format!("{}@{}", pin.package, pin.version);
            assert!(bill.contains(&url), "{url}");
        }

        let mut other: Value = serde_json::from_str(&manifest.to_text()).unwrap();
        other["generator"] = json!("openclaw-formula 9.9.9");
        other["input"]["servers"][0]["providers"] = json!({ "openai": {} });
        let other = Manifest::parse(other.to_string().as_bytes()).unwrap();
        let said = of(&other).unwrap_err().to_string();
        assert!(
            said.contains("the providers of a server are no list"),
            "{said}"
        );
        assert!(said.contains("use openclaw-formula 9.9.9"), "{said}");
    }
}
