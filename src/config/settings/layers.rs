//! The layers of the settings, merged by the `config` crate: each value carries where it came from, so that a problem found
//! after the merge can say so.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use super::table::{Given, OPTION_MAPS, PREFIX, SETTINGS, snake, variable};
use super::{KafkaOptions, Settings, options};
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::document::{Cursor, Fields, Place, Sink, SourceFile, nearest, parse_yaml, unknown, unreadable};
use crate::config::environment::Environment;

/// Reads all layers; problems go to the sink.
pub(super) fn load(file: Option<&Path>, environment: &Environment, sink: &Sink) -> Settings {
    let mut origins = Origins::default();
    let file_layer = file.map(|path| file_layer(path, &mut origins, sink)).unwrap_or_default();
    let environment_layer = environment_layer(environment, &mut origins, sink);
    let merged = merge(&[file_layer.clone(), environment_layer]);
    let merged = merged.unwrap_or_else(|_| {
        // no layer of ours can fail to be collected
        sink.push(Diagnostic::general(Severity::Error, "environment", "the settings cannot be merged"));
        Map::new()
    });
    let mut settings = Settings::default();
    for row in SETTINGS {
        let Some(value) = find(&merged, &snake(row.name)) else { continue };
        let place = origins.place(value);
        let Some(given) = given(value) else { continue };
        if let Err(refusal) = (row.set)(&mut settings, &given) {
            sink.push(place.error(format!("{}: {}", row.name, refusal.message)).hint(refusal.hint));
        }
    }
    for map in OPTION_MAPS {
        let Some(ValueKind::Table(table)) = find(&merged, map.name).map(|value| &value.kind) else { continue };
        *(map.of)(&mut settings.kafka) = kafka_options(table, &origins, sink);
    }
    if settings.static_membership && settings.instance_id.is_none() {
        let place = find(&merged, "static_membership").map(|value| origins.place(value));
        let place = place.unwrap_or_else(|| Place::in_environment(variable("staticMembership")));
        let problem = place.error("staticMembership needs an instanceId that stays the same over restarts");
        sink.push(problem.hint(format!("set {} (in a StatefulSet: the pod's name)", variable("instanceId"))));
    }
    settings
}

/// Later layers win, key by key.
fn merge(layers: &[Layer]) -> Result<Map<String, Value>, ConfigError> {
    let builder = layers.iter().fold(Config::builder(), |builder, layer| builder.add_source(layer.clone()));
    builder.build()?.collect()
}

/// One layer: nested tables whose keys are in snake case; the options keep librdkafka's dotted names.
#[derive(Debug, Clone, Default)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    /// Sets `section.name`, or `name`; `path` are the keys.
    fn set(&mut self, path: &[&str], value: Value) {
        let Some((last, sections)) = path.split_last() else { return };
        let mut table = &mut self.0;
        for section in sections {
            let entry = table.entry((*section).to_owned());
            let entry = entry.or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
            let ValueKind::Table(inner) = &mut entry.kind else { return };
            table = inner;
        }
        table.insert((*last).to_owned(), value);
    }
}

/// Where values came from: the `config` crate carries an origin as text, which is the place's number here.
#[derive(Default)]
struct Origins(Vec<Place>);

impl Origins {
    fn value(&mut self, place: Place, kind: ValueKind) -> Value {
        self.0.push(place);
        Value::new(Some(&(self.0.len() - 1).to_string()), kind)
    }

    fn place(&self, value: &Value) -> Place {
        let number = value.origin().and_then(|origin| origin.parse::<usize>().ok());
        let place = number.and_then(|number| self.0.get(number)).cloned();
        place.unwrap_or_else(|| Place::in_environment(""))
    }
}

fn find<'a>(table: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let Some((section, rest)) = path.split_once('.') else { return table.get(path) };
    match &table.get(section)?.kind {
        ValueKind::Table(inner) => find(inner, rest),
        _ => None,
    }
}

