//! A range is the slice of the whole, and a checkpoint leaves nothing out. See `src/trials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate::trials::run("range", data));
