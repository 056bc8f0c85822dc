//! The edge to Kafka: client options with their reasons, the consumer, the transactional producer, the admin calls.
//!
//! Nothing in here knows FHIR. Errors leave this module named by their consequence ([`errors::Consequence`]).

pub mod admin;
pub mod client_options;
pub mod consumer;
pub mod errors;
mod native;
pub mod offset_metadata;
pub mod one_record;
pub mod producer;
pub mod start_positions;
pub mod traffic;
