//! A watcher on a fake encoder.

use std::sync::Mutex;

use super::*;
use crate::engine::fake;

#[test]
fn encoders_are_freed_once_when_nothing_was_indexed_for_a_while() {
    let rows: [(bool, &[&str]); 2] = [(true, &["image", "text"]), (false, &["image"])];
    for (is_alone, expected) in rows {
        let place = tempfile::tempdir().unwrap();
        let photos = place.path().join("photos");
        fs_err::create_dir(&photos).unwrap();
        image::RgbImage::new(30, 20)
            .save(photos.join("black.png"))
            .unwrap();
        let freed: Arc<Mutex<Vec<&str>>> = Arc::default();
        let note = Arc::clone(&freed);
        let encoders = fake::encoders_with_watched_memory("one", move |encoder| {
            note.lock().unwrap().push(encoder);
        });
        let engine = Arc::new(Engine::open(place.path().join("index"), encoders));
        let options = WatchOptions {
            request: IndexRequest::folder(&photos),
            is_alone,
            every: Duration::from_hours(1),
            free_after: Duration::from_millis(100),
        };
        let mut n_runs = 0;
        let mut n_idle = 0;
        let began = Instant::now();
        let mut listen = |event: &WatchEvent<'_>| {
            n_runs += usize::from(matches!(event, WatchEvent::Indexed(_)));
            assert!(n_runs > 0 || freed.lock().unwrap().is_empty());
            n_idle +=
                usize::from(matches!(event, WatchEvent::Idle) && !freed.lock().unwrap().is_empty());
            assert!(began.elapsed() < Duration::from_mins(5), "nothing is freed");
            if n_idle < 4 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        Watcher::new(engine, options).run(&mut listen).unwrap();
        assert_eq!(*freed.lock().unwrap(), expected);
        assert_eq!(n_runs, 1);
    }
}
