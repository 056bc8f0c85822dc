//! Makes the element tables of `src/domain/fhirpath/model/` from HL7's StructureDefinitions.
//!
//! ```text
//! cargo run --package integration-tests --bin generate-fhir-model            # needs Maven and Maven Central
//! cargo run --package integration-tests --bin generate-fhir-model -- JARS    # a folder that has the artifacts
//! ```
//!
//! The StructureDefinitions come inside the Maven artifacts `ca.uhn.hapi.fhir:hapi-fhir-validation-resources-*`: Bundles
//! in XML for R4 and R4B, the package `hl7.fhir.r5.core` for R5. Only definitions of types are read, no profiles. The
//! same artifacts give the same tables, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Version of the Maven artifacts.
const ARTIFACT_VERSION: &str = "8.4.0";

/// How FHIR's own types of FHIRPath's system types are marked.
const FHIR_TYPE_EXTENSION: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";

/// One FHIR release and where its definitions stand.
struct Release {
    name: &'static str,
    version: &'static str,
    artifact: &'static str,
    source: Source,
}

/// Where in the artifact the definitions stand.
enum Source {
    /// Bundles of StructureDefinitions in XML.
    XmlBundles(&'static [&'static str]),
    /// A gzipped tar of JSON files.
    Package(&'static str),
}

const RELEASES: [Release; 3] = [
    Release {
        name: "r4",
        version: "4.0.1",
        artifact: "hapi-fhir-validation-resources-r4",
        source: Source::XmlBundles(&[
            "org/hl7/fhir/r4/model/profile/profiles-types.xml",
            "org/hl7/fhir/r4/model/profile/profiles-resources.xml",
        ]),
    },
    Release {
        name: "r4b",
        version: "4.3.0",
        artifact: "hapi-fhir-validation-resources-r4b",
        source: Source::XmlBundles(&[
            "org/hl7/fhir/r4b/model/profile/profiles-types.xml",
            "org/hl7/fhir/r4b/model/profile/profiles-resources.xml",
        ]),
    },
    Release {
        name: "r5",
        version: "5.0.0",
        artifact: "hapi-fhir-validation-resources-r5",
        source: Source::Package("org/hl7/fhir/r5/packages/hl7.fhir.r5.core-5.0.0.tgz"),
    },
];

/// A type as the tables know it.
struct TypeDefinition {
    kind: &'static str,
    base: String,
    elements: Vec<ElementDefinition>,
}

/// An element that a type adds to those of its base.
struct ElementDefinition {
    name: String,
    list: bool,
    types: Vec<String>,
}

/// What is read of a StructureDefinition, whatever its syntax.
struct RawType {
    name: String,
    kind: String,
    is_abstract: bool,
    base: String,
    elements: Vec<RawElement>,
}

/// What is read of an ElementDefinition.
struct RawElement {
    path: String,
    max: String,
    types: Vec<String>,
    content_reference: Option<String>,
}

#[allow(clippy::print_stdout, reason = "a command for developers that says what it wrote")]
fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/domain/fhirpath/model");
    let scratch = tempfile::tempdir()?;
    for release in &RELEASES {
        let jar = match &folder {
            Some(folder) => folder.join(format!("{}-{ARTIFACT_VERSION}.jar", release.artifact)),
            None => fetch(release.artifact, scratch.path())?,
        };
        let raw = read_definitions(&jar, &release.source).with_context(|| format!("cannot read {}", release.name))?;
        let types = compile(raw)?;
        let file = target.join(format!("{}.tsv", release.name));
        std::fs::write(&file, render(release, &types))?;
        println!("{}: {} types", release.name, types.len());
    }
    Ok(())
}

