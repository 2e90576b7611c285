//! Any bytes are values within the limits, or an error; and values survive being written and read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamfront::amf::{Decoder, Limits, Value, amf3, decode_all, encode};

/// Room for what writing adds: replaced bytes that were no UTF-8 are three times as long.
const WIDE: Limits = Limits {
    depth: 64,
    values: 1 << 20,
    bytes: 64 << 20,
    lenient: false,
};

fn written(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| encode(value, &mut out));
    out
}

fn count(value: &Value) -> usize {
    let members: usize = match value {
        Value::StrictArray(elements) => elements.iter().map(count).sum(),
        other => other
            .properties()
            .unwrap_or_default()
            .iter()
            .map(|(_, value)| count(value))
            .sum(),
    };
    members + 1
}

fn check(values: &[Value], limits: &Limits) {
    assert!(values.iter().map(count).sum::<usize>() <= limits.values);
    let once = written(values);
    let again = decode_all(&once, &WIDE).expect("what we write can be read");
    // Compared as bytes, because NaN is not equal to itself.
    assert_eq!(written(&again), once);
}

fuzz_target!(|bytes: &[u8]| {
    for limits in [Limits::COMMAND, Limits::METADATA] {
        if let Ok(values) = decode_all(bytes, &limits) {
            check(&values, &limits);
        }
        if let Ok(values) = amf3::decode_all(bytes, &limits) {
            check(&values, &limits);
        }
        let mut decoder = Decoder::new(bytes, &limits);
        let mut position = 0;
        while let Ok(Some(_)) = decoder.value() {
            assert!(decoder.position() > position && decoder.position() <= bytes.len());
            position = decoder.position();
        }
    }
});
