//! Follows the files of certificates: what certbot, Kubernetes and people put there is shown from
//! the next handshake on.
//!
//! Files are looked at, not watched: a link that is swapped above them, a mount or a network file
//! system tells no watcher. A file that has just changed is read one look later, when it no longer
//! changes, because chain and key are written one after the other.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::certificate::{Certificate, CertificateFiles};
use super::table::Table;
use super::{Shown, State, TlsError};

/// Time between two looks: two system calls for each certificate.
const LOOK: Duration = Duration::from_secs(2);

/// A certificate, and the state of its files when they were last read.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    files: CertificateFiles,
    certificate: Arc<Certificate>,
    read: Stamp,
    /// How the files looked last time.
    seen: Stamp,
}

/// What shows that files have changed: for each of them device, inode, length, and the times of
/// change of content and of inode. Links are followed.
type Stamp = [Option<(u64, u64, u64, i64, i64, i64, i64)>; 2];

impl Followed {
    /// Reads a certificate for the first time.
    pub(super) fn load(
        files: &CertificateFiles,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        // Before it is read: what changes meanwhile is read again.
        let read = stamp(files);
        let certificate = Certificate::load(files, provider)?;
        certificate.warn_of_times(SystemTime::now());
        Ok(Self {
            files: files.clone(),
            certificate: Arc::new(certificate),
            read,
            seen: read,
        })
    }

    /// What is shown.
    pub(super) fn certificate(&self) -> &Arc<Certificate> {
        &self.certificate
    }

    /// Reads it again where its files have changed and changed no more, or at any rate; answers
    /// whether there is something new to show.
    fn look(&mut self, at_any_rate: bool, provider: &CryptoProvider) -> bool {
        let now = stamp(&self.files);
        let settled = std::mem::replace(&mut self.seen, now) == now;
        if !at_any_rate && (now == self.read || !settled) {
            return false;
        }
        self.read = now;
        let chain = self.files.chain.display();
        match Certificate::load(&self.files, provider) {
            Ok(certificate) => {
                let names = certificate.shown_names();
                info!(%chain, names, "a certificate was read anew");
                certificate.warn_of_times(SystemTime::now());
                self.certificate = Arc::new(certificate);
                true
            }
            Err(error) => {
                warn!(%error, "a certificate was refused; the one that was there stays");
                false
            }
        }
    }
}

/// Looks until it is dropped.
pub(super) fn task(
    shown: Arc<Shown>,
    provider: Arc<CryptoProvider>,
) -> io::Result<impl Future<Output = ()> + Send> {
    let mut hangups = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            let hangup = tokio::select! {
                _ = hangups.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let (shown, provider) = (Arc::clone(&shown), Arc::clone(&provider));
            let look = move || shown.look(hangup, &provider);
            // It cannot fail but by a panic, which was logged.
            let _ = tokio::task::spawn_blocking(look).await;
        }
    })
}

impl Shown {
    /// Looks at all files once.
    fn look(&self, at_any_rate: bool, provider: &CryptoProvider) {
        let state = self.0.load();
        let mut followed = state.followed.clone();
        let mut changed = false;
        for it in &mut followed {
            changed |= it.look(at_any_rate, provider);
        }
        let table = match changed {
            true => Arc::new(Table::of(&followed)),
            false => Arc::clone(&state.table),
        };
        self.0.store(Arc::new(State { followed, table }));
    }
}

fn stamp(files: &CertificateFiles) -> Stamp {
    let of = |path: &Path| {
        let it = fs::metadata(path).ok()?;
        let content = (it.mtime(), it.mtime_nsec());
        let inode = (it.ctime(), it.ctime_nsec());
        let size = it.len();
        Some((
            it.dev(),
            it.ino(),
            size,
            content.0,
            content.1,
            inode.0,
            inode.1,
        ))
    };
    [of(&files.chain), of(&files.private_key)]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::Tls;
    use super::super::testing::{Authority, handshake};
    use super::*;

    fn names(tls: &Tls) -> String {
        let version = &rustls::version::TLS13;
        handshake(tls.config(), version, None, &[]).names.join(" ")
    }

    fn look(tls: &Tls) {
        tls.shown.look(false, &tls.provider());
    }

    #[test]
    fn a_link_that_is_swapped_is_followed_once_it_rests() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        for (place, name) in [(&old, "old.example"), (&new, "new.example")] {
            fs::create_dir(place).unwrap();
            authority.issue(place, "tls", &[name]);
        }
        let link = folder.path().join("live");
        symlink(&old, &link).unwrap();
        let files = CertificateFiles::new(link.join("tls.pem"), link.join("tls.key"));
        let tls = Tls::load(&[files]).unwrap();
        look(&tls);
        assert_eq!(names(&tls), "old.example");
        // As Kubernetes does it: a new link, moved over the old one.
        let fresh = folder.path().join("fresh");
        symlink(&new, &fresh).unwrap();
        fs::rename(&fresh, &link).unwrap();
        look(&tls);
        assert_eq!(names(&tls), "old.example");
        look(&tls);
        assert_eq!(names(&tls), "new.example");
    }

    #[test]
    fn what_cannot_be_used_changes_nothing_and_what_comes_after_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make();
        let files = authority.issue(folder.path(), "tls", &["old.example"]);
        let other = authority.issue(folder.path(), "other", &["other.example"]);
        let tls = Tls::load(&[files.clone(), other]).unwrap();
        let spare = authority.issue(folder.path(), "spare", &["new.example"]);
        for chain in ["", "garbage", &fs::read_to_string(&spare.chain).unwrap()] {
            fs::write(&files.chain, chain).unwrap();
            look(&tls);
            look(&tls);
            assert_eq!(names(&tls), "old.example");
        }
        fs::remove_file(&files.private_key).unwrap();
        look(&tls);
        look(&tls);
        assert_eq!(names(&tls), "old.example");
        fs::rename(&spare.private_key, &files.private_key).unwrap();
        look(&tls);
        look(&tls);
        assert_eq!(names(&tls), "new.example");
    }

    #[test]
    fn a_signal_has_them_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make();
        let files = authority.issue(folder.path(), "tls", &["old.example"]);
        let tls = Tls::load(&[files]).unwrap();
        authority.issue(folder.path(), "tls", &["new.example"]);
        tls.shown.look(true, &tls.provider());
        assert_eq!(names(&tls), "new.example");
    }
}
