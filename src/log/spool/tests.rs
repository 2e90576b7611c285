//! Files as they are written, closed, dropped and found again.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::delivery::session::Facts;
use crate::delivery::session::testing::facts;
use crate::distribution::streaming::Logging;

fn options(directory: &Path) -> Options {
    Options {
        edge: "LCL1".into(),
        double: false,
        directory: directory.to_owned(),
        delivery: Duration::from_secs(300),
        spool: 1 << 30,
        json: None,
        rows: true,
    }
}

fn now() -> Instant {
    Instant::now()
}

fn spool(directory: &Path) -> Spool {
    Spool::alone(options(directory))
}

fn entry(distribution: &str, prefix: &str, seconds: u64) -> Entry {
    let facts = Facts {
        distribution: Some(distribution.into()),
        ..facts()
    };
    let to = Logging {
        bucket: "logs.example.com".into(),
        prefix: prefix.into(),
    };
    Entry {
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        logging: Some(Arc::new(to)),
        refused: false,
        ..Entry::turned_away(facts, "")
    }
}

fn names(directory: &Path, ending: &str) -> Vec<String> {
    let all = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = all
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort_unstable();
    names
}

fn count(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn there_is_a_file_for_each_distribution_destination_and_hour() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    spool.add(
        [
            entry("A", "", 10),
            entry("A", "", 3599),
            entry("A", "", 3600),
            entry("A", "p", 10),
            entry("B", "", 10),
        ]
        .iter(),
        now(),
    );
    assert_eq!(names(folder.path(), ".open").len(), 4);
    spool.close_all(now());
    let closed = names(folder.path(), ".rows");
    assert_eq!(closed.len(), 4);
    assert!(closed[0].starts_with("A.1970-01-01-00."), "{closed:?}");
    assert!(closed[3].starts_with("B.1970-01-01-00."), "{closed:?}");
    let rows: usize = closed
        .iter()
        .map(|name| count(&file::rows(folder.path(), name.strip_suffix(".rows").unwrap()).unwrap()))
        .sum();
    assert_eq!(rows, 5);
    assert_eq!(spool.meter.spooled.get(), 5);
}

#[test]
fn who_logs_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("access-log");
    let mut spool = spool(&directory);
    spool.look();
    let none = Entry {
        logging: None,
        ..entry("A", "", 0)
    };
    spool.add([none].iter(), now());
    spool.close_all(now());
    assert!(!directory.exists());
}

#[test]
fn what_a_killed_process_left_is_found_up_to_its_last_whole_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = spool(folder.path());
    killed.add(
        [entry("A", "", 10), entry("A", "", 11), entry("B", "", 11)].iter(),
        now(),
    );
    drop(killed);
    let open = names(folder.path(), ".open");
    let torn = folder.path().join(&open[0]);
    let mut bytes = fs::read(&torn).unwrap();
    let whole = bytes.len();
    bytes.extend(b"1970-01-01\t00:0");
    fs::write(&torn, &bytes).unwrap();
    // The machine lost its power: zeros at the end.
    let mut zeros = fs::read(folder.path().join(&open[1])).unwrap();
    zeros.extend([0; 50]);
    zeros.extend(b"\n");
    fs::write(folder.path().join(&open[1]), &zeros).unwrap();
    fs::write(
        folder.path().join("C.1970-01-01-00.AAAAAAAAAAA.open"),
        "{\"buck",
    )
    .unwrap();
    fs::write(folder.path().join("notes.txt"), "x").unwrap();

    let mut next = spool(folder.path());
    next.look();
    next.take_over(usize::MAX);
    let found = names(folder.path(), ".rows");
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].replace(".rows", ".open"), open[0]);
    let length = fs::metadata(folder.path().join(&found[0])).unwrap().len();
    assert_eq!(length, whole as u64);
    assert!(names(folder.path(), ".open").is_empty());
    let place = next.shelf.places().remove(0);
    let (name, kept) = next.shelf.take(&place).unwrap();
    assert_eq!(kept.rows + next.shelf.take(&place).unwrap().1.rows, 3);
    assert!(
        file::rows(folder.path(), &name)
            .unwrap()
            .starts_with(b"1970-01-01\t")
    );
    assert!(folder.path().join("notes.txt").exists());
}

#[test]
fn what_another_server_has_is_left_alone_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = spool(folder.path());
    first.add([entry("A", "", 10)].iter(), now());
    let mut second = spool(folder.path());
    second.look();
    assert!(second.found.is_empty());
    // Were there a second one, its rows would be lost, and told of.
    let start = now();
    second.add([entry("A", "", 10)].iter(), start);
    assert_eq!(second.meter.lost_disk.get(), 1);
    let cause = &second.failed.as_ref().unwrap().cause;
    assert!(cause.starts_with("another server uses "), "{cause}");
    first.add([entry("A", "", 11)].iter(), now());
    drop(first);
    second.add([entry("B", "", 12)].iter(), start + REST);
    second.tick(start + REST);
    second.close_all(start + REST);
    let place = second.shelf.places().remove(0);
    let rows = |_| second.shelf.take(&place).unwrap().1.rows;
    let mut rows = [0, 1].map(rows);
    rows.sort_unstable();
    assert_eq!(rows, [1, 2]);
    assert_eq!(second.meter.lost_disk.get(), 1);
}

