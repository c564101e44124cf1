//! What stands under a hidden name does not leave. See `src/trials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate::trials::run("leak", data));
