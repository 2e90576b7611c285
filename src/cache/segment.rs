//! One segment's bytes: written once, sealed, read by any number of viewers, gone with its last
//! handle.
//!
//! A segment of 64 KiB or more is a file in memory of its own (`pages.rs`), so that it can go to a
//! socket by `sendfile` without being copied in user space; a smaller one lies on the heap, where a
//! plain write costs less than a descriptor. What makes eviction safe is that a file is never written, cut or
//! punched after it was made: closing it leaves the pages that sockets have queued to the
//! sockets. (Measured: punching ranges out of one large memfd does corrupt queued bytes.) The
//! kernel holds this against mistakes of our own: it refuses such calls.
//!
//! All lengths and positions are in bytes.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicU64, Ordering};

use super::memory::Weigh;
use super::pages::Fresh;

/// From this length on a segment is a file of its own. Below it, one copy into the socket costs
/// less than creating, sealing and closing a file, and low bit rates would use up descriptors.
pub const FILE_FROM: usize = 64 * 1024;

/// What a file costs the kernel beside its pages (inode, dentry, open file), and a heap segment
/// the allocator: counted, so that many small segments cannot outgrow the cache's bound.
const OVERHEAD: usize = 1024;

/// The unit of `st_blocks`.
const BLOCK: u64 = 512;

/// Files in use; see [`open_files`].
static OPEN_FILES: AtomicU64 = AtomicU64::new(0);

/// Bytes in use; see [`live_bytes`].
static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);

/// Segments kept on the heap for want of a descriptor; see [`heap_fallbacks`].
static HEAP_FALLBACKS: AtomicU64 = AtomicU64::new(0);

/// The immutable bytes of one segment.
#[derive(Debug)]
pub struct SegmentFile {
    len: usize,
    bytes: Bytes,
    counted: Counted,
}

#[derive(Debug)]
enum Bytes {
    Heap(Box<[u8]>),
    File(File),
}

impl SegmentFile {
    /// Keeps `bytes`: in a file in memory from [`FILE_FROM`] bytes on, else on the heap. Without a
    /// descriptor to spare a long segment goes to the heap too, which is counted
    /// ([`heap_fallbacks`]) and logged.
    ///
    /// # Errors
    /// Those of writing to the file: no memory left.
    pub fn new(bytes: impl AsRef<[u8]>) -> io::Result<Self> {
        let bytes = bytes.as_ref();
        if bytes.len() < FILE_FROM {
            return Ok(Self::on_heap(bytes));
        }
        let mut fresh = match Fresh::new() {
            Ok(fresh) => fresh,
            Err(error) => return Ok(Self::fall_back(bytes, error)),
        };
        // In one piece: the kernel chooses its pages by the length of a write.
        fresh.file().write_all(bytes)?;
        match fresh.close() {
            Ok(file) => Self::in_file(file, bytes.len()),
            Err(error) => Ok(Self::fall_back(bytes, error)),
        }
    }

    // The bytes are copied even when the caller could give them away: a slice of a larger buffer
    // would keep all of that buffer alive, and the cache would not know.
    fn on_heap(bytes: &[u8]) -> Self {
        Self {
            len: bytes.len(),
            bytes: Bytes::Heap(bytes.into()),
            counted: Counted::new(bytes.len(), 0),
        }
    }

    fn fall_back(bytes: &[u8], error: io::Error) -> Self {
        fell_back(error);
        Self::on_heap(bytes)
    }

    fn in_file(file: File, len: usize) -> io::Result<Self> {
        let resident = resident(&file)?.max(len);
        Ok(Self {
            len,
            bytes: Bytes::File(file),
            counted: Counted::new(resident, 1),
        })
    }

    /// How many bytes the segment has.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the segment has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of a segment on the heap, to be written; `None` for one in a file.
    pub const fn as_heap(&self) -> Option<&[u8]> {
        match &self.bytes {
            Bytes::Heap(bytes) => Some(bytes),
            Bytes::File(_) => None,
        }
    }

    /// The file of a segment, for `sendfile` with an offset of the caller's own (its file position
    /// is shared by all viewers and means nothing); `None` for one on the heap.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.bytes {
            Bytes::Heap(_) => None,
            Bytes::File(file) => Some(file.as_fd()),
        }
    }

    /// Copies `range` into `buffer`, in place of what was in it: the way out for viewers whose
    /// bytes must be patched.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the range ends past the end of the segment;
    /// else those of `pread`. The buffer is empty then.
    pub fn read_at(&self, range: Range<usize>, buffer: &mut Vec<u8>) -> io::Result<()> {
        if range.start > range.end || range.end > self.len {
            buffer.clear();
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &self.bytes {
            Bytes::Heap(bytes) => {
                buffer.clear();
                buffer.extend_from_slice(bytes.get(range).unwrap_or_default());
            }
            Bytes::File(file) => {
                // What is in it is read over: only room that is new has to be filled.
                buffer.resize(range.len(), 0);
                let read = file.read_exact_at(buffer, range.start as u64);
                read.inspect_err(|_| buffer.clear())?;
            }
        }
        Ok(())
    }
}

