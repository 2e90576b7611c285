use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::distribution::AccountId;
use crate::distribution::record::{Head, IdentityConfig, IdentityRecord};

/// An origin access identity with a comment.
pub(super) fn identity(id: &str, comment: &str) -> IdentityRecord {
    IdentityRecord {
        head: Head {
            id: id.into(),
            account: AccountId::operator(),
            etag: "E0".into(),
            former: vec![],
            created: 1,
            modified: 2,
        },
        canonical_user_id: "ab".into(),
        config: IdentityConfig {
            caller_reference: id.into(),
            comment: comment.into(),
        },
    }
}

fn put(id: &str, comment: &str) -> Change {
    Change::Put(Box::new(Record::Identity(identity(id, comment))))
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let store = Embedded::open(&directory).unwrap();
    assert_eq!(store.load().await, Ok(vec![]));
    let batch = vec![put("E1", "a"), put("E2", "b"), put("E1", "c")];
    store.commit(batch).await.unwrap();
    let gone = Change::Delete(Kind::Identity, "E2".into());
    let none = Change::Delete(Kind::PublicKey, "E3".into());
    store.commit(vec![gone, none]).await.unwrap();
    let expected = Ok(vec![Record::Identity(identity("E1", "c"))]);
    assert_eq!(store.load().await, expected);
    drop(store);
    let store = Embedded::open(&directory).unwrap();
    assert_eq!(store.load().await, expected);
    let mode = fs::metadata(directory.join(FILE)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, MODE);
}

#[tokio::test]
async fn only_one_server_has_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).unwrap();
    let error = Embedded::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("another streamfront"), "{error}");
    drop(store);
    assert!(Embedded::open(folder.path()).is_ok());
}

#[tokio::test]
async fn what_is_no_store_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    for bytes in [b"something else".to_vec(), vec![7; 10_000]] {
        fs::write(&path, &bytes).unwrap();
        assert!(Embedded::open(folder.path()).is_err());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert!(Embedded::open(&path).is_err(), "a file is no directory");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).unwrap();
    store.commit(vec![put("E1", "a")]).await.unwrap();
    drop(store);
    let database = Database::open(folder.path().join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    let value: &[u8] = b"{\"format\":9}";
    transaction
        .open_table(table(Kind::Identity))
        .unwrap()
        .insert("E2", value)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let store = Embedded::open(folder.path()).unwrap();
    let error = store.load().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("E2"), "{error}");
}

#[tokio::test]
async fn after_a_failure_the_file_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path()).unwrap();
    store.commit(vec![put("E1", "a")]).await.unwrap();
    let failure = StoreError::Unavailable("no".into());
    let failed = store.blocking::<()>({
        let failure = failure.clone();
        move |_| Err(failure)
    });
    assert_eq!(failed.await, Err(failure));
    let panicked = store.blocking::<()>(|_| panic!("as redb might"));
    assert!(panicked.await.is_err());
    store.commit(vec![put("E2", "a")]).await.unwrap();
    assert_eq!(store.load().await.unwrap().len(), 2);
}

/// Rounds of [`whoever_is_killed_had_written_what_it_said`]; each is a process.
const KILLS: u64 = 12;

/// Where the child finds its directory.
const DIRECTORY: &str = "STREAMFRONT_TEST_STORE";

#[test]
fn whoever_is_killed_had_written_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture"])
            .arg("store::embedded::tests::a_child_that_writes_until_it_is_killed")
            .env(DIRECTORY, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = |line: String| {
            line.strip_prefix("wrote ")
                .map(|n| n.parse::<u64>().unwrap())
        };
        let mut last = lines
            .by_ref()
            .find_map(|line| said(line.unwrap()))
            .expect("it writes");
        // Now it may be at any point of a commit.
        std::thread::sleep(Duration::from_micros(round * 1_700));
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(later) = lines.filter_map(|line| said(line.ok()?)).last() {
            last = later;
        }
        let database = open(&folder.path().join(FILE)).unwrap();
        let records = load(&database).unwrap();
        // A batch of two: both or none, none older than what was said.
        let counts: Vec<u64> = records.iter().map(comment).collect();
        assert_eq!(counts.len(), 2, "{counts:?}");
        assert_eq!(counts[0], counts[1], "half a batch");
        assert!(counts[0] >= last, "{} was said, {} kept", last, counts[0]);
        assert!(counts[0] > seen);
        seen = last;
    }
}

fn comment(record: &Record) -> u64 {
    match record {
        Record::Identity(record) => record.config.comment.parse().unwrap(),
        _ => panic!("another kind"),
    }
}

#[test]
#[ignore = "run by whoever_is_killed_had_written_what_it_said, in a process of its own"]
fn a_child_that_writes_until_it_is_killed() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let database = open(&directory.join(FILE)).unwrap();
    let before = load(&database).unwrap();
    let first = before.first().map_or(0, comment) + 1;
    for count in first.. {
        let text = count.to_string();
        write(&database, &[put("E1", &text), put("E2", &text)]).unwrap();
        writeln!(std::io::stdout(), "wrote {count}").unwrap();
    }
}

/// As a kill in the middle of making the first file leaves it.
#[test]
fn a_file_that_was_not_made_to_its_end_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("distributions.new");
    std::fs::write(&new, [0; 4096]).unwrap();
    drop(Embedded::open(folder.path()).unwrap());
    assert!(folder.path().join(FILE).exists() && !new.exists());
    Embedded::open(folder.path()).unwrap();
}
