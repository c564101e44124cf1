//! A document is taken where `serde_json` takes it. See `src/trials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate::trials::run("accept", data));
