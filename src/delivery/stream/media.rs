//! From what the player asks for to runs in the sender: segments, prefaces, shared bytes or copies.

use super::{Context, Playing, Step, Stream};
use crate::catalog::{PlayError, Segment};
use crate::delivery::ahead::Here;
use crate::delivery::job::{self, Opened};
use crate::delivery::media::RunMedia;
use crate::delivery::player::{Extent, Run};
use crate::delivery::reply;
use crate::media::Heads;
use crate::render::{Patched, SegmentId, patch};
use crate::units::MediaTime;

impl Stream {
    pub(super) fn need(&mut self, cx: &Context<'_>, id: SegmentId) -> Step {
        if self.job.is_busy() {
            return Step::Idle;
        }
        let Some(Playing {
            opened,
            player: Some(player),
            entry,
            ..
        }) = &mut self.playing
        else {
            return Step::Idle;
        };
        let Opened {
            object, rendering, ..
        } = &*opened;
        let known = object.cached(*rendering, id);
        match known.or_else(|| self.ahead.take(opened, id)) {
            Some(segment) => {
                cx.viewer.meter.segments_ready.inc();
                player.supply(cx.now, id, segment);
            }
            None => {
                cx.viewer.meter.segments_waited.inc();
                self.job.start(job::load(cx.viewer, opened, id));
                // One who only looks at a picture does not go on.
                if !player.is_paused() && entry.extent != Extent::Picture {
                    self.ahead.beside(opened, &cx.viewer.ahead, id);
                }
            }
        }
        Step::Progress
    }

    pub(super) fn preface(&mut self, cx: &mut Context<'_>, time: MediaTime, heads: &Heads) {
        self.filter.enter();
        let Some(playing) = &mut self.playing else {
            return;
        };
        let first = !playing.entry.announced;
        playing.entry.announced = true;
        let preface = reply::Preface {
            opening: playing.entry.opening,
            name: &playing.play.name,
            info: playing.opened.object.info(),
            rendering: playing.opened.rendering,
            time,
            heads,
        };
        reply::preface(cx.server, self.id, &preface);
        if first {
            playing.told(cx.viewer, self.id);
        }
    }

    pub(super) fn send(&mut self, cx: &mut Context<'_>, run: Run<Segment>) {
        self.read_ahead(cx, &run);
        if self.passes_over(&run) {
            // Until the viewer switches a track on there is nothing to wait for.
            self.awaited = None;
            return;
        }
        // All replies so far go before the media that they announce.
        cx.sender.control(&cx.server.take_output());
        let (media, range) = if self.sends_shared() {
            (RunMedia::Shared(run.segment), run.bytes)
        } else {
            match self.copy(&run) {
                Ok(copy) => {
                    let end = u32::try_from(copy.bytes.len()).unwrap_or(u32::MAX);
                    (RunMedia::Copy(copy), 0..end)
                }
                Err(error) => {
                    let error = PlayError::Internal(error.to_string().into());
                    return self.fail(cx, &error);
                }
            }
        };
        // It was free when the step began, so nothing comes back.
        let _ = cx.sender.start(self.id, media, range);
    }

    /// Whether nothing of a run is wanted, so that it need not even be read.
    fn passes_over(&mut self, run: &Run<Segment>) -> bool {
        let mut filter = self.filter;
        let (from, to) = (run.cues.start as usize, run.cues.end as usize);
        let cues = run.segment.cues().get(from..to).unwrap_or_default();
        let nothing = !cues.iter().any(|cue| filter.keeps(cue));
        if nothing {
            self.filter = filter;
        }
        nothing
    }

    fn copy(&mut self, run: &Run<Segment>) -> std::io::Result<Patched> {
        let mut bytes = Vec::new();
        let range = run.bytes.start as usize..run.bytes.end as usize;
        run.segment.file.read_at(range, &mut bytes)?;
        self.filter_before = self.filter;
        let filter = &mut self.filter;
        let (from, to) = (run.cues.start, run.cues.end);
        Ok(patch(
            &bytes,
            run.segment.cues(),
            from,
            to,
            self.id,
            |cue| filter.keeps(cue),
        ))
    }

    /// Asks for what follows before it is needed, once for each segment.
    fn read_ahead(&mut self, cx: &Context<'_>, run: &Run<Segment>) {
        let Some(Playing {
            opened,
            player: Some(player),
            entry,
            ..
        }) = &self.playing
        else {
            return;
        };
        if self.ahead.is_at(opened, run.id) || entry.extent == Extent::Picture || player.is_paused()
        {
            return;
        }
        let cues = run.segment.cues();
        let millis = match (cues.first(), cues.last()) {
            (Some(first), Some(last)) => last.time.since(first.time),
            _ => 0,
        };
        let here = Here {
            id: run.id,
            next: run.segment.next(),
            bytes: run.segment.len(),
            millis: u64::try_from(millis).unwrap_or_default(),
            paced: !player.pacer.is_unpaced(),
        };
        self.ahead.at(opened, &cx.viewer.ahead, &here);
    }
}
