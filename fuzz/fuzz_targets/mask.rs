#![no_main]

#[path = "../../tests/fuzz/ask.rs"]
#[allow(dead_code, reason = "not every body asks everything")]
mod ask;
#[path = "../../tests/fuzz/bodies.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::mask(data));
