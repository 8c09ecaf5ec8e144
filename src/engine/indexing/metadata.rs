//! What do the files say about their pictures? Read with every new one; and once for pictures of an index that an
//! older version made, which did not look.

use std::collections::HashSet;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use sightline_index::{Details, ItemId, Moment};

use super::run::{Run, Visit};
use crate::engine::EngineError;
use crate::engine::decode::MemoryBudget;
use crate::engine::report::Stage;

/// Of a JPEG this much is read: what is said about it stands before its pixels, in segments of 64 KB at most.
const JPEG_BYTES: u64 = 1 << 20;

/// Files that are read before what they say is handed to the writer.
const N_AT_ONCE: usize = 256;

/// What a file's content says about its picture.
pub(crate) fn of(bytes: &[u8]) -> Details {
    let sightline_picture::Metadata {
        camera,
        taken,
        places,
    } = sightline_picture::metadata(bytes);
    let moment = |taken: sightline_picture::Taken| {
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
    pub(crate) fn read_missing_details(
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
        let max_bytes = self.decode.limits.max_bytes;
        let budget = MemoryBudget::new(self.decode.memory);
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use sightline_index::{
        Binding, FileRecord, IndexReader, IndexWriter, Item, ItemKind, Library, UnitVector,
    };

    use crate::engine::{Engine, IndexRequest, fake, quietly};

    /// The start of a JPEG with an XMP packet; no pixels follow.
    fn torso(model: &str) -> Vec<u8> {
        let packet = format!(
            "http://ns.adobe.com/xap/1.0/\0<x xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Model='{model}'/>"
        );
        let length = u16::try_from(packet.len() + 2).unwrap().to_be_bytes();
        [
            b"\xff\xd8\xff\xe1",
            &length[..],
            packet.as_bytes(),
            b"\xff\xd9",
        ]
        .concat()
    }

    #[test]
    fn what_an_older_version_did_not_look_for_is_read_once_and_nothing_decoded() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        let (photos, index) = (base.join("photos"), base.join("index"));
        fs_err::create_dir(&photos).unwrap();
        let binding = Binding {
            dimension: 4,
            fingerprint: "one".into(),
            model: "colours".into(),
        };
        let mut writer = IndexWriter::open_or_create(&index, &binding).unwrap();
        // Names above it are no words: that of the temporary folder is drawn at random, and may be anything.
        let library = Library {
            folder: photos.clone(),
            n_files: 3,
            last_run_unix_s: 0,
        };
        writer.put_library(library).unwrap();
        // The second file is not what it was, and is no picture.
        for (number, model) in [(1u8, "X100"), (2, "X200"), (3, "X300")] {
            let path = photos.join(format!("{number}.jpg"));
            fs_err::write(&path, torso(model)).unwrap();
            let about = fs_err::metadata(&path).unwrap();
            let since = about.modified().unwrap().duration_since(UNIX_EPOCH);
            let vector = UnitVector::new(vec![1.0, 0.0, 0.0, 0.0]).unwrap();
            let image = writer.put_image([number; 32], 4, 3, vector).unwrap();
            let n_bytes = about.len() + u64::from(number == 2);
            let modified_ns = i128::try_from(since.unwrap().as_nanos()).unwrap();
            let file = FileRecord {
                n_bytes,
                modified_ns,
                image,
            };
            writer.put_file(&path, file).unwrap();
        }
        writer.finish().unwrap();
        let run = || {
            let engine = Engine::open(&index, fake::encoders("one"));
            let request = IndexRequest::folder(&photos);
            let report = engine.index(&request, &mut quietly).unwrap();
            (report.n_unchanged, report.skipped.len())
        };
        let cameras = || {
            let reader = IndexReader::open(&index, None).unwrap();
            let mut cameras = Vec::new();
            for (_, file) in reader.files().unwrap() {
                let Some(Item::Image(image)) = reader.item(file.image).unwrap() else {
                    panic!("no image");
                };
                cameras.push(image.details.and_then(|details| details.camera));
            }
            let found = reader.matching(ItemKind::Image, "X100 X300", 9).unwrap();
            (cameras, found.len())
        };
        assert_eq!(cameras(), (vec![None, None, None], 0));
        assert_eq!(run(), (2, 1), "the changed one is looked at as a picture");
        let own = |model: &str| Some(model.to_owned());
        assert_eq!(cameras(), (vec![own("X100"), own("X300")], 2));
        // Found once, it is not looked for again.
        let writer = IndexWriter::open_or_create(&index, &binding).unwrap();
        assert!(writer.images_without_details().unwrap().is_empty());
        drop(writer);
        assert_eq!(run(), (2, 1));
        assert_eq!(cameras(), (vec![own("X100"), own("X300")], 2));
    }
}