impl Weigh for SegmentFile {
    fn weight(&self) -> usize {
        self.counted.bytes.saturating_add(OVERHEAD)
    }

    fn descriptors(&self) -> usize {
        usize::from(self.fd().is_some())
    }
}

/// How many segment files are open in this process, cached or still held by a viewer.
pub fn open_files() -> u64 {
    OPEN_FILES.load(Ordering::Relaxed)
}

/// How many bytes all segments of this process take, cached or still held by a viewer. What
/// sockets have queued of segments that are gone is not in it.
pub fn live_bytes() -> u64 {
    LIVE_BYTES.load(Ordering::Relaxed)
}

/// How many long segments went to the heap since the process started, for want of a descriptor.
pub fn heap_fallbacks() -> u64 {
    HEAP_FALLBACKS.load(Ordering::Relaxed)
}

/// What a segment takes, counted for the whole process while the segment lives.
#[derive(Debug)]
struct Counted {
    bytes: usize,
    files: u64,
}

impl Counted {
    fn new(bytes: usize, files: u64) -> Self {
        OPEN_FILES.fetch_add(files, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
        Self { bytes, files }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN_FILES.fetch_sub(self.files, Ordering::Relaxed);
        LIVE_BYTES.fetch_sub(self.bytes as u64, Ordering::Relaxed);
    }
}

// What the file really takes: with huge pages switched on for all shared memory
// (/sys/kernel/mm/transparent_hugepage/shmem_enabled), 70 KiB take 2 MiB.
fn resident(file: &File) -> io::Result<usize> {
    let bytes = file.metadata()?.blocks().saturating_mul(BLOCK);
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

// Said at the first, second, fourth, eighth ... time: enough to be noticed, too little to flood.
fn fell_back(error: io::Error) {
    let times = HEAP_FALLBACKS
        .fetch_add(1, Ordering::Relaxed)
        .saturating_add(1);
    if times.is_power_of_two() {
        tracing::warn!(%error, times, "no file for a segment: kept on the heap, sent by copying");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::io::Errno;
    use sha2::{Digest, Sha256};
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::Arc;

    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;

    /// Bytes that differ from page to page and from seed to seed.
    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    fn read(segment: &SegmentFile, range: Range<usize>) -> Vec<u8> {
        let mut buffer = b"left over".to_vec();
        segment.read_at(range, &mut buffer).unwrap();
        buffer
    }

    #[test]
    fn short_segments_lie_on_the_heap_and_long_ones_in_files() {
        let short = SegmentFile::new(vec![1; 65_535]).unwrap();
        assert_eq!(short.as_heap(), Some(&[1; 65_535][..]));
        assert!(short.fd().is_none() && short.descriptors() == 0);
        assert_eq!(short.weight(), 65_535 + 1024);

        let long = SegmentFile::new(vec![2; 65_536]).unwrap();
        assert!(long.as_heap().is_none() && long.fd().is_some());
        assert_eq!((long.len(), long.descriptors()), (65_536, 1));
        assert!(long.weight() >= 65_536 + 1024);
        assert!(SegmentFile::new([]).unwrap().is_empty());
    }

    #[test]
    fn a_range_past_the_end_is_an_error() {
        for len in [10, 100_000] {
            let segment = SegmentFile::new(vec![1; len]).unwrap();
            let mut buffer = vec![9];
            #[allow(clippy::reversed_empty_ranges)]
            for range in [
                0..len + 1,
                len + 1..len + 1,
                usize::MAX - 1..usize::MAX,
                5..4,
            ] {
                let error = segment.read_at(range, &mut buffer).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                assert!(buffer.is_empty());
            }
            assert!(read(&segment, len..len).is_empty());
        }
    }

    #[test]
    fn a_file_is_closed_against_every_change() {
        let segment = SegmentFile::new(noise(1, MIB)).unwrap();
        let fd = segment.fd().unwrap();
        let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        let refused = [
            rustix::io::pwrite(fd, b"x", 0).err(),
            rustix::fs::ftruncate(fd, 0).err(),
            rustix::fs::ftruncate(fd, 2 << 20).err(),
            rustix::fs::fallocate(fd, punch, 0, 4096).err(),
        ];
        // Sealed, or open for reading only.
        for error in refused {
            let error = error.expect("refused");
            assert!(
                [Errno::PERM, Errno::BADF, Errno::INVAL].contains(&error),
                "{error}"
            );
        }
        assert_eq!(read(&segment, 0..MIB), noise(1, MIB));
    }

    proptest! {
        #[test]
        fn every_range_reads_as_written(len in 0usize..200_000, cuts: [prop::sample::Index; 2]) {
            let bytes = noise(len as u64, len);
            let segment = SegmentFile::new(&bytes).unwrap();
            let [a, b] = cuts.map(|cut| cut.index(len + 1));
            let range = a.min(b)..a.max(b);
            prop_assert_eq!(read(&segment, range.clone()), &bytes[range]);
        }
    }

    /// Set for tests that are run in a process of their own, to the directory they may use.
    const CHILD: &str = "STREAMFRONT_TEST_CHILD";

    /// Runs one ignored test of this module in a process of its own.
    fn in_child(command: &mut Command, directory: &Path, test: &str) -> Result<(), String> {
        let child = command
            .arg(format!("cache::segment::tests::{test}"))
            .args(["--exact", "--ignored", "--nocapture"])
            .env(CHILD, directory)
            .output()
            .expect("the command can be run (unshare is part of util-linux)");
        let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
        let passed = child.status.success() && said.contains("1 passed");
        if passed {
            Ok(())
        } else {
            Err(said.into_owned())
        }
    }

    fn child_directory() -> PathBuf {
        std::env::var_os(CHILD)
            .expect("run by its parent only")
            .into()
    }

    #[test]
    fn without_descriptors_segments_go_to_the_heap() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        in_child(&mut command, Path::new("/"), "few_descriptors_child").unwrap();
    }

    #[test]
    #[ignore = "run by without_descriptors_segments_go_to_the_heap, which spares other tests its limit"]
    fn few_descriptors_child() {
        child_directory();
        let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        limit.current = Some(40);
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        let bytes = noise(1, 100_000);
        let segments: Vec<_> = (0..60).map(|_| segment(&bytes)).collect();
        let (files, heap): (Vec<_>, Vec<_>) = segments.iter().partition(|s| s.fd().is_some());
        assert!(
            files.len() >= 20 && heap.len() >= 20,
            "{} files, {} on the heap",
            files.len(),
            heap.len()
        );
        assert_eq!(
            (open_files(), heap_fallbacks()),
            (files.len() as u64, heap.len() as u64)
        );
        assert!(
            segments
                .iter()
                .all(|segment| read(segment, 0..100_000) == bytes)
        );
        assert!(live_bytes() >= 60 * 100_000);
        drop(segments);
        assert_eq!((open_files(), live_bytes()), (0, 0));
        assert!(segment(&bytes).fd().is_some(), "a descriptor came free");
    }

    // ---- Bytes queued in sockets, on the real kernel. ----

    /// What is sent by `sendfile` and is gone when it is dropped.
    trait Source {
        fn file(&self) -> BorrowedFd<'_>;
    }

    impl Source for SegmentFile {
        fn file(&self) -> BorrowedFd<'_> {
            self.fd().expect("the segment is in a file")
        }
    }

    impl Source for File {
        fn file(&self) -> BorrowedFd<'_> {
            self.as_fd()
        }
    }

