//! The sample media that are built into the program.

/// A sample: the key of its object in the demo's bucket, and its bytes.
pub(super) struct Sample {
    pub(super) key: &'static str,
    pub(super) bytes: &'static [u8],
}

/// All samples, one of each container.
pub(super) const SAMPLES: [Sample; 3] = [
    Sample {
        key: "sample.mp4",
        bytes: include_bytes!("demo/sample.mp4"),
    },
    Sample {
        key: "sample.flv",
        bytes: include_bytes!("demo/sample.flv"),
    },
    Sample {
        key: "sample.mp3",
        bytes: include_bytes!("demo/sample.mp3"),
    },
];
