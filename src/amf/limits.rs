//! How much AMF we are willing to read.

use super::AmfError;

/// Bounds on what a decoder accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays within each other; the outermost value is at depth 1.
    pub depth: usize,
    /// Values, those inside objects and arrays counted.
    pub values: usize,
    /// Bytes of names, strings and byte arrays, references to them counted as if written out.
    pub bytes: usize,
    /// Whether an object or array that the input ends in the middle of counts as ended there.
    pub lenient: bool,
}

impl Limits {
    /// For commands. Known clients nest 3 deep (the Enhanced RTMP maps of `connect`) and send less
    /// than 50 values; a value costs about 80 bytes of memory, so one command stays below 1/2 MiB.
    pub const COMMAND: Self = Self {
        depth: 16,
        values: 4096,
        bytes: 64 * 1024,
        lenient: false,
    };

    /// For script tags of files. A keyframe table has two values a key frame: this is room for 36
    /// hours with one a second, and at most 25 MiB while it is read. Writers forget end markers.
    pub const METADATA: Self = Self {
        depth: 32,
        values: 1 << 18,
        bytes: 4 << 20,
        lenient: true,
    };
}

/// What is left of the limits while a message is read.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    limits: Limits,
    values: usize,
    bytes: usize,
}

impl Budget {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            values: limits.values,
            bytes: limits.bytes,
        }
    }

    pub(super) const fn lenient(&self) -> bool {
        self.limits.lenient
    }

    /// Pays for one value at `depth` and byte `at`.
    pub(super) fn value(&mut self, depth: usize, at: usize) -> Result<(), AmfError> {
        if depth > self.limits.depth {
            let limit = self.limits.depth;
            return Err(AmfError::Depth { limit, at });
        }
        let limit = self.limits.values;
        self.values = self
            .values
            .checked_sub(1)
            .ok_or(AmfError::Values { limit, at })?;
        Ok(())
    }

    /// Pays for `len` bytes of text that end before byte `at`.
    pub(super) fn text(&mut self, len: usize, at: usize) -> Result<(), AmfError> {
        let limit = self.limits.bytes;
        self.bytes = self
            .bytes
            .checked_sub(len)
            .ok_or(AmfError::Bytes { limit, at })?;
        Ok(())
    }
}