/// Has Maven copy an artifact from its repository.
fn fetch(artifact: &str, folder: &Path) -> Result<PathBuf> {
    let status = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy", "-Dmdep.overWriteReleases=true"])
        .arg(format!("-Dartifact=ca.uhn.hapi.fhir:{artifact}:{ARTIFACT_VERSION}"))
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .current_dir(folder)
        .status()
        .context("cannot run mvn")?;
    ensure!(status.success(), "mvn dependency:copy of {artifact} failed");
    Ok(folder.join(format!("{artifact}-{ARTIFACT_VERSION}.jar")))
}

fn read_definitions(jar: &Path, source: &Source) -> Result<Vec<RawType>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(jar).with_context(|| jar.display().to_string())?)?;
    let mut definitions = Vec::new();
    match source {
        Source::XmlBundles(names) => {
            for name in *names {
                let mut text = String::new();
                archive.by_name(name)?.read_to_string(&mut text)?;
                read_xml_bundle(&text, &mut definitions)?;
            }
        }
        Source::Package(name) => {
            let mut bytes = Vec::new();
            archive.by_name(name)?.read_to_end(&mut bytes)?;
            read_package(&bytes, &mut definitions)?;
        }
    }
    Ok(definitions)
}

fn read_xml_bundle(text: &str, definitions: &mut Vec<RawType>) -> Result<()> {
    let document = roxmltree::Document::parse(text)?;
    for node in document.descendants().filter(|node| node.has_tag_name(("http://hl7.org/fhir", "StructureDefinition")))
    {
        let field = |name: &str| xml_field(node, name).unwrap_or_default();
        if field("derivation") == "constraint" {
            continue;
        }
        let mut elements = Vec::new();
        if let Some(differential) = xml_child(node, "differential") {
            for element in differential.children().filter(|child| child.tag_name().name() == "element") {
                elements.push(RawElement {
                    path: xml_field(element, "path").context("an element without path")?,
                    max: xml_field(element, "max").unwrap_or_default(),
                    types: element
                        .children()
                        .filter(|child| child.tag_name().name() == "type")
                        .map(xml_type)
                        .collect::<Result<_>>()?,
                    content_reference: xml_field(element, "contentReference"),
                });
            }
        }
        definitions.push(RawType {
            name: field("type"),
            kind: field("kind"),
            is_abstract: field("abstract") == "true",
            base: field("baseDefinition"),
            elements,
        });
    }
    Ok(())
}

fn xml_child<'a, 'i>(node: roxmltree::Node<'a, 'i>, name: &str) -> Option<roxmltree::Node<'a, 'i>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn xml_field(node: roxmltree::Node<'_, '_>, name: &str) -> Option<String> {
    xml_child(node, name)?.attribute("value").map(str::to_owned)
}

fn xml_type(node: roxmltree::Node<'_, '_>) -> Result<String> {
    let marked = node
        .descendants()
        .find(|child| child.attribute("url") == Some(FHIR_TYPE_EXTENSION))
        .and_then(|extension| extension.children().find_map(|child| child.attribute("value")));
    match marked {
        Some(name) => Ok(name.to_owned()),
        None => xml_field(node, "code").context("a type without code"),
    }
}

fn read_package(bytes: &[u8], definitions: &mut Vec<RawType>) -> Result<()> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if !path.starts_with("package/StructureDefinition-") || !path.ends_with(".json") {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        let resource: Value = serde_json::from_str(&text)?;
        if resource["derivation"] != "constraint" {
            definitions.push(json_definition(&resource)?);
        }
    }
    Ok(())
}

fn json_definition(resource: &Value) -> Result<RawType> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut elements = Vec::new();
    for element in resource["differential"]["element"].as_array().into_iter().flatten() {
        let types = element["type"].as_array().into_iter().flatten().map(json_type).collect::<Result<_>>()?;
        elements.push(RawElement {
            path: text(&element["path"]),
            max: text(&element["max"]),
            types,
            content_reference: element["contentReference"].as_str().map(str::to_owned),
        });
    }
    Ok(RawType {
        name: text(&resource["type"]),
        kind: text(&resource["kind"]),
        is_abstract: resource["abstract"] == true,
        base: text(&resource["baseDefinition"]),
        elements,
    })
}

