//! Any pieces on any tier give the same. See `src/trials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate::trials::run("split", data));
