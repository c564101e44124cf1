//! gzip and zstd are read as their libraries read them. See `src/trials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate::trials::run("packed", data));
