//! A directory as an origin: a key is a path below it.
//!
//! Files are opened below a descriptor of the directory by openat2 with RESOLVE_BENEATH, so that
//! neither `..` nor an absolute symbolic link nor one that leads out reaches the disk outside,
//! even while somebody moves directories about; links that stay inside are followed. Where the
//! system has no openat2 (Linux before 5.6, some sandboxes) a path with any symbolic link in it is
//! refused instead. What is not a regular file does not exist.
//!
//! The version of a file is its modification time (nanoseconds), size and inode, taken before the
//! read and again on the open file after it (design.md, rule 20): bytes of a file that changed in between
//! are not given out. Reads run on the blocking pool: a page fault on a slow disk must not hold up
//! other viewers.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::{Condition, ConnectError, ETag, Object, Origin, OriginError, Read, key};
use crate::units::ByteRange;

/// How files are opened: never waiting for the other end of a FIFO, never becoming the terminal
/// of this process, never inherited.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// openat2 gives up with EAGAIN where something was renamed on the way; so often it is asked
/// again (once is nearly always enough).
const RENAME_RETRIES: u32 = 8;

/// A directory of objects.
#[derive(Debug, Clone)]
pub struct DirectoryOrigin {
    root: Arc<Root>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    fd: OwnedFd,
    confined: bool,
}

impl DirectoryOrigin {
    /// Opens the directory.
    ///
    /// # Errors
    /// [`ConnectError::Directory`]: it is not there, not a directory, or may not be read.
    pub fn open(path: &Path) -> Result<Self, ConnectError> {
        let fail = |error: io::Error| ConnectError::Directory {
            path: path.to_owned(),
            cause: error.to_string(),
        };
        let real = path.canonicalize().map_err(fail)?;
        // Read once, so that a directory that may not be read fails now and not at each key.
        std::fs::read_dir(&real).map_err(fail)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open(&real, flags, Mode::empty()).map_err(|error| fail(error.into()))?;
        let confined = openat2(&fd, ".", flags, Mode::empty(), beneath()).is_ok();
        if !confined {
            tracing::info!(
                path = %real.display(),
                "no openat2 here: keys that lead through symbolic links are refused"
            );
        }
        Ok(Self {
            root: Arc::new(Root {
                path: real,
                fd,
                confined,
            }),
        })
    }
}

impl Origin for DirectoryOrigin {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        let root = Arc::clone(&self.root);
        let key = key.to_owned();
        let condition = Owned::from(condition);
        async move {
            let work = move || root.read(&key, range, condition.as_ref());
            match tokio::task::spawn_blocking(work).await {
                Ok(answer) => answer,
                // Only while the runtime shuts down, or if the work panicked.
                Err(error) => Err(OriginError::unavailable(error.to_string())),
            }
        }
        .boxed()
    }
}

/// A [`Condition`] that can be sent to another thread.
enum Owned {
    None,
    Match(ETag),
    NoneMatch(ETag),
}

impl From<Condition<'_>> for Owned {
    fn from(condition: Condition<'_>) -> Self {
        match condition {
            Condition::None => Self::None,
            Condition::Match(etag) => Self::Match(etag.clone()),
            Condition::NoneMatch(etag) => Self::NoneMatch(etag.clone()),
        }
    }
}

impl Owned {
    fn as_ref(&self) -> Condition<'_> {
        match self {
            Self::None => Condition::None,
            Self::Match(etag) => Condition::Match(etag),
            Self::NoneMatch(etag) => Condition::NoneMatch(etag),
        }
    }
}

