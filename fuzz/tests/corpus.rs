//! The stored corpus through the targets' functions: without a fuzzer, so that any toolchain can.

use std::fs;
use std::path::Path;

#[test]
fn the_stored_corpus_keeps_all_promises() {
    let targets: [(&str, fn(&[u8])); 4] = [
        ("codecs", fhir_fanout_fuzz::codecs::run),
        ("config", fhir_fanout_fuzz::config::run),
        ("criteria", fhir_fanout_fuzz::criteria::run),
        ("pipeline", fhir_fanout_fuzz::pipeline::run),
    ];
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, run) in targets {
        let files = fs::read_dir(corpus.join(name)).expect("every target has a corpus");
        let mut count = 0;
        for file in files {
            run(&fs::read(file.expect("an entry").path()).expect("a file"));
            count += 1;
        }
        assert!(count > 0, "{name}");
    }
}
