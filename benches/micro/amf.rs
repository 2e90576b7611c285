//! AMF0 both ways: a connect command, and metadata with a keyframe table. Peer: rml_amf0.

use std::collections::HashMap;

use criterion::{Criterion, Throughput};
use rml_rtmp::rml_amf0::{self, Amf0Value};
use streamfront::amf::{Limits, Value, decode_all, encode};

use crate::cpu_time::CpuTime;

/// A connect as players send it.
pub fn connect() -> Vec<Value> {
    let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
    let number = |name: &str, value: f64| (name.to_owned(), Value::from(value));
    let object = vec![
        text("app", "cfx/st"),
        text("flashVer", "LNX 9,0,124,2"),
        text("swfUrl", "http://www.example.com/players/player.swf"),
        text("tcUrl", "rtmp://s5678.streamfront.localhost/cfx/st"),
        ("fpad".to_owned(), Value::Boolean(false)),
        number("capabilities", 15.0),
        number("audioCodecs", 4071.0),
        number("videoCodecs", 252.0),
        number("videoFunction", 1.0),
        text("pageUrl", "http://www.example.com/watch/a-film.html"),
        number("objectEncoding", 0.0),
    ];
    vec!["connect".into(), 1.0.into(), Value::Object(object)]
}

/// onMetaData of two hours with a key frame every two seconds.
fn metadata() -> Vec<Value> {
    let numbers = |step: f64| {
        let all = (0..3_600).map(|n| Value::Number(f64::from(n) * step));
        Value::StrictArray(all.collect())
    };
    let keyframes = vec![
        ("filepositions".to_owned(), numbers(1_048_576.0)),
        ("times".to_owned(), numbers(2.0)),
    ];
    let object = vec![
        ("duration".to_owned(), Value::Number(7_200.0)),
        ("width".to_owned(), Value::Number(1_280.0)),
        ("keyframes".to_owned(), Value::Object(keyframes)),
    ];
    vec!["onMetaData".into(), Value::Object(object)]
}

/// The bytes of some values.
pub fn encoded(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| encode(value, &mut bytes));
    bytes
}

fn translated(value: &Value) -> Amf0Value {
    match value {
        Value::Number(number) => Amf0Value::Number(*number),
        Value::Boolean(boolean) => Amf0Value::Boolean(*boolean),
        Value::String(text) => Amf0Value::Utf8String(text.clone()),
        Value::StrictArray(all) => Amf0Value::StrictArray(all.iter().map(translated).collect()),
        Value::Object(properties) => {
            let one = |(name, value): &(String, Value)| (name.clone(), translated(value));
            Amf0Value::Object(properties.iter().map(one).collect::<HashMap<_, _>>())
        }
        other => panic!("not used here: {other:?}"),
    }
}

fn ours(bytes: &[u8]) -> Vec<Value> {
    decode_all(bytes, &Limits::METADATA).expect("AMF0")
}

fn rml(mut bytes: &[u8]) -> Vec<Amf0Value> {
    rml_amf0::deserialize(&mut bytes).expect("AMF0")
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    for (name, values) in [("connect", connect()), ("onMetaData", metadata())] {
        let bytes = encoded(&values);
        let theirs: Vec<Amf0Value> = values.iter().map(translated).collect();
        let serialize = || rml_amf0::serialize(&theirs).expect("AMF0");
        assert_eq!(ours(&bytes), values, "{name}");
        assert_eq!(rml(&bytes), theirs, "{name}");
        // The properties of a HashMap come in any order.
        assert_eq!(serialize().len(), bytes.len(), "{name}");
        assert_eq!(rml(&serialize()), theirs, "{name}");

        let size = Throughput::Bytes(bytes.len() as u64);
        let mut group = criterion.benchmark_group(format!("AMF0 decode: {name}"));
        group.throughput(size.clone());
        group.bench_function("ours", |bencher| bencher.iter(|| ours(&bytes)));
        group.bench_function("rml_amf0", |bencher| bencher.iter(|| rml(&bytes)));
        group.finish();

        let mut group = criterion.benchmark_group(format!("AMF0 encode: {name}"));
        group.throughput(size);
        group.bench_function("ours", |bencher| bencher.iter(|| encoded(&values)));
        group.bench_function("rml_amf0", |bencher| bencher.iter(serialize));
        group.finish();
    }
}