#[test]
fn a_full_spool_drops_its_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::alone(Options {
        spool: 16_000,
        ..options(folder.path())
    });
    for second in 0..500 {
        spool.add([entry("A", "", second)].iter(), now());
        assert!(spool.shelf.bytes() <= 16_000);
    }
    spool.close_all(now());
    let kept: Vec<u8> = names(folder.path(), ".rows")
        .iter()
        .flat_map(|name| file::rows(folder.path(), name.strip_suffix(".rows").unwrap()).unwrap())
        .collect();
    let lost = spool.meter.lost_full.get();
    assert_eq!(count(&kept) as u64 + lost, 500);
    assert!(lost > 300, "{lost}");
    let kept = String::from_utf8(kept).unwrap();
    assert!(kept.contains("\t00:08:19\t") && !kept.contains("\t00:00:00\t"));
}

#[test]
fn a_disk_that_fails_loses_rows_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let mut spool = spool(&blocked.join("below"));
    spool.add([entry("A", "", 1)].iter(), now());
    assert_eq!(spool.meter.lost_disk.get(), 1);
    assert_eq!(spool.due(), None);
}

#[test]
fn a_disk_that_failed_is_tried_again_after_a_rest() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let mut spool = spool(&blocked);
    let start = now();
    spool.add([entry("A", "", 1), entry("B", "", 1)].iter(), start);
    fs::remove_file(&blocked).unwrap();
    spool.add([entry("A", "", 1)].iter(), start);
    assert_eq!((spool.meter.lost_disk.get(), blocked.exists()), (3, false));
    spool.add([entry("A", "", 1)].iter(), start + REST);
    assert_eq!(spool.meter.lost_disk.get(), 3);
    assert_eq!(spool.meter.spooled.get(), 1);
}

/// All rows that are on the disk, closed.
fn all_rows(directory: &Path) -> String {
    let names = names(directory, ".rows");
    let names = names.iter().map(|name| name.strip_suffix(".rows").unwrap());
    let rows: Vec<u8> = names
        .flat_map(|name| file::rows(directory, name).unwrap())
        .collect();
    String::from_utf8(rows).unwrap()
}

thread_local! {
    /// How many of the next flushes fail.
    static FAILING: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

fn flush(_: &File) -> io::Result<()> {
    FAILING.with(|failing| match failing.get() {
        0 => Ok(()),
        more => {
            failing.set(more - 1);
            Err(io::ErrorKind::StorageFull.into())
        }
    })
}

/// No file is due for a while, though its hour is long over.
fn keep_open(spool: &mut Spool) {
    let open = spool.open.values_mut();
    open.for_each(|open| open.due += Duration::from_secs(3600));
}

#[test]
fn a_flush_that_fails_makes_the_oldest_go_and_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    spool.flush = flush;
    let start = now();
    spool.add([entry("OLD", "", 1)].iter(), start);
    spool.close_all(start);
    spool.add([entry("A", "", 1), entry("A", "", 2)].iter(), start);
    keep_open(&mut spool);
    FAILING.set(1);
    spool.tick(start + SYNC_EVERY);
    assert_eq!(spool.meter.lost_full.get(), 1);
    assert_eq!(spool.meter.lost_disk.get(), 0);
    spool.add([entry("A", "", 3)].iter(), start);
    spool.close_all(start);
    assert_eq!(names(folder.path(), ".rows").len(), 1);
    let rows = all_rows(folder.path());
    assert_eq!(rows.lines().count(), 3);
    assert!(rows.contains("\t00:00:01\t") && rows.contains("\t00:00:03\t"));
}

#[test]
fn what_cannot_be_flushed_is_cut_off_and_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    spool.flush = flush;
    let start = now();
    spool.add([entry("A", "", 1)].iter(), start);
    keep_open(&mut spool);
    spool.tick(start + SYNC_EVERY);
    assert_eq!(spool.open.len(), 1);
    let later = start + SYNC_EVERY;
    spool.add([entry("A", "", 2), entry("A", "", 3)].iter(), later);
    FAILING.set(2);
    spool.tick(later + SYNC_EVERY);
    assert_eq!(FAILING.get(), 0);
    assert_eq!(spool.meter.lost_disk.get(), 2);
    assert!(spool.rests(later + SYNC_EVERY) && spool.open.is_empty());
    let rows = all_rows(folder.path());
    assert_eq!(rows.lines().count(), 1);
    assert!(rows.contains("\t00:00:01\t"));
    let place = spool.shelf.places().remove(0);
    assert_eq!(spool.shelf.take(&place).unwrap().1.rows, 1);
}

#[test]
fn rows_of_a_file_that_somebody_removed_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    spool.add([entry("A", "", 1), entry("A", "", 2)].iter(), now());
    for name in names(folder.path(), ".open") {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    spool.close_all(now());
    assert_eq!(spool.meter.lost_disk.get(), 2);
    assert_eq!((spool.shelf.bytes(), spool.due()), (0, None));
}

