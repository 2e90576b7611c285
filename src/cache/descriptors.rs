//! File descriptors: the resource that segment files and connections share.
//!
//! Each cached segment of 64 KiB or more holds one descriptor, and so does each connection. The
//! soft limit that a process starts with is often 1024, which a cache fills in half a gigabyte; the
//! hard limit is what the operator allows. So the soft limit is raised to the hard one at start,
//! and the cache is sized by what came of it ([`super::MemorySize`]).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most descriptors ever asked for, also where the hard limit is unlimited or enormous: a
/// million is more than two gigabit links can feed, and some libraries walk all numbers up to the
/// limit when they start a process.
pub const DESCRIPTORS_MAX: u64 = 1 << 20;

/// Raises the limit of open descriptors of this process as far as the hard limit lets it, and
/// tells what it is now. A limit that cannot be raised, or that is already higher, stays as it is.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(DESCRIPTORS_MAX);
    let target = limit
        .maximum
        .unwrap_or(DESCRIPTORS_MAX)
        .min(DESCRIPTORS_MAX);
    if current >= target {
        return current;
    }
    let raised = Rlimit {
        current: Some(target),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => target,
        Err(error) => {
            tracing::warn!(%error, current, target, "the limit of open files could not be raised");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_reaches_the_hard_one() {
        let soft = raise_descriptor_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(DESCRIPTORS_MAX), soft);
        let hard = limit.maximum.unwrap_or(DESCRIPTORS_MAX);
        assert!(soft >= hard.min(DESCRIPTORS_MAX), "{soft} of {hard}");
        assert_eq!(raise_descriptor_limit(), soft);
    }
}