    fn socket_pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (writer, _) = listener.accept().unwrap();
        socket2::SockRef::from(&writer)
            .set_send_buffer_size(8 * MIB)
            .unwrap();
        writer.set_nonblocking(true).unwrap();
        (writer, reader)
    }

    /// Sends by `sendfile` until the socket takes no more or the source ends.
    fn send_some(socket: &TcpStream, source: &impl Source, len: usize) -> usize {
        let mut offset = 0;
        while (offset as usize) < len {
            let left = len - offset as usize;
            match rustix::fs::sendfile(socket, source.file(), Some(&mut offset), left) {
                Ok(0) => panic!("the source ended at byte {offset} of {len}"),
                Ok(_) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => panic!("sendfile: {error}"),
            }
        }
        offset as usize
    }

    /// The reader stalls; a socket is filled from sources of `len` bytes; every handle is dropped;
    /// as many pages as were freed, several times over, are filled with other bytes; the reader
    /// resumes. Returns how much was queued; panics where what arrives is not what was sent.
    fn queue_evict_reuse<S: Source>(len: usize, make: impl Fn(&[u8]) -> S) -> usize {
        let (socket, mut reader) = socket_pair();
        let mut sent = Sha256::new();
        let mut cache = Vec::new();
        let mut queued = 0;
        for seed in 1.. {
            let bytes = noise(seed, len);
            let source = make(&bytes);
            let took = send_some(&socket, &source, len);
            sent.update(&bytes[..took]);
            queued += took;
            cache.push(source);
            if took < len {
                break;
            }
        }
        let files = cache.len();
        drop(cache);
        for round in 0..4 {
            let others = (0..files).map(|n| make(&noise((1000 * (round + 1) + n) as u64, len)));
            drop(others.collect::<Vec<_>>());
        }
        let _held: Vec<S> = (0..files)
            .map(|n| make(&noise(9000 + n as u64, len)))
            .collect();

        drop(socket);
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), queued);
        assert_eq!(
            Sha256::digest(&received),
            sent.finalize(),
            "other bytes arrived than were sent"
        );
        queued
    }

    fn segment(bytes: &[u8]) -> SegmentFile {
        SegmentFile::new(bytes).unwrap()
    }

    #[test]
    fn bytes_in_a_stalled_readers_socket_outlive_their_eviction() {
        for len in [64 * KIB, 512 * KIB, 512 * KIB + 1, 3 * MIB] {
            let queued = queue_evict_reuse(len, segment);
            assert!(
                queued >= 2 * MIB,
                "only {queued} bytes could be queued: this proves little"
            );
        }
    }

    /// What the test above would see if a segment could change: its counterproof.
    #[test]
    fn bytes_in_a_stalled_readers_socket_do_change_with_an_unsealed_file() {
        let (socket, mut reader) = socket_pair();
        let file = File::from(memfd_create("unsealed", MemfdFlags::CLOEXEC).unwrap());
        file.write_all_at(&noise(1, MIB), 0).unwrap();
        assert_eq!(send_some(&socket, &file, MIB), MIB);
        file.write_all_at(&noise(2, MIB), 0).unwrap();
        drop((socket, file));
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        assert_ne!(received, noise(1, MIB));
    }

    #[test]
    fn a_viewer_reads_on_while_its_segment_is_evicted() {
        let (socket, mut reader) = socket_pair();
        let bytes = noise(1, 32 * MIB);
        let viewer = Arc::new(segment(&bytes));
        let cached = Arc::clone(&viewer);
        let receiving = std::thread::spawn(move || {
            let mut received = Vec::new();
            reader.read_to_end(&mut received).unwrap();
            received
        });
        socket.set_nonblocking(false).unwrap();
        let mut offset = 0;
        let fd = viewer.fd().unwrap();
        rustix::fs::sendfile(&socket, fd, Some(&mut offset), 100_000).unwrap();
        drop(cached);
        while (offset as usize) < bytes.len() {
            assert_ne!(
                rustix::fs::sendfile(&socket, fd, Some(&mut offset), 256 * KIB),
                Ok(0)
            );
        }
        drop((socket, viewer));
        assert_eq!(receiving.join().unwrap(), bytes);
    }

    /// Mounts a tmpfs with huge pages where only this test's child sees it, and runs the next test
    /// there. Fails where that is not possible: it needs root or unprivileged user namespaces, and
    /// a kernel with transparent huge pages.
    #[test]
    fn queued_bytes_outlive_eviction_on_huge_pages() {
        let root = rustix::process::geteuid().is_root();
        let flags: &[&str] = if root {
            &["--mount"]
        } else {
            &["--mount", "--user", "--map-root-user"]
        };
        let directory = tempfile::tempdir().unwrap();
        let script = r#"mount -t tmpfs -o huge=always,size=512m tmpfs "$1" && shift && exec "$@""#;
        let mut command = Command::new("unshare");
        command
            .args(flags)
            .args(["sh", "-c", script, "sh"])
            .arg(directory.path())
            .arg(std::env::current_exe().unwrap());
        if let Err(said) = in_child(&mut command, directory.path(), "huge_pages_child") {
            panic!(
                "no tmpfs with huge=always could be mounted in a namespace of its own \
                 (this test needs root or user namespaces), or queued bytes changed on it:\n{said}"
            );
        }
    }

    #[test]
    #[ignore = "run by queued_bytes_outlive_eviction_on_huge_pages, inside its mount"]
    fn huge_pages_child() {
        let directory = child_directory();
        let before = huge_shmem();
        let probe = file_in(&directory, &noise(1, 8 * MIB));
        assert!(
            huge_shmem() >= before + 4 * MIB,
            "the kernel gave no huge pages"
        );
        drop(probe);
        // Unaligned lengths too: the last huge page is then partly used.
        for len in [512 * KIB, 2 * MIB, 3 * MIB + 1] {
            let queued = queue_evict_reuse(len, |bytes| file_in(&directory, bytes));
            assert!(
                queued >= 2 * MIB,
                "only {queued} bytes could be queued: this proves little"
            );
        }
    }

    /// A file with these bytes that has no name, like a memfd.
    fn file_in(directory: &Path, bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile_in(directory).unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// Bytes of shared memory in huge pages, in the whole system.
    fn huge_shmem() -> usize {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        let line = meminfo
            .lines()
            .find(|line| line.starts_with("ShmemHugePages:"));
        let kib = line
            .and_then(|line| line.split_whitespace().nth(1))
            .expect("huge pages in /proc/meminfo");
        kib.parse::<usize>().unwrap() * KIB
    }
}
