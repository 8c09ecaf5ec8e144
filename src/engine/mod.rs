//! [`Engine`]: one index and the model its vectors are made with.
//!
//! Everything a caller may do is a method here; the work is in the modules below: `indexing` turns
//! files into items, `search` answers queries, `explain` says why a picture and a text match,
//! `measure` evaluates and benchmarks, `exchange` exports and imports, `upkeep` checks, repairs and
//! compacts. The engine prints nothing, never
//! exits, reads no environment variable and installs no logger.

mod bank;
mod decode;
mod describe;
mod duplicates;
mod embed;
mod encoder;
mod error;
pub mod exchange;
mod explain;
mod facets;
mod files;
mod gather;
mod gathering;
mod hubs;
mod indexing;
mod isolate;
mod measure;
mod memory;
mod names;
mod overview;
mod quoting;
mod report;
mod search;
mod tagging;
mod turns;
mod upkeep;
mod views;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bank::Bank;
use exchange::{ExportReport, ExportRequest, ImportReport};
use search::{KnownTexts, QueryEncoder};
use sightline_index::{Compacted, FullItem, IndexReader, WriterOptions};
use turns::Turns;
use views::Views;

pub use decode::DecodeOptions;
pub use describe::{
    CaptionSource, DescribeRequest, Description, DescriptionHits, NoCaptions, PhraseHit,
};
pub use duplicates::{
    DuplicateFile, DuplicateGroup, DuplicatesReport, DuplicatesRequest, KeepReason,
};
pub use embed::TakeVector;
pub use encoder::{
    Encoders, ImageEncoder, Lane, LanguageHint, ModelIdentity, RuntimeSource, TextEncoder,
};
pub use error::{BadCondition, DocumentError, EngineError, LineError};
pub(crate) use exchange::npy;
pub use explain::{
    ExplainRequest, ExplainedPicture, Explanation, Heat, Ninth, OverlayFile, WordEffect, png,
};
pub use facets::Facets;
pub use gather::{GatherReport, How, gather};
pub use indexing::{CaptionFormat, IndexRequest};
pub use measure::{Evaluation, Recalls, bench, evaluate};
pub use overview::MapPoint;
pub use quoting::in_quotes;
pub use report::{
    BankReport, EncodingFigures, FirstRuns, IndexReport, KindStatus, ModelChange, OnBuilding,
    OnProgress, Progress, Reading, Skipped, Stage, Status, UnfinishedChange,
};
pub use search::{
    By, CaptionHit, CaptionMatch, Condition, Confidence, Found, Key, Part, PartContent, Query,
    QueryChange, RefineError, RefineOptions, Refinement, SearchHit, SearchRequest, Strength, Town,
    Turn, TurnError, TypedPath, UnknownKey, Vicinity,
};
pub use sightline_index::{
    Caption, Coordinates, DamagedData, Details, Filter, Generation, GraphState, IdSet, Image,
    IndexError, ItemId, ItemKind, Language, Moment, Orientation, Problem, Repair, ViewId,
};
pub use sightline_onnx::{Calibration, Choice, Language as TextLanguage, SeenPart, Unrelated};
pub use sightline_picture::DecodeLimits;
pub use tagging::{
    LabelReport, MIN_TAG_CONFIDENCE, RepeatedLabel, Tag, TagReport, TagRequest, TagSidecar,
    TaggedPicture,
};
pub use upkeep::RemoveReport;

