#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| malmoi_fuzz::run("compressed", bytes));
