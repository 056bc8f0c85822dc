//! The `fhir-fanout` binary; see the library for everything it does.

fn main() {}
