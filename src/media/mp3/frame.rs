//! The 4-byte head of one MPEG audio frame (ISO/IEC 11172-3 section 2.4.1.3).

use serde::{Deserialize, Serialize};
/// Length of a frame head, bytes.
pub(crate) const HEAD: u64 = 4;

/// Kilobits a second by index 1 to 14, from MPEG 1 layer II and III and from the two layers of
/// MPEG 2 and 2.5 (which share one row).
const V1_L2: [u32; 14] = [
    32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
];
const V1_L3: [u32; 14] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const V2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// Samples a second of MPEG 1 by index; MPEG 2 has half of it, 2.5 a quarter.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// The bits that do not change within a stream: sync, version, layer, sample rate.
const SAME: u32 = 0xfffe_0c00;

/// A frame head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrameHead {
    /// The four bytes.
    bits: u32,
    /// Samples a second.
    pub(crate) rate: u32,
    /// 1 or 2.
    pub(crate) channels: u8,
    /// Bits a second.
    pub(crate) bitrate: u32,
    /// Samples (of each channel) in the frame.
    pub(crate) samples: u32,
    /// Length of the frame with its head, bytes.
    pub(crate) len: u64,
}

impl FrameHead {
    /// Reads a head from the first four of `bytes`. `None` where they are none, also for layer I
    /// and free format (no bit rate, so that the length is not told).
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bits = u32::from_be_bytes(*bytes.first_chunk()?);
        if bits >> 21 != 0x7ff {
            return None;
        }
        let (version, layer) = (bits >> 19 & 3, bits >> 17 & 3);
        let row = match (version, layer) {
            (1, _) | (_, 0 | 3) => return None,
            (3, 2) => V1_L2,
            (3, _) => V1_L3,
            _ => V2,
        };
        let index = usize::try_from(bits >> 12 & 15).ok()?.checked_sub(1)?;
        let bitrate = row.get(index)?.checked_mul(1000)?;
        let full = RATES.get(usize::try_from(bits >> 10 & 3).ok()?)?;
        let rate = match version {
            3 => *full,
            2 => full / 2,
            _ => full / 4,
        };
        // Layer III of MPEG 2 and 2.5 has one granule where the others have two.
        let samples: u32 = if layer == 1 && version != 3 {
            576
        } else {
            1152
        };
        let padding = bits >> 9 & 1;
        let len = (samples / 8)
            .checked_mul(bitrate)?
            .checked_div(rate)?
            .checked_add(padding)?;
        Some(Self {
            bits,
            rate,
            channels: if bits >> 6 & 3 == 3 { 1 } else { 2 },
            bitrate,
            samples,
            len: u64::from(len),
        })
    }

    /// Whether these bytes are a frame head but for their length, which is not told.
    pub(crate) fn is_free_format(bytes: &[u8]) -> bool {
        let Some(bits) = bytes.first_chunk().copied().map(u32::from_be_bytes) else {
            return false;
        };
        bits >> 12 & 15 == 0 && Self::parse(&(bits | 0x1000).to_be_bytes()).is_some()
    }

    /// Whether `other` can be a frame of the same stream: same version, layer and rate.
    pub(crate) const fn is_like(&self, other: &Self) -> bool {
        self.bits & SAME == other.bits & SAME
    }

    /// Whether the frame is of MPEG 1 (or else of 2 or 2.5).
    pub(crate) const fn is_version_1(&self) -> bool {
        self.bits >> 19 & 3 == 3
    }

    /// Whether it is layer III (or else II).
    pub(crate) const fn is_layer_3(&self) -> bool {
        self.bits >> 17 & 3 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(bytes: [u8; 4]) -> Option<(u32, u8, u32, u32, u64)> {
        let head = FrameHead::parse(&bytes)?;
        Some((
            head.rate,
            head.channels,
            head.bitrate,
            head.samples,
            head.len,
        ))
    }

    #[test]
    fn lengths_are_those_of_the_standard() {
        // 144 * 128000 / 44100 = 417.96, and one more with padding.
        assert_eq!(
            told([0xff, 0xfb, 0x90, 0x00]),
            Some((44_100, 2, 128_000, 1152, 417))
        );
        assert_eq!(
            told([0xff, 0xfb, 0x92, 0x00]),
            Some((44_100, 2, 128_000, 1152, 418))
        );
        assert_eq!(
            told([0xff, 0xfb, 0x94, 0xc0]),
            Some((48_000, 1, 128_000, 1152, 384))
        );
        // MPEG 2, 64 kbit/s, 22,050 Hz: 72 * 64000 / 22050 = 208.97.
        assert_eq!(
            told([0xff, 0xf3, 0x80, 0xc0]),
            Some((22_050, 1, 64_000, 576, 208))
        );
        // MPEG 2.5, 64 kbit/s, 8,000 Hz: 72 * 64000 / 8000 = 576.
        assert_eq!(
            told([0xff, 0xe3, 0x88, 0xc0]),
            Some((8_000, 1, 64_000, 576, 576))
        );
        // Layer II, 128 kbit/s, 44,100 Hz.
        assert_eq!(
            told([0xff, 0xfd, 0x80, 0x00]),
            Some((44_100, 2, 128_000, 1152, 417))
        );
    }

    #[test]
    fn what_is_no_head_is_told() {
        for bytes in [
            [0xff, 0xdb, 0x90, 0x00],
            [0xff, 0xeb, 0x90, 0x00],
            [0xff, 0xff, 0x90, 0x00],
            [0xff, 0xf9, 0x90, 0x00],
            [0xff, 0xfb, 0xf0, 0x00],
            [0xff, 0xfb, 0x9c, 0x00],
            [0xff, 0xfb, 0x00, 0x00],
        ] {
            assert_eq!(FrameHead::parse(&bytes), None, "{bytes:x?}");
        }
        assert!(FrameHead::is_free_format(&[0xff, 0xfb, 0x00, 0x00]));
        assert!(!FrameHead::is_free_format(&[0xff, 0xfb, 0x0c, 0x00]));
        assert!(!FrameHead::is_free_format(&[0xff, 0xfb, 0x90, 0x00]));
    }

    proptest! {
        #[test]
        fn every_head_has_a_length(bytes: [u8; 4]) {
            if let Some(head) = FrameHead::parse(&bytes) {
                prop_assert!((24..=1729).contains(&head.len), "{head:?}");
                prop_assert!(head.is_like(&head));
            }
        }
    }
}
