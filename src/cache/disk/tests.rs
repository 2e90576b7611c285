//! On a real disk: restarts, damage, a directory that cannot be used, scans.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio_util::task::TaskTracker;

use super::codec::tests::Blob;
use super::*;
use crate::cache::{MemorySize, RenderCache, Weigh};

const KIB: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(u64);

impl StoredKey for Key {
    fn write_name(&self, name: &mut Vec<u8>) {
        name.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Weigh for Blob {
    fn weight(&self) -> usize {
        self.payload.len()
    }
}

/// Bytes that only this key has.
fn blob(key: u64, len: usize) -> Arc<Blob> {
    let mut state = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut payload = Vec::with_capacity(len + 8);
    while payload.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload.extend_from_slice(&state.to_le_bytes());
    }
    payload.truncate(len);
    let description = key.to_le_bytes().to_vec();
    Arc::new(Blob {
        description,
        payload,
    })
}

async fn open(directory: &Path) -> Disk<Arc<Blob>> {
    Disk::open(directory, CAPACITY_MIN).await.unwrap()
}

async fn fetch(disk: &Disk<Arc<Blob>>, key: u64) -> Option<Arc<Blob>> {
    disk.fetch(&Key(key)).await
}

fn may_hold(disk: &Disk<Arc<Blob>>, key: u64) -> bool {
    disk.may_hold(&Key(key))
}

/// Writes values one after the other, as slowly as the disk takes them.
async fn write(disk: &Disk<Arc<Blob>>, keys: std::ops::Range<u64>, len: usize) {
    for key in keys {
        disk.keep(&Key(key), &blob(key, len));
        if key % 8 == 7 {
            disk.flush().await;
        }
    }
    disk.flush().await;
}

#[tokio::test]
async fn what_is_queued_and_what_is_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    let value = blob(1, 600 * KIB);
    disk.keep(&Key(1), &value);
    assert_eq!(fetch(&disk, 1).await, Some(value.clone()));
    disk.flush().await;
    assert_eq!(fetch(&disk, 1).await, Some(value));
    assert!(!may_hold(&disk, 2));
    let usage = disk.usage();
    assert_eq!((usage.hits, usage.errors, usage.queued), (2, 0, 0));
    assert!(usage.bytes_written > 600 * 1024 && usage.bytes_read > 600 * 1024);
}

/// As much as may wait comes at once, faster than any disk takes it, and all of it is written.
#[tokio::test]
async fn what_may_wait_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    // The end of the last page is too little for the heads of the store and of the value.
    let large = 29;
    (0..large).for_each(|key| disk.keep(&Key(key), &blob(key, 512 * KIB)));
    disk.flush().await;
    let small = (QUEUE_MAX / (8 * KIB)) as u64;
    (100..100 + small).for_each(|key| disk.keep(&Key(key), &blob(key, 5 * KIB)));
    disk.flush().await;
    assert_eq!(disk.usage().dropped, 0);
    for key in (0..large).chain(100..100 + small) {
        assert!(may_hold(&disk, key), "{key}");
    }
    // What comes above is dropped, and counted. None of these names was used before.
    let more = 10_000..10_060;
    more.clone()
        .for_each(|key| disk.keep(&Key(key), &blob(key, 512 * KIB)));
    disk.flush().await;
    let written = more.filter(|key| may_hold(&disk, *key)).count();
    assert_eq!(disk.usage().dropped, 60 - written as u64);
}

/// A directory in which something waits for ever: a FIFO that nobody reads.
#[tokio::test]
async fn a_disk_that_hangs_is_given_up() {
    for name in ["lock", "segments/fifo"] {
        let folder = tempfile::tempdir().unwrap();
        let fifo = if name == "lock" {
            folder.path().join(name)
        } else {
            drop(open(folder.path()).await);
            files(folder.path()).remove(0).with_file_name("fifo")
        };
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).unwrap();
        let limit = Duration::from_secs(2);
        let opened = Disk::<Arc<Blob>>::open_within(limit, folder.path(), CAPACITY_MIN).await;
        assert!(matches!(opened, Err(DiskError::Slow)), "{name}: {opened:?}");
        // Lets go of the thread.
        let mut both = fs::OpenOptions::new();
        drop(both.read(true).write(true).open(fifo).unwrap());
    }
}

