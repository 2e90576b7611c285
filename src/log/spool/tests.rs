//! Files as they are written, closed, dropped and found again.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::delivery::session::Facts;
use crate::delivery::session::testing::facts;

fn options(directory: &Path) -> Options {
    Options {
        edge: "LCL1".into(),
        double: false,
        directory: directory.to_owned(),
        delivery: Duration::from_secs(300),
        spool: 1 << 30,
        json: None,
    }
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
    );
    assert_eq!(names(folder.path(), ".open").len(), 4);
    spool.close_all();
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
    spool.recover();
    let none = Entry {
        logging: None,
        ..entry("A", "", 0)
    };
    spool.add([none].iter());
    spool.close_all();
    assert!(!directory.exists());
}

#[test]
fn what_a_killed_process_left_is_found_up_to_its_last_whole_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = spool(folder.path());
    killed.add([entry("A", "", 10), entry("A", "", 11), entry("B", "", 11)].iter());
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
    next.recover();
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
fn what_another_server_still_writes_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = spool(folder.path());
    other.add([entry("A", "", 10)].iter());
    let mut next = spool(folder.path());
    next.recover();
    assert_eq!(names(folder.path(), ".open").len(), 1);
    assert_eq!(next.shelf.bytes(), 0);
    other.add([entry("A", "", 11)].iter());
    other.close_all();
    next.recover();
    let place = next.shelf.places().remove(0);
    assert_eq!(next.shelf.take(&place).unwrap().1.rows, 2);
}

#[test]
fn a_full_spool_drops_its_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::alone(Options {
        spool: 16_000,
        ..options(folder.path())
    });
    for second in 0..500 {
        spool.add([entry("A", "", second)].iter());
        assert!(spool.shelf.bytes() <= 16_000);
    }
    spool.close_all();
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
    spool.add([entry("A", "", 1)].iter());
    assert_eq!(spool.meter.lost_disk.get(), 1);
    assert_eq!(spool.due(), None);
}

#[test]
fn files_are_closed_when_they_are_due_and_flushed_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    spool.add([entry("A", "", now.as_secs())].iter());
    let due = spool.due().unwrap();
    assert!(due <= Instant::now() + SYNC_EVERY);
    spool.tick(Instant::now() + SYNC_EVERY);
    assert!(spool.open.values().all(|open| !open.dirty));
    assert_eq!(names(folder.path(), ".open").len(), 1);
    let due = spool.due().unwrap();
    spool.tick(due);
    assert_eq!(names(folder.path(), ".rows").len(), 1);
    assert_eq!(spool.due(), None);
}

#[test]
fn no_more_files_are_open_than_there_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = spool(folder.path());
    let many: Vec<Entry> = (0..OPEN_MAX + 20)
        .map(|number| entry(&format!("D{number}"), "", 0))
        .collect();
    spool.add(many.iter());
    assert_eq!(spool.open.len(), OPEN_MAX);
    spool.close_all();
    assert_eq!(names(folder.path(), ".rows").len(), OPEN_MAX + 20);
    assert_eq!(spool.meter.spooled.get(), OPEN_MAX as u64 + 20);
}
