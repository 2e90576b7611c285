//! What a slower tier under the memory tier has to offer. The cache of renders knows no more of
//! it than this, so that caches without one (checks of names) need not be able to store anything.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// A tier between memory and the origin. Whatever goes wrong in it is a miss.
pub trait Tier<K, V>: Send + Sync + fmt::Debug {
    /// Whether it may have `key`; asked before every render, so it must not touch a disk.
    fn may_hold(&self, key: &K) -> bool;

    /// It does not have a key that was wanted.
    fn was_missing(&self);

    /// Reads the value of `key`, or finds out that it is not there, or not whole. The read goes on
    /// when the future is dropped.
    fn fetch(&self, key: &K) -> BoxFuture<'static, Option<V>>;

    /// How long a read is waited for before the origin is asked as well.
    fn patience(&self) -> Duration;

    /// A read took longer than that.
    fn was_slow(&self);

    /// Keeps `value`, if that can be done without anybody waiting for it.
    fn keep(&self, key: &K, value: &V);

    /// A viewer used `key`, wherever it came from: what is used in memory is hot here too.
    fn used(&self, key: &K);
}
