//! What the fuzz targets do with their bytes, as plain functions: the targets, the stored corpus and a test call them.
//!
//! An input is text as far as it can be, so that its file can be read and written by hand: parts are separated by the
//! byte 0x1E. A broken promise panics, which is what the fuzzer looks for.

pub mod codecs;
pub mod config;
pub mod criteria;
pub mod pipeline;
mod record;

/// Panics of libraries that the product catches are no findings, so that only those which nothing catches may end the
/// process: the fuzzer's own hook would end it at once.
pub fn let_panics_be_caught() {
    std::panic::set_hook(Box::new(|panic| {
        let is_ours = panic.location().is_none_or(|location| !location.file().contains("/registry/"));
        if is_ours {
            eprintln!("{panic}");
        }
    }));
}