/// A progress callback that shows nothing and never stops the run.
pub fn quietly(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// One index and the model its vectors are made with.
///
/// Queries may run on many threads at once. [`Engine::index`] holds the index's writer lock while
/// it runs; queries meanwhile answer from the generation that was opened last.
/// [`Engine::follow`] lets them see what other processes commit.
pub struct Engine {
    encoders: Encoders,
    decode: DecodeOptions,
    views: Views,
    texts: KnownTexts,
    bank: Bank,
    turns: Turns,
}

impl Engine {
    /// Joins the index in `folder` (which need not exist yet) with a model. Touches no file: the
    /// index is opened by the first call that needs it, ONNX Runtime by the first encoding.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>, encoders: Encoders) -> Self {
        Self {
            encoders,
            decode: DecodeOptions::default(),
            views: Views::new(folder.into()),
            texts: KnownTexts::default(),
            bank: Bank::default(),
            turns: Turns::default(),
        }
    }

    /// Keeps the vectors of the phrase bank in this folder, which need not exist. Otherwise each
    /// engine that needs them encodes them itself, thousands of phrases.
    #[must_use]
    pub fn with_bank_folder(self, folder: Option<PathBuf>) -> Self {
        Self {
            bank: Bank::kept_in(folder),
            ..self
        }
    }

    /// Sets how pictures are decoded, for indexing and for queries by picture.
    #[must_use]
    pub fn with_decode_options(self, decode: DecodeOptions) -> Self {
        Self { decode, ..self }
    }

    /// Brings the index up to date with the folders and captions of the request.
    ///
    /// Files with unchanged size and time are not opened. Files whose content is known (moved,
    /// renamed, copied) keep their vector and are not decoded. Deleted files are removed from the
    /// index. Files that cannot be read are skipped and reported. `progress` is called often and
    /// can stop the run; finished work is then committed. A run waits for another one of this
    /// engine.
    ///
    /// # Errors
    /// When a folder or captions file is missing or malformed, the index is locked, read-only or
    /// was made by another model (unless the request changes it), or the model cannot be run. What
    /// was committed before stays.
    pub fn index(
        &self,
        request: &IndexRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<IndexReport, EngineError> {
        let Some(_turn) = self.turns.wait(progress) else {
            return Ok(IndexReport {
                interrupted: true,
                ..IndexReport::default()
            });
        };
        let report = indexing::index(
            self.views.folder(),
            &self.encoders,
            &self.decode,
            request,
            progress,
        );
        let report = report.and_then(|mut report| {
            let changed = report.model_change.as_ref();
            // Until the change of the model is complete, the index is one of another model.
            if request.tag && !report.interrupted && changed.is_none_or(|change| change.is_done) {
                let (folder, encoders) = (self.views.folder(), &self.encoders);
                let done = tagging::tag_untagged(folder, encoders, &self.bank, progress)?;
                report.n_tagged = Some(done.n_tagged);
                report.postponed.extend(done.postponed);
                report.bank = done.bank;
                report.interrupted = done.interrupted;
            }
            Ok(report)
        });
        self.views.refresh();
        report
    }

    /// The change of the model that [`Engine::index`] with [`IndexRequest::change_model`] would
    /// make; `None` when there is no index, or it uses this model already.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn planned_change(&self) -> Result<Option<ModelChange>, EngineError> {
        indexing::planned_change(self.views.folder(), &self.encoders)
    }

    /// What the index in `folder` holds, whichever model made it.
    ///
    /// # Errors
    /// When there is no index in `folder` or it cannot be read.
    pub fn status(folder: &Path) -> Result<Status, EngineError> {
        let reader = IndexReader::open(folder, None)?;
        Status::read(folder, &reader)
    }

    /// Reads all of the index in `folder` and compares its parts. An empty list means that it is
    /// sound.
    ///
    /// # Errors
    /// When there is no index there, it has another format, or it cannot be read.
    pub fn check(folder: &Path) -> Result<Vec<Problem>, EngineError> {
        Ok(sightline_index::check(folder)?)
    }

    /// Repairs the index in `folder` and names what is lost; see [`sightline_index::repair`].
    ///
    /// # Errors
    /// When there is no index there, another process writes to it, or it cannot be repaired.
    pub fn repair(folder: &Path, progress: &mut OnBuilding<'_>) -> Result<Repair, EngineError> {
        let mut progress = report::building(progress);
        Ok(sightline_index::repair(
            folder,
            WriterOptions::default(),
            &mut |build| {
                let _ = progress(build);
            },
        )?)
    }

    /// Damaged data that repairs of the index in `folder` have kept, the oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn damaged(folder: &Path) -> Result<Vec<DamagedData>, EngineError> {
        Ok(sightline_index::damaged_data(folder)?)
    }

    /// Deletes the damaged data that repairs of the index in `folder` have kept, and returns them.
    ///
    /// # Errors
    /// When another process writes to the index, or the data cannot be deleted.
    pub fn discard_damaged(folder: &Path) -> Result<Vec<DamagedData>, EngineError> {
        Ok(sightline_index::discard_damaged(folder)?)
    }

    /// Makes the index in `folder` as small and fast as it can be; see
    /// [`IndexWriter::compact`](sightline_index::IndexWriter::compact).
    ///
    /// # Errors
    /// When there is no index there, another process writes to it, or it cannot be written.
    pub fn compact(folder: &Path, progress: &mut OnBuilding<'_>) -> Result<Compacted, EngineError> {
        upkeep::compact(folder, progress)
    }

    /// Removes files, folders with everything below them, and captions files from the index in
    /// `folder`. Nothing on disk is touched, and nothing need exist there. A removed library folder
    /// is forgotten until it is indexed again.
    ///
    /// # Errors
    /// When there is no index there, another process writes to it, or it cannot be written.
    pub fn remove(
        folder: &Path,
        paths: &[PathBuf],
        progress: &mut OnBuilding<'_>,
    ) -> Result<RemoveReport, EngineError> {
        upkeep::remove(folder, paths, progress)
    }

    /// Writes everything that the index in `folder` holds as NumPy and JSON files, for other
    /// programs and for [`Engine::import`].
    ///
    /// # Errors
    /// When there is no index there, it cannot be read, or the files cannot be written.
    pub fn export(folder: &Path, request: &ExportRequest) -> Result<ExportReport, EngineError> {
        exchange::export(folder, request)
    }

    /// Adds an export to the index in `folder`, which is new or of the same model. Images that the
    /// index already holds keep their vectors; captions of the same image from the same file are
    /// replaced.
    ///
    /// # Errors
    /// When the export is incomplete (then nothing is written), the index is of another model,
    /// another process writes to it, or it cannot be written.
    pub fn import(
        folder: &Path,
        from: &Path,
        progress: &mut OnBuilding<'_>,
    ) -> Result<ImportReport, EngineError> {
        exchange::import(folder, from, progress)
    }

    /// From now on looks for a newer generation every `interval`, on a thread beside the queries,
    /// until this engine is dropped. Each query is answered from one generation, and none waits
    /// for another one to be opened. After an error that may pass, queries are answered from the
    /// last generation that could be opened; when the index has another model now or was removed,
    /// they fail. An index that does not exist yet is opened by the first query after it was made.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn follow(&self, interval: Duration) -> io::Result<()> {
        self.views.follow(interval)
    }

    /// The view that queries are answered from.
    fn reader(&self) -> Result<Arc<IndexReader>, EngineError> {
        self.views.current(|| self.encoders.binding())
    }

    /// The view for a request. A search by words alone needs no model, nor does a list.
    fn reader_for(&self, request: &SearchRequest) -> Result<Arc<IndexReader>, EngineError> {
        if request.by == By::Words || request.query.parts.is_empty() {
            self.reader_of_any_model()
        } else {
            self.reader()
        }
    }

    /// The view for what needs no model.
    fn reader_of_any_model(&self) -> Result<Arc<IndexReader>, EngineError> {
        match self.reader() {
            Err(EngineError::Index(
                IndexError::OtherModel { .. } | IndexError::OtherDimension { .. },
            )) => Ok(Arc::new(IndexReader::open(self.views.folder(), None)?)),
            reader => reader,
        }
    }

    /// The query that a text stands for as users type it: words, `"exact phrases"`, `-excluded`
    /// words, and `key:value` for the keys of [`Key`]. Unless it is searched `by` words alone, what
    /// an English text does not want ("a beach without people") is subtracted. Without a
    /// `language`, that of the text is detected. Nothing is searched; the query says what would be.
    ///
    /// # Errors
    /// When a known key has a value that it cannot have, or the text has a negation and the index,
    /// whose language decides where a text could be in several, cannot be opened.
    pub fn understand(
        &self,
        text: &str,
        by: Option<By>,
        language: Option<TextLanguage>,
    ) -> Result<Query, EngineError> {
        let mut opened = Ok(());
        let query = search::parse(text, |words| {
            if by == Some(By::Words) {
                return false;
            }
            match self.reader() {
                Ok(reader) => LanguageHint::of_index(reader.language(), language).is_english(words),
                Err(error) => {
                    opened = Err(error);
                    false
                }
            }
        })?;
        opened.map(|()| query)
    }

    /// The query of a request, in which the name of a town stands for the one that a search takes
    /// it for: of several, the one with the most pictures near it. A search does not need it;
    /// whoever shows how a query is understood does.
    ///
    /// # Errors
    /// When the query names a town of which there are several, and the index cannot be read.
    pub fn settled(&self, request: &SearchRequest) -> Result<Query, EngineError> {
        let mut query = request.query.clone();
        if query.conditions.iter().any(Condition::is_open) {
            query.settle(&*self.reader_for(request)?)?;
        }
        Ok(query)
    }

    /// Images that match a query, best first. No two hits have the same content. A query that only
    /// restricts lists the images that it leaves: by date, the latest first, then those without a
    /// date, the last added first.
    ///
    /// # Errors
    /// When the query is empty, only subtracts or cancels out, a picture cannot be read, a folder
    /// or item that it names is not in the index, the index is missing, or it is searched by
    /// meaning and was made by another model, or the model cannot be run.
    pub fn search(&self, request: &SearchRequest) -> Result<Vec<SearchHit>, EngineError> {
        let reader = self.reader_for(request)?;
        search::images(&reader, self.query_encoder(&reader, request), request)
    }

    /// The images that match a query, in order, whose hits are read as they are shown; otherwise as
    /// [`Engine::search`]. For long lists.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn find(&self, request: &SearchRequest) -> Result<Found, EngineError> {
        let reader = self.reader_for(request)?;
        let encoder = self.query_encoder(&reader, request);
        search::find(Arc::clone(&reader), encoder, request)
    }

    /// An image of the index and its captions; `None` when it has no item with this id, or that is
    /// a caption.
    ///
    /// # Errors
    /// When the index is missing, was made by another model, or cannot be read.
    pub fn picture(&self, id: ItemId) -> Result<Option<(Image, Vec<Caption>)>, EngineError> {
        let found = self.reader()?.items(&[id])?.remove(&id);
        Ok(match found {
            Some(FullItem::Image { image, captions }) => Some((image, captions)),
            _ => None,
        })
    }

    /// The file of an image of the index: its real path, in a library folder, of the size and time
    /// that were indexed. `None` when there is none: a face sends no other file.
    ///
    /// # Errors
    /// When the index is missing, was made by another model, or cannot be read.
    pub fn file_of(&self, image: &Image) -> Result<Option<PathBuf>, EngineError> {
        files::file_of(&*self.reader()?, image)
    }

    /// The same, opened for reading: whatever takes its place meanwhile is not what is read.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn open_file_of(
        &self,
        image: &Image,
    ) -> Result<Option<(PathBuf, std::fs::File)>, EngineError> {
        files::open_file_of(&*self.reader()?, image)
    }

    /// The values of facets that the images of the index have (cameras, folders and so on), with
    /// the number of images that have each. Needs no model.
    ///
    /// # Errors
    /// When the index is missing or cannot be read.
    pub fn facets(&self) -> Result<Facets, EngineError> {
        Facets::read(&*self.reader_of_any_model()?)
    }

    /// Each image as a point on a plane, on which similar pictures are near each other: the two
    /// principal components of the vectors.
    ///
    /// # Errors
    /// When the index is missing, was made by another model, or cannot be read.
    pub fn map(&self) -> Result<Vec<MapPoint>, EngineError> {
        overview::plane(&*self.reader()?)
    }

    /// The generation of the index that queries are answered from.
    ///
    /// # Errors
    /// When the index is missing, was made by another model, or cannot be read.
    pub fn generation(&self) -> Result<Generation, EngineError> {
        Ok(self.reader()?.generation())
    }

    /// The view of the index that queries are answered from: another one for another generation,
    /// and for another index in its place.
    ///
    /// # Errors
    /// As [`generation`](Self::generation).
    pub fn view_id(&self) -> Result<ViewId, EngineError> {
        Ok(self.reader()?.view_id())
    }

    /// The library folders of the index, whichever model made it.
    ///
    /// # Errors
    /// When there is no index, or it cannot be read.
    pub fn libraries(&self) -> Result<Vec<PathBuf>, EngineError> {
        let libraries = IndexReader::open(self.views.folder(), None)?.libraries()?;
        let folders = libraries.into_iter().map(|library| library.folder);
        Ok(folders.collect())
    }

    /// Whether a folder is a library folder of the index or has one in it. It may be missing.
    ///
    /// # Errors
    /// When the index exists and its library folders cannot be read.
    pub fn is_library(&self, folder: &Path) -> Result<bool, EngineError> {
        let libraries = match self.libraries() {
            Err(EngineError::Index(IndexError::NoIndex { .. })) => return Ok(false),
            libraries => libraries?,
        };
        let folder = names::resolved(&std::path::absolute(folder)?);
        Ok(libraries.iter().any(|library| library.starts_with(&folder)))
    }

    /// Frees the memory of the image encoder, which is loaded again when it is needed, and with
    /// `texts` that of the text encoders. What encodes right now stays.
    pub fn unload(&self, texts: bool) {
        self.encoders.unload(texts);
    }

    /// Whether what happened to a file or folder can matter to an index of the `library` folder
    /// that it is in: pictures, sidecars, ignore files and folders do, unless they are hidden, in
    /// a folder that is never walked, or part of this index. Ignore files are not read.
    #[must_use]
    pub fn concerns(&self, library: &Path, path: &Path) -> bool {
        !path.starts_with(self.views.folder()) && indexing::concerns(library, path)
    }

    /// The folder of the index.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.views.folder()
    }

    /// Changes the query of a refined search, and searches again. When that fails, the refinement
    /// stays as it is.
    ///
    /// # Errors
    /// When a hit is named that there is not, there is no query yet, or as [`Engine::understand`]
    /// and [`Engine::search`].
    pub fn refine(
        &self,
        refinement: &mut Refinement,
        changes: &[QueryChange],
    ) -> Result<(), RefineError> {
        let RefineOptions { by, language, .. } = refinement.options();
        let understand = |text: &str| self.understand(text, by, language);
        refinement.change(changes, understand, |request| self.search(request))
    }

    /// Searches for the first `n` hits of the present query of a refined search, at least one.
    ///
    /// # Errors
    /// When there is no query yet, or as [`Engine::search`].
    pub fn show(&self, refinement: &mut Refinement, n: usize) -> Result<(), RefineError> {
        refinement.resize(n, |request| self.search(request))
    }

    /// Captions that match a query, best first. Equal texts are one hit. A query that only
    /// restricts lists the captions that it leaves, the last added first.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn search_captions(&self, request: &SearchRequest) -> Result<Vec<CaptionHit>, EngineError> {
        let reader = self.reader_for(request)?;
        search::captions(&reader, self.query_encoder(&reader, request), request)
    }

    /// Captions that match a picture, which need not be indexed, best first.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn captions(&self, picture: &Path, n: usize) -> Result<Vec<CaptionHit>, EngineError> {
        self.search_captions(&SearchRequest::picture(picture, n))
    }

    /// Captions for a picture, which need not be indexed. Where nobody wrote any: phrases of the
    /// built-in bank, which are encoded once per model. See [`DescribeRequest`]. `None` when
    /// `progress` stops the encoding.
    ///
    /// # Errors
    /// As [`Engine::search`]. The bank needs no index.
    pub fn describe(
        &self,
        request: &DescribeRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<Option<Description>, EngineError> {
        let reader = self.reader();
        let encoder = self.picture_encoder(reader.as_deref().ok());
        describe::describe(reader, encoder, &self.bank, request, progress)
    }

    /// Tags pictures; see [`TagRequest`]. Those of the index are not decoded again, and none need
    /// be in it. `progress` is called often and can stop the run.
    ///
    /// # Errors
    /// When something named does not exist, the file of labels is malformed, the model is not
    /// calibrated or cannot be run, or the index cannot be read, or written where tags are to be
    /// stored. A picture that cannot be read is skipped.
    pub fn tag(
        &self,
        request: &TagRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<TagReport, EngineError> {
        let reader = match self.reader() {
            Ok(reader) => Some(reader),
            // Pictures can be tagged without an index.
            Err(EngineError::Index(IndexError::NoIndex { .. })) if !request.save => None,
            Err(error) => return Err(error),
        };
        let reader = reader.as_deref();
        let encoder = self.picture_encoder(reader);
        let folder = self.views.folder();
        let report = tagging::tag(folder, reader, encoder, &self.bank, request, progress);
        self.views.refresh();
        report
    }

    fn picture_encoder(&self, reader: Option<&IndexReader>) -> QueryEncoder<'_> {
        QueryEncoder {
            encoders: &self.encoders,
            decode: &self.decode,
            hint: reader.map_or(LanguageHint::default(), |reader| {
                LanguageHint::of_index(reader.language(), None)
            }),
            known: &self.texts,
        }
    }

    /// Pictures similar to the one in this file, best first, without that picture itself: its
    /// content is in no hit. If the file is indexed and was not changed since, it is not read, and
    /// need not exist. With `min_confidence`, 0…1, hits of which less is likely are left out.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn similar(
        &self,
        picture: &Path,
        n: usize,
        min_confidence: Option<f32>,
    ) -> Result<Vec<SearchHit>, EngineError> {
        let reader = self.reader()?;
        let request = SearchRequest::picture(picture, n);
        let encoder = self.query_encoder(&reader, &request);
        search::similar(&reader, encoder, picture, n, min_confidence)
    }

    /// At most `n` pictures similar to an image of the index, best first, without itself, whose
    /// hits are read as they are shown; otherwise as [`Engine::similar`]. `None` when it has no
    /// such image.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn find_similar(
        &self,
        id: ItemId,
        n: usize,
        min_confidence: Option<f32>,
    ) -> Result<Option<Found>, EngineError> {
        let reader = self.reader()?;
        let encoder = self.picture_encoder(Some(&reader));
        search::find_similar(&reader, encoder, id, n, min_confidence)
    }

    /// Groups of files that show the same picture, each with the file to keep; see
    /// [`DuplicatesRequest`]. Needs no model, and deletes nothing. `progress` is called often and
    /// can stop the run; the groups found by then are returned.
    ///
    /// # Errors
    /// When there is no index in `folder`, it cannot be read, or it has no file in the folder of
    /// the request.
    pub fn duplicates(
        folder: &Path,
        request: &DuplicatesRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<DuplicatesReport, EngineError> {
        duplicates::find(&IndexReader::open(folder, None)?, request, progress)
    }

    /// Which parts of a picture and which words of a text make them match; see [`Explanation`].
    /// Encodes the picture about 60 times with parts of it masked, and the text once per word.
    /// Needs no index; with one, its language counts for texts that could be in several. `None`
    /// when `progress`, which is called often, stopped it.
    ///
    /// # Errors
    /// When the text is blank, the picture cannot be read, or the model cannot be run or has no
    /// text tower for the language asked for.
    pub fn explain(
        &self,
        request: &ExplainRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<Option<Explanation>, EngineError> {
        let hint = match self.reader() {
            Ok(reader) => LanguageHint::of_index(reader.language(), request.language),
            Err(_) => LanguageHint {
                asked: request.language,
                usual: None,
            },
        };
        explain::explain(&self.encoders, &self.decode, hint, request, progress)
    }

    /// What the model makes of a text as a query, in this language or in that which it seems to be
    /// in.
    ///
    /// # Errors
    /// When the index is missing, the model cannot be loaded, or it has no text tower for the
    /// language.
    pub fn reading(
        &self,
        text: &str,
        language: Option<TextLanguage>,
    ) -> Result<Reading, EngineError> {
        let hint = LanguageHint::of_index(self.reader()?.language(), language);
        self.encoders.reading(text, hint)
    }

    fn query_encoder(&self, reader: &IndexReader, request: &SearchRequest) -> QueryEncoder<'_> {
        QueryEncoder {
            encoders: &self.encoders,
            decode: &self.decode,
            hint: LanguageHint::of_index(reader.language(), request.language),
            known: &self.texts,
        }
    }
}