#[tokio::test]
async fn a_restart_keeps_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    for key in 0..20 {
        disk.keep(&Key(key), &blob(key, 100 * KIB));
    }
    disk.close().await;
    drop(disk);
    let disk = open(folder.path()).await;
    for key in 0..20 {
        assert_eq!(fetch(&disk, key).await, Some(blob(key, 100 * KIB)), "{key}");
    }
    assert!(!may_hold(&disk, 20));
}

#[tokio::test]
async fn one_server_has_a_directory_and_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    let second = Disk::<Arc<Blob>>::open(folder.path(), CAPACITY_MIN).await;
    assert_eq!(second.unwrap_err().to_string(), "another server uses it");
    drop(disk);
    // The store lets go of it in the background.
    let again = Disk::<Arc<Blob>>::open(folder.path(), CAPACITY_MIN).await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn another_size_starts_anew_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("somebody's"), b"file").unwrap();
    let disk = open(folder.path()).await;
    write(&disk, 0..3, 100 * KIB).await;
    disk.close().await;
    drop(disk);
    let larger = Disk::<Arc<Blob>>::open(folder.path(), 2 * CAPACITY_MIN)
        .await
        .unwrap();
    assert!(!may_hold(&larger, 1));
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(larger.descriptors() > 16);
}

/// The files of the store.
fn files(folder: &Path) -> Vec<PathBuf> {
    let segments = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let mut files: Vec<_> = fs::read_dir(segments)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// What may happen to a file between two runs.
#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    /// A part is overwritten by another part of the file: a block from elsewhere.
    Move(prop::sample::Index, prop::sample::Index),
    Zero(prop::sample::Index),
    Cut(prop::sample::Index),
    Remove,
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 1u8..).prop_map(|(at, flip)| Damage::Flip(at, flip)),
        2 => (at(), at()).prop_map(|(from, to)| Damage::Move(from, to)),
        2 => at().prop_map(Damage::Zero),
        1 => at().prop_map(Damage::Cut),
        1 => Just(Damage::Remove),
    ]
}

/// Where the values are: only some of the first file is written.
const WRITTEN: usize = 3 << 20;

fn apply(damage: &Damage, file: &Path) {
    const PART: usize = 8 * KIB;
    let open = || fs::OpenOptions::new().read(true).write(true).open(file);
    // Another damage may have removed it.
    let Ok(bytes) = open() else { return };
    let mut part = vec![0; PART];
    match damage {
        Damage::Flip(at, flip) => {
            let at = at.index(WRITTEN) as u64;
            let mut byte = [0];
            if bytes.read_exact_at(&mut byte, at).is_ok() {
                bytes.write_all_at(&[byte[0] ^ flip], at).unwrap();
            }
        }
        Damage::Move(from, to) => {
            let page = |at: &prop::sample::Index| (at.index(WRITTEN) / 4096 * 4096) as u64;
            if bytes.read_exact_at(&mut part, page(from)).is_ok() {
                bytes.write_all_at(&part, page(to)).unwrap();
            }
        }
        Damage::Zero(at) => bytes.write_all_at(&part, at.index(WRITTEN) as u64).unwrap(),
        Damage::Cut(at) => bytes.set_len(at.index(WRITTEN) as u64).unwrap(),
        Damage::Remove => fs::remove_file(file).unwrap(),
    }
}

#[test]
fn damage_between_two_runs_never_gives_a_wrong_byte() {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
    let damages = proptest::collection::vec(damage(), 1..12);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lost = std::cell::Cell::new(0);
    runner
        .run(&damages, |damages| {
            let folder = tempfile::tempdir().unwrap();
            runtime.block_on(async {
                let disk = open(folder.path()).await;
                write(&disk, 0..24, 100 * KIB).await;
                disk.close().await;
            });
            let first = files(folder.path()).remove(0);
            damages.iter().for_each(|damage| apply(damage, &first));
            runtime.block_on(async {
                let disk = open(folder.path()).await;
                for key in 0..24 {
                    match fetch(&disk, key).await {
                        Some(value) => assert_eq!(value, blob(key, 100 * KIB)),
                        None => lost.set(lost.get() + 1),
                    }
                }
                // It goes on working.
                write(&disk, 100..104, 100 * KIB).await;
                assert_eq!(fetch(&disk, 103).await, Some(blob(103, 100 * KIB)));
            });
            Ok(())
        })
        .unwrap();
    assert!(
        lost.get() > 24,
        "{} values lost: this proves little",
        lost.get()
    );
}