/// Set for the test that is run in a process of its own, to the directory it may use.
const CHILD: &str = "STREAMFRONT_TEST_CHILD";

#[test]
fn a_full_disk_makes_the_oldest_go() {
    let root = rustix::process::geteuid().is_root();
    let flags: &[&str] = if root {
        &["--mount"]
    } else {
        &["--mount", "--user", "--map-root-user"]
    };
    let directory = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=1m tmpfs "$1" && shift && exec "$@""#;
    let child = std::process::Command::new("unshare")
        .args(flags)
        .args(["sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .arg("log::spool::tests::full_child")
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

#[test]
#[ignore = "run by a_full_disk_makes_the_oldest_go, inside its mount"]
fn full_child() {
    let mount = std::env::var_os(CHILD).expect("run by its parent only");
    let mount = Path::new(&mount);
    let directory = mount.join("access-log");
    let mut spool = Spool::alone(Options {
        spool: 4 << 20,
        ..options(&directory)
    });
    // Far more than there is room for: the newest are there, whole, and all others are counted.
    let start = now();
    for second in 0..900 {
        let batch: Vec<Entry> = (0..10).map(|_| entry("A", "", second)).collect();
        spool.add(batch.iter(), start);
        if second % 40 == 0 {
            spool.close_all(start);
        }
    }
    assert_eq!(spool.meter.spooled.get(), 9000);
    let lost = spool.meter.lost_full.get();
    assert!(lost > 0 && spool.meter.lost_disk.get() == 0);
    // Somebody else takes all the room there is: nothing that we drop helps for long.
    spool.close_all(start);
    let kept = all_rows(&directory);
    assert_eq!(kept.lines().count() as u64 + lost, 9000);
    assert!(kept.lines().all(|row| row.split('\t').count() == 17));
    assert!(kept.contains("\t00:14:59\t") && !kept.contains("\t00:00:00\t"));
    while let Some(place) = spool.shelf.places().pop() {
        // What is being delivered is not dropped.
        while spool.shelf.take(&place).is_some() {}
    }
    let mut hog = File::create(mount.join("hog")).unwrap();
    let _ = io::copy(&mut io::repeat(1), &mut hog);
    spool.add([entry("B", "", 901), entry("C", "", 901)].iter(), start);
    assert_eq!(spool.meter.lost_disk.get(), 2);
    assert!(spool.rests(start));
    hog.set_len(0).unwrap();
    spool.add([entry("B", "", 902)].iter(), start + REST);
    spool.close_all(start + REST);
    assert_eq!(spool.meter.spooled.get(), 9001);
    let rows = all_rows(&directory);
    assert!(rows.contains("\t00:15:02\t") && !rows.contains("\t00:15:01\t"));
    assert!(names(&directory, ".open").is_empty());
}

#[test]
fn files_are_closed_when_they_are_due_and_flushed_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    spool.add([entry("A", "", time.as_secs())].iter(), now());
    let due = spool.due().unwrap();
    assert!(due <= Instant::now() + SYNC_EVERY);
    spool.tick(Instant::now() + SYNC_EVERY);
    assert!(spool.open.values().all(|open| open.dirty.is_none()));
    assert!(!spool.names);
    assert_eq!(names(folder.path(), ".open").len(), 1);
    let due = spool.due().unwrap();
    spool.tick(due);
    assert_eq!(names(folder.path(), ".rows").len(), 1);
    assert_eq!(spool.due(), None);
}

#[test]
fn a_thousand_distributions_have_a_file_each_and_lose_nothing() {
    const MANY: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    let start = now();
    // Each batch has a row for each, in another order.
    for second in 0..4_usize {
        let many: Vec<Entry> = (0..MANY)
            .map(|number| {
                entry(
                    &format!("D{}", (number * 7 + second) % MANY),
                    "",
                    second as u64,
                )
            })
            .collect();
        spool.add(many.iter(), start);
    }
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let ours = descriptors
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|file| file.starts_with(folder.path()));
    // And the lock.
    assert_eq!(ours.count(), handles::HANDLES_MAX + 1);
    assert_eq!(names(folder.path(), ".open").len(), MANY);
    let mut rounds = 0;
    while spool.open.values().any(|open| open.dirty.is_some()) {
        spool.tick(start + SYNC_EVERY);
        rounds += 1;
    }
    // The queue is looked at between them.
    assert!(rounds >= 10, "{rounds}");
    spool.close_all(start);
    let closed = names(folder.path(), ".rows");
    assert_eq!(closed.len(), MANY);
    for name in closed {
        let rows = file::rows(folder.path(), name.strip_suffix(".rows").unwrap()).unwrap();
        let rows = String::from_utf8(rows).unwrap();
        let seconds: Vec<&str> = rows
            .lines()
            .map(|row| row.split('\t').nth(1).unwrap())
            .collect();
        assert_eq!(seconds, ["00:00:00", "00:00:01", "00:00:02", "00:00:03"]);
    }
    assert_eq!(spool.meter.spooled.get(), 4 * MANY as u64);
    assert_eq!(spool.meter.lost_disk.get(), 0);
}
