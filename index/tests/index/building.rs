//! Graph segments: built during and after a run, merged, stopped, and killed.

use std::ops::ControlFlow;
use std::path::Path;

use sightline_index::{BuildProgress, Generation, GraphState, IndexReader, IndexWriter, ItemKind};

use crate::support::{
    EXACT, assert_healthy, binding, ids, photo, put_photo, unit, vector, with_graphs_from,
};

const DIMENSION: usize = 16;

fn open(dir: &Path, min: usize, max: usize) -> IndexWriter {
    let mut options = with_graphs_from(min);
    options.max_graph_items = max;
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), options).unwrap()
}

fn put(writer: &mut IndexWriter, numbers: std::ops::Range<u64>) {
    for number in numbers {
        put_photo(writer, number, vector(DIMENSION, number));
    }
}

fn go_on(_: BuildProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The number of segments of images, and of images that are in none.
fn segments(dir: &Path) -> (u64, u64) {
    let reader = IndexReader::open(dir, None).unwrap();
    let n_fresh = match reader.counts().image_graph {
        GraphState::Ready { n_fresh, .. } => n_fresh,
        GraphState::Absent => reader.counts().n_images,
        state => panic!("{state:?}"),
    };
    (reader.n_graphs(ItemKind::Image), n_fresh)
}

/// Asserts that a search of all segments finds what a scan finds.
fn assert_found(dir: &Path, numbers: impl IntoIterator<Item = u64>) {
    let reader = IndexReader::open(dir, None).unwrap();
    let mut n_checked = 0;
    for number in numbers {
        let query = vector(DIMENSION, number);
        let how = sightline_index::Nearest {
            exact: false,
            ef: 200,
        };
        let near = reader.nearest(ItemKind::Image, &query, 5, &how).unwrap();
        let exact = reader.nearest(ItemKind::Image, &query, 5, &EXACT).unwrap();
        assert_eq!(ids(&near), ids(&exact), "{number}");
        assert!(near[0].similarity > 0.999, "{number}");
        n_checked += 1;
    }
    assert!(n_checked > 0);
}

#[test]
fn a_long_run_leaves_few_segments_and_no_build_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), 50, 1_000);
    let mut n_largest = 0;
    for run in 0..40 {
        put(&mut writer, run * 50..(run + 1) * 50);
        writer.checkpoint().unwrap();
        let built = writer.build_graphs(&mut |build| {
            n_largest = n_largest.max(build.n_total);
            ControlFlow::Continue(())
        });
        assert!(built.unwrap().is_continue());
        let (n_segments, n_fresh) = segments(dir.path());
        assert!(n_segments <= 14 && n_fresh == 0, "{run}: {n_segments}");
    }
    assert_eq!(n_largest, 200, "a run merges small segments only");
    writer.finish().unwrap();
    assert_eq!(segments(dir.path()), (2, 0));
    assert_found(dir.path(), (0..2_000).step_by(97));
    assert_healthy(dir.path());
}

#[test]
fn building_can_be_stopped_and_goes_on_with_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), 100, 2_000);
    put(&mut writer, 0..5_000);
    let mut writer = {
        let finished = writer.finish_with(&mut |_| ControlFlow::Break(()));
        assert_eq!(
            finished.unwrap().generation,
            Generation(1),
            "everything is committed"
        );
        assert_eq!(segments(dir.path()), (0, 5_000), "and nothing is built");
        open(dir.path(), 100, 2_000)
    };
    // Stopped in the middle of the second of three segments.
    let mut n_calls = 0;
    let mut stop_in_second = |build: BuildProgress| {
        n_calls += 1;
        assert_eq!(build.n_total, 5_000);
        if build.n_done > 2_500 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    assert!(
        writer
            .build_graphs(&mut |_| ControlFlow::Break(()))
            .unwrap()
            .is_break()
    );
    writer.finish_with(&mut stop_in_second).unwrap();
    assert!(n_calls >= 4, "{n_calls}");
    assert_eq!(segments(dir.path()), (1, 3_000), "a complete segment stays");
    let files = fs_err::read_dir(dir.path().join("graphs")).unwrap();
    assert_eq!(files.count(), 1, "what was not complete is deleted");
    assert_healthy(dir.path());
    assert_found(dir.path(), (0..5_000).step_by(501));
    open(dir.path(), 100, 2_000).finish().unwrap();
    assert_eq!(segments(dir.path()), (3, 0));
    assert_healthy(dir.path());
}