#[tokio::test]
async fn damage_while_it_runs_never_gives_a_wrong_byte() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    write(&disk, 0..24, 100 * KIB).await;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(files(folder.path()).remove(0))
        .unwrap();
    for page in (0..WRITTEN as u64).step_by(300 * KIB) {
        file.write_all_at(b"not what was written", page + 5000)
            .unwrap();
    }
    let mut found = 0;
    for key in 0..24 {
        if let Some(value) = fetch(&disk, key).await {
            assert_eq!(value, blob(key, 100 * KIB));
            found += 1;
        }
    }
    assert!((1..24).contains(&found), "{found} found");
    file.set_len(0).unwrap();
    for key in 0..24 {
        assert_eq!(fetch(&disk, key).await, None);
    }
    assert!(disk.usage().errors > 0);
}

#[tokio::test]
async fn more_than_may_wait_is_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    for key in 0..200 {
        disk.keep(&Key(key), &blob(1, 1 << 20));
        assert!(disk.usage().queued <= QUEUE_MAX as u64);
    }
    disk.keep(&Key(1000), &blob(1, VALUE_MAX));
    assert!(!may_hold(&disk, 1000), "too large");
    disk.flush().await;
    let usage = disk.usage();
    assert_eq!(usage.queued, 0);
    assert!(usage.dropped > 0, "{usage:?}");
    assert_eq!(usage.bytes_written >> 20, 201 - usage.dropped);
}

/// Four hot values of a disk of 64 MiB, and then 200 MiB that one viewer each watches.
#[tokio::test]
async fn a_scan_does_not_push_out_what_is_hot() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    let uses = |key, times| (0..times).for_each(|_| disk.used(&Key(key)));
    write(&disk, 0..4, 400 * KIB).await;
    for key in 1000..1500 {
        write(&disk, key..key + 1, 400 * KIB).await;
        uses(key, 2);
        // They are hot: read from memory, mostly.
        (0..4).for_each(|hot| uses(hot, 1));
    }
    for hot in 0..4 {
        assert_eq!(fetch(&disk, hot).await, Some(blob(hot, 400 * KIB)), "{hot}");
    }
    let left = (1000..1500).filter(|key| may_hold(&disk, *key)).count();
    assert!((50..200).contains(&left), "{left} of the scan");
    assert!(may_hold(&disk, 1499), "the newest is there");
}

fn cache(disk: &Disk<Arc<Blob>>) -> RenderCache<Key, Arc<Blob>, &'static str> {
    let size = MemorySize {
        bytes: 8 << 20,
        descriptors: 1000,
    };
    let tier = Some(Arc::new(disk.clone()) as _);
    RenderCache::over(tier, size, 4, TaskTracker::new())
}

#[tokio::test]
async fn what_left_memory_is_read_and_not_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    let segments = cache(&disk);
    let value = blob(1, 100 * KIB);
    let made = value.clone();
    let first = segments.get_or_render(&Key(1), || async { Ok(made) }).await;
    assert_eq!(first, Ok(value.clone()));
    disk.flush().await;
    segments.clear();
    assert_eq!(segments.get(&Key(1)), None);
    let refuse = || async { Err("rendered") };
    assert_eq!(
        segments.get_or_render(&Key(1), refuse).await,
        Ok(value.clone())
    );
    assert_eq!(segments.get(&Key(1)), Some(value), "back in memory");
    assert_eq!(
        segments
            .get_or_render(&Key(2), refuse)
            .await
            .unwrap_err()
            .to_string(),
        "rendered"
    );
}

/// A run of renders ends before what is on the disk, and one that begins there is that alone.
#[tokio::test]
async fn a_run_ends_before_what_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    write(&disk, 3..4, 100 * KIB).await;
    let segments = cache(&disk);
    let keys: Vec<_> = (1..6).map(Key).collect();
    let rendered = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&rendered);
    let render = move |run: crate::cache::Run<Key, Arc<Blob>, &'static str>| {
        let rendered = noted;
        async move {
            for key in run.keys() {
                rendered.lock().unwrap().push(key.0);
                run.publish(key.clone(), blob(key.0, 100));
            }
            Ok(())
        }
    };
    let got = segments.get_or_render_run(&keys, render.clone()).await;
    assert_eq!(got, Ok(blob(1, 100)));
    let got = segments.get_or_render_run(&keys[2..], render).await;
    assert_eq!(got, Ok(blob(3, 100 * KIB)));
    assert_eq!(*rendered.lock().unwrap(), [1, 2]);
}