fn json_type(value: &Value) -> Result<String> {
    let extensions = value["extension"].as_array().into_iter().flatten();
    let marked = extensions
        .filter(|extension| extension["url"] == FHIR_TYPE_EXTENSION)
        .find_map(|extension| extension["valueUrl"].as_str().or(extension["valueUri"].as_str()));
    match marked.or(value["code"].as_str()) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("a type without code"),
    }
}

fn compile(raw: Vec<RawType>) -> Result<BTreeMap<String, TypeDefinition>> {
    let mut types = BTreeMap::new();
    for definition in raw {
        let kind = match (definition.kind.as_str(), definition.is_abstract) {
            ("primitive-type", _) => "primitive",
            ("complex-type", _) => "complex",
            ("resource", true) => "abstract",
            ("resource", false) => "resource",
            _ => continue,
        };
        compile_type(definition, kind, &mut types)?;
    }
    Ok(types)
}

fn compile_type(raw: RawType, kind: &'static str, types: &mut BTreeMap<String, TypeDefinition>) -> Result<()> {
    let parents: BTreeSet<&str> =
        raw.elements.iter().filter_map(|element| element.path.rsplit_once('.')).map(|(parent, _)| parent).collect();
    let base = raw.base.rsplit('/').next().unwrap_or_default().to_owned();
    types.insert(raw.name.clone(), TypeDefinition { kind, base, elements: Vec::new() });
    for element in &raw.elements {
        let Some((parent, name)) = element.path.rsplit_once('.') else { continue };
        if (kind == "primitive" && name == "value") || element.max == "0" {
            continue;
        }
        let mut element_types = element.types.clone();
        if let Some(reference) = &element.content_reference {
            let (_, target) = reference.split_once('#').context("a contentReference without fragment")?;
            element_types = vec![target.to_owned()];
        } else if parents.contains(element.path.as_str()) {
            let base = element_types.first().cloned().context("a parent element without type")?;
            types.insert(element.path.clone(), TypeDefinition { kind: "backbone", base, elements: Vec::new() });
            element_types = vec![element.path.clone()];
        }
        if element.path == "Resource.id" {
            element_types = vec!["id".to_owned()];
        }
        ensure!(!element_types.is_empty(), "{} has no type", element.path);
        let mut seen = BTreeSet::new();
        element_types.retain(|name| seen.insert(name.clone()));
        let list = element.max == "*" || element.max.parse::<u32>().is_ok_and(|max| max > 1);
        let owner = types.get_mut(parent).with_context(|| format!("{} stands before its parent", element.path))?;
        owner.elements.push(ElementDefinition { name: name.to_owned(), list, types: element_types });
    }
    Ok(())
}

fn render(release: &Release, types: &BTreeMap<String, TypeDefinition>) -> String {
    let mut text = format!(
        "# Types and elements of FHIR {version} ({name}). Generated by `cargo run --package integration-tests --bin generate-fhir-model`; do not edit.\n\
         # Source: HL7 FHIR StructureDefinitions, CC0 1.0 (https://hl7.org/fhir/license.html), as carried by\n\
         # ca.uhn.hapi.fhir:{artifact}:{ARTIFACT_VERSION} (Apache-2.0).\n\
         # A type: `>name`, kind, base type. Then the elements that it adds: name (`[x]` a choice, `*` a list), types.\n",
        version = release.version,
        name = release.name.to_uppercase(),
        artifact = release.artifact,
    );
    for (name, definition) in types {
        let _ = writeln!(text, ">{name}\t{}\t{}", definition.kind, definition.base);
        for element in &definition.elements {
            let list = if element.list { "*" } else { "" };
            let _ = writeln!(text, "{}{list}\t{}", element.name, element.types.join("|"));
        }
    }
    text
}