fn given(value: &Value) -> Option<Given> {
    match &value.kind {
        ValueKind::String(text) => Some(Given::Text(text.clone())),
        ValueKind::Array(items) => {
            let text = |item: &Value| match &item.kind {
                ValueKind::String(text) => Some(text.clone()),
                _ => None,
            };
            Some(Given::List(items.iter().filter_map(text).collect()))
        }
        _ => None,
    }
}

fn kafka_options(table: &Map<String, Value>, origins: &Origins, sink: &Sink) -> KafkaOptions {
    let sorted: BTreeMap<&String, &Value> = table.iter().collect();
    let mut kept = Vec::new();
    for (name, value) in sorted {
        let Some(Given::Text(text)) = given(value) else { continue };
        match options::problem(name, &text, &origins.place(value)) {
            Some(problem) => sink.push(problem),
            None => kept.push((name.clone(), text)),
        }
    }
    kept.into_iter().collect()
}

fn file_layer(path: &Path, origins: &mut Origins, sink: &Sink) -> Layer {
    let mut layer = Layer::default();
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = Diagnostic::general(Severity::Error, name, unreadable(&error));
            sink.push(problem.hint("name a file of settings with --config, or leave --config out"));
            return layer;
        }
    };
    let file = SourceFile::new(name, text);
    let Some(root) = parse_yaml(&file, sink) else { return layer };
    let cursor = Cursor::new(&root, &file, sink);
    let is_empty = cursor.scalar().is_some_and(|scalar| scalar.text.is_empty());
    if let Some(fields) = (!is_empty).then(|| cursor.map()).flatten() {
        FileReader { layer: &mut layer, origins, sink }.section(&fields, "");
    }
    layer
}

struct FileReader<'a> {
    layer: &'a mut Layer,
    origins: &'a mut Origins,
    sink: &'a Sink,
}

impl FileReader<'_> {
    /// Reads a section (`""` is the whole file); names may be in camelCase or snake_case.
    fn section(&mut self, fields: &Fields<'_>, section: &str) {
        let mut seen: Vec<String> = Vec::new();
        for (key, value) in fields.iter() {
            let name = if section.is_empty() { snake(&key.value) } else { format!("{section}.{}", snake(&key.value)) };
            if seen.contains(&name) {
                let problem = key.place.error(format!("`{}` is given twice, in two spellings", key.shown));
                self.sink.push(problem.hint("keep one"));
                continue;
            }
            let is_setting = SETTINGS.iter().any(|row| snake(row.name) == name);
            if is_setting {
                self.setting(&name, &value);
            } else if OPTION_MAPS.iter().any(|map| map.name == name) {
                self.options(&name, &value);
            } else if SETTINGS.iter().any(|row| row.name.split_once('.').is_some_and(|(first, _)| first == name)) {
                if let Some(inner) = value.map() {
                    self.section(&inner, &name);
                }
            } else {
                self.sink.push(unknown(&key.place, "setting", &key.shown, names_of(section)));
            }
            seen.push(name);
        }
    }

    fn setting(&mut self, name: &str, value: &Cursor<'_>) {
        let path: Vec<&str> = name.split('.').collect();
        if value.is_list() {
            let texts = value.items().unwrap_or_default().into_iter().filter_map(|item| scalar_text(&item, self.sink));
            let items = texts.map(|text| Value::new(None, ValueKind::String(text))).collect();
            let list = self.origins.value(value.place(), ValueKind::Array(items));
            self.layer.set(&path, list);
        } else if let Some(text) = scalar_text(value, self.sink) {
            let value = self.origins.value(value.place(), ValueKind::String(text));
            self.layer.set(&path, value);
        }
    }

    fn options(&mut self, name: &str, value: &Cursor<'_>) {
        let Some(fields) = value.map() else { return };
        for (key, value) in fields.iter() {
            // the place is the key's: an excerpt of the value might show a password
            let Some(scalar) = value.scalar().filter(|scalar| !scalar.text.is_empty()) else {
                let problem = key.place.error(format!("option `{}` needs one value", key.shown));
                self.sink.push(problem.hint("as in `security.protocol: ssl`, with librdkafka's name in one piece"));
                continue;
            };
            let given = self.origins.value(key.place.clone(), ValueKind::String(scalar.text.clone()));
            let path: Vec<&str> = name.split('.').chain([key.value.as_str()]).collect();
            self.layer.set(&path, given);
        }
    }
}