impl Root {
    fn read(
        &self,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, OriginError> {
        let file = self.open(key)?;
        let (size, etag) = version(&file)?;
        match condition {
            Condition::Match(wanted) if *wanted != etag => return Err(OriginError::Changed),
            Condition::NoneMatch(known) if *known == etag => return Ok(Read::NotModified),
            _ => {}
        }
        let range = range.clamp_to(size);
        if range.is_empty() {
            return Err(OriginError::OutOfRange);
        }
        let bytes = read_range(&file, range)?;
        let (_, after) = version(&file)?;
        if after != etag {
            return Err(OriginError::Changed);
        }
        Ok(Read::Bytes(Object {
            size,
            etag,
            content_type: None,
            cache_control: None,
            expires: None,
            range,
            bytes,
        }))
    }

    fn open(&self, key: &str) -> Result<File, OriginError> {
        if !key::is_path(key) {
            return Err(OriginError::NotFound);
        }
        let fd = if self.confined {
            self.open_beneath(key)
        } else {
            self.open_without_links(key)
        };
        Ok(File::from(fd.map_err(refused)?))
    }

    fn open_beneath(&self, key: &str) -> Result<OwnedFd, Errno> {
        for _ in 0..RENAME_RETRIES {
            match openat2(&self.fd, key, READ, Mode::empty(), beneath()) {
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    fn open_without_links(&self, key: &str) -> Result<OwnedFd, Errno> {
        let path = self.path.join(key);
        let real = path
            .canonicalize()
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOENT))?;
        if real != path {
            return Err(Errno::LOOP);
        }
        open(&path, READ | OFlags::NOFOLLOW, Mode::empty())
    }
}

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS
}

/// What a failure to open means. Whatever leads out of the directory is not there.
fn refused(errno: Errno) -> OriginError {
    match errno {
        Errno::NOENT
        | Errno::NOTDIR
        | Errno::ISDIR
        | Errno::LOOP
        | Errno::XDEV
        | Errno::NAMETOOLONG
        | Errno::INVAL
        | Errno::ILSEQ
        | Errno::NXIO
        | Errno::NODEV => OriginError::NotFound,
        Errno::ACCESS | Errno::PERM => OriginError::Forbidden,
        other => failed(&other.into()),
    }
}

fn failed(error: &io::Error) -> OriginError {
    OriginError::unavailable(error.to_string())
}

/// Size and version of an open file; what is not a regular file is not found.
fn version(file: &File) -> Result<(u64, ETag), OriginError> {
    let meta = file.metadata().map_err(|error| failed(&error))?;
    if !meta.is_file() {
        return Err(OriginError::NotFound);
    }
    let etag = format!(
        "\"{:x}.{:09}-{:x}-{:x}\"",
        meta.mtime(),
        meta.mtime_nsec(),
        meta.len(),
        meta.ino()
    );
    Ok((meta.len(), ETag::new(etag)))
}

/// All bytes of `range`, which is inside the file; where it shrank meanwhile, it has changed.
fn read_range(file: &File, range: ByteRange) -> Result<Bytes, OriginError> {
    let len = usize::try_from(range.len())
        .map_err(|_| OriginError::unavailable("the range is larger than this machine's memory"))?;
    let mut bytes = vec![0; len];
    match file.read_exact_at(&mut bytes, range.start) {
        Ok(()) => Ok(Bytes::from(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(OriginError::Changed),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        origin: DirectoryOrigin,
    }

    /// `media/` with one object, and a file outside it.
    fn place(confined: bool) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let media = dir.path().join("media");
        std::fs::create_dir_all(media.join("sub")).unwrap();
        std::fs::write(media.join("sub/a.flv"), b"0123456789").unwrap();
        std::fs::write(dir.path().join("secret"), b"secret").unwrap();
        let mut origin = DirectoryOrigin::open(&media).unwrap();
        Arc::get_mut(&mut origin.root).unwrap().confined &= confined;
        Place { dir, origin }
    }

    const ALL: ByteRange = ByteRange::new(0, 100);

    async fn get(place: &Place, key: &str) -> Result<Object, OriginError> {
        match place.origin.read(key, ALL, Condition::None).await? {
            Read::Bytes(object) => Ok(object),
            Read::NotModified => panic!("unconditional"),
        }
    }

    #[tokio::test]
    async fn a_range_is_cut_at_the_end_only() {
        let place = place(true);
        let object = get(&place, "sub/a.flv").await.unwrap();
        assert_eq!((object.size, object.range), (10, ByteRange::new(0, 10)));
        let range = ByteRange::new(3, 5);
        let read = place.origin.read("sub/a.flv", range, Condition::None).await;
        let Ok(Read::Bytes(object)) = read else {
            panic!("{read:?}")
        };
        assert_eq!((&object.bytes[..], object.range), (&b"34"[..], range));
        for range in [ByteRange::new(10, 11), ByteRange::new(2, 2)] {
            let read = place.origin.read("sub/a.flv", range, Condition::None).await;
            assert_eq!(read, Err(OriginError::OutOfRange));
        }
    }

    #[tokio::test]
    async fn nothing_outside_is_reached() {
        for confined in [true, false] {
            let place = place(confined);
            let media = place.dir.path().join("media");
            symlink("../secret", media.join("out")).unwrap();
            symlink(place.dir.path().join("secret"), media.join("absolute")).unwrap();
            symlink("..", media.join("up")).unwrap();
            symlink("/proc/self/root", media.join("magic")).unwrap();
            symlink("loop", media.join("loop")).unwrap();
            symlink("sub/a.flv", media.join("inside")).unwrap();
            let secret = place.dir.path().join("secret");
            for key in [
                "out",
                "absolute",
                "up/secret",
                "magic/etc/passwd",
                "loop",
                "../secret",
                "sub/../../secret",
                "sub/../sub/a.flv",
                "/etc/passwd",
                secret.to_str().unwrap(),
                "",
                ".",
                "sub",
                "sub/",
                "sub//a.flv",
                "./sub/a.flv",
                "a\0b",
                "missing",
                "sub/a.flv/x",
                &"n".repeat(300),
            ] {
                let read = get(&place, key).await;
                assert_eq!(
                    read,
                    Err(OriginError::NotFound),
                    "{key:?}, openat2: {confined}"
                );
            }
            assert_eq!(
                get(&place, "inside").await.is_ok(),
                place.origin.root.confined
            );
            assert!(get(&place, "sub/a.flv").await.is_ok());
        }
    }

    #[tokio::test]
    async fn only_regular_files_exist() {
        let place = place(true);
        let media = place.dir.path().join("media");
        mknodat(CWD, media.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = UnixListener::bind(media.join("socket")).unwrap();
        assert_eq!(get(&place, "fifo").await, Err(OriginError::NotFound));
        assert_eq!(get(&place, "socket").await, Err(OriginError::NotFound));
        // As root a device can be made too; without rights there is nothing to check.
        let null = rustix::fs::makedev(1, 3);
        let device = media.join("device");
        if mknodat(CWD, device, FileType::CharacterDevice, Mode::RUSR, null).is_ok() {
            assert_eq!(get(&place, "device").await, Err(OriginError::NotFound));
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_is_another_version() {
        let place = place(true);
        let path = place.dir.path().join("media/sub/a.flv");
        let old = get(&place, "sub/a.flv").await.unwrap().etag;
        let read = |condition| place.origin.read("sub/a.flv", ALL, condition);
        assert!(matches!(
            read(Condition::Match(&old)).await,
            Ok(Read::Bytes(_))
        ));
        assert_eq!(
            read(Condition::NoneMatch(&old)).await,
            Ok(Read::NotModified)
        );

        std::fs::write(&path, b"9876543210!").unwrap();
        assert_eq!(
            read(Condition::Match(&old)).await,
            Err(OriginError::Changed)
        );
        assert!(matches!(
            read(Condition::NoneMatch(&old)).await,
            Ok(Read::Bytes(_))
        ));

        // Replaced by a file of the same size and time: another inode.
        let file = File::open(&path).unwrap();
        let (_, before) = version(&file).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        let new = place.dir.path().join("new");
        std::fs::write(&new, b"abcdefghijk").unwrap();
        File::options()
            .write(true)
            .open(&new)
            .unwrap()
            .set_modified(time)
            .unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert_eq!(
            read(Condition::Match(&before)).await,
            Err(OriginError::Changed)
        );
    }

    #[test]
    fn a_file_cut_short_while_it_is_read_has_changed() {
        let place = place(true);
        let file = File::open(place.dir.path().join("media/sub/a.flv")).unwrap();
        let read = read_range(&file, ByteRange::new(5, 20));
        assert_eq!(read, Err(OriginError::Changed));
    }

    #[test]
    fn a_directory_that_cannot_be_read_says_so() {
        let error = DirectoryOrigin::open(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the directory /nowhere/at/all: No such file or directory (os error 2)"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(DirectoryOrigin::open(file.path()).is_err());
    }
}
