//! See the module of the same name in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fhir_fanout_fuzz::let_panics_be_caught(),
    |data: &[u8]| fhir_fanout_fuzz::codecs::run(data)
);