/// A stretch that is on the disk comes whole: each of it is a read of its own.
#[tokio::test]
async fn a_stretch_that_is_on_the_disk_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path()).await;
    write(&disk, 1..5, 100 * KIB).await;
    let segments = cache(&disk);
    let keys: Vec<_> = (1..6).map(Key).collect();
    assert!(keys[..4].iter().all(|key| segments.is_below(key)));
    assert!(!segments.is_below(&keys[4]));
    segments.begin(&keys, async |_| Err("rendered"));
    assert!(keys[..4].iter().all(|key| segments.is_coming(key)));
    assert!(!segments.is_coming(&keys[4]), "not on the disk");
    for key in &keys[..4] {
        let refuse = || async { Err("rendered") };
        let got = segments.get_or_render(key, refuse).await;
        assert_eq!(got, Ok(blob(key.0, 100 * KIB)));
        assert!(!segments.is_below(key), "in memory");
    }
    assert_eq!((disk.usage().hits, segments.sources().below), (4, 4));
}

/// Set for tests that are run in a process of their own, to the directory they may use.
const CHILD: &str = "STREAMFRONT_TEST_CHILD";

/// Runs one ignored test of this module in a mount namespace of its own, in a tmpfs mounted with
/// `options`. It needs root or unprivileged user namespaces.
fn in_mount(options: &str, test: &str) {
    let root = rustix::process::geteuid().is_root();
    let flags: &[&str] = if root {
        &["--mount"]
    } else {
        &["--mount", "--user", "--map-root-user"]
    };
    let directory = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o "$2" tmpfs "$1" && shift 2 && exec "$@""#;
    let child = Command::new("unshare")
        .args(flags)
        .args(["sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(options)
        .arg(std::env::current_exe().unwrap())
        .arg(format!("cache::disk::tests::{test}"))
        .args(["--exact", "--ignored", "--nocapture"])
        .env(CHILD, directory.path())
        .output()
        .expect("the command can be run (unshare is part of util-linux)");
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "no tmpfs could be mounted, or the test failed in it:\n{said}"
    );
}

fn child_directory() -> PathBuf {
    std::env::var_os(CHILD)
        .expect("run by its parent only")
        .into()
}

#[test]
fn a_full_disk_is_found_out_at_the_start() {
    in_mount("size=40m", "full_child");
}

#[tokio::test]
#[ignore = "run by a_full_disk_is_found_out_at_the_start, inside its mount"]
async fn full_child() {
    let directory = child_directory();
    let error = Disk::<Arc<Blob>>::open(&directory, CAPACITY_MIN)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    let free = rustix::fs::statvfs(&directory).unwrap();
    assert!(free.f_bavail * free.f_bsize > 39 << 20, "it gave it back");
}

#[test]
fn a_disk_that_fills_up_later_does_not_matter() {
    in_mount("size=80m", "filled_child");
}

#[tokio::test]
#[ignore = "run by a_disk_that_fills_up_later_does_not_matter, inside its mount"]
async fn filled_child() {
    let directory = child_directory();
    let disk = open(&directory).await;
    let mut others = fs::File::create(directory.join("others")).unwrap();
    while std::io::Write::write_all(&mut others, &[1; 64 * KIB]).is_ok() {}
    write(&disk, 0..400, 300 * KIB).await;
    assert_eq!(fetch(&disk, 399).await, Some(blob(399, 300 * KIB)));
    disk.close().await;
    drop(disk);
    let disk = open(&directory).await;
    assert_eq!(fetch(&disk, 399).await, Some(blob(399, 300 * KIB)));
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    in_mount("ro", "read_only_child");
}

#[tokio::test]
#[ignore = "run by a_directory_that_cannot_be_written_is_refused, inside its mount"]
async fn read_only_child() {
    let error = Disk::<Arc<Blob>>::open(&child_directory(), CAPACITY_MIN)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Read-only"), "{error}");
}
