//! The work of a stream that must wait for the origin.
//!
//! A stream has at most one job of a kind under way ([`Slot`]), and that job is never dropped for a
//! newer one: a viewer who seeks without end has one read at the origin, not one for each seek.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::viewer::Viewer;
use crate::access::Grant;
use crate::catalog::{Object, PlayError, Segment};
use crate::render::{Rendering, SegmentId};
use crate::units::MediaTime;

/// An object that was opened for a viewer.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The object.
    pub object: Arc<Object>,
    /// What of it this viewer gets.
    pub rendering: Rendering,
    /// By what right, where names must be signed.
    pub grant: Option<Arc<Grant>>,
}

/// What a job came to.
#[derive(Debug)]
pub enum Done {
    /// A name was opened.
    Opened(Result<Opened, PlayError>),
    /// The segment was found in which a time is.
    Found(Result<SegmentId, PlayError>),
    /// A segment is there.
    Loaded(SegmentId, Result<Arc<Segment>, PlayError>),
    /// The object to switch to was opened, and the first entry found at or after the time; `None`
    /// where it has none.
    Switchable(Result<(Opened, Option<MediaTime>), PlayError>),
}

/// A job under way. Dropping it gives up waiting; a render that it began goes on for others.
pub type Job = BoxFuture<'static, Done>;

/// Room for one job, and for the one that comes after it.
#[derive(Default)]
pub struct Slot {
    job: Option<Job>,
    /// Whether what the job comes to is wanted no more.
    stale: bool,
    /// What is wanted instead.
    queued: Option<Job>,
}

impl Slot {
    /// Whether a job is under way.
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Starts a job, or lets it follow on the one under way, which is wanted no more.
    pub fn start(&mut self, job: Job) {
        if self.is_busy() {
            self.stale = true;
            self.queued = Some(job);
        } else {
            self.job = Some(job);
        }
    }

    /// What the job under way comes to is wanted no more.
    pub fn forget(&mut self) {
        self.stale = self.is_busy();
        self.queued = None;
    }

    /// The job under way, for somebody who only sees to its end.
    pub fn take(&mut self) -> Option<Job> {
        self.job.take()
    }

    /// What the job came to; `None` where that is wanted no more. Pending where there is no job.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Done>> {
        let Some(job) = &mut self.job else {
            return Poll::Pending;
        };
        let Poll::Ready(done) = job.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.job = self.queued.take();
        let stale = std::mem::take(&mut self.stale);
        Poll::Ready((!stale).then_some(done))
    }
}

/// Runs `work` on the runtime for work that waits or computes, away from the threads that deliver.
/// It ends when nobody waits for it any more; a render that it began goes on.
fn elsewhere<T, W>(
    background: &Handle,
    work: W,
) -> impl Future<Output = Result<T, PlayError>> + Send + use<T, W>
where
    T: Send + 'static,
    W: Future<Output = Result<T, PlayError>> + Send + 'static,
{
    let task = AbortOnDropHandle::new(background.spawn(work));
    async move {
        task.await.unwrap_or_else(|error| {
            let cause = format!("a job of a play failed: {error}");
            Err(PlayError::Internal(cause.into()))
        })
    }
}

/// Opens a name, for somebody who only wants to know of it.
pub fn opened(
    viewer: Arc<Viewer>,
    name: String,
) -> impl Future<Output = Result<Opened, PlayError>> + Send + 'static {
    let background = viewer.background.clone();
    elsewhere(&background, async move { viewer.open(&name).await })
}

/// Opens a name.
pub fn open(viewer: Arc<Viewer>, name: String) -> Job {
    opened(viewer, name).map(Done::Opened).boxed()
}

/// Finds the segment of a time.
pub fn find(viewer: &Viewer, opened: &Opened, time: MediaTime) -> Job {
    let Opened {
        object, rendering, ..
    } = opened.clone();
    let finding = async move { object.find(rendering, time).await };
    elsewhere(&viewer.background, finding)
        .map(Done::Found)
        .boxed()
}

/// Brings a segment.
pub fn load(viewer: &Viewer, opened: &Opened, id: SegmentId) -> Job {
    let Opened {
        object, rendering, ..
    } = opened.clone();
    let loading = async move { object.segment(rendering, id).await };
    let loaded = move |segment| Done::Loaded(id, segment);
    elsewhere(&viewer.background, loading).map(loaded).boxed()
}

/// Opens a name to switch to at or after `time`.
pub fn open_to_switch(viewer: Arc<Viewer>, name: String, time: MediaTime) -> Job {
    let background = viewer.background.clone();
    let entering = async move { entry_after(viewer.open(&name).await?, time).await };
    elsewhere(&background, entering)
        .map(Done::Switchable)
        .boxed()
}

async fn entry_after(
    opened: Opened,
    time: MediaTime,
) -> Result<(Opened, Option<MediaTime>), PlayError> {
    let mut next = Some(opened.object.find(opened.rendering, time).await?);
    while let Some(id) = next {
        let segment = opened.object.segment(opened.rendering, id).await?;
        let mut entries = segment.cues().iter().filter(|cue| cue.entry);
        if let Some(cue) = entries.find(|cue| cue.time >= time) {
            return Ok((opened, Some(cue.time)));
        }
        next = segment.next();
    }
    Ok((opened, None))
}
