//! Files in memory: where they come from, and how they are closed against change.
//!
//! Where the process may mount (CAP_SYS_ADMIN), the files lie on a tmpfs of its own that nobody
//! else sees, mounted with `huge=within_size`: from Linux 6.14 on a file of half a MiB written in
//! one piece is then one large page and not 128 small ones, and sending it costs a third less, for
//! the kernel looks each page up anew for each viewer (benches/RESULTS.md). On older kernels the
//! pages are small, and nothing else changes. Everywhere else the files are memfds.
//!
//! A memfd is sealed. A file on a tmpfs cannot be; it is opened once more for reading only, and the
//! handle that could write is closed: the file has no name, so that no other can be made.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::LazyLock;

use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, open, openat,
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

/// The tmpfs with large pages, where it may be had.
static LARGE: LazyLock<Option<OwnedFd>> = LazyLock::new(|| match mount().and_then(try_out) {
    Ok(mounted) => Some(mounted),
    Err(error) => {
        tracing::info!(%error, "segments are kept in small pages: there is no tmpfs of our own to be had");
        None
    }
});

/// A file that can still be written.
#[derive(Debug)]
pub(super) enum Fresh {
    /// On the tmpfs with large pages.
    Large(File),
    /// A memfd.
    Small(File),
}

impl Fresh {
    /// An empty file in memory.
    ///
    /// # Errors
    /// No descriptor is left, or no memory.
    pub(super) fn new() -> io::Result<Self> {
        match &*LARGE {
            Some(mounted) => Self::large(mounted),
            None => Self::small(),
        }
    }

    fn large(mounted: &OwnedFd) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = openat(mounted, ".", flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Self::Large(file.into()))
    }

    fn small() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(Self::Small(memfd_create("segment", flags)?.into()))
    }

    /// The file, to be written.
    pub(super) fn file(&mut self) -> &mut File {
        match self {
            Self::Large(file) | Self::Small(file) => file,
        }
    }

    /// The file as it is, never to be changed again.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn close(self) -> io::Result<File> {
        match self {
            Self::Small(file) => {
                let seals =
                    SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
                fcntl_add_seals(&file, seals)?;
                Ok(file)
            }
            Self::Large(file) => {
                let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                Ok(open(path, flags, Mode::empty())?.into())
            }
        }
    }
}

// Where one file cannot be made and closed, because there is no /proc for example, none can.
fn try_out(mounted: OwnedFd) -> io::Result<OwnedFd> {
    Fresh::large(&mounted)?.close()?;
    Ok(mounted)
}

// Never attached to a directory: it is gone with the last file on it and this handle. It has no
// bound of its own, as memfds have none: the cache keeps one.
fn mount() -> io::Result<OwnedFd> {
    let options = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [
        ("huge", "within_size"),
        ("size", "0"),
        ("nr_inodes", "0"),
        ("mode", "0700"),
    ] {
        fsconfig_set_string(options.as_fd(), key, value)?;
    }
    fsconfig_create(options.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(
        options.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes,
    )?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use rustix::io::Errno;

    use super::*;

    fn of_each_kind() -> Vec<Fresh> {
        let mut kinds = vec![Fresh::small().unwrap()];
        // Only root may; as anybody else the other kind is what is used.
        if rustix::process::geteuid().is_root() {
            let mounted = LARGE.as_ref().expect("root may mount");
            kinds.push(Fresh::large(mounted).unwrap());
        }
        kinds
    }

    #[test]
    fn what_was_written_is_read_and_cannot_be_changed() {
        for mut fresh in of_each_kind() {
            fresh.file().write_all(&[7; 100_000]).unwrap();
            let file = fresh.close().unwrap();
            let mut bytes = vec![0; 100_000];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(bytes, [7; 100_000]);
            let refused = [
                rustix::io::pwrite(&file, b"x", 0).err(),
                rustix::fs::ftruncate(&file, 0).err(),
                rustix::fs::ftruncate(&file, 200_000).err(),
            ];
            for error in refused {
                let error = error.expect("refused");
                assert!(
                    [Errno::PERM, Errno::BADF, Errno::INVAL].contains(&error),
                    "{error}"
                );
            }
        }
    }
}
