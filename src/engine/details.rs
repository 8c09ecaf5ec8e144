//! What do the files say about their pictures? Read with every new one; and once for pictures of an index that an
//! older version made, which did not look.

use std::collections::HashSet;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use sightline_index::{Details, ItemId, Moment};
use sightline_onnx::picture;

use super::EngineError;
use super::budget::MemoryBudget;
use super::ingest::{Run, Visit};
use super::report::Stage;

/// Of a JPEG this much is read: what is said about it stands before its pixels, in segments of 64 KB at most.
const JPEG_BYTES: u64 = 1 << 20;

/// Files that are read before what they say is handed to the writer.
const N_AT_ONCE: usize = 256;

/// What a file's content says about its picture.
pub(super) fn of(bytes: &[u8]) -> Details {
    let picture::Details {
        camera,
        taken,
        places,
    } = picture::details(bytes);
    let moment = |taken: picture::Taken| {
        let moment = |time| Moment::new(taken.year, taken.month, taken.day, time);
        moment(taken.time).or_else(|| moment(None))
    };
    Details {
        camera,
        taken: taken.and_then(moment),
        places,
    }
}

impl Run<'_> {
    /// Reads what files say whose images have no details yet; none is decoded. What cannot be read is tried again by
    /// the next run.
    pub(super) fn read_missing_details(
        &mut self,
        visits: &[Visit],
    ) -> Result<ControlFlow<()>, EngineError> {
        let missing = self.writing().images_without_details()?;
        let mut missing: HashSet<ItemId> = missing.into_iter().collect();
        let mut jobs = Vec::new();
        for (candidate, record) in visits.iter().flat_map(Visit::unchanged) {
            if missing.remove(&record.image) {
                jobs.push((record.image, candidate));
            }
        }
        if jobs.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let began = Instant::now();
        let max_bytes = self.request.limits.max_bytes;
        let budget = MemoryBudget::new(self.request.memory);
        let n_total = jobs.len();
        let mut n_done = 0;
        for chunk in jobs.chunks(N_AT_ONCE) {
            if self.tell(Stage::Details, n_done, n_total, began).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let read: Vec<(ItemId, Option<Details>)> = chunk
                .into_par_iter()
                .map(|(image, candidate)| {
                    let _share = budget.take(candidate.n_bytes.min(max_bytes));
                    (*image, read(&candidate.path, max_bytes).ok())
                })
                .collect();
            for (image, details) in read {
                if let Some(details) = details {
                    self.writing().set_details(image, details)?;
                }
            }
            n_done += chunk.len();
            self.commit_if_due()?;
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn read(path: &Path, max_bytes: u64) -> std::io::Result<Details> {
    let mut file = fs_err::File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(JPEG_BYTES).read_to_end(&mut bytes)?;
    if !bytes.starts_with(b"\xff\xd8") {
        file.take(max_bytes.saturating_sub(JPEG_BYTES))
            .read_to_end(&mut bytes)?;
    }
    Ok(of(&bytes))
}