#[test]
fn removed_items_of_any_segment_are_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), 100, 300);
    put(&mut writer, 0..1_000);
    writer.finish().unwrap();
    assert_eq!(segments(dir.path()), (4, 0));
    let mut writer = open(dir.path(), 100, 300);
    for number in (0..1_000).step_by(10) {
        writer.remove_file(&photo(number)).unwrap();
    }
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.leftovers(ItemKind::Image).unwrap().n_tombstones, 100);
    let near = reader
        .nearest(ItemKind::Image, &vector(DIMENSION, 500), 1, &EXACT)
        .unwrap();
    assert!(near[0].similarity < 0.99);
    drop(reader);
    assert_found(dir.path(), (1..1_000).step_by(10));
    let mut writer = open(dir.path(), 100, 300);
    writer.compact(&mut go_on).unwrap();
    drop(writer);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.leftovers(ItemKind::Image).unwrap().n_tombstones, 0);
    assert_found(dir.path(), (1..1_000).step_by(10));
    assert_healthy(dir.path());
}

#[test]
fn a_damaged_segment_alone_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), 100, 300);
    put(&mut writer, 0..1_200);
    writer.finish().unwrap();
    let graph = |number| dir.path().join(format!("graphs/image-{number}.graph"));
    let others = [1, 3, 4].map(|number| fs_err::read(graph(number)).unwrap());
    fs_err::OpenOptions::new()
        .write(true)
        .open(graph(2))
        .unwrap()
        .set_len(1_000)
        .unwrap();
    assert_found(dir.path(), (0..1_200).step_by(101));
    open(dir.path(), 100, 300).finish().unwrap();
    assert_eq!(segments(dir.path()), (4, 0));
    assert!(!graph(2).exists() && graph(5).exists());
    let kept = [1, 3, 4].map(|number| fs_err::read(graph(number)).unwrap());
    assert!(kept == others, "the others stay");
    assert_found(dir.path(), (0..1_200).step_by(101));
    assert_healthy(dir.path());
}

/// Only damage unlists a segment; any other error is returned.
#[cfg(unix)]
#[test]
fn an_unreadable_segment_is_an_error_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), 100, 300);
    put(&mut writer, 0..200);
    writer.finish().unwrap();
    let graph = dir.path().join("graphs/image-1.graph");
    let aside = dir.path().join("aside");
    fs_err::rename(&graph, &aside).unwrap();
    // Opening a link to itself fails with ELOOP, which says nothing about the file.
    std::os::unix::fs::symlink(&graph, &graph).unwrap();
    let mut options = with_graphs_from(100);
    options.max_graph_items = 300;
    let opened = IndexWriter::open_or_create_with(dir.path(), &binding(DIMENSION), options);
    assert!(opened.is_err_and(|error| !error.is_damage()));
    fs_err::remove_file(&graph).unwrap();
    fs_err::rename(&aside, &graph).unwrap();
    assert_eq!(segments(dir.path()), (1, 0), "it is still listed");
    assert_healthy(dir.path());
}

/// With a segment lost, few of whose items are left, merges count what there is.
#[test]
fn a_lost_segment_of_few_items_is_merged() {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..4 {
        let mut writer = open(dir.path(), 100, 300);
        put(
            &mut writer,
            run * 300..(run * 300 + if run == 3 { 200 } else { 300 }),
        );
        writer.finish().unwrap();
    }
    let mut writer = open(dir.path(), 100, 300);
    for number in 300..510 {
        writer.remove_file(&photo(number)).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(segments(dir.path()), (4, 0));
    fs_err::remove_file(dir.path().join("graphs/image-5.graph")).unwrap();
    assert_eq!(segments(dir.path()), (3, 90));
    for first in [2_000, 3_000] {
        let mut writer = open(dir.path(), 100, 300);
        put(&mut writer, first..first + 80);
        let finished = writer.finish_with(&mut go_on).unwrap();
        assert!(finished.postponed.is_empty(), "{:?}", finished.postponed);
    }
    assert_found(dir.path(), (510..600).chain(900..1_100).step_by(7));
    assert_healthy(dir.path());
}

/// Vectors whose codes are all equal, of which a search reaches only some.
#[test]
fn compacting_ends_although_links_do_not_lead_to_all_points() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), 100, 300);
    put(&mut writer, 0..100);
    for number in 100..250u16 {
        let mut values = vector(DIMENSION, 1_000).as_slice().to_vec();
        values[0] += f32::from(number) * 1e-7;
        put_photo(&mut writer, number.into(), unit(values));
    }
    writer.finish().unwrap();
    let n_loose = || {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        reader.leftovers(ItemKind::Image).unwrap().n_loose
    };
    assert!(n_loose() > 50, "{}", n_loose());
    let mut writer = open(dir.path(), 100, 300);
    writer.remove_file(&photo(1)).unwrap();
    let mut n_begun = 0;
    let compacted = writer.compact(&mut |build| {
        n_begun += u32::from(build.n_done == 0);
        match n_begun {
            0..20 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    compacted.unwrap();
    drop(writer);
    assert!((1..5).contains(&n_begun), "{n_begun}");
    assert_found(dir.path(), (2..100).step_by(7));
    assert_healthy(dir.path());
}