/// A number and a boolean are as good as text here: each setting reads its own.
fn scalar_text(value: &Cursor<'_>, sink: &Sink) -> Option<String> {
    let found = value.scalar().filter(|scalar| scalar.kind != crate::config::document::Kind::Null);
    if found.is_none() {
        let problem = value.place().error("expected one value");
        sink.push(problem.hint("give a value, or leave the setting out"));
    }
    found.map(|scalar| scalar.text.clone())
}

/// The names that a section of the file may have.
fn names_of(section: &str) -> Vec<&'static str> {
    let names = SETTINGS.iter().map(|row| row.name).chain(OPTION_MAPS.iter().map(|map| map.name));
    let mut found: Vec<&str> = names
        .filter_map(|name| match name.split_once('.') {
            Some((first, rest)) if first == section => Some(rest),
            Some((first, _)) if section.is_empty() => Some(first),
            None if section.is_empty() => Some(name),
            _ => None,
        })
        .collect();
    found.dedup();
    found
}

fn environment_layer(environment: &Environment, origins: &mut Origins, sink: &Sink) -> Layer {
    let mut layer = Layer::default();
    for (variable, value) in environment.iter() {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            warn_of_single_underscore(variable, sink);
            continue;
        };
        let place = Place::in_environment(variable);
        let Some(value) = value else {
            sink.push(place.error("the value is no text (not UTF-8)").hint("set it to a text"));
            continue;
        };
        let name = name.to_ascii_lowercase().replace("__", ".");
        let option = OPTION_MAPS.iter().find_map(|map| {
            let option = name.strip_prefix(map.name)?.strip_prefix('.')?;
            Some((map.name, option.replace('_', ".")))
        });
        let given = |origins: &mut Origins| origins.value(place.clone(), ValueKind::String(value.to_owned()));
        if let Some((map, option)) = option {
            let mut path: Vec<&str> = map.split('.').collect();
            path.push(&option);
            layer.set(&path, given(origins));
        } else if SETTINGS.iter().any(|row| snake(row.name) == name) {
            layer.set(&name.split('.').collect::<Vec<_>>(), given(origins));
        } else {
            sink.push(unknown_variable(&place, variable));
        }
    }
    layer
}

fn unknown_variable(place: &Place, name: &str) -> Diagnostic {
    let variables: Vec<String> = SETTINGS.iter().map(|row| variable(row.name)).collect();
    let problem = place.error(format!("unknown setting `{name}`"));
    problem.hint(match nearest(name, variables.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("settings are listed in the README; librdkafka options begin with {PREFIX}KAFKA__OPTIONS__"),
    })
}

/// `FHIR_FANOUT_TASKS` is no setting, but was surely meant to be one.
fn warn_of_single_underscore(name: &str, sink: &Sink) {
    let Some(rest) = name.strip_prefix("FHIR_FANOUT_") else { return };
    let meant = SETTINGS.iter().map(|row| variable(row.name)).find(|known| {
        known.strip_prefix(PREFIX).is_some_and(|known| known.replace("__", "_") == rest.replace("__", "_"))
    });
    if let Some(meant) = meant {
        let problem = Place::in_environment(name).warning("the variable is not read");
        sink.push(problem.hint(format!("sections are separated by two underscores: {meant}")));
    }
}
