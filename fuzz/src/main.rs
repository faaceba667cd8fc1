//! One target under libFuzzer: that which `MALMOI_FUZZ` names. `fuzz/run` calls it.
#![no_main]

libfuzzer_sys::fuzz_target!(init: malmoi_fuzz::start(), |bytes: &[u8]| malmoi_fuzz::run(bytes));
