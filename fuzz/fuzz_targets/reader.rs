//! A reader of what is shown finds nothing under a hidden name. See `src/trials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracegate::trials::run("reader", data));
