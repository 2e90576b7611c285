//! Whatever a proxy sends: reading ends, never asks for what may belong to the viewer, and a
//! header stays the same header whatever follows it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamfront::net::proxy::header::{Step, step};

/// The longest header there is: 16 bytes and what they may announce.
const LONGEST: usize = 16 + 4096;

fuzz_target!(|bytes: &[u8]| {
    let mut taken = 0;
    loop {
        match step(&bytes[..taken]) {
            Ok(Step::Need(more)) => {
                assert!(more > 0 && taken + more <= LONGEST);
                taken += more;
                if taken > bytes.len() {
                    return;
                }
            }
            Ok(Step::Done(viewer)) => {
                let head = &bytes[..taken];
                assert!(head.len() >= 15);
                if head.starts_with(b"PROXY ") {
                    assert!(head.ends_with(b"\r\n") && head.len() <= 107);
                    assert_eq!(head.iter().filter(|byte| **byte == b'\n').count(), 1);
                } else {
                    let announced = u16::from_be_bytes([head[14], head[15]]);
                    assert_eq!(head.len(), 16 + usize::from(announced));
                }
                if let Some(viewer) = viewer {
                    assert_eq!(viewer.ip(), viewer.ip().to_canonical());
                }
                return;
            }
            Err(_) => return,
        }
    }
});
