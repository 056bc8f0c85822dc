//! Plans as the service loads them.

use std::sync::Arc;

use fhir_fanout::config;
use fhir_fanout::config::environment::Environment;
use fhir_fanout::domain::fhirpath::FhirPath;
use fhir_fanout::domain::plan::Plan;

/// The plan of this `topics.yaml`, with these settings (`EVALUATION_STEPS`) besides the address of a broker.
pub(crate) fn load(topics: &str, settings: &[(&str, &str)]) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topics.yaml");
    std::fs::write(&path, topics).unwrap();
    let settings = settings.iter().chain(&[("KAFKA__BOOTSTRAP_SERVERS", "broker:9092")]);
    let environment: Environment = settings.map(|(name, value)| (format!("FHIR_FANOUT__{name}"), *value)).collect();
    let loaded = config::load(None, &path, &environment, &Arc::new(FhirPath::new()));
    loaded.topics.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).plan
}
